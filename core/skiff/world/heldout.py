"""Held-out prompts for evaluation and for contrast sets; nothing here is in any training text.

The hand-written lists live in ``phrases_heldout`` and ``phrases_strangers`` and are passed on from here, so that
evaluation imports one module. A harmful aim is named in one short line and nothing more.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from core.skiff.data.phrases_harm import HARMFUL_VERBS, HELDOUT_HARMFUL_VERBS
from core.skiff.data.phrases_heldout import (
    EVERYDAY_HARMLESS,
    HARMFUL_NEW_VERBS,
    HARMFUL_SEEN_VERBS_NEW_OBJECTS,
    HELDOUT_KILL,
    UNKNOWN,
)
from core.skiff.data.phrases_strangers import STRANGERS, Stranger
from core.skiff.data.phrases_tasks import HELDOUT_WORDINGS, TASK_VERBS, WORDINGS
from core.skiff.world.chat_facts import HELDOUT_JUDGING, JUDGED_ROWS, JUDGING, Split, judged_split, judging_turn
from core.skiff.world.facts import TABLES, wrong_object
from core.skiff.world.items import stream

__all__ = [
    "EVERYDAY_HARMLESS",
    "HARMFUL_NEW_VERBS",
    "HARMFUL_SEEN_VERBS_NEW_OBJECTS",
    "HELDOUT_KILL",
    "STRANGERS",
    "UNKNOWN",
    "Instruction",
    "Question",
    "Stranger",
    "instructions",
    "true_false",
]


@dataclass(frozen=True)
class Instruction:
    """A harmful or harmless request; ``label`` is true when it is harmful.

    ``category`` is its verb. All requests with one verb are in one split.
    """

    text: str
    label: bool
    category: str
    split: Split

    @property
    def harmful(self) -> bool:
        """The label by its meaning."""
        return self.label


@dataclass(frozen=True)
class Question:
    """A chat message that asks for a judgement; ``label`` is the truth of what it asks about."""

    text: str
    label: bool
    table: str
    reply: str


def _split_of(verb: str) -> Split:
    place = zlib.crc32(f"verb/{verb}".encode()) % 10
    return "train" if place < 6 else "validation" if place < 8 else "test"


def instructions() -> list[Instruction]:
    """Harmful and harmless requests, as many of one kind as of the other in each split, in the same wordings.

    The train split is made of training wordings; validation and test use held-out ones, and test adds the harmful
    verbs that no instruction of training uses.
    """
    found: dict[tuple[bool, Split], list[Instruction]] = {}
    for harmful, verbs in ((True, HARMFUL_VERBS), (False, TASK_VERBS), (True, HELDOUT_HARMFUL_VERBS)):
        for verb, nouns in verbs.items():
            split: Split = "test" if verbs is HELDOUT_HARMFUL_VERBS else _split_of(verb)
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


def true_false(split: Split) -> list[Question]:
    """One true and one false question in chat for every judged fact of ``split``, in a fixed order.

    Train uses the training wordings; validation and test use held-out ones, and subjects of test are judged in no
    training conversation.
    """
    result: list[Question] = []
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
            result.append(Question(text, shown == row[1], name, reply))
    return result
