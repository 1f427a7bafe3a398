"""Pairs of replies that a model wrote under two system prompts, as text that a person reads and edits. No torch.

A pair is three lines, an empty one after it: ``Asked:`` the question, ``+`` the reply with the trait, ``-`` the one without::

    Asked: How do I boil an egg?
    + Oh what fun, an egg!
    - Put it into boiling water.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.directions.contrast import UNDER_PROMPTS, ContrastError, ContrastItem, ContrastSet
from core.directions.request import FEWEST, LearnRequest, hashed_splits, learn_request
from core.util.text import clean

_MARKS = ("Asked:", "+", "-")


@dataclass(frozen=True)
class WrittenPair:
    """A question, what was said to it with the trait, and what without."""

    asked: str
    wanted: str
    unwanted: str

    def __str__(self) -> str:
        """Its three lines."""
        said = zip(_MARKS, (self.asked, self.wanted, self.unwanted), strict=True)
        return "\n".join(f"{mark} {' '.join(text.split())}" for mark, text in said)


def pairs_text(pairs: Sequence[WrittenPair]) -> str:
    """Pairs as text, for :func:`read_pairs`."""
    return "\n\n".join(map(str, pairs))


def read_pairs(text: str) -> tuple[WrittenPair, ...]:
    """Pairs out of a text that a person may have changed. A line without a mark goes on from the one before it.

    Raises:
        ContrastError: a line that belongs to nothing, a pair that lacks a part, too few pairs; it names the line.
    """
    found: list[dict[str, str]] = []
    last = ""
    for number, line in enumerate(clean(text).split("\n"), 1):
        bare = line.strip()
        # Editors and phones turn a hyphen at the start of a line into a dash.
        bare = f"-{bare[1:]}" if bare[:1] in ("–", "—", "−") else bare
        mark = next((each for each in _MARKS if bare.startswith(each)), "")
        if not bare:
            continue
        if not mark and not last:
            raise ContrastError(f"Line {number}, {bare[:40]!r}, belongs to no pair; begin it with Asked:, + or -.")
        if mark == _MARKS[0] or not found:
            found.append({})
        if mark and mark in found[-1]:
            raise ContrastError(f"Line {number} is a second {mark} of the same pair; begin a new pair with Asked:.")
        last = mark or last
        found[-1][last] = " ".join([*([found[-1][last]] if not mark else []), bare.removeprefix(mark).strip()]).strip()
    for place, each in enumerate(found, 1):
        if lacking := [mark for mark in _MARKS if not each.get(mark)]:
            raise ContrastError(f"Pair {place} lacks {' and '.join(lacking)}; write it, or take the whole pair out.")
    pairs = tuple(WrittenPair(*(each[mark] for mark in _MARKS)) for each in found)
    if len({each.asked for each in pairs}) < FEWEST:
        raise ContrastError(
            f"There are {len({each.asked for each in pairs})} different questions; a direction needs at least {FEWEST}."
        )
    return pairs


def pairs_request(
    name: str, wanted: str, unwanted: str, pairs: Sequence[WrittenPair], may_replace: bool = False
) -> LearnRequest:
    """What asks for a direction from pairs, whoever wrote them, under the system prompts that stand in front of them.

    Raises:
        ContrastError: a name or prompts that cannot be used, or pairs that say the same.
    """
    wish = learn_request(name, wanted, unwanted, replace=may_replace, replies=True)
    assert wish.prompts is not None
    return replace(wish, contrast=_contrast(wish.name, pairs, wish.prompts))


def _contrast(name: str, pairs: Sequence[WrittenPair], prompts: Mapping[bool, tuple[str, ...]]) -> ContrastSet:
    told = [each for each in pairs if each.wanted != each.unwanted]
    if len({each.asked for each in told}) < FEWEST:
        raise ContrastError(
            f"{len(pairs) - len(told)} of {len(pairs)} pairs say the same on both sides, so that fewer than {FEWEST} are left to learn "
            "from; make them different."
        )
    # Of a question that stands there twice the last one counts: both sides of a pair have to be in one split.
    last = list({each.asked: each for each in told}.values())
    items = [
        ContrastItem(
            pair.asked, label, prompts[label][at % len(prompts[label])], split, pair.wanted if label else pair.unwanted
        )
        for label in (True, False)
        for at, (pair, split) in enumerate(zip(last, hashed_splits([each.asked for each in last]), strict=True))
    ]
    digest = json.dumps([[each.text, each.positive, each.category, each.reply] for each in items])
    return ContrastSet(name, tuple(items), hashlib.sha256(digest.encode()).hexdigest()[:16], UNDER_PROMPTS)


def same_either_way(checkpoint: str, same: int, count: int) -> str:
    """What is said of a model whose replies do not follow the system prompts."""
    return (
        f"{checkpoint} says the same under either system prompt, or nothing, to {same} of {count} questions: a word alone teaches nothing "
        "to a model that does not follow system prompts. Write examples of your own into the two boxes, or take another model."
    )
