"""Hands on the terminal app: what is written goes to the prompt, sliders follow the mouse, small and colourless screens show everything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from textual.events import MouseDown, MouseMove, MouseUp, Paste

from core.artefacts import store
from tests.support.terminal import ask, running, screen_text, shows, steerable, until
from tests.support.waiting import answers_held
from tests.tui.test_chat import own_state, slider  # noqa: F401  The first is a fixture that gives every test its own state folder.
from tui import state
from tui.dialogs.learn import LearnDialog
from tui.opening import state_name
from tui.screens.library import LibraryScreen
from tui.screens.library_cards import DirectionCard
from tui.screens.library_table import fitted
from tui.widgets.slider import Slider
from tui.widgets.tick import Tick
from tui.widgets.token_strip import AnswerStrip


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_letters_go_to_the_prompt_from_sliders_and_answers(family: Path, size: tuple[int, int]) -> None:
    async with running(family, size=size) as (app, pilot):
        await ask(app, pilot, "Hello")
        before = app.chat.session.settings
        slider(app, "refusal").focus()
        await pilot.pause()
        await pilot.press(*"Is the sun hot! s")
        assert app.chat.prompt.text == "Is the sun hot! s"
        assert app.chat.prompt.has_focus
        app.chat.prompt.put("")
        app.chat.query(AnswerStrip).last().focus()
        await pilot.pause()
        for letter in "xct":
            await pilot.press(letter)
            app.chat.query(AnswerStrip).last().focus()
            await pilot.pause()
        assert app.chat.prompt.text == "xct"
        assert app.screen is app.chat
        # What is pasted there, too, without its controls.
        app.chat.focused.post_message(Paste("one\x1b[31m"))  # type: ignore[union-attr]
        await until(pilot, lambda: app.chat.prompt.text == "xctone[31m")
        assert app.chat.session.settings.columns == before.columns


def mouse(kind: type[MouseDown | MouseMove | MouseUp], widget: Slider, x: int, button: int = 1) -> None:
    y = 2 if widget.size.height >= 4 else 0
    place = widget.region
    event = kind(widget, x, y, 0, 0, button, False, False, False, place.x + x, place.y + y)
    # Else the app would take it for one of its own and pass it on, counted from elsewhere.
    event._set_forwarded()
    widget.post_message(event)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_a_slider_follows_the_mouse_past_its_ends(family: Path, size: tuple[int, int]) -> None:
    async with running(family, size=size) as (app, pilot):
        one = slider(app, "refusal")
        await until(pilot, lambda: one.size.width > 0)
        start = 2 if one.size.height >= 4 else 10
        mouse(MouseDown, one, start + 9)
        for x, strength in ((start + 60, 2), (-30, -2), (start + 200, 2)):
            mouse(MouseMove, one, x)
            await until(pilot, lambda: app.chat.session.settings.column.recipe.strength("refusal") == strength)  # noqa: B023
        mouse(MouseUp, one, start + 200)
        mouse(MouseMove, one, start + 5)
        # Another button pastes or opens a menu; beside the track nothing is pulled.
        for button, x in ((2, start + 5), (3, start + 5), (1, 0 if start > 2 else 10_000)):
            mouse(MouseDown, one, x, button)
            mouse(MouseUp, one, x, button)
        await pilot.pause()
        assert app.chat.session.settings.column.recipe.strength("refusal") == 2


async def test_a_sent_message_is_kept_before_it_is_answered(family: Path) -> None:
    async with running(family, tokens=4000) as (app, pilot):
        with answers_held(2):
            app.chat.prompt.put("Tell me everything.")
            await pilot.press("enter")
            assert app.engine is not None
            path = state.chat_path(state_name(app.engine))
            await until(pilot, path.exists)
            kept = json.loads(path.read_text("utf-8"))
            assert [turn["user"] for turn in kept["settings"]["turns"]] == ["Tell me everything."]
            brought = state.load(state_name(app.engine))
            assert brought is not None
            # Nothing was said yet: it is answered when it is opened again.
            assert not any(brought.session.settings.turns[-1].replies)
            await pilot.press("escape")


async def test_a_small_screen_shows_the_recipe_and_every_track(family: Path) -> None:
    async with running(family, size=(40, 15)) as (app, pilot):
        await pilot.press("ctrl+up")
        await shows(app, pilot, "0.5*truth")
        text = screen_text(app)
        assert [
            line.count("●")
            for line in text.splitlines()
            if line.strip(" ▸").startswith(("truth ", "refusal ")) and " · " not in line
        ] == [1, 1]
        await ask(app, pilot, "Hello")
        await pilot.press("ctrl+g")
        await shows(app, pilot, "Esc ")


async def test_the_sliders_stand_still_while_tokens_are_explained(family: Path) -> None:
    async with running(family, size=(80, 24)) as (app, pilot):
        await ask(app, pilot, "Hello")
        places = {slider(app, "truth").region.y}
        await pilot.press("ctrl+g")
        for _ in range(8):
            await pilot.press("right")
            await pilot.pause()
            places.add(slider(app, "truth").region.y)
        assert len(places) == 1


async def test_without_colours_boxes_say_whether_they_are_ticked_and_where_they_are(
    family: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(family, size=(80, 24)) as (app, pilot):
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LearnDialog))
        await shows(app, pilot, "┌────")
        assert "X▌ may take" not in screen_text(app)
        app.screen.query_one("#replace", Tick).value = True
        await shows(app, pilot, "X▌ may take")
        app.screen.query_one("#replace", Tick).value = False
        await until(pilot, lambda: "X▌ may take" not in screen_text(app))


async def test_what_is_new_of_ones_own_in_the_library_is_selected(family: Path) -> None:
    async with running(family, size=(80, 24)) as (app, pilot):
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen) and app.screen.table.row_count == 4)
        library = app.screen
        assert isinstance(library, LibraryScreen)
        # It begins with what steers the model that is chatted with, not with its ancestor's.
        await until(pilot, lambda: isinstance(app.focused, DirectionCard))
        assert app.focused.entry.checkpoint == "chat"
        shipped = store.artefact_path(family.parent, family.name, "chat", "direction", "truth")
        own = store.artefact_path(store.user_folder(), family.name, "chat", "direction", "zeal")
        own.parent.mkdir(parents=True)
        shutil.copy(shipped, own)
        library.opened()
        await until(pilot, lambda: isinstance(app.focused, DirectionCard) and app.focused.entry.name == "zeal")
        # Nothing new: it stays where one has moved it.
        await pilot.press("down")
        moved = app.focused
        assert isinstance(moved, DirectionCard)
        library.opened()
        await pilot.pause()
        assert (app.focused, library.chosen) == (moved, moved.entry.key)
        assert moved.entry.name != "zeal"


@pytest.mark.parametrize(
    ("row", "index", "shown"),
    [
        (("truth", "direction", "→ dpo", "mapped from skiff-small/base"), 3, "from …small/base"),
        (("truth", "transfer", "shared", "–"), 2, "transfer"),
        (("truth", "direction", "dpo", "a method with a long name"), 3, "a method with a…"),
    ],
)
def test_no_two_rows_of_a_narrow_library_look_alike(row: tuple[str, ...], index: int, shown: str) -> None:
    assert fitted(row, index, 16, whole=False) == shown
