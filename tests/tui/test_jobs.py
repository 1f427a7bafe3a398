"""The terminal's list of what goes on: each can be ended, with a key and with the mouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.chat.screens import TABS
from core.engine.job_list import JobLine
from tests.support.terminal import running, screen_text, shows, steerable, until
from tests.support.waiting import answers_held
from tests.tui.test_chat import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.dialogs.jobs import JobRow, JobsDialog


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


async def test_each_job_is_ended_by_a_key_or_a_click(family: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(family, size=(80, 24)) as (app, pilot):
        assert app.engine is not None
        ended: list[str] = []
        lines = [
            JobLine("learning formal on chat", part=0.35, left=1200.0, sentence="Trying layer 3.", key="formal"),
            JobLine("tracing cities on base", True, sentence="Waits for the end of learning.", key="cities"),
        ]  # fmt: skip
        monkeypatch.setattr(app.engine, "jobs", lambda: tuple(lines))
        monkeypatch.setattr(app.engine, "end_job", ended.append)
        await pilot.press("alt+j")
        await shows(app, pilot, "Cancel  learning formal on chat, 35 %, about 20 min")
        await shows(app, pilot, "Cancel  tracing cities on base, waits")
        assert "Waits for the end of learning." in screen_text(app)
        await pilot.press("down", "x", "x")
        assert ended == ["cities"]
        await shows(app, pilot, "ending  tracing cities")
        rows = list(app.screen.query(JobRow))
        # Only the word ends it.
        await pilot.click(rows[0], offset=(30, 0))
        assert ended == ["cities"]
        await pilot.click(rows[0], offset=(3, 0))
        assert ended == ["cities", "formal"]
        # What is over goes; the list itself stays until it is closed.
        del lines[:]
        await shows(app, pilot, "Nothing goes on")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.chat)


async def test_an_answer_is_ended_in_the_list_as_well(family: Path) -> None:
    async with running(family, size=(80, 24), tokens=4000) as (app, pilot):
        with answers_held(400):
            app.chat.prompt.put("Tell me everything.")
            await pilot.press("enter")
            await until(pilot, lambda: len(app.chat.session.answers[1].tokens) > 2)
            # What the engine is doing can be clicked on, on every screen.
            await pilot.click(app.chat.header, offset=(77, 0))
            await shows(app, pilot, "Cancel  answering")
            await pilot.press("enter")
            await until(pilot, lambda: app.chat.runs.run is None)
        assert app.chat.session.answers[1].reason == "stopped"
        await shows(app, pilot, "Nothing goes on")


async def test_the_list_opens_on_every_screen_but_over_no_window(family: Path) -> None:
    async with running(family, size=(80, 24)) as (app, pilot):
        for each in TABS:
            await pilot.press(each.key, "alt+j")
            await until(pilot, lambda: isinstance(app.screen, JobsDialog))
            await pilot.press("alt+j", "escape")
            await until(pilot, lambda name=each.name: getattr(app.screen, "NAME", "chat") == name)
