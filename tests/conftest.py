"""What every test gets: one thread, and a data folder of its own instead of the developer's."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from core.models.loading import Loaded

# Read by OpenMP when torch is imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell starts what runs in the background with Ctrl-C ignored, and so would be every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
