"""Several families on one server, without a browser: one memory for all of them, and what nobody uses any more is closed."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from app.access import MOST_ASLEEP
from app.families import FamilyPage, FamilyPages
from app.visits import Visits
from core.artefacts import store
from core.chat.answers import settled
from core.chat.events import Done, Failed
from core.chat.session import Session
from core.cli.options import Options
from core.engine import family_choice
from core.engine import run as runs
from core.engine.engine import Engine
from core.models.placement import Placing
from tests.support import tiny_models
from tests.support.browser_server import answer, family, served, short
from tests.support.http_page import ask
from tests.support.waiting import PATIENCE, wait_for

#: What a tiny model takes, and what is allowed: the one that answers, and one and a half beside it.
TINY = 230_528
LIMIT = 5 * TINY // 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family(tmp_path_factory.mktemp("first") / "first")


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    made = Engine(str(folder), threads=1, device="cpu", max_memory=str(LIMIT))
    made.start()
    assert made.wait_ready(PATIENCE).state == "ready"
    yield made
    made.close()


def others(where: Path, *names: str) -> dict[str, str]:
    """Families of one tiny checkpoint each: by their names, what is typed for them."""
    return {
        name: str(tiny_models.family(where / name, checkpoints=("chat",), plain_base=False).resolve()) for name in names
    }


def unused(pages: FamilyPages, page: FamilyPage) -> None:
    """A family has not been used for longer than it stays open."""
    page.engine.used -= MOST_ASLEEP + 1
    pages.tend(page)


def engine_threads() -> int:
    return sum(each.name == "tiller-engine" for each in threading.enumerate())


def page_of(pages: FamilyPages, path: str) -> FamilyPage:
    return next(each for each in pages.pages.values() if each.path == path)


def test_thirty_changes_of_family_leave_nothing_and_disturb_nobody(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A run that nobody reads pauses early: the neighbour's answer goes on all the time.
    monkeypatch.setattr(runs, "MAX_WAITING", 8)
    monkeypatch.setattr(FamilyPages, "_tend_later", lambda *_: None)
    texts = others(tmp_path, "second", "third", "fourth")
    before = engine_threads()
    made: list[weakref.ref[Engine]] = []

    def build(own: Engine, _options: Options) -> gr.Blocks:
        made.append(weakref.ref(own))
        seen[own.family.name] = Visits(own, lambda: Session(own.settings()), pages)
        return gr.Blocks().queue()

    pages = FamilyPages(engine, Options(threads=1, device="cpu", max_memory=str(LIMIT)), build)
    chats: dict[str, str] = {}
    seen: dict[str, Visits] = {}
    neighbour = engine.submit(short(engine.settings(), 200).ask("Go on"))
    wait_for(lambda: engine.status.state == "busy", "its beginning")

    async def change(text: str, number: int) -> None:
        page = page_of(pages, await pages.opened(text))
        name = page.engine.family.name
        visits = seen.pop(name)
        visit = visits.get("visitor", chats.get(name, ""))
        assert [turn.user for turn in visit.settings.turns] == [f"{name} {each}" for each in range(number)]
        asked = short(visit.settings, 2).ask(f"{name} {number}")
        said = await asyncio.to_thread(answer, page.engine, asked)
        chats[name] = settled(asked, said).to_link()
        assert engine.account.size <= LIMIT
        assert engine.status.state == "busy", "the neighbour's answer goes on"
        visits.leave(gr.Request(session_hash="visitor"))
        pages.tend(page)
        assert page in pages.pages.values(), "who comes back soon finds it open"
        unused(pages, page)
        assert page not in pages.pages.values()
        await asyncio.to_thread(wait_for, lambda: engine_threads() == before, "the end of an engine")
        assert len(visits) == 0

    async def thirty() -> None:
        for number in range(10):
            for text in texts.values():
                await change(text, number)

    asyncio.run(thirty())
    gc.collect()
    assert len(made) == 30
    assert not [each for each in made if each() is not None]
    assert list(pages.pages) == [engine.family.name]
    assert not pages.visits
    assert engine.account.size == TINY, "the neighbour's model"
    events = list(neighbour)
    assert not [event for event in events if isinstance(event, Failed)]
    assert {event.reason for event in events if isinstance(event, Done)} == {"length"}
    pages.close()


def test_a_family_that_nobody_uses_is_closed_and_its_address_opens_it_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    others(store.user_folder(), "second")
    later: list[tuple[asyncio.AbstractEventLoop, FamilyPage]] = []
    monkeypatch.setattr(
        FamilyPages, "_tend_later", lambda _pages, page, _seconds: later.append((asyncio.get_running_loop(), page))
    )
    made: list[weakref.ref[gr.Blocks]] = []
    threads = engine_threads()
    with served(engine, device="cpu", max_memory=str(LIMIT)) as server:
        pages, address = server.pages, f"{server.address}family/second/"
        build = pages._make

        def remembered(own: Engine, options: Options) -> gr.Blocks:
            page = build(own, options)
            made.append(weakref.ref(page))
            return page

        monkeypatch.setattr(pages, "_make", remembered)
        for _ in range(2):
            assert ask(f"{address}favicon.ico")[0] == 404, (
                "by which a page of before knows that it is to be loaded anew"
            )
            assert ask(address)[0] == 307
            assert (ask(address)[0], ask(f"{address}favicon.ico")[0]) == (200, 200)
            loop, page = later.pop()
            loop.call_soon_threadsafe(pages.tend, page)
            wait_for(lambda: later, "being looked at again later, since it has just been used")
            later.clear()
            loop.call_soon_threadsafe(unused, pages, page)
            wait_for(lambda: engine_threads() == threads, "the end of its engine")
            wait_for(lambda: ask(f"{address}favicon.ico")[0] == 404, "the end of its page")
            del page
        assert ask(f"{server.address}favicon.ico")[0] == 200
    gc.collect()
    assert [each() for each in made] == [None, None]


def test_a_look_knows_the_limit_and_what_is_open(engine: Engine, tmp_path: Path) -> None:
    (text,) = others(tmp_path, "second").values()
    tight = Placing("cpu", max_memory=str(LIMIT))
    assert family_choice.look_at(text, engine.account, tight).about.endswith(" takes 231 kB of memory; 346 kB are free")
    engine.call(lambda worker: worker.pool.get("base")).result()
    assert family_choice.look_at(text, engine.account, tight).about.endswith(
        " takes 231 kB of memory; 576 kB are free once what is open now is given up"
    )
