"""Versions and kept chats in the terminal, over a tiny random family and the real engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from core.chat.kept import KeptChats
from tests.support.terminal import ask, running, screen_text, shows, steerable, until
from tests.support.waiting import answers_held
from tui.app import TillerApp
from tui.commands import commands
from tui.dialogs.chats import ChatsDialog


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))


def idle(app: TillerApp) -> bool:
    return app.chat.runs.run is None


async def test_retry_keeps_versions_to_page_through_and_they_are_there_the_next_time(family: Path) -> None:
    async with running(family) as (app, pilot):
        from dataclasses import replace

        session = app.chat.session
        session.settings = replace(session.settings, sampling=replace(session.settings.sampling, temperature=2.0))
        await ask(app, pilot, "First.")
        first = session.settings.turns[-1].replies
        await pilot.press("ctrl+r")
        await until(pilot, lambda: idle(app) and session.versions(0) == (1, 2))
        await shows(app, pilot, "‹2/2 · seed 1›")
        await pilot.press("ctrl+g", "shift+left")
        await shows(app, pilot, "‹1/2 · seed 0›")
        assert session.settings.turns[-1].replies == first
    async with running(family) as (app, pilot):
        assert app.chat.session.versions(0) == (0, 2)
        assert app.chat.session.answers[0].tokens
        app.chat.versions.page(1)
        assert app.chat.session.settings.turns[-1].replies != first


async def test_what_can_be_done_with_an_answer_stands_in_the_help_and_in_the_menu(family: Path) -> None:
    async with running(family, size=(100, 90)) as (app, pilot):
        await ask(app, pilot, "First.")
        await pilot.press("f1")
        await shows(app, pilot, "On an answer (Ctrl+G)")
        said = screen_text(app)
        for key, word in (("^w", "Continue"), ("^u", "Write this answer"), ("⇧←", "Version before"), ("^y", "Copy")):
            assert re.search(rf"{re.escape(key)} +{word}", said)
        assert re.search(r"1 2 3 4 5 6 7 8 9 +Colour by that one", said)
        assert "On a slider" in said
        await pilot.press("escape")
        titles = [command.title for command in commands(app)]
        for each in (
            "Retry",
            "Continue",
            "Write the answer",
            "Version before",
            "Version after",
            "Chats",
            "Shelf",
            "Nine strengths",
        ):
            assert titles.count(each) == 1


async def test_a_greedy_retry_says_that_it_stays_the_same(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "First.")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: idle(app))
        await shows(app, pilot, "always takes the likeliest word")
        app.chat.versions.page(1)
        await shows(app, pilot, "There is one version")


async def test_an_answer_goes_on_and_can_be_written_by_the_person(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "First.")
        before = app.chat.session.answers[1].text
        app.chat.session.settings = app.chat.session.settings.with_column(app.chat.session.settings.columns[1], 1)
        await pilot.press("ctrl+g", "ctrl+w")
        await until(
            pilot, lambda: idle(app) and len(app.chat.session.answers[app.chat.model.settings.selected].tokens) == 20
        )
        app.chat.versions.rewrite(1)
        await pilot.pause()
        app.screen.query_one(TextArea).text = "My own"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: idle(app) and app.chat.session.answers[1].text == "My own")
        assert all(token.forced for token in app.chat.session.answers[1].tokens)
        assert app.chat.session.versions(0) == (1, 2)
        app.chat.versions.page(-1)
        assert app.chat.session.settings.turns[0].replies[1].startswith(before)


async def test_text_shows_headings_and_code_and_html_stays_text(family: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "First.")
        app.chat.versions.rewrite(0)
        await pilot.pause()
        app.screen.query_one(TextArea).text = "so **it** is <b>x</b> `code`\n\n- one\n- two\n\n[a](https://a.example)"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: idle(app) and app.chat.session.answers[0].reason == "written")
        assert "**it**" in screen_text(app)
        app.toggle_text()
        await shows(app, pilot, "so it is <b>x</b> code")
        assert "• one" in screen_text(app)
        assert "your own words" in screen_text(app)
    async with running(family) as (app, pilot):
        await shows(app, pilot, "• one")
        app.toggle_text()
        await shows(app, pilot, "**it**")


async def test_chats_are_listed_searched_renamed_deleted_and_opened(family: Path, tmp_path: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "About whales.")
        await pilot.press("ctrl+n")
        await ask(app, pilot, "About towns.")
        kept = KeptChats(tmp_path / "data" / "chats")
        assert [each.title for each in kept.list()] == ["About towns.", "About whales."]
        await pilot.press("ctrl+k")
        await until(pilot, lambda: isinstance(app.screen, ChatsDialog))
        assert "About whales." in screen_text(app)
        # The open one stays.
        await pilot.press("delete")
        await shows(app, pilot, "This chat is open")
        await pilot.press("slash", *"WHALES", "enter", "r")
        await until(pilot, lambda: bool(app.screen.query(Input)) and not isinstance(app.screen, ChatsDialog))
        app.screen.query_one(Input).value = "The sea"
        await pilot.press("enter")
        await shows(app, pilot, "The sea")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.chat)
        assert [turn.user for turn in app.chat.session.settings.turns] == ["About whales."]
        assert app.chat.session.title == "The sea"
        await pilot.press("ctrl+k")
        await until(pilot, lambda: isinstance(app.screen, ChatsDialog))
        dialog = app.screen
        assert isinstance(dialog, ChatsDialog)
        # Whichever was changed last stands first.
        dialog.list.highlighted = [each.title for each in dialog.found].index("About towns.")
        await pilot.press("delete")
        await shows(app, pilot, "for good?")
        await pilot.press("delete")
        await shows(app, pilot, "is deleted")
        assert [each.title for each in kept.list()] == ["The sea"]


async def test_all_chats_leave_in_one_file_and_come_back(family: Path, tmp_path: Path) -> None:
    async with running(family) as (app, pilot):
        await ask(app, pilot, "About whales.")
        await pilot.press("ctrl+k")
        await until(pilot, lambda: isinstance(app.screen, ChatsDialog))
        dialog = app.screen
        assert isinstance(dialog, ChatsDialog)
        await pilot.press("x")
        await pilot.pause()
        app.screen.query_one(Input).value = str(tmp_path / "all.json")
        await pilot.press("enter")
        await shows(app, pilot, "Written to")
        assert len(json.loads((tmp_path / "all.json").read_text())["chats"]) == 1
        dialog.kept.delete(app.chat.session.id)
        await pilot.press("i")
        await pilot.pause()
        app.screen.query_one(Input).value = str(tmp_path / "all.json")
        await pilot.press("enter")
        await shows(app, pilot, "1 chat imported.")
        assert [each.title for each in dialog.kept.list()] == ["About whales."]


async def test_a_crash_loses_neither_the_draft_nor_what_was_said(family: Path) -> None:
    with pytest.MonkeyPatch.context() as crash:
        async with running(family, tokens=300) as (app, pilot):
            with answers_held(200):
                app.chat.prompt.put("Tell me everything.")
                await pilot.press("enter")
                await until(
                    pilot, lambda: len(app.chat.session.answers) == 2 and bool(app.chat.session.answers[0].tokens)
                )
                app.chat.prompt.put("half a sent")
                app._keep_changed()
                said = app.chat.session.answers[0].text
                # Nothing more is kept.
                crash.setattr(TillerApp, "keep", lambda self: None)
                app.chat.runs.interrupt()
    async with running(family) as (app, pilot):
        assert app.chat.prompt.text == "half a sent"
        assert [turn.user for turn in app.chat.session.settings.turns] == ["Tell me everything."]
        # What it was about to say is said to its end, without anybody's asking.
        await until(pilot, lambda: bool(app.chat.session.answers) and app.chat.runs.run is None)
        assert app.chat.session.answers[0].reason == "length"
        assert app.chat.session.answers[0].text.startswith(said)
