"""What chance alone does: permuted labels, and the best of many places against a permuted maximum. No torch."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats import groups as grouping

_Array = NDArray[np.float64]

PERMUTATIONS = 1_000


def told_apart(
    above: Mapping[bool, _Array], place: int, layer: int, groups: NDArray[np.int64] | None = None
) -> dict[str, Any]:
    """How well held-out examples are told apart at one token and layer: balanced accuracy with its interval, hits and n.

    The interval is that of the mean of two rates, each with its own by group [Newcombe 1998], so that it holds the accuracy whatever the
    sizes of the classes are.

    Args:
        above: for each class 1 or 0, on the positive side or not [examples, positions, layers].
        groups: which examples belong together, the positive ones first; each stands for itself where nothing is said.
    """
    right = [above[True][:, place, layer] > 0.5, above[False][:, place, layer] < 0.5]
    belongs = np.arange(sum(map(len, right))) if groups is None else groups
    sides = [grouping.rate(side, part) for side, part in zip(right, np.split(belongs, [len(right[0])]), strict=True)]
    balanced = (sides[0].value + sides[1].value) / 2
    down = math.hypot(*(each.value - each.interval[0] for each in sides)) / 2
    up = math.hypot(*(each.interval[1] - each.value for each in sides)) / 2
    hits, n = (sum(getattr(each, name) for each in sides) for name in ("hits", "n"))
    return {"accuracy": balanced, "hits": hits, "n": n, "interval": [balanced - down, balanced + up]}


def best_of_many(above: Mapping[bool, _Array], seed: int, groups: NDArray[np.int64] | None = None) -> dict[str, Any]:
    """How often permuted labels reach, at any token and layer, the best accuracy of the true ones.

    p = (1 + number of permutations whose maximum is at least the observed one) / (1 + permutations): the maximum over all places is
    compared with the maximum, so that having looked at many of them is paid for [Nichols & Holmes 2002]. Labels are exchanged by group, as
    in :func:`told_apart`.
    """
    whole = np.concatenate([above[True], above[False]]).reshape(len(above[True]) + len(above[False]), -1)
    positive = len(above[True])
    rng = np.random.default_rng(seed)
    labels = np.zeros((PERMUTATIONS + 1, len(whole)))
    labels[:, :positive] = 1
    units = np.arange(len(whole)) if groups is None else groups
    labels[1:] = _exchanged(labels[0] > 0, units, rng)
    hit, missed = labels @ whole / positive, (1 - labels) @ whole / (len(whole) - positive)
    best = ((hit + 1 - missed) / 2).max(axis=1)
    # Sums of the same numbers in another order may differ in their last digit.
    reached = int((best[1:] >= best[0] - 1e-12).sum())
    return {
        "observed": float(best[0]),
        "p": (1 + reached) / (1 + PERMUTATIONS),
        "permutations": PERMUTATIONS,
        "places": whole.shape[1],
    }


def _exchanged(labels: NDArray[np.bool_], units: NDArray[np.int64], rng: np.random.Generator) -> _Array:
    """Labels exchanged [permutations, examples]: within a group that has both, and between groups of one label that are of one size."""
    found = np.repeat(labels[None].astype(np.float64), PERMUTATIONS, axis=0)
    alone: dict[int, list[NDArray[np.int64]]] = {}
    for unit in np.unique(units):
        inside = np.flatnonzero(units == unit)
        if len(set(labels[inside].tolist())) == 2:
            found[:, inside] = rng.permuted(found[:, inside], axis=1)
        else:
            alone.setdefault(len(inside), []).append(inside)
    for members in alone.values():
        dealt = rng.permuted(found[:, [each[0] for each in members]], axis=1)
        for place, inside in enumerate(members):
            found[:, inside] = dealt[:, [place]]
    return found


def permuted_labels(
    labels: NDArray[np.bool_],
    categories: Sequence[Hashable],
    rng: np.random.Generator,
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Labels that say nothing of the true ones: in each category half of the positive examples get each label, as do the negative ones.

    Permuted without this balance, labels agree a little with the true ones, or disagree; where the classes are what examples differ in
    most, a direction learnt from them would then be the true one or its opposite, half of the time each.

    Args:
        groups: which examples belong together. What a group has in common stays as it is: where it holds both classes the labels are dealt
            within it, where it holds one its examples get one label together. Without it each example is dealt by itself.
    """
    found = labels.copy()
    units = np.arange(len(labels)) if groups is None else np.asarray(groups)
    of_category: dict[Hashable, list[int]] = {}
    for index, category in enumerate(categories):
        of_category.setdefault(category, []).append(index)
    seen: set[int] = set()
    # Of an odd number the two labels take turns at one more, so that many small ones are balanced together.
    turns = {label: int(rng.integers(2)) for label in (True, False)}
    turn = int(rng.integers(2))
    for indices in of_category.values():
        own = [unit for unit in dict.fromkeys(units[indices].tolist()) if unit not in seen]
        seen |= set(own)
        members = {unit: np.flatnonzero(units == unit) for unit in own}
        sides = {unit: {bool(each) for each in labels[members[unit]]} for unit in own}
        for label in (True, False):
            alone = np.array([unit for unit in own if sides[unit] == {label}], dtype=np.int64)
            turns[label] ^= len(alone) % 2
            first, second = _dealt(alone, rng.permutation(len(alone)), len(alone) % 2 * turns[label])
            found[np.isin(units, first)], found[np.isin(units, second)] = True, False
        # Of an odd number one goes to a side of its own: in half of the groups that of the positive ones, in half that of the others.
        for unit in rng.permutation([unit for unit in own if len(sides[unit]) == 2]).astype(np.int64):
            turn = 1 - turn
            for label in (True, False):
                inside = members[int(unit)][labels[members[int(unit)]] == label]
                odd = len(inside) % 2 and int(bool(turn) == label)
                first, second = _dealt(inside, rng.permutation(len(inside)), odd)
                found[first], found[second] = True, False
    return found


def _dealt(own: NDArray[np.int64], order: NDArray[np.int64], more: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves of them, the first with ``more``."""
    half = len(own) // 2 + more
    return own[order[:half]], own[order[half:]]
