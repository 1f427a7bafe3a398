"""Blame in the terminal app: letters beneath the tokens, the screen with its bars and questions, the chip about a stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import stage_families, tiny_models
from tests.support.terminal import ask, running, screen_text, shows, until
from tui.screens.blame import BlameScreen
from tui.screens.blame_report import HOW


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_families.whole(tmp_path_factory.mktemp("families") / "whole")


@pytest.mark.parametrize("size", [(80, 24), (120, 44)])
async def test_from_the_colours_of_an_answer_to_its_stages(
    folder: Path, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(folder, size=size, tokens=6) as (app, pilot):
        chat = app.chat
        await ask(app, pilot, "Hello there")
        names = [lens.name for lens in chat.model.lens_choice()[0]]
        assert [name for name in names if name.startswith("blame")] == ["blame", "blame:retrained", "blame:subtracted"]
        chat.colouring.choose(names.index("blame"))
        await until(
            pilot, lambda: all(token.blame for answer in chat.session.answers.values() for token in answer.tokens)
        )
        await until(pilot, lambda: chat.colouring.run is None)
        await pilot.press("ctrl+g")
        await pilot.pause()
        shown = screen_text(app)
        assert "A safety" in shown
        assert "came with" in shown
        # What is asked while the lens is chosen is coloured as it is written.
        await ask(app, pilot, "Again")
        assert all(token.blame for token in chat.session.answers[0].tokens)

        await pilot.press("f3")
        screen = app.screen
        assert isinstance(screen, BlameScreen)
        # The chat's last message stands there, and what is written takes its place.
        assert screen.fields["prompt"].value == "Again"
        await pilot.press("x", "y")
        assert screen.fields["prompt"].value == "xy"
        await pilot.press("ctrl+n")
        assert "Find something out first" in screen_text(app)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: screen.report is not None)
        assert screen.report is not None
        assert screen.report.cases[0].prompt == "Again"
        # The conclusion and its picture are on the first screenful; what they rest on folds out.
        shown = screen_text(app)
        assert "Probability of" in shown
        assert "interaction" in shown
        assert "has the largest effect" not in shown
        how = screen.folds[HOW]
        how.collapsed = False
        how.scroll_visible(animate=False)
        await shows(app, pilot, "has the largest effect")
        await pilot.press("ctrl+n")
        await pilot.press("ctrl+n")
        assert screen.asked is not None
        assert screen.asked.key == "introduced_at"
        await pilot.press("ctrl+s")
        await pilot.pause()
        document = json.loads((tmp_path / "tiller-blame.json").read_text(encoding="utf-8"))
        assert document["cases"][0]["prompt"] == "Again"
        screen.fields["prompt"].value = "  "
        await pilot.press("enter")
        screen.action_find()
        await pilot.pause()
        assert "Write a prompt first" in screen_text(app)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: app.screen is chat and chat.runs.run is None and bool(chat.session.answers))
        found = [column.checkpoint for column in chat.session.settings.columns]
        assert found[0] == "dpo"
        assert found[1].startswith("without-")


async def test_of_a_steered_chat_the_plain_answer_is_explained(folder: Path) -> None:
    tiny_models.direction(folder, "dpo", "truth", seed=1)
    async with running(folder, tokens=6, recipe="2*truth") as (app, pilot):
        await ask(app, pilot, "Hello there")
        settings = app.chat.session.settings
        assert [column.does for column in settings.columns] == ["plain", "2*truth"]
        assert settings.selected == 1
        await pilot.press("f3", "ctrl+t")
        screen = app.screen
        assert isinstance(screen, BlameScreen)
        await until(pilot, lambda: screen.report is not None)
        assert screen.report is not None
        # As it was said, though a field of one line holds it.
        assert screen.report.cases[0].answer.text == settings.turns[-1].replies[0]
        await shows(app, pilot, "This is the plain answer of dpo, not the one beside it (2*truth)")


async def test_a_chip_asks_the_model_without_a_stage(folder: Path) -> None:
    async with running(folder, tokens=6) as (app, pilot):
        assert app.engine is not None
        chip = next(each for each in app.engine.family.examples if each.without)
        from tui.messages import ExampleChosen

        app.chat.post_message(ExampleChosen(chip))
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 2)
        await until(
            pilot, lambda: all(token.blame for answer in app.chat.session.answers.values() for token in answer.tokens)
        )
        assert [column.checkpoint for column in app.chat.session.settings.columns] == ["dpo", "without-safety"]
