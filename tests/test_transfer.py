"""The transfer report on tiny random families: exact figures, going on where it was interrupted, and what a person reads of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from core import (
    alignments,
    claims,
    contrast,
    effects,
    families,
    loading,
    nudges,
    pushes,
    store,
    sweeps,
    transfer,
    transfers,
    transferring,
)
from core.families import Family
from core.loading import Loaded
from core.skiff.scorer import score
from core.steps import finished
from core.values import Sampling
from tests import tiny


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """Three random checkpoints with directions and examples of their own."""
    return made(tmp_path_factory.mktemp("own") / "tiny", "llama")


def made(folder: Path, kind: str, names: tuple[str, ...] = ("base", "sft", "chat")) -> Family:
    tiny.family(folder, kind, names)
    tiny.contrast(folder, 12)
    for seed, name in enumerate(names):
        position = {"truth": {"offset": -1, "of": "statement"}, "refusal": {"offset": -2, "of": "prompt"}}
        for about, where in position.items():
            template = "" if about == "truth" else tiny.CHAT if name != names[0] else "plain"
            tiny.direction(folder, name, about, layer=1 + seed % 2, seed=seed, position=where, template=template)
    return families.load(str(folder))


@pytest.fixture(scope="module")
def chat(family: Family) -> Loaded:
    return loading.load(family, "chat", device="cpu")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TILLER_CACHE", str(tmp_path / "cache"))
    for name, value in {
        "STATEMENTS": 4,
        "CHOOSING": 4,
        "REQUESTS": 3,
        "REPLY": 6,
        "CONTROLS": 2,
        "CONTROL_STATEMENTS": 2,
        "CONTROL_REQUESTS": 2,
    }.items():
        monkeypatch.setattr(pushes, name, value)
    yield


class Loader:
    """Loads checkpoints and remembers which it was asked for."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Loaded] = {}
        self.asked: list[str] = []

    def __call__(self, family: Family, name: str) -> Loaded:
        self.asked.append(name)
        if (family.name, name) not in self.kept:
            self.kept[family.name, name] = loading.load(family, name, device="cpu")
        return self.kept[family.name, name]


def test_smoke(family: Family) -> None:
    for about in ("truth", "refusal"):
        task = transfer.Task(family, about, store.user_folder())
        report = finished(transfer.steps(task, Loader(), score))
        print("\n".join(transferring.lines(report, ("base", "chat"))))
