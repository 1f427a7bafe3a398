"""The Library screen's shelf, a direction from one word, Use in Chat, nine strengths and presets, in 80 × 24."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from core.chat.presets import presets
from core.directions import controls, learn_replies, reply_rates
from tests.support import tiny_models
from tests.support.terminal import running, shows, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.dialogs.dialogs import LineDialog, PickDialog, TextDialog
from tui.dialogs.pairs import PairsDialog
from tui.screens.library import LibraryScreen
from tui.screens.library_cards import DirectionCard


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    monkeypatch.setattr(learn_replies, "SAID_TOKENS", 4)
    folder = tiny_models.family(tmp_path / "pool", checkpoints=("chat",), plain_base=False)
    tiny_models.contrast(folder, examples=8)
    tiny_models.direction(folder, "chat", "truth")
    return folder


async def test_where_concepts_teach_nothing_that_is_said_before_anything_is_chosen(family: Path) -> None:
    file = family / "family.toml"
    file.write_text("system_prompts = false\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    async with running(family, size=(80, 24), tokens=4) as (app, pilot):
        await pilot.press("f6")
        await shows(app, pilot, "chat can be steered by 1 direction: truth")
        for key in ("s", "w"):
            await pilot.press(key)
            await shows(app, pilot, "does not follow system prompts")
            assert isinstance(app.screen, LibraryScreen)


async def test_a_concept_and_a_word_are_learnt_and_used(family: Path) -> None:
    async with running(family, size=(80, 24), tokens=4) as (app, pilot):
        await pilot.press("f6")
        await shows(app, pilot, "chat can be steered by 1 direction: truth")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        await shows(app, pilot, "speaks like an official letter")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen) and len(app.screen.entries) == 2)
        await shows(app, pilot, "Learnt formal on chat.")
        # One word: what the model wrote is seen, and what is wrong with the edited pairs is said.
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = "brave - timid"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PairsDialog))
        area = app.screen.query_one(TextArea)
        assert area.text.startswith("Asked: ")
        written, area.text = area.text, "Asked: a"
        await pilot.press("ctrl+s")
        await shows(app, pilot, "Pair 1 lacks + and -")
        area.text = written
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, LibraryScreen) and len(app.screen.entries) == 3)
        await shows(app, pilot, "Learnt brave on chat.")
        # What was learnt has the focus.
        await until(pilot, lambda: isinstance(app.focused, DirectionCard) and app.focused.entry.name == "brave")
        await pilot.press("u")
        await until(pilot, lambda: app.screen is app.chat)
        assert app.chat.session.settings.column.recipe.strength("brave") > 0
        assert str(app.chat.session.settings.columns[0].recipe) == ""


async def test_nine_strengths_and_presets(family: Path) -> None:
    async with running(family, size=(80, 24), tokens=4) as (app, pilot):
        await pilot.press("f6")
        await shows(app, pilot, "1 direction: truth")
        await pilot.press("p")
        await shows(app, pilot, "There are no presets yet")
        await pilot.press("k")
        await until(pilot, lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = "my own"
        await pilot.press("enter")
        await shows(app, pilot, "Kept: my own: chat · plain")
        assert [each.name for each in presets(app.engine.family)] == ["my own"]
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, LineDialog))
        app.screen.query_one(Input).value = "Hello"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await shows(app, pilot, "of 9 strengths of truth")
        assert isinstance(app.screen, TextDialog)
        assert app.screen.copy.startswith("strength,class,damage,answer\n-2,")
        assert len(app.screen.copy.splitlines()) >= 10
        await pilot.press("escape", "p")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
