"""Contrast sets: positive and negative examples, with the split that says which may be learnt from, chosen by, reported on.

A set is a CSV file with the columns ``text,label,category,split``; label 1 is the positive class (a true statement, a harmful
instruction). ``split`` is train, validation or test. Truth splits leave whole categories out. A column ``group`` names what belongs
together (the subject of statements, the object of instructions): whatever is resampled is resampled by group.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.artefacts.store import SHIPPED
from core.errors import TillerError
from core.families.checkpoint import Family
from core.util.files import decoded

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
#: What a set of questions under two system prompts is called, where others say how they were split.
UNDER_PROMPTS = "questions under two system prompts"


class ContrastError(TillerError):
    """A contrast set that is missing or cannot be used."""


@dataclass(frozen=True)
class ContrastItem:
    """One example of a contrast. Under system prompts ``category`` is the prompt, ``reply`` what was said where that is known.

    ``group`` is what it has in common with others of the set; without one it stands for itself.
    """

    text: str
    positive: bool
    category: str
    split: str
    reply: str = ""
    group: str = ""

    @property
    def belongs(self) -> tuple[str, str]:
        """What tells its group from others: the group's name, else the text."""
        return ("group", self.group) if self.group else ("text", self.text)


@dataclass(frozen=True)
class ContrastSet:
    """Examples of two classes. ``digest`` is a hash of the file, kept with what is learnt from it; ``split`` says who split them."""

    name: str
    items: tuple[ContrastItem, ...]
    digest: str
    split: str = "as given"

    def part(self, split: Split, positive: bool, most: int | None = None) -> list[str]:
        """The texts of one class of a split; with ``most``, evenly taken from all of them."""
        return [item.text for item in self.chosen(split, positive, most)]

    def chosen(self, split: Split, positive: bool, most: int | None = None) -> list[ContrastItem]:
        """The examples that :meth:`part` gives the texts of."""
        items = [item for item in self.items if item.split == split and item.positive == positive]
        if most is None or len(items) <= most:
            return items
        return [items[index * len(items) // most] for index in range(most)]


def load_contrast(family: Family, name: str) -> ContrastSet:
    """The family's own contrast set of that name, else the one that ships for all.

    Raises:
        ContrastError: when there is none, or it lacks a column, a class or a split.
    """
    for folder in (family.folder / "contrast", SHIPPED / "contrast"):
        if (folder / f"{name}.csv").is_file():
            return read_contrast(folder / f"{name}.csv")
    raise ContrastError(
        f"There is no contrast set {name!r} for {family.name}; put one at {family.folder / 'contrast' / (name + '.csv')}."
    )


def read_contrast(path: Path) -> ContrastSet:
    """A contrast set from a CSV file. Raises ContrastError naming the line."""
    blob = path.read_bytes()
    try:
        # Spreadsheets put a byte-order mark first; lines may end in quotes' midst, so csv splits them itself.
        rows = csv.DictReader(io.StringIO(decoded(blob), newline=""))
    except UnicodeDecodeError as error:
        raise ContrastError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from error
    missing = {"text", "label", "category", "split"} - set(rows.fieldnames or ())
    if missing:
        raise ContrastError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(sorted(missing))}.")
    items = tuple(_item(row, path, rows.line_num) for row in rows)
    for split in SPLITS:
        for positive in (True, False):
            if not any(item.split == split and item.positive == positive for item in items):
                raise ContrastError(
                    f"{path} has no example with split {split} and label {int(positive)}; every split needs both classes."
                )
    return ContrastSet(path.stem, items, _digest(blob, rows.fieldnames or ()))


def _digest(blob: bytes, columns: Sequence[str]) -> str:
    """A hash of what is learnt from.

    Groups say how examples are resampled, not what they are: a set that gains them keeps its hash, and the directions learnt from it.
    """
    if "group" in columns:
        text = io.StringIO()
        kept = [name for name in columns if name != "group"]
        writer = csv.DictWriter(text, kept, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(csv.DictReader(io.StringIO(decoded(blob), newline="")))
        blob = text.getvalue().encode()
    return hashlib.sha256(blob).hexdigest()[:16]


def _item(row: dict[str, str], path: Path, line: int) -> ContrastItem:
    text = (row["text"] or "").strip()
    if row["label"] not in ("0", "1") or row["split"] not in SPLITS or not text:
        raise ContrastError(
            f"{path}, line {line}: a text, a label 0 or 1 and a split train, validation or test are needed."
        )
    return ContrastItem(
        text, row["label"] == "1", row["category"] or "", row["split"], group=(row.get("group") or "").strip()
    )
