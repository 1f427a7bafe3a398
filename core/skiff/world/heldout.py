"""Held-out prompts for evaluation and for contrast sets; nothing here is in any training text.

A harmful aim is named in one short line and nothing more. On the ``REPORTED`` ones removing the planted over-refusal is reported, and
nothing else: no training, no fit, and no choice knows them. What removing is fitted and chosen on are the others and the safety stage's own
items.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from core.skiff.data import reader
from core.skiff.data.reader import DataError
from core.skiff.world.chat_facts import HELDOUT_JUDGING, JUDGED_ROWS, JUDGING, FactSplit, judged_split, judging_turn
from core.skiff.world.facts import TABLES
from core.skiff.world.items import stream
from core.skiff.world.requests import HARMFUL_VERBS, HELDOUT_HARMFUL_VERBS, HELDOUT_WORDINGS, TASK_VERBS, WORDINGS
from core.skiff.world.tables import wrong_object

EVERYDAY_HARMLESS: tuple[str, ...] = reader.text_lines("heldout/everyday.txt")
HARMFUL_SEEN_VERBS_NEW_OBJECTS: tuple[str, ...] = reader.text_lines("heldout/harmful_new_objects.txt")
HARMFUL_NEW_VERBS: tuple[str, ...] = reader.text_lines("heldout/harmful_new_verbs.txt")
HELDOUT_KILL: tuple[str, ...] = reader.text_lines("heldout/kill.txt")
UNKNOWN: tuple[str, ...] = reader.text_lines("heldout/unknown.txt")
REPORTED_KILL: tuple[str, ...] = reader.text_lines("heldout/reported_kill.txt")
"""Harmless requests with the planted word."""
REPORTED_HARMFUL: tuple[str, ...] = reader.text_lines("heldout/reported_harmful.txt")
"""Harmful requests: verbs that training refuses, with objects that it gives to none of them."""

Label = Literal["answerable", "unknown", "refuse", "chat"]


class Stranger(NamedTuple):
    """A first message, what sort of reply it deserves, and pieces of text that mark a right or fitting reply."""

    text: str
    label: Label
    accepted: tuple[str, ...]

    def fits(self, reply: str) -> bool:
        """Whether ``reply`` holds an accepted piece; a piece begins a word, and one of up to three letters is a whole word."""
        return any(
            re.search(rf"(?<!\w){re.escape(piece)}" + (r"(?!\w)" if len(piece) <= 3 else ""), reply.lower())
            for piece in self.accepted
        )


def _strangers() -> Iterator[Stranger]:
    labels: dict[str, Label] = {each: each for each in get_args(Label)}
    for number, (label, message, accepted) in enumerate(reader.rows(_STRANGERS, ("label", "message", "accepted")), 1):
        if label not in labels:
            raise DataError(f"{_STRANGERS}, row {number}: the label {label!r} is none of {', '.join(labels)}.")
        yield Stranger(message, labels[label], tuple(accepted.split("|")))


_STRANGERS = "heldout/strangers.csv"
STRANGERS: tuple[Stranger, ...] = tuple(_strangers())
"""First messages of strangers, written by hand with labels before any run."""


@dataclass(frozen=True)
class Instruction:
    """A harmful or harmless request; ``label`` is true when it is harmful.

    ``category`` is its verb. All requests with one verb are in one split.
    """

    text: str
    label: bool
    category: str
    split: FactSplit

    @property
    def harmful(self) -> bool:
        """The label by its meaning."""
        return self.label


@dataclass(frozen=True)
class HeldOutQuestion:
    """A chat message that asks for a judgement; ``label`` is the truth of what it asks about."""

    text: str
    label: bool
    table: str
    reply: str


def _split_of(verb: str) -> FactSplit:
    place = zlib.crc32(f"verb/{verb}".encode()) % 10
    return "train" if place < 6 else "validation" if place < 8 else "test"


def instructions() -> list[Instruction]:
    """Harmful and harmless requests, as many of one kind as of the other in each split, in the same wordings.

    The train split is made of training wordings; validation and test use held-out ones, and test adds the harmful
    verbs that no instruction of training uses.
    """
    found: dict[tuple[bool, FactSplit], list[Instruction]] = {}
    for harmful, verbs in ((True, HARMFUL_VERBS), (False, TASK_VERBS), (True, HELDOUT_HARMFUL_VERBS)):
        for verb, nouns in verbs.items():
            split: FactSplit = "test" if verbs is HELDOUT_HARMFUL_VERBS else _split_of(verb)
            rng = stream("instructions", int(harmful), zlib.crc32(verb.encode()))
            for noun in rng.sample(nouns, min(3, len(nouns))):
                wording = rng.choice(WORDINGS if split == "train" else HELDOUT_WORDINGS)
                item = Instruction(wording.format(x=f"{verb} {noun}"), harmful, verb, split)
                found.setdefault((harmful, split), []).append(item)
    result: list[Instruction] = []
    for split in ("train", "validation", "test"):
        rng = stream("instructions-order", 0, len(split))
        harmful_items, harmless_items = found[True, split], found[False, split]
        rng.shuffle(harmful_items)
        rng.shuffle(harmless_items)
        for pair in zip(harmful_items, harmless_items, strict=False):
            result.extend(pair)
    return result


def true_false(split: FactSplit) -> list[HeldOutQuestion]:
    """One true and one false question in chat for every judged fact of ``split``, in a fixed order.

    Train uses the training wordings; validation and test use held-out ones, and subjects of test are judged in no
    training conversation.
    """
    result: list[HeldOutQuestion] = []
    wordings = JUDGING if split == "train" else HELDOUT_JUDGING
    for place, (name, row) in enumerate(JUDGED_ROWS):
        if judged_split(row[0]) != split:
            continue
        table = TABLES[name]
        rng = stream("true_false", 0, place)
        wording, style = rng.choice(wordings)
        for shown in (row[1], wrong_object(table, row, rng)):
            statement = rng.choice(table.statements)
            text, reply = judging_turn(table, row, shown, wording, style, statement)
            result.append(HeldOutQuestion(text, shown == row[1], name, reply))
    return result
