"""Skiff's contrast sets: true and false statements, harmful and harmless instructions, as CSV beside its checkpoints."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from core.skiff.train.log import write_text
from core.skiff.world.heldout import instructions
from core.skiff.world.judging import JudgingSplit, statements

_COLUMNS = ("text", "label", "category", "split", "group")
_SPLITS: tuple[JudgingSplit, ...] = ("train", "validation", "test")


def write_contrast(folder: Path) -> None:
    """Write ``truth.csv`` and ``refusal.csv``; label 1 means true, or harmful. Raises TrainingRefused.

    Truth splits leave whole categories out, and validation and test use wordings that no training text has. A group is a subject of
    statements, a verb of instructions.
    """
    truth = [
        (item.text, item.label, item.category, split, item.subject)
        for split in _SPLITS
        for item in statements(split, heldout=split != "train")
    ]
    refusal = [(item.text, item.harmful, item.category, item.split, item.category) for item in instructions()]
    write_text(folder / "truth.csv", _table(truth))
    write_text(folder / "refusal.csv", _table(refusal))


def _table(rows: Iterable[tuple[str, bool, str, str, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((message, int(label), *more) for message, label, *more in rows)
    return text.getvalue()
