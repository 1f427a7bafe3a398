"""Replies in the ways of today's chat models with the class that a person gave each, and how far a scorer agrees with labels.

``reply_labels.csv`` says by which rules they were labelled. The part "mend" was looked at while the scorer was mended, "held_out" was not.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.errors import TillerError
from core.inference.reply_classes import CLASSES, Score

LABEL_PARTS = ("mend", "held_out")
_FILE = Path(__file__).with_suffix(".csv")
Confusion = Counter[tuple[Score, Score]]


@dataclass(frozen=True)
class LabelledReply:
    """A reply and its class by hand; ``message`` is what a model was asked that said it, empty for sentences written for the purpose."""

    text: str
    kind: Score
    part: str
    message: str

    @property
    def written(self) -> bool:
        """Whether no model said it."""
        return not self.message


@cache
def labelled_replies() -> tuple[LabelledReply, ...]:
    """All of them, in the order of the file.

    Raises:
        TillerError: a row has a part or a class that there is not.
    """
    return tuple(_read())


def _read() -> Iterator[LabelledReply]:
    kinds: dict[str, Score] = {kind: kind for kind in CLASSES}
    with _FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("# ")):
            if row["part"] not in LABEL_PARTS or row["class"] not in kinds:
                raise TillerError(
                    f"{_FILE.name}: {row['part']!r} or {row['class']!r} is no part or class: {row['text']}"
                )
            # A reply is one line of the file.
            yield LabelledReply(row["text"].replace("⏎", "\n"), kinds[row["class"]], row["part"], row["message"])


def kappa(table: Confusion) -> float:
    """Cohen's kappa: (observed − chance agreement) / (1 − chance agreement); 1 when only one class occurs on both sides."""
    total = sum(table.values())
    observed = sum(table[kind, kind] for kind in CLASSES) / total
    chance = sum(
        sum(table[kind, other] for other in CLASSES) * sum(table[other, kind] for other in CLASSES) for kind in CLASSES
    )
    expected = chance / total**2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def confusion_lines(table: Confusion) -> list[str]:
    """A Markdown table: a row for each class by hand, a column for each class by the scorer, of those that occur."""
    kinds: Sequence[Score] = [kind for kind in CLASSES if any(table[pair] for pair in table if kind in pair)]
    lines = [f"| by hand ↓, scorer → | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
    return lines + [f"| {kind} | {' | '.join(str(table[kind, other]) for other in kinds)} |" for kind in kinds]
