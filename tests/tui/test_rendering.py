"""How the terminal app looks and what it withstands: sizes, themes, hostile text, bad input, its own keys, its last state."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.binding import Binding
from textual.command import CommandList, CommandPalette
from textual.events import Paste
from textual.widget import Widget

from core.chat.answers import Answer
from core.chat.events import Reading, Token
from core.chat.sliders import stepped
from core.cli.options import Options
from core.recipes.completion import complete
from tests.support.paths import ROOT
from tests.support.terminal import ask, running, screen_text, shows, steerable, until
from tests.support.waiting import answers_held
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui import state
from tui.app import TillerApp
from tui.dialogs.dialogs import TextDialog
from tui.text import one_line, shown
from tui.themes import CHOICES
from tui.widgets.slider import Slider, SliderFace
from tui.widgets.wrapping import answer_cells, wrap

HOSTILE = "\x1b[2J\x1b]0;owned\x07[bold red]red[/] [@click=app.quit]x[/] \x9b31m \u202egnp.exe\x00"


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


def token(index: int, text: str, logprob: float = -0.5) -> Token:
    return Token(0, index, index, text, Reading(logprob, 1.0, 0))


# ------------------------------------------------------------------------------------------------------------- sizes


def _wrongly_placed(app: TillerApp, parts: list[Widget]) -> list[tuple[Widget, ...]]:
    """Parts without room or beyond the screen, and pairs that overlap."""
    screen = app.screen.region
    alone: list[tuple[Widget, ...]] = [
        (part,) for part in parts if not part.region.area or not screen.contains_region(part.region)
    ]
    return alone + [
        (part, other)
        for index, part in enumerate(parts)
        for other in parts[index + 1 :]
        if part.region.overlaps(other.region)
    ]


async def test_nothing_overlaps_and_nothing_is_cut_off_and_columns_stand_side_by_side_where_there_is_room(
    family: Path,
) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        await pilot.press("ctrl+g", "right")
        chat = app.chat
        for size in ((80, 24), (100, 30), (140, 40), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            parts: list[Widget] = [chat.header, chat.chips, chat.transcript, chat.legend, chat.prompt]
            parts += [chat.recipe_line.input, chat.recipe_line.verdict, *chat.slider_rows.children]
            parts += [chat.token_panel.readings, chat.token_panel.alternatives]
            # A screen is laid out anew once its parts have heard of their sizes, which may take more than one turn.
            await until(pilot, lambda shown=parts: not _wrongly_placed(app, shown))
            assert chat.transcript.region.height >= 10
            lines = screen_text(app).splitlines()
            assert len(lines) == size[1]
            assert all(cell_len(line) == size[0] for line in lines)
            assert "Tiller" in lines[0]
            assert "Help" in lines[-1]
            assert "Quit" in lines[-1]
            left, right = (each.region for each in chat.transcript.last)
            if size[0] >= 140:
                assert left.y == right.y
            if size[0] == 80:
                assert (left.x, left.bottom <= right.y) == (right.x, True)


async def test_every_theme_draws_and_is_kept(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        for theme in CHOICES.values():
            app.wear(theme)
            await pilot.pause()
            assert "Tiller" in app.export_screenshot()
            ansi = app.chat.header.rich_style.bgcolor
            assert (ansi is None or ansi.is_default) == theme.startswith("ansi")
            app.keep()
            assert state.load_looks().theme == theme
    async with running(family) as (app, pilot):
        assert app.theme == theme


async def test_without_colours_lenses_are_glyphs(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert any(mark in screen_text(app) for mark in "░▒▓█")
        app.keep()
    assert not state.load_looks().glyphs


# ----------------------------------------------------------------------------------------------------- hostile text


async def test_what_a_model_says_stays_text(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, f"Say {HOSTILE}")
        session = app.chat.session
        session.answers = {0: Answer((token(0, HOSTILE), token(1, "\n[/]\x1b[31m")), reason="end")}
        session.settle()
        app.chat.view.draw()
        await pilot.press("ctrl+g")
        await pilot.pause()
        text = screen_text(app)
        assert "[bold red]red[/]" in text
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text.replace("\n", ""))
        assert "\u202e" not in text
        assert app.is_running


@given(st.text())
def test_shown_text_holds_no_control(text: str) -> None:
    assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in shown(text))
    assert "\n" not in one_line(text)


@given(st.lists(st.text(max_size=12), max_size=12), st.integers(2, 30))
def test_wrapping_fits_and_keeps_every_token_in_order(texts: list[str], width: int) -> None:
    answer = Answer(tuple(token(index, text) for index, text in enumerate(texts)))
    rows = wrap(answer_cells(answer), width)
    assert all(sum(cell.width for cell in row) <= width for row in rows)
    order = [cell.token for row in rows for cell in row if cell.token is not None]
    assert order == sorted(order)
    kept = "".join(cell.text for row in rows for cell in row)
    assert kept.replace(" ", "") == "".join(one_line(text) for text in texts).replace(" ", "")


# --------------------------------------------------------------------------------------------------------- bad input


async def test_a_message_that_cannot_be_sent_is_said_and_stays(family: Path) -> None:
    # What counts as such a message is tested where it is decided.
    async with running(family) as (app, pilot):
        for message, said in (("  \n ", "Write a message first."), ("a" * 100_000, "at most 20,000 characters")):
            app.chat.prompt.put(message)
            await pilot.press("enter")
            await shows(app, pilot, said)
            assert app.chat.prompt.text == message
            assert not app.chat.session.settings.turns


async def test_a_paste_arrives_once_with_its_lines_and_without_its_controls(family: Path) -> None:
    async with running(family) as (app, pilot):
        app.post_message(Paste("one\r\ntwo\x1b[31m " + "word " * 20_000))
        await until(pilot, lambda: bool(app.chat.prompt.text))
        await pilot.press("x")
        assert app.chat.prompt.text == "one\ntwo[31m " + "word " * 20_000 + "x"


async def test_emoji_are_answered_and_a_long_prompt_says_what_was_cut(family: Path) -> None:
    async with running(family, size=(140, 40)) as (app, pilot):
        await ask(app, pilot, "🐳🐳👩‍👩‍👧")
        assert app.chat.session.answers[0].tokens
        await ask(app, pilot, "whale " * 3000)
        answer = app.chat.session.answers[0]
        assert answer.note or answer.error
        await shows(app, pilot, (answer.note or answer.error).split()[0])


# -------------------------------------------------------------------------------------------------------------- state


async def test_the_last_state_is_resumed(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.press("ctrl+up")
        await ask(app, pilot, "Hello.")
        app.chat.prompt.put("half a thought")
        await pilot.press("ctrl+q")
        settings, answers = app.chat.session.settings, app.chat.session.answers
    async with running(family) as (app, pilot):
        session = app.chat.session
        assert replace(session.settings, sampling=settings.sampling) == settings
        assert session.answers == answers
        assert not session.stale(1)
        assert app.chat.prompt.text == "half a thought"
        assert app.chat.recipe_line.input.value == "0.5*truth"
    # What the command line says goes before it.
    async with running(family, checkpoint="base", recipe="-1*truth") as (app, pilot):
        columns = app.chat.session.settings.columns
        assert [(each.checkpoint, str(each.recipe)) for each in columns] == [("base", ""), ("base", "-1*truth")]


async def test_leaving_in_the_middle_of_an_answer_keeps_it_as_stopped(family: Path) -> None:
    async with running(family, tokens=4000) as (app, pilot):
        with answers_held(400):
            app.chat.prompt.put("Tell me everything.")
            await pilot.press("enter")
            await until(pilot, lambda: any(token.text for token in app.chat.session.answers[1].tokens))
            await pilot.press("ctrl+c")
            await until(pilot, lambda: app.return_code is not None)
    async with running(family) as (app, pilot):
        answer = app.chat.session.answers[1]
        assert answer.reason == "stopped"
        assert 0 < len(answer.tokens) < 4000
        await shows(app, pilot, "stopped")


async def test_a_state_that_cannot_be_read_is_said_and_left_out(family: Path) -> None:
    path = state.chat_path(str(family))
    path.parent.mkdir(parents=True)
    path.write_text("{broken")
    async with running(family) as (app, pilot):
        await shows(app, pilot, "left out")
        assert not app.chat.session.settings.turns
    assert path.exists()


async def test_a_family_that_is_not_there_ends_with_its_sentence() -> None:
    app = TillerApp(Options(family="./nowhere"))
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 2
    assert "There is no family './nowhere'" in app.farewell


# --------------------------------------------------------------------------------------------------------------- keys


def widgets() -> list[type]:
    files = (path.relative_to(ROOT) for path in (ROOT / "tui").rglob("*.py") if path.stem != "__init__")
    names = [".".join(file.with_suffix("").parts) for file in files]
    found = [each for name in names for each in vars(import_module(name)).values() if inspect.isclass(each)]
    return [each for each in dict.fromkeys(found) if each.__module__.startswith("tui.") and "BINDINGS" in vars(each)]


def test_every_binding_has_an_id_of_its_own_and_tmux_keeps_its_key() -> None:
    bindings = [binding for each in widgets() for binding in each.BINDINGS]
    assert len(bindings) > 30
    assert all(isinstance(binding, Binding) and binding.id for binding in bindings)
    assert len({binding.id for binding in bindings}) == len(bindings)
    assert not any("ctrl+b" in binding.key.split(",") for binding in bindings)


async def test_help_belongs_to_what_has_the_focus_and_ctrl_c_leaves_from_there(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.press("f1")
        assert isinstance(app.screen, TextDialog)
        await shows(app, pilot, "Write a message and press Enter")
        await pilot.press("escape")
        app.chat.query("Slider").first().focus()
        await pilot.press("f1")
        await shows(app, pilot, "How strongly this direction steers")
        await shows(app, pilot, "Ablate")
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert app.return_code == 130


async def test_the_palette_holds_every_action_and_runs_it(family: Path) -> None:
    async with running(family) as (app, pilot):
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert len(titles) == len(set(titles)) > 25
        await ask(app, pilot, "Hello.")
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"entropy")
        found = app.screen.query_one(CommandList)
        await until(
            pilot,
            lambda: found.highlighted == 0 and all("ntropy" in str(each.prompt) for each in found.options),
        )
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.session.settings.lens == "entropy")
        # The recipe's line is where one writes then, and Enter takes what is written.
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"write the recipe")
        await shows(app, pilot, "of the selected column, such as 1.5*refusal (Tab)")
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is app.chat.recipe_line.input)
        await pilot.press("ctrl+u", *"-1*truth", "enter")
        await until(pilot, lambda: str(app.chat.session.settings.column.recipe) == "-1*truth")


# ---------------------------------------------------------------------------------------------------- small functions


@pytest.mark.parametrize(
    ("value", "amount", "expected"),
    [
        (0.0, 0.5, 0.5),
        (0.3, 0.5, 0.5),
        (0.3, -0.5, 0.0),
        (-0.3, -0.5, -0.5),
        (0.1, 0.1, 0.2),
        (9.9, 0.5, 10.0),
        (10.0, 0.5, 10.0),
        (-1.2, 0.1, -1.1),
    ],
)
def test_steps_of_a_slider_land_on_its_marks(value: float, amount: float, expected: float) -> None:
    assert stepped(value, amount) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "begun", "names"),
    [
        ("", "", ("truth", "refusal")),
        ("2*tr", "tr", ("truth",)),
        ("2*truth", "truth", ()),
        ("1*truth - 0.5*", "", ("truth", "refusal")),
        ("!", "", ("truth", "refusal")),
        ("truth@b", "b", ("base",)),
        ("truth@", "", ("base", "dpo")),
        ("truth:re", "re", ("reply",)),
        ("truth[3]:", "", ("all", "prompt", "reply", "last")),
        ("1.5", "", ()),
    ],
)
def test_completions(text: str, begun: str, names: tuple[str, ...]) -> None:
    found = complete(text, ("truth", "refusal"), ("base", "dpo"))
    assert (text[found.start :], found.names) == (begun, names)


def test_the_first_paint_comes_before_torch(family: Path, tmp_path: Path) -> None:
    code = f"""
import asyncio, os, sys
os.environ["TILLER_STATE"] = {str(tmp_path)!r}
from core.cli.options import Options
from tui.app import TillerApp

async def main():
    app = TillerApp(Options(family={str(family)!r}, threads=1))
    painted = []
    async with app.run_test(size=(80, 24)) as pilot:
        app.call_after_refresh(lambda: painted.append("torch" in sys.modules))
        while app.engine is None or app.engine.status.state != "ready":
            await pilot.pause(0.05)
    app.engine.close()
    print(painted[0], "torch" in sys.modules)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False True"


async def test_t_opens_and_folds_a_thought(family: Path) -> None:
    tokens = [replace(token(index, text), thought=index < 2) for index, text in enumerate(["hm", " so", "Hello", "!"])]
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        chat = app.chat
        chat.session.answers = {column: Answer(tuple(tokens)) for column in chat.session.answers}
        chat.view.draw()
        await pilot.press("ctrl+g")
        for opened in (False, True, False):
            await shows(app, pilot, f"thought, 2 tokens (^e {'folds' if opened else 'opens'} it)")
            assert ("hm so" in screen_text(app)) is opened
            await pilot.press("ctrl+e")


def test_a_narrow_slider_says_how_far_it_was_measured() -> None:
    def line(extent: str, value: float = 0.5) -> str:
        slider = Slider("truth")
        slider.show(SliderFace(value, extent=extent))
        return slider._narrow_number()

    assert line("") == " 0.5"
    assert line("quick: not measured yet; text breaks beyond −0.5") == " 0.5 quick"
    assert line("measured in part; not yet: controls") == " 0.5 in part"


def test_a_thought_is_one_line_until_it_is_opened() -> None:
    tokens = [replace(token(index, text), thought=index < 2) for index, text in enumerate(["h", "m", "Hello", "!"])]
    answer = Answer(tuple(tokens))

    def lines(opened: bool) -> list[str]:
        return ["".join(cell.text for cell in row) for row in wrap(answer_cells(answer, opened), 60)]

    assert lines(False) == ["▸ thought, 2 tokens (^e opens it)", "Hello!"]
    assert lines(True) == ["▾ thought, 2 tokens (^e folds it)", "hm ", "Hello!"]
