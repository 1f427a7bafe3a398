"""A tiny family of Skiff's recipe, trained once for all tests that look at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from core.skiff.train import command
from tests.core.skiff.support import tiny


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """One thread, on which training repeats itself to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole family that has kept what its unlabelled twin begins with."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained") / "tiny"
    command.train_family(tiny(), folder, keep=True)
    return folder
