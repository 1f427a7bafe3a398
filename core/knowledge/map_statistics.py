"""Averages of maps over pairs, and what two of them have in common: correlation, ceiling, null, largest difference. No torch.

Pairs are dealt into :data:`_FOLDS` folds, and only the folds' sums are kept, so that the memory does not depend on the number of pairs;
halves and intervals are made of folds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.knowledge.maps import ROLES, Cells, Comparison, Map

_FOLDS = 10
#: Student's t for the 95 % interval of a mean of so many folds.
_T = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}

MapArray = NDArray[np.float64]


class Totals:
    """Sums of effects by fold, layer and role."""

    def __init__(self, layers: int) -> None:
        self.sums: MapArray = np.zeros((_FOLDS, layers, len(ROLES)))
        self.counts: MapArray = np.zeros((_FOLDS, len(ROLES)))
        self.n = 0

    def add(self, effects: MapArray, roles: Sequence[str]) -> None:
        """One pair's map [layers, tokens], with the role of each token; tokens of one role are averaged first."""
        fold = self.n % _FOLDS
        for place, role in enumerate(ROLES):
            chosen = [index for index, each in enumerate(roles) if each == role]
            if chosen:
                self.sums[fold, :, place] += effects[:, chosen].mean(1)
                self.counts[fold, place] += 1
        self.n += 1

    def mean(self, folds: Sequence[int] | None = None) -> MapArray:
        """The mean over the pairs of some folds (a fold may count twice): [layers, roles], NaN for a role that none has."""
        chosen = list(range(_FOLDS)) if folds is None else list(folds)
        with np.errstate(invalid="ignore"):
            mean: MapArray = self.sums[chosen].sum(0) / self.counts[chosen].sum(0)
        return mean

    @property
    def present(self) -> list[int]:
        """The roles that some pair has."""
        return [place for place in range(len(ROLES)) if self.counts[:, place].sum()]

    @property
    def filled(self) -> list[int]:
        """The folds that have pairs."""
        return [fold for fold in range(_FOLDS) if self.counts[fold].any()]

    def half(self, other: Totals | None = None) -> MapArray:
        """Half of each cell's 95 % interval, from how the folds differ (of the difference to ``other``): [layers, roles]."""
        half: MapArray = np.full(self.sums.shape[1:], np.nan)
        for place in self.present:
            # A role that few pairs have may be missing from some folds.
            folds = [
                fold for fold in self.filled if self.counts[fold, place] and (not other or other.counts[fold, place])
            ]
            if len(folds) > 1:
                each = np.stack(
                    [(self.mean([fold]) - (other.mean([fold]) if other else 0))[:, place] for fold in folds]
                )
                half[:, place] = _T[len(folds)] * each.std(0, ddof=1) / math.sqrt(len(folds))
        return half

    def map(self, source: str, target: str) -> Map:
        """The average as a map."""
        places = self.present
        return Map(
            source, target, tuple(ROLES[place] for place in places), cells(self.mean()[:, places]), cells(self.half()[:, places]), self.n
        )  # fmt: skip


def cells(values: MapArray) -> Cells:
    """An array as a map holds it."""
    return tuple(tuple(float(value) for value in row) for row in values)


def array(each: Map) -> MapArray:
    """A map's cells as an array."""
    return np.array(each.cells, np.float64)


def pearson(one: MapArray, other: MapArray) -> float:
    """Pearson's r over the cells that both have; NaN where one does not vary."""
    both = np.isfinite(one) & np.isfinite(other)
    a, b = one[both], other[both]
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def split_half(totals: Totals) -> float:
    """The mean correlation between the maps of two halves of the pairs, over all ways to halve the folds; NaN for too few pairs."""
    folds = totals.filled
    if len(folds) < 4:
        return math.nan
    found = [
        pearson(totals.mean(half), totals.mean([fold for fold in folds if fold not in half]))
        for half in combinations(folds, len(folds) // 2)
    ]
    return float(np.mean(found))


def compared(one: Totals, other: Totals, nulls: tuple[Totals, Totals] | None = None, null_set: str = "") -> Comparison:
    """Two checkpoints' averages over the same pairs. ``nulls`` are the same two checkpoints' averages over another category."""
    first, second = one.mean(), other.mean()
    r = pearson(first, second)
    low, high = _interval(one, other, r)
    null, above = None, None
    if nulls is not None:
        null = _crosswise(first, second, nulls[0].mean(), nulls[1].mean())
        above = _above(one, other, nulls)
    halves = (split_half(one), split_half(other))
    places = [place for place in one.present if place in other.present]
    difference, width = (second - first)[:, places], other.half(one)[:, places]
    layer, column = np.unravel_index(int(np.abs(difference).argmax()), difference.shape)
    largest = (int(layer), int(column), float(difference[layer, column]), float(width[layer, column]))
    known = None if any(math.isnan(each) for each in halves) else halves
    return Comparison(r, float(low), float(high), known, null, null_set if nulls else "", largest, one.n, above)


def _crosswise(first: MapArray, second: MapArray, null_first: MapArray, null_second: MapArray) -> float:
    """How alike maps of two checkpoints are where they are of different categories, the mean of both ways."""
    return float(np.mean([pearson(first, null_second), pearson(null_first, second)]))


def _above(one: Totals, other: Totals, nulls: tuple[Totals, Totals]) -> tuple[float, float, float]:
    """How far the correlation lies above its null, with a 95 % interval: NaN for too few pairs.

    The pairs of the two categories are two samples; the variances of a jackknife over the folds of each add up.
    """

    def found(folds: Sequence[int] | None, null_folds: Sequence[int] | None) -> float:
        first, second = one.mean(folds), other.mean(folds)
        return pearson(first, second) - _crosswise(first, second, nulls[0].mean(null_folds), nulls[1].mean(null_folds))

    value = found(None, None)
    samples = [_shared_folds(one, other), _shared_folds(*nulls)]
    if min(map(len, samples)) < 4:
        return value, math.nan, math.nan
    spread = math.hypot(
        _jackknife([found(rest, None) for rest in _leaving_one_out(samples[0])]),
        _jackknife([found(None, rest) for rest in _leaving_one_out(samples[1])]),
    )
    half = _T[min(map(len, samples))] * spread
    return value, value - half, value + half


def _shared_folds(one: Totals, other: Totals) -> list[int]:
    return [fold for fold in one.filled if fold in other.filled]


def _leaving_one_out(folds: Sequence[int]) -> list[list[int]]:
    return [[each for each in folds if each != fold] for fold in folds]


def _jackknife(values: Sequence[float]) -> float:
    """The standard error of a figure, from what it is with each fold left out."""
    drawn = np.array(values)
    return math.sqrt((len(drawn) - 1) / len(drawn) * float(((drawn - drawn.mean()) ** 2).sum()))


def _interval(one: Totals, other: Totals, r: float) -> tuple[float, float]:
    """The 95 % interval of two maps' correlation: a jackknife over the folds, on Fisher's z; NaN for too few pairs.

    (Bootstrap samples of folds have some twice and are noisier than the whole: their correlations lie below it.)
    """
    folds = _shared_folds(one, other)
    if len(folds) < 4 or not abs(r) < 1:
        return math.nan, math.nan
    spread = _jackknife([math.atanh(pearson(one.mean(rest), other.mean(rest))) for rest in _leaving_one_out(folds)])
    middle, half = math.atanh(r), _T[len(folds)] * spread
    return math.tanh(middle - half), math.tanh(middle + half)


def compared_pair(one: Map, other: Map) -> Comparison:
    """Two checkpoints' maps of one pair of sentences: there are no halves, and no interval."""
    first, second = array(one), array(other)
    difference = second - first
    layer, column = np.unravel_index(int(np.nanargmax(np.abs(difference))), difference.shape)
    largest = (int(layer), int(column), float(difference[layer, column]), math.nan)
    return Comparison(pearson(first, second), math.nan, math.nan, None, None, "", largest, 1)
