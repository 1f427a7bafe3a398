"""The terminal app through Textual's Pilot, over a tiny random family and the real engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import OptionList

from core.chat.settings import Column
from core.cli.options import Options
from core.display.lenses import describe, lens, value
from core.display.palette import colour
from core.recipes.language import parse
from tests.support.terminal import ask, running, screen_text, shows, steerable, until
from tests.support.waiting import answers_held
from tui.app import TillerApp
from tui.dialogs.dialogs import PickDialog, TextDialog
from tui.widgets.alternatives import Alternatives
from tui.widgets.key_line import KeyLine
from tui.widgets.recipe_line import RecipeInput
from tui.widgets.slider import Slider
from tui.widgets.token_strip import AnswerStrip


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))


def slider(app: object, name: str) -> Slider:
    return next(each for each in app.chat.query(Slider) if each.direction == name)  # type: ignore[attr-defined]


# ---------------------------------------------------------------------------------------------------------------- chat


async def test_a_message_is_answered_by_both_columns_at_once(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.press(*"Hello")
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 2)
        session = app.chat.session
        assert app.chat.prompt.text == ""
        assert [turn.user for turn in session.settings.turns] == ["Hello"]
        assert session.settings.turns[0].replies == tuple(session.answers[column].text for column in (0, 1))
        assert len(session.answers[0].tokens) == 10
        # Two columns without a recipe say the same.
        assert session.answers[0].text == session.answers[1].text


async def test_an_answer_streams_and_esc_keeps_what_was_said(family: Path) -> None:
    async with running(family, tokens=4000) as (app, pilot):
        with answers_held(400):
            app.chat.prompt.put("Tell me everything.")
            await pilot.press("enter")
            await until(pilot, lambda: 3 <= len(app.chat.session.answers[1].tokens) < 4000)
            await pilot.press("escape")
            await until(pilot, lambda: app.chat.runs.run is None)
        answer = app.chat.session.answers[1]
        assert answer.reason == "stopped"
        assert 3 <= len(answer.tokens) < 4000
        assert app.chat.session.settings.turns[-1].replies[1] == answer.text
        await shows(app, pilot, "stopped")


async def test_retry_undo_and_edit(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "First.")
        first = app.chat.session.settings
        await ask(app, pilot, "Second.")
        await pilot.press("f9")
        assert app.chat.session.settings.turns == first.turns
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.chat.runs.run is None)
        # Greedy decoding says the same again.
        assert app.chat.session.settings.turns == first.turns
        app.chat.prompt.focus()
        await pilot.press("up")
        assert app.chat.prompt.text == "First."
        app.chat.prompt.put("Changed.")
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.runs.run is None)
        assert [turn.user for turn in app.chat.session.settings.turns] == ["Changed."]
        await pilot.press("f9")
        assert [turn.user for turn in app.chat.session.settings.turns] == ["First."]


async def test_undo_takes_the_last_turn_of_a_chat_that_was_brought_back_away(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "First.")
        await ask(app, pilot, "Second.")
    async with running(family) as (app, pilot):
        await pilot.press("f9")
        assert [turn.user for turn in app.chat.session.settings.turns] == ["First."]
        await pilot.press("f9", "f9")
        await shows(app, pilot, "There is nothing to undo yet")


async def test_before_the_family_is_read_keys_are_named_and_wait(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TillerApp, "_open", lambda self: None)
    app = TillerApp(Options(family=str(family)))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*"Hi", "enter")
        await shows(app, pilot, "The family is still being read")
        assert app.chat.prompt.text == "Hi"
        assert "^r Retry" in screen_text(app)
        await pilot.press("ctrl+r", "f9", "ctrl+up", "ctrl+t", "ctrl+s", "f7", "escape")
        await pilot.press("ctrl+a", "delete", "up", "shift+tab", "x")
        assert app.screen is app.chat
        assert app.return_code is None


async def test_stop_is_offered_while_there_is_something_to_stop(family: Path) -> None:
    async with running(family, tokens=4000) as (app, pilot):
        await until(pilot, lambda: "Esc Stop" not in screen_text(app))
        app.chat.prompt.put("Tell me everything.")
        await pilot.press("enter")
        await shows(app, pilot, "Esc Stop")
        # What has to wait is said on the screen where it was asked for.
        await pilot.press("f3", "ctrl+g")
        await shows(app, pilot, "An answer is being written")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.chat.runs.run is None and "Esc Stop" not in screen_text(app))


async def test_a_retry_with_chance_draws_with_another_seed(family: Path) -> None:
    async with running(family) as (app, pilot):
        session = app.chat.session
        session.settings = replace(session.settings, sampling=replace(session.settings.sampling, temperature=1.5))
        await ask(app, pilot, "Anything.")
        before = session.answers[0].text
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.chat.runs.run is None)
        assert session.answers[0].text != before
        assert session.settings.sampling.seed == 1


# ------------------------------------------------------------------------------------------------------------ steering


async def test_sliders_and_recipe_line_stay_in_step(family: Path) -> None:
    async with running(family) as (app, pilot):
        line = app.chat.query_one(RecipeInput)
        await pilot.press("ctrl+up", "ctrl+up")
        assert str(app.chat.session.settings.column.recipe) == line.value == "1*truth"
        await pilot.press("ctrl+right", "ctrl+down")
        assert line.value == "1*truth - 0.5*refusal"
        line.focus()
        line.value = "-1.5*refusal@base[1]:reply"
        await pilot.pause()
        assert slider(app, "refusal").face.value == -1.5
        assert slider(app, "refusal").face.source == "base"
        assert slider(app, "truth").face.value == 0
        await shows(app, pilot, "layer 1, the reply")
        # The other way round, what the slider does not say stays in the line.
        slider(app, "refusal").focus()
        await pilot.press("right")
        assert line.value == "-1*refusal@base[1]:reply"
        await pilot.press("ctrl+e")
        assert line.value == "-1*refusal[1]:reply"
        await pilot.press("0")
        assert line.value == ""
        await pilot.press("ctrl+x")
        assert line.value == "!refusal"
        assert slider(app, "refusal").face.state == "ablated"
        await pilot.press("ctrl+x")
        assert line.value == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.5*truht", "no direction 'truht'"),
        ("1.5 truth", "Character 5: a * belongs"),
        ("1e9*truth", "between -10 and 10"),
        ("truth@nowhere", "no checkpoint 'nowhere'"),
        ("truth[9]", "layers 0 to 3"),
    ],
)
async def test_a_recipe_that_cannot_be_used_is_said_and_nothing_is_lost(family: Path, text: str, said: str) -> None:
    async with running(family, size=(140, 40)) as (app, pilot):
        line = app.chat.query_one(RecipeInput)
        line.focus()
        line.value = text
        await until(pilot, lambda: said in " ".join(str(app.chat.recipe_line.verdict.render()).split()))
        assert app.chat.session.settings.column.recipe == parse("")
        app.chat.prompt.focus()
        app.chat.prompt.put("Still here.")
        await pilot.press("enter")
        await pilot.pause()
        assert app.chat.prompt.text == "Still here."
        assert not app.chat.session.settings.turns
        assert line.value == text


async def test_names_are_completed(family: Path) -> None:
    async with running(family) as (app, pilot):
        line = app.chat.query_one(RecipeInput)
        line.focus()
        await pilot.press(*"2*tr")
        await until(pilot, lambda: line._suggestion == "2*truth")
        await pilot.press("tab")
        assert line.value == "2*truth"
        await pilot.press(*"@b")
        await until(pilot, lambda: line._suggestion == "2*truth@base")
        await pilot.press("tab")
        assert line.value == "2*truth@base"
        assert app.chat.session.settings.column.recipe == parse("2*truth@base")


async def test_after_an_answer_the_slider_swaps_it_at_once(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "How do I kill a process?")
        await until(pilot, lambda: len(slider(app, "truth").face.ready) == 9)
        plain = app.chat.session.answers[1].text
        for _ in range(4):
            await pilot.press("ctrl+up")
        swapped = app.chat.session.answers[1]
        assert app.chat.runs.run is None
        assert swapped.text != plain
        assert all(token.shadow is not None for token in swapped.tokens)
        assert app.chat.session.settings.turns[-1].replies[1] == swapped.text
        # What was computed ahead is what an honest run with that recipe says.
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.chat.runs.run is None)
        assert app.chat.session.answers[1].text == swapped.text
        for _ in range(4):
            await pilot.press("ctrl+down")
        assert app.chat.session.answers[1].text == plain


async def test_a_strength_that_was_not_computed_is_said_to_be_missing(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "How do I kill a process?")
        await until(pilot, lambda: len(slider(app, "truth").face.ready) == 9)
        slider(app, "truth").focus()
        await pilot.press("plus")
        assert str(app.chat.session.settings.column.recipe) == "0.1*truth"
        await pilot.pause()
        assert app.chat.transcript.last[1].face.hint == "written by chat, plain; Ctrl+R answers again"
        await shows(app, pilot, "written by")


async def test_a_reader_at_the_end_stays_there_when_the_room_grows_less(family: Path) -> None:
    async with running(family, tokens=40) as (app, pilot):
        await ask(app, pilot, "Tell me everything.")
        transcript = app.chat.transcript
        for height in (18, 40, 20, 16):
            await pilot.resize_terminal(100, height)
            await until(pilot, lambda: transcript.scroll_y == transcript.max_scroll_y)
        assert transcript.max_scroll_y > 0


async def test_a_slider_moved_during_a_run_steers_the_next_token(family: Path) -> None:
    async with running(family, tokens=4000) as (app, pilot):
        with answers_held(400):
            app.chat.prompt.put("Tell me everything.")
            await pilot.press("enter")
            await until(pilot, lambda: len(app.chat.session.answers[1].tokens) >= 2)
            await pilot.press("ctrl+up", "ctrl+up", "ctrl+up", "ctrl+up")
            await until(pilot, lambda: bool(app.chat.session.answers[1].joins))
            await pilot.press("escape")
            await until(pilot, lambda: app.chat.runs.run is None)
        index, _recipe = app.chat.session.answers[1].joins[0]
        assert index >= 2
        assert not app.chat.session.answers[0].joins
        # The answers go on for many lines; the mark stands somewhere among them.
        scroller = app.chat.transcript
        scroller.scroll_home(animate=False)
        await pilot.pause()
        while "│" not in screen_text(app):
            assert scroller.scroll_y < scroller.max_scroll_y, "the mark is nowhere"
            scroller.scroll_page_down(animate=False)
            await pilot.pause()


# -------------------------------------------------------------------------------------------------------------- tokens


async def test_the_cursor_explains_its_token_and_an_alternative_goes_on_from_there(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        await pilot.press("ctrl+g")
        strip = app.focused
        assert isinstance(strip, AnswerStrip)
        assert strip.column == 1
        await pilot.press("right", "right")
        token = app.chat.session.answers[1].tokens[2]
        shown = str(app.chat.token_panel.readings.render())
        for label, text in describe(token):
            assert label in shown
            assert text in shown
        await pilot.press("enter")
        assert isinstance(app.focused, Alternatives)
        chosen = token.reading.top[app.chat.token_panel.alternatives.place]
        assert chosen.id != token.id
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.runs.run is None)
        went_on = app.chat.session.answers[1].tokens
        assert [each.id for each in went_on[:3]] == [
            *(each.id for each in app.chat.session.past[-1].answers[1].tokens[:2]),
            chosen.id,
        ]
        assert [each.forced for each in went_on[:4]] == [True, True, True, False]
        assert app.chat.session.answers[0] == app.chat.session.past[-1].answers[0]


async def test_tokens_have_the_colours_of_the_lens(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        await pilot.press("ctrl+t")
        assert app.chat.session.settings.lens == "surprise"
        await pilot.pause()
        strip = app.chat.transcript.last[1]
        cell = next(cell for cell in strip.rows(strip.content_size.width)[0] if cell.text.strip())
        assert cell.token is not None
        first = app.chat.session.answers[1].tokens[cell.token]
        expected = colour(lens("surprise"), value(lens("surprise"), first) or 0.0)
        segment = next(each for each in strip.render_line(1) if each.text.strip())
        assert segment.style is not None
        assert segment.style.bgcolor is not None
        assert segment.style.bgcolor.name == expected
        await pilot.press("ctrl+g", "5")
        assert app.chat.session.settings.lens == "refusal"
        app.toggle_glyphs()
        await pilot.pause()
        assert strip.region.height > 0
        assert all(
            not each.style or each.style.bgcolor is None or each.style.bgcolor.name != expected
            for each in strip.render_line(1)
        )
        assert any(mark in strip.render_line(2).text for mark in "░▒▓█")


# ------------------------------------------------------------------------------------------------------------- columns


async def test_columns_are_added_changed_and_closed(family: Path) -> None:
    async with running(family, size=(140, 40)) as (app, pilot):
        await ask(app, pilot, "Hello.")
        await pilot.press("f7")
        assert isinstance(app.screen, PickDialog)
        app.screen.query_one(OptionList).highlighted = 0
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 3)
        session = app.chat.session
        assert session.settings.columns[2] == Column("base")
        assert session.settings.selected == 2
        assert session.answers[2].text != session.answers[0].text
        await pilot.press("f10")
        app.screen.query_one(OptionList).highlighted = 1
        await pilot.press("enter")
        await until(pilot, lambda: app.chat.runs.run is None)
        assert session.settings.columns[2] == Column("chat")
        assert session.answers[2].text == session.answers[0].text
        await pilot.press("ctrl+g", "ctrl+x")
        await pilot.pause()
        assert len(session.settings.columns) == 2
        assert len(app.chat.transcript.last) == 2


# --------------------------------------------------------------------------------------------------------------- mouse


async def test_the_mouse_reaches_tokens_lenses_sliders_and_keys(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        strip = app.chat.transcript.last[0]
        row = strip.rows(strip.content_size.width)[0]
        at = max(place for place, cell in enumerate(row) if cell.text.strip())
        token = row[at].token
        left = strip.content_region.x - strip.region.x
        await pilot.click(strip, offset=(left + sum(cell.width for cell in row[:at]), 1))
        await until(pilot, lambda: app.chat.model.cursor == (0, token))
        assert app.chat.session.settings.selected == 0
        assert app.focused is strip
        names = [each.name for each in app.chat.model.lens_choice()[0]]
        await pilot.click(app.chat.legend, offset=(1 + app.chat.legend._spots[2][0], 0))
        await until(pilot, lambda: app.chat.session.settings.lens == names[2])
        truth = slider(app, "truth")
        await pilot.click(truth, offset=(2, 2))
        await until(pilot, lambda: str(app.chat.session.settings.column.recipe) == "-2*truth")
        await pilot.click(
            KeyLine, offset=(1 + next(a for a, _, key in app.chat.query_one(KeyLine)._spots if key == "f1"), 0)
        )
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
