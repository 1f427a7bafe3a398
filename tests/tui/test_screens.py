"""The screens beside Chat: opened by keys, clicks, the palette, links and the last state, and left with Esc."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.artefacts.store import artefact_path, folder_fingerprint, save_artefact
from core.chat.screens import CHAT, TABS
from core.chat.settings import Column, Settings
from core.recipes.language import parse
from tests.support.terminal import ask, running, screen_text, shows, steerable, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.commands import commands
from tui.dialogs.dialogs import Dialog, LineDialog
from tui.screens.library import OFFERED
from tui.widgets.dose_text import cell_of
from tui.widgets.slider import Slider


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


async def test_keys_open_every_screen_and_esc_goes_back_to_chat(family: Path) -> None:
    async with running(family) as (app, pilot):
        for each in TABS[1:]:
            await pilot.press(each.key)
            # The Library opens with what the checkpoint can be steered by.
            opens = "can be steered" if each.name == "library" else each.about.split(",")[0]
            await shows(app, pilot, opens)
            assert app.chat.session.settings.tab == each.name
            top = screen_text(app).splitlines()[0]
            assert [title.title in top for title in TABS] == [True] * len(TABS)
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        assert app.screen is app.chat
        await pilot.press("f4", "f2")
        assert app.screen is app.chat
        assert app.chat.session.settings.tab == "chat"


async def test_a_screen_is_made_once_and_an_answer_goes_on_beneath_it(family: Path) -> None:
    async with running(family) as (app, pilot):
        app.chat.prompt.put("Hello.")
        await pilot.press("enter", "f3")
        first = app.screen
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 2)
        assert app.chat.session.settings.turns[0].replies[1] == app.chat.session.answers[1].text
        await pilot.press("escape", "f3")
        assert app.screen is first


async def test_no_screen_opens_over_a_window(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.press("f1", "f3")
        assert isinstance(app.screen, Dialog)
        await pilot.press("escape")
        assert app.screen is app.chat


@pytest.mark.parametrize("size", [(80, 24), (100, 30)])
async def test_the_header_names_the_open_screen_and_can_be_clicked_where_there_is_room(
    family: Path, size: tuple[int, int]
) -> None:
    async with running(family, size=size) as (app, pilot):
        await pilot.press("f5")
        await shows(app, pilot, "Inspect")
        place = app.places["inspect"]
        # At once, not when the engine is next looked at: else the names move before they are clicked.
        assert place.header.place == app.chat.header.place == "Tiny · chat"
        x = next(a for a, _, name in place.header._spots if name == "inspect") + 2
        assert screen_text(app).splitlines()[0][x:].startswith("Inspect")
        chat = [a for a, _, name in place.header._spots if name == "chat"]
        if chat:
            await pilot.click(place.header, offset=(chat[0] + 2, 0))
            assert app.screen is app.chat


async def test_the_palette_has_every_screen_and_the_chats_commands_only_there(family: Path) -> None:
    async with running(family) as (app, pilot):
        names = [each.title for each in commands(app)]
        assert {each.title for each in TABS} | {"Retry"} <= set(names)
        await pilot.press("f6")
        names = [each.title for each in commands(app)]
        assert {each.title for each in TABS} <= set(names)
        assert "Retry" not in names
        next(each for each in commands(app) if each.title == "Transfer").callback()
        await pilot.pause()
        assert app.chat.session.settings.tab == "transfer"


async def test_a_link_opens_its_screen_and_the_last_one_comes_back(family: Path) -> None:
    settings = Settings("tiny", (Column("base"), Column("chat")), tab="blame")
    async with running(family, opened=Settings.from_link(settings.to_link())) as (app, pilot):
        assert app.screen is app.places["blame"]
        await pilot.press("escape")
        await ask(app, pilot, "Hello.")
        await pilot.press("f6")
        # Undo is of the chat, not of where one is.
        app.chat.session.remember()
        app.chat.session.undo()
        assert app.chat.session.settings.tab == "library"
        app.keep()
    async with running(family) as (app, _):
        assert app.screen is app.places["library"]


# ------------------------------------------------------------------------------------------ what Chat has beside its columns


async def test_a_slider_says_what_was_measured_and_is_heavy_where_it_is_of_use(family: Path) -> None:
    async with running(family, size=(120, 40)) as (app, pilot):
        # Measured in tests/support/terminal.py: effect 0, .4, 1 and damage .5, 0, .9 at -2, 0 and 2.
        slider = next(iter(app.chat.query(Slider)))
        found = slider.face.dose
        assert found is not None
        assert found.useful is not None
        assert found.range_said() in screen_text(app)
        await pilot.press("ctrl+up")
        await until(pilot, lambda: "(unsteered" in slider.face.words)
        await shows(app, pilot, slider._words(slider.content_size.width)[0])
        track = slider._lines().plain.splitlines()[2][2:]
        low, high = (cell_of(each, len(track)) for each in found.useful)
        heavy = [place for place, mark in enumerate(track) if mark in "━┿●┴"]
        assert min(heavy) in (low, low + 1)
        assert max(heavy) in (high, high - 1)


async def test_what_the_library_can_begin_is_in_the_menu_of_every_screen(family: Path) -> None:
    async with running(family) as (app, pilot):
        for each in TABS:
            await pilot.press(each.key)
            await until(pilot, lambda name=each.name: getattr(app.screen, "NAME", "chat") == name)
            titles = [command.title for command in commands(app)]
            for title, _, _ in OFFERED:
                assert titles.count(title) == 1
        await pilot.press("f2")
        next(command for command in commands(app) if command.title == "Keep a preset").callback()
        await until(pilot, lambda: isinstance(app.screen, LineDialog))
        await shows(app, pilot, "p opens Chat with it")
        await pilot.press("escape")
        await until(pilot, lambda: getattr(app.screen, "NAME", "") == "library")


async def test_the_same_by_asking_for_it(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Is Lodz in Poland?")
        await pilot.press("f12")
        await shows(app, pilot, "There is nothing to ask for")
        app.chat.sliders.use(parse("1*truth"))
        await pilot.press("f12")
        await until(pilot, lambda: app.chat.runs.run is None and 2 in app.chat.session.answers)
        settings = app.chat.session.settings
        assert settings.columns[2] == Column("chat", asks="Call this true, whatever it says: {message}")
        assert settings.turns[-1].replies[2] != settings.turns[-1].replies[0]
        assert "asked" in screen_text(app)


async def test_recipes_in_full_are_completed_and_judged(family: Path) -> None:
    path = artefact_path(family.parent, family.name, "chat", "neurons", "entropy")
    card = {"kind": "neurons", "name": "entropy", "family": family.name, "checkpoint": "chat"}
    card["fingerprint"] = folder_fingerprint(family / "chat")
    save_artefact(path, {"neurons": np.array([[0, 3]], np.float32), "means": np.array([0.5], np.float32)}, card)
    async with running(family) as (app, pilot):
        line = app.chat.recipe_line
        line.input.focus()
        line.input.value = ""
        await pilot.press(*"!neu")
        await until(pilot, lambda: line.input._suggestion == "!neurons:")
        await pilot.press("tab")
        await until(pilot, lambda: line.input._suggestion == "!neurons:entropy")
        await pilot.press("tab")
        await shows(app, pilot, "1 neuron of layer 0")
        await pilot.press(*" + 1*truth?ref")
        await until(pilot, lambda: line.input._suggestion.endswith("?refusal"))
        await pilot.press("tab", *">0")
        await until(pilot, lambda: str(app.chat.session.settings.column.recipe).endswith("truth?refusal>0"))
        await ask(app, pilot, "Hello.")
        assert app.chat.session.answers[1].error == ""
        assert app.chat.session.answers[1].tokens[0].shadow is not None
    path.unlink()


def test_screens_are_imported_when_they_are_opened() -> None:
    code = "import sys, tui.app; print([m for m in sys.modules if m.startswith('tui.') and m.endswith('_screen')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_links_know_the_tab_and_old_ones_open_chat() -> None:
    settings = Settings("skiff", (Column("dpo"),), tab="inspect")
    assert Settings.from_link(settings.to_link()) == settings
    old = settings.to_json()
    del old["tab"]
    assert Settings.from_json(old) == replace(settings, tab=CHAT.name)
    with pytest.raises(Exception, match="There is no tab 'nowhere'; there are chat, blame"):
        Settings.from_json({**settings.to_json(), "tab": "nowhere"})
