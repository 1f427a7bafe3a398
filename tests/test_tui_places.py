"""The screens beside Chat: opened by keys, clicks, the palette, links and the last state, and left with Esc."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.tabs import CHAT, TABS
from core.values import Column, Settings
from tests.terminal import ask, running, screen_text, shows, steerable, until
from tests.test_tui import own_state  # noqa: F401  The fixture that gives every test its own state folder.
from tui.commands import commands
from tui.dialogs import Dialog


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


async def test_keys_open_every_screen_and_esc_goes_back_to_chat(family: Path) -> None:
    async with running(family) as (app, pilot):
        for each in TABS[1:]:
            await pilot.press(each.key)
            await shows(app, pilot, each.about.split(",")[0])
            assert app.board.chat.settings.tab == each.name
            top = screen_text(app).splitlines()[0]
            assert [title.title in top for title in TABS] == [True] * len(TABS)
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        assert app.screen is app.board
        await pilot.press("f4", "f2")
        assert app.screen is app.board
        assert app.board.chat.settings.tab == "chat"


async def test_a_screen_is_made_once_and_an_answer_goes_on_beneath_it(family: Path) -> None:
    async with running(family) as (app, pilot):
        app.board.prompt.put("Hello.")
        await pilot.press("enter", "f3")
        first = app.screen
        await until(pilot, lambda: app.board.run_now is None and len(app.board.chat.answers) == 2)
        assert app.board.chat.settings.turns[0].replies[1] == app.board.chat.answers[1].text
        await pilot.press("escape", "f3")
        assert app.screen is first


async def test_no_screen_opens_over_a_window(family: Path) -> None:
    async with running(family) as (app, pilot):
        await pilot.press("f1", "f3")
        assert isinstance(app.screen, Dialog)
        await pilot.press("escape")
        assert app.screen is app.board


@pytest.mark.parametrize("size", [(80, 24), (100, 30)])
async def test_the_header_names_the_open_screen_and_can_be_clicked_where_there_is_room(
    family: Path, size: tuple[int, int]
) -> None:
    async with running(family, size=size) as (app, pilot):
        await pilot.press("f5")
        await shows(app, pilot, "Inspect")
        place = app.places["inspect"]
        x = next(a for a, _, name in place.header._spots if name == "inspect") + 2
        assert screen_text(app).splitlines()[0][x:].startswith("Inspect")
        chat = [a for a, _, name in place.header._spots if name == "chat"]
        if chat:
            await pilot.click(place.header, offset=(chat[0] + 2, 0))
            assert app.screen is app.board


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
        assert app.board.chat.settings.tab == "transfer"


async def test_a_link_opens_its_screen_and_the_last_one_comes_back(family: Path) -> None:
    settings = Settings("tiny", (Column("base"), Column("chat")), tab="blame")
    async with running(family, opened=Settings.from_link(settings.to_link())) as (app, pilot):
        assert app.screen is app.places["blame"]
        await pilot.press("escape")
        await ask(app, pilot, "Hello.")
        await pilot.press("f6")
        # Undo is of the chat, not of where one is.
        app.board.chat.remember()
        app.board.chat.undo()
        assert app.board.chat.settings.tab == "library"
        app.keep()
    async with running(family) as (app, _):
        assert app.screen is app.places["library"]


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
