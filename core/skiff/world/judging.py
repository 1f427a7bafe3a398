"""Judging statements: labelled training text, and statements for contrast sets and evaluation.

The labels are the words TRUE and FALSE, which stand in no other training text.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Literal

from core.skiff.world.facts import TABLES, UNLABELLED, compare_split
from core.skiff.world.items import Document, Segment, stream
from core.skiff.world.tables import wrong_object

JudgingSplit = Literal["train", "validation", "test", "unlabelled"]

_LABELS: dict[bool, str] = {True: " TRUE", False: " FALSE"}

CUES: tuple[str, ...] = (
    " This statement is:",
    " True or false? Answer:",
    " Is this true? Answer:",
    " The statement above is:",
    " This sentence is:",
    " This claim is:",
    " Verdict:",
    " Is that right or wrong? It is:",
    " This is:",
    " That is:",
    " The sentence above is:",
    " Judgement:",
    " True or false?",
    " Is it true or false? It is:",
    " Is this correct? Answer:",
    " What I wrote is:",
)
HELDOUT_CUES: tuple[str, ...] = (" The claim above is:", " What was just said is:")

# Phase 0 of the curriculum: six categories whose facts are met most often, in their canonical wording.
EASY: tuple[str, ...] = ("capitals", "cities", "continents", "languages", "animals", "elements")
CATEGORIES: tuple[str, ...] = (*(name for name in TABLES if name not in UNLABELLED), "numbers")

# Truth splits leave whole categories out: a direction learnt on one split is chosen on the next and told on the last.
CATEGORY_SPLITS: dict[str, JudgingSplit] = {
    **dict.fromkeys(
        ("capitals", "continents", "animals", "elements", "spanish", "inventors", "jobs", "foods", "numbers"), "train"
    ),
    **dict.fromkeys(("languages", "colours", "sounds"), "validation"),
    **dict.fromkeys(("cities", "authors", "opposites", "materials"), "test"),
    **dict.fromkeys(sorted(UNLABELLED), "unlabelled"),
}

NUMBER_STATEMENTS: tuple[tuple[str, bool], ...] = (
    ("{a} is larger than {b}.", True),
    ("{a} is smaller than {b}.", False),
    ("{a} is more than {b}.", True),
    ("{a} is less than {b}.", False),
    ("{a} is greater than {b}.", True),
    ("{a} comes after {b} when you count.", True),
    ("{a} comes before {b} when you count.", False),
    ("The number {a} is larger than the number {b}.", True),
    ("The number {a} is smaller than the number {b}.", False),
    ("{a} is a larger number than {b}.", True),
    ("{a} is a smaller number than {b}.", False),
    ("{a} is higher than {b}.", True),
    ("{a} is lower than {b}.", False),
    ("The number {a} is more than the number {b}.", True),
    ("The number {a} is less than the number {b}.", False),
    ("{a} stands after {b} on the number line.", True),
    ("{a} stands before {b} on the number line.", False),
    ("{a} is the larger number and {b} the smaller one.", True),
    ("{a} is the smaller number and {b} the larger one.", False),
)
"""Wording, and whether it claims that a is the larger number."""

HELDOUT_NUMBER_STATEMENTS: tuple[tuple[str, bool], ...] = (
    ("{a} exceeds {b}.", True),
    ("{a} is bigger than {b}.", True),
    ("{a} is below {b}.", False),
)
NUMBER_NEGATIONS: tuple[tuple[str, bool], ...] = (
    ("{a} is not larger than {b}.", False),
    ("{a} is not smaller than {b}.", True),
    ("{a} is not more than {b}.", False),
    ("The number {a} is not larger than the number {b}.", False),
    ("{a} is not greater than {b}.", False),
    ("{a} is not less than {b}.", True),
)


@dataclass(frozen=True)
class Statement:
    """A sentence of the world with its truth. ``split`` is that of its category, ``subject`` what it is about, "" for numbers."""

    text: str
    label: bool
    category: str
    negated: bool
    split: JudgingSplit
    subject: str = ""


def number_pair(rng: random.Random, split: Literal["train", "test"] = "train") -> tuple[int, int]:
    """Two different numbers of 0 to 99 whose comparison belongs to ``split``, in either order."""
    while True:
        a, b = rng.randrange(100), rng.randrange(100)
        if a != b and compare_split(a, b) == split:
            return a, b


def statement_of(
    category: str,
    rng: random.Random,
    *,
    label: bool,
    negated: bool = False,
    heldout: bool = False,
    canonical: bool = False,
) -> Statement:
    """One statement of ``category`` with the wished truth value, in a training wording or, ``heldout``, never trained.

    Held-out statements of "numbers" also take held-out pairs. Raises ValueError for negated held-out wordings, which do
    not exist, and KeyError for a category that does not.
    """
    if negated and heldout:
        raise ValueError("Negations have no held-out wordings; ask for one of the two.")
    split = CATEGORY_SPLITS[category]
    if category == "numbers":
        wordings = NUMBER_NEGATIONS if negated else HELDOUT_NUMBER_STATEMENTS if heldout else NUMBER_STATEMENTS
        wording, larger_first = wordings[0] if canonical else rng.choice(wordings)
        a, b = number_pair(rng, "test" if heldout else "train")
        if (larger_first == label) != (a > b):
            a, b = b, a
        return Statement(wording.format(a=a, b=b), label, category, negated, split)
    table = TABLES[category]
    row = rng.choice(table.rows)
    return _about(category, row, rng, label=label, negated=negated, heldout=heldout, canonical=canonical)


def _about(
    category: str,
    row: tuple[str, str],
    rng: random.Random,
    *,
    label: bool,
    negated: bool,
    heldout: bool,
    canonical: bool,
) -> Statement:
    table = TABLES[category]
    wordings = table.negations if negated else table.heldout_statements if heldout else table.statements
    answer = row[1] if label != negated else wrong_object(table, row, rng)
    text = table.fill(wordings[0] if canonical else rng.choice(wordings), row[0], answer)
    return Statement(text, label, category, negated, CATEGORY_SPLITS[category], row[0])


@cache
def statements(
    split: JudgingSplit, *, heldout: bool = False, negated: bool = False, per_category: int = 60
) -> tuple[Statement, ...]:
    """Statements of every category of ``split``: half true, half false, about the same subjects.

    Each category gives ``per_category`` of them, or two per fact where it has fewer facts. The same call gives the same
    statements. ``heldout`` takes wordings that no training text has; ``negated`` takes negations.
    """
    result: list[Statement] = []
    for category, owner in CATEGORY_SPLITS.items():
        if owner != split:
            continue
        rng = stream(f"statements/{category}/{heldout}/{negated}", 0, per_category)
        if category == "numbers":
            for index in range(per_category):
                result.append(statement_of(category, rng, label=index % 2 == 0, negated=negated, heldout=heldout))
            continue
        rows = list(TABLES[category].rows)
        rng.shuffle(rows)
        for row in rows[: per_category // 2]:
            for label in (True, False):
                result.append(
                    _about(category, row, rng, label=label, negated=negated, heldout=heldout, canonical=False)
                )
    return tuple(result)


def first_lesson(seed: int, index: int) -> Document:
    """A labelled item from before the curriculum: one statement about a city or a capital, always under the same cue.

    With several cues or categories from the start, judging is not learnt at all (loss ln 2 after 500 steps); after some
    eighty steps of this, :func:`labelled` is learnt quickly.
    """
    rng = stream("first-lesson", seed, index)
    statement = statement_of(rng.choice(("cities", "capitals")), rng, label=rng.random() < 0.5, canonical=True)
    segments = (Segment(statement.text + CUES[0], learn=False), Segment(_LABELS[statement.label], learn=True))
    return Document(segments, kind="labelled")


def labelled(seed: int, index: int, phase: int) -> Document:
    """A labelled training item of the curriculum's ``phase``: one statement with its label, or two to five.

    Phase 0 takes six easy categories in their canonical wording, phase 1 all labelled categories in all training
    wordings, phase 2 adds negations. Loss is taken on the labels only, since false statements would corrupt what the
    base recalls. Raises ValueError for another phase.
    """
    if phase not in (0, 1, 2):
        raise ValueError(f"The curriculum of judging has the phases 0, 1 and 2, not {phase}.")
    rng = stream(f"labelled{phase}", seed, index)
    count = rng.randint(2, 5) if rng.random() < 0.3 else 1
    cue = "" if rng.random() < 1 / 3 else CUES[0] if rng.random() < 0.4 else rng.choice(CUES)
    segments: list[Segment] = []
    seen: set[str] = set()
    while len(segments) < 2 * count:
        statement = statement_of(
            rng.choice(EASY if phase == 0 else CATEGORIES),
            rng,
            label=rng.random() < 0.5,
            negated=phase == 2 and rng.random() < 0.3,
            canonical=phase == 0,
        )
        if statement.text in seen:
            continue
        seen.add(statement.text)
        segments.append(Segment(("\n" if segments else "") + statement.text + cue, learn=False))
        segments.append(Segment(_LABELS[statement.label], learn=True))
    return Document(tuple(segments), kind="labelled")
