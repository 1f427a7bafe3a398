"""Pairs from sets of statements that are labelled one by one, as *How Post-Training Reshapes LLMs* and the truth sets before it have them.

Unlike facts, of which any other subject makes a false statement, such a set holds what no swap can give: negations (``neg_cities``) and
comparisons (``larger_than``). :func:`core.directions.contrast_files.read_set` reads its file. No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import takewhile

from core.directions.contrast import ContrastItem
from core.knowledge.facts import Fact


def statement_pairs(items: Sequence[ContrastItem], length: Callable[[str], int]) -> Iterator[tuple[Fact, Fact]]:
    """True and false statements that end in the same word, differ in one place before it, and have as many tokens as ``length`` counts.

    What differs is the subject, the word that both end in the object, as in the study's own pairs. Each true statement is first paired
    once, then a second time …; the order is always the same, so that fewer pairs are a part of more pairs.
    """
    counted = cache(length)
    falses: dict[str, list[str]] = {}
    for item in items:
        if not item.positive:
            falses.setdefault(_ending(item.text), []).append(item.text)
    for step in range(max(map(len, falses.values()), default=0)):
        for index, item in enumerate(item for item in items if item.positive):
            others = falses.get(_ending(item.text), [])
            if step >= len(others):
                continue
            false = others[(index + step) % len(others)]
            pair = _aligned(item.category, item.text, false) if counted(item.text) == counted(false) else None
            if pair is not None:
                yield pair


def _ending(text: str) -> str:
    return text.rpartition(" ")[2]


def _aligned(category: str, true: str, false: str) -> tuple[Fact, Fact] | None:
    """Both as facts of one wording; None where more than half of their words differ, or what differs is not in one place."""
    one, other = true.split(" "), false.split(" ")
    shortest = min(len(one), len(other))
    same = _alike(one, other)
    behind = min(_alike(one[::-1], other[::-1]), shortest - same)
    differing = [" ".join(words[same : len(words) - behind]) for words in (one, other)]
    if not (all(differing) and behind) or 2 * (shortest - same - behind) > shortest:
        return None
    last = one[-1]
    object_ = last.rstrip(".!?") or last
    wording = " ".join([*one[:same], "{subject}", *one[len(one) - behind : -1], "{object}" + last[len(object_) :]])
    return Fact(category, wording, differing[0], object_), Fact(category, wording, differing[1], object_)


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words two sentences have in common from their beginning on."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))
