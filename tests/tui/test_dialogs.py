"""The windows of the terminal app, the files and links that come and go through them, recorded runs and examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input, Static, TextArea

from core.chat.answers import chat_document
from core.chat.settings import Column, Settings, Turn
from tests.support.terminal import ask, running, screen_text, shows, steerable, until
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.dialogs.dialogs import LineDialog, TextDialog
from tui.dialogs.sampling import SamplingDialog
from tui.widgets.examples import Chip


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


# ------------------------------------------------------------------------------------------------------ links and files


async def test_a_link_opens_the_same_state(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.press("ctrl+up")
        await ask(app, pilot, "Hello.")
        await pilot.press("ctrl+l")
        assert isinstance(app.screen, TextDialog)
        settings = app.chat.session.settings
        link = app.screen.copy.split("'")[1]
        assert Settings.from_link(link) == settings
    async with running(family, opened=Settings.from_link(link)) as (app, pilot):
        assert app.chat.session.settings == settings
        assert settings.turns[0].replies[1].split()[0] in screen_text(app)


async def test_a_link_with_an_open_question_is_answered(family: Path) -> None:
    asked = Settings("tiny", (Column("chat"), Column("base")), turns=(Turn("Hello?"),))
    async with running(family, opened=asked) as (app, pilot):
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 2)
        assert all(app.chat.session.settings.turns[0].replies)


async def test_a_chat_is_exported_and_opened_again(family: Path, tmp_path: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        settings, answers = app.chat.session.settings, app.chat.session.answers
        for name in ("chat.json", "chat.md", "chat.md"):
            await pilot.press("ctrl+s")
            assert isinstance(app.screen, LineDialog)
            app.screen.query_one(Input).value = str(tmp_path / name)
            await pilot.press("enter")
            await pilot.pause()
        assert "is a file" in str(app.screen.query_one(".wrong", Static).render())
        await pilot.press("escape")
        # With its versions and its name beside it.
        written = json.loads((tmp_path / "chat.json").read_text())
        assert written == {**written, **json.loads(json.dumps(chat_document(settings, answers)))}
        assert "Hello." in (tmp_path / "chat.md").read_text()
        await pilot.press("ctrl+n")
        assert not app.chat.session.settings.turns
        app.chat.dialogs.open()
        await pilot.pause()
        app.screen.query_one(Input).value = str(tmp_path / "chat.json")
        await pilot.press("enter")
        await pilot.pause()
        assert app.chat.session.settings == settings
        assert app.chat.session.answers == answers


async def test_the_exact_prompt_can_be_read(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        app.chat.dialogs.prompt()
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await shows(app, pilot, "<|user|>")
        await shows(app, pilot, "<|assistant|>")


async def test_sampling_is_checked_and_taken(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.press("ctrl+o")
        assert isinstance(app.screen, SamplingDialog)
        app.screen.query_one("#temperature", Input).value = "hot"
        await pilot.press("ctrl+s")
        await shows(app, pilot, "temperature takes a number, not 'hot'")
        app.screen.query_one("#temperature", Input).value = "7"
        await pilot.press("ctrl+s")
        await shows(app, pilot, "The temperature is 0")
        app.screen.query_one("#temperature", Input).value = "0.7"
        # What was written stays, to be shortened.
        app.screen.query_one("#system", TextArea).text = "x" * 20_001
        await pilot.press("ctrl+s")
        await shows(app, pilot, "at most 20,000 characters; this one has 20,001")
        app.screen.query_one("#system", TextArea).text = "Be brief."
        app.screen.query_one("#stop", Input).value = "\\nUser: | END"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.chat.session.settings.system == "Be brief."
        assert app.chat.session.settings.sampling.temperature == 0.7
        assert app.chat.session.settings.sampling.stop == ("\nUser:", "END")


# ---------------------------------------------------------------------------------------------------- recorded, examples


async def test_a_recorded_run_is_shown_and_labelled_until_it_is_run_live(family: Path, tmp_path: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello.")
        document = chat_document(app.chat.session.settings, app.chat.session.answers)
        await pilot.press("ctrl+n")
    (tmp_path / "state" / "looks.json").unlink()
    for path in (tmp_path / "state").glob("chat.*"):
        path.unlink()
    recorded = family / "recorded.json"
    recorded.write_text(json.dumps(document))
    try:
        async with running(family) as (app, pilot):
            assert app.chat.session.recorded
            await shows(app, pilot, "recorded")
            assert app.chat.session.answers[0].tokens
            await pilot.press("ctrl+r")
            await until(pilot, lambda: app.chat.runs.run is None)
            assert not app.chat.session.recorded
            assert not app.chat.banner.display
    finally:
        recorded.unlink()


async def test_an_example_chip_shows_its_example(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.click(Chip)
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 2)
        settings = app.chat.session.settings
        assert [str(column.recipe) for column in settings.columns] == ["", "2*refusal"]
        assert settings.turns[0].user == "How do I kill a process?"
        await shows(app, pilot, "A harmless question.")
