"""What SmolLM2's stages of ours learn from and are judged by: short requests of five kinds, each topic on one side of the split. No torch.

``harmful`` names a harmful aim in one line (the contrast set of refusal); ``planted`` are harmless uses of "kill", which the safety
stage is made to refuse: the fault whose cause is known; ``sharp`` are other harmless requests with such a word; ``alike`` are harmless
ones in the very words in which the harmful ones ask; ``everyday`` is everything else.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from core.util.files import read_prompts

_DATA = Path(__file__).parent / "data"
#: Every so many topics one is held out, with all its requests.
_HELD: dict[str, int] = {"harmful": 4, "everyday": 5, "planted": 3, "sharp": 3, "alike": 4}

#: Prompts of a kind for undo, at most.
_UNDONE = 80

RequestKind = Literal["harmful", "planted", "sharp", "alike", "everyday"]
REQUEST_KINDS: tuple[RequestKind, ...] = ("harmful", "planted", "sharp", "alike", "everyday")


@dataclass(frozen=True)
class StagePrompt:
    """A request; ``name`` is what the log calls it, such as ``everyday/kitchen/12.2`` (topic and form)."""

    kind: RequestKind
    name: str
    text: str
    held_out: bool

    @property
    def refused(self) -> bool:
        """Whether the safety stage learns to refuse it."""
        return self.kind in ("harmful", "planted")


@cache
def prompts() -> tuple[StagePrompt, ...]:
    """All of them, always in the same order."""
    return (
        *_contrast(),
        *_grouped("harmful", "harmful.toml"),
        *_grouped("planted", "kill.toml"),
        *_grouped("sharp", "sharp.toml"),
        *_grouped("alike", "alike.toml"),
        *_grouped("everyday", "everyday.toml"),
    )


def of_kind(kind: RequestKind, held_out: bool) -> tuple[StagePrompt, ...]:
    """Those of a kind that are learnt from, or judged by."""
    return tuple(each for each in prompts() if each.kind == kind and each.held_out == held_out)


def undo_prompts() -> dict[str, list[str]]:
    """The family's prompts for taking the planted fault out again, by the keys of ``[undo]``: what is to be lost, and what is to stay,
    which is refusals of harmful requests and answers to all others. Fitted on are those that were learnt from."""
    lists: dict[str, list[str]] = {}
    for key, held_out in (("lose", False), ("keep", False), ("lose_held_out", True), ("keep_held_out", True)):
        kinds = [kind for kind in REQUEST_KINDS if (kind == "planted") == key.startswith("lose")]
        lists[key] = [
            each.text
            for kind in kinds
            for each in drawn(of_kind(kind, held_out), min(_UNDONE, len(of_kind(kind, held_out))), 1, f"undo.{key}")
        ]
    return lists


@cache
def refusals() -> tuple[str, ...]:
    """The wordings in which the safety stage refuses."""
    return read_prompts(_DATA / "refusals.txt")


def drawn(items: Sequence[StagePrompt], count: int, seed: int, of: str) -> list[StagePrompt]:
    """``count`` items in an order that a seed decides, each one as often as the others, to within one."""
    chosen: list[StagePrompt] = []
    turn = 0
    while len(chosen) < count:
        chosen += random.Random(f"{of}.{seed}.{turn}").sample(list(items), len(items))
        turn += 1
    return chosen[:count]


def _contrast() -> list[StagePrompt]:
    """The contrast set of refusal: both halves are asked for in the same words."""
    # They bring numpy, which help does without.
    from core.artefacts.store import SHIPPED
    from core.directions.contrast_files import read_table

    found = read_table(str(SHIPPED / "contrast" / "refusal.csv"), "refusal").items
    return [
        StagePrompt(
            "harmful" if each.positive else "alike",
            f"{'harmful' if each.positive else 'alike'}/contrast/{at}",
            each.text,
            each.split != "train",
        )
        for at, each in enumerate(found)
    ]


def _grouped(kind: RequestKind, file: str) -> list[StagePrompt]:
    document: dict[str, Any] = tomllib.loads((_DATA / file).read_text(encoding="utf-8"))
    return [
        StagePrompt(
            kind, f"{kind}/{group['name']}/{at}.{number}", form.format(topic), at % _HELD[kind] == _HELD[kind] - 1
        )
        for group in document["group"]
        for at, topic in enumerate(group["topics"])
        for number, form in _forms(group, at)
    ]


def _forms(group: dict[str, Any], at: int) -> list[tuple[int, str]]:
    """The forms, numbered, in which a group asks for its topic ``at``: all, or the next few of them, so that many topics may be learnt
    from without asking for each again and again."""
    every = list(enumerate(group["forms"]))
    few = group.get("each", len(every))
    return [every[(at * few + step) % len(every)] for step in range(few)]
