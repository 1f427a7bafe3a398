"""What every test gets: one thread, and a data folder of its own instead of the developer's; a browser and tmux where it asks for them."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from app.quick_import import leave_out_stubs
from tests.support import tools

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from core.models.loading import Loaded

# A shell that starts tests in the background has them ignore Ctrl-C, and every program that they start would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes says how busy the machine is.
settings.register_profile("tiller", deadline=None)
settings.load_profile("tiller")
leave_out_stubs()
# Read by OpenMP when torch is imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _by_themselves(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the artefacts or the saved state of whoever runs it; torch, where it is in memory, keeps to one thread."""
    monkeypatch.setenv("TILLER_DATA", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("TILLER_STATE", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("TILLER_CACHE", str(tmp_path_factory.mktemp("cache")))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of the tiny family of an architecture: checkpoints ``base`` and ``chat`` with two directions each."""

    @cache
    def make(kind: str) -> Path:
        from tests.support import tiny_models

        folder = tiny_models.family(tmp_path_factory.mktemp("families") / kind, kind)
        for checkpoint in ("base", "chat"):
            tiny_models.direction(folder, checkpoint, "truth", layer=1, seed=1)
            tiny_models.direction(folder, checkpoint, "refusal", layer=2, seed=2)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_loaded(tiny_folder: Callable[[str], Path]) -> Callable[[str], Loaded]:
    """The checkpoint ``chat`` of an architecture's tiny family, in memory."""

    @cache
    def load(kind: str) -> Loaded:
        from core.families import registry
        from core.models import loading
        from core.models.placement import Placing

        return loading.load_model(registry.load_family(str(tiny_folder(kind))), "chat", Placing("cpu"))

    return load


def _needed(tool: tools.Tool, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> str:
    """Where the tool is. Without it the tests are skipped, and fail where CI is set."""
    own = folders.getbasetemp()
    capture = request.config.pluginmanager.getplugin("capturemanager")
    # The processes of one run share the folder above their own.
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    found = tools.found_once(tool, folder, capture.global_and_fixture_disabled)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{tool.reason}, and in CI nothing is skipped: {tool.bring()}", pytrace=False)
    if found is None:
        pytest.skip(tool.reason)
    return found


@pytest.fixture(scope="session")
def chromium_program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The browser's path; empty for playwright's own."""
    return _needed(tools.CHROMIUM, request, tmp_path_factory)


@pytest.fixture(scope="session")
def tmux_program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of tmux."""
    return _needed(tools.TMUX, request, tmp_path_factory)


@pytest.fixture(scope="module")
def chromium(chromium_program: str) -> Iterator[Browser]:
    """A browser. Not for the whole session, since its event loop would be in the way of tests that run their own."""
    from tests.support.browser_page import browser

    with browser(chromium_program) as opened:
        yield opened


def pytest_collection_finish() -> None:
    """What importing and collecting made stays to the end: none of it is garbage, and all of it would be looked through again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """After everything else: how many tests were skipped for want of a tool, and what would run them."""
    yield
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        reasons = [
            str(each.longrepr[2])
            for each in reporter.stats.get("skipped", [])
            if isinstance(each.longrepr, tuple | list)
        ]
        if told := tools.sentence(tools.skipped(reasons)):
            reporter.write_line(told)
