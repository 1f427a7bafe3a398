"""Two hundred replies with the class that a person gave them: what the scorer is checked against. The file says by which rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from core.inference.reply_classes import CLASSES, Score
from core.skiff.data import reader
from core.skiff.data.reader import DataError

Part = Literal["mend", "test"]


@dataclass(frozen=True)
class Labelled:
    """A reply and its class by hand. ``source`` says which model said it, under which recipe, or "by hand"."""

    part: Part
    kind: Score
    source: str
    message: str
    reply: str

    @property
    def finished(self) -> bool:
        """Whether the reply ended by itself and not at the length limit."""
        return not self.source.endswith(", cut off")


_FILE = "hand_labels.csv"


def _read() -> Iterator[Labelled]:
    kinds: dict[str, Score] = {kind: kind for kind in CLASSES}
    parts: dict[str, Part] = {part: part for part in get_args(Part)}
    columns = ("part", "class", "source", "message", "reply")
    for number, (part, kind, source, message, reply) in enumerate(reader.rows(_FILE, columns), 1):
        if part not in parts or kind not in kinds:
            known = ", ".join((*parts, *kinds))
            raise DataError(f"{_FILE}, row {number}: {part!r} or {kind!r} is no part or class; there is {known}.")
        # A reply is one line of the file.
        yield Labelled(parts[part], kinds[kind], source, message, reply.replace("⏎", "\n"))


HAND_LABELS: tuple[Labelled, ...] = tuple(_read())
