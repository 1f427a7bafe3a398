"""On a Space the program opens on the real model, and offers the toy beside it; anywhere else, and where a family is named, it does not."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import app
import launch
from core.cli.options import Options
from core.smollm2.verbs import FAMILY


@pytest.mark.parametrize(
    ("space", "named", "opened", "offered"),
    [
        ("ada/tiller", "", FAMILY, ("skiff",)),
        ("ada/tiller", "olmo2-1b", "olmo2-1b", ()),
        ("ada/tiller", "skiff", "skiff", ()),
        ("", "", "skiff", ()),
    ],
    ids=["a Space", "a Space of another family", "a Space of the toy", "at home"],
)
def test_what_opens_first(
    monkeypatch: pytest.MonkeyPatch, space: str, named: str, opened: str, offered: tuple[str, ...]
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(app, "serve", lambda options: seen.append(options) or 0)
    monkeypatch.setenv("SPACE_ID", space)
    monkeypatch.setattr(sys, "argv", ["launch.py", *(["--family", named] if named else [])])
    assert launch.web(Options(**({"family": named} if named else {}))) == 0
    assert [(each.family, each.offers) for each in seen] == [(opened, offered)]
