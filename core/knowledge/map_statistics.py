"""Averages of maps over pairs, and what two of them have in common: correlation, ceiling, null, largest difference. No torch.

Pairs are dealt into :data:`PAIR_FOLDS` folds, all pairs of one true statement into the same, and only the folds' sums are kept, so that the
memory does not depend on the number of pairs; reliabilities and intervals are made of folds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.knowledge.maps import ROLES, Cells, Comparison, Map
from core.stats import similarity
from core.stats.groups import jackknife, t
from core.stats.similarity import Similarity

PAIR_FOLDS = 10
#: With fewer folds than that nothing is said of how much figures vary.
_FEWEST = 4
#: The largest correlation that Fisher's z is taken of: two maps that are one and the same have 1, which has none.
_LARGEST = 1 - 1e-12

MapArray = NDArray[np.float64]


class Totals:
    """Sums of effects by fold, layer and role."""

    def __init__(self, layers: int) -> None:
        self.sums: MapArray = np.zeros((PAIR_FOLDS, layers, len(ROLES)))
        self.counts: MapArray = np.zeros((PAIR_FOLDS, len(ROLES)))
        self.n = 0
        #: The groups of pairs so far, in the order in which they came.
        self.groups: dict[str, int] = {}

    def add(self, effects: MapArray, roles: Sequence[str], group: str = "") -> None:
        """One pair's map [layers, tokens], with the role of each token; tokens of one role are averaged first.

        Pairs of one ``group`` come into one fold; without it a pair is a group of its own.
        """
        fold = self.groups.setdefault(group or f"pair {self.n}", len(self.groups)) % PAIR_FOLDS
        for place, role in enumerate(ROLES):
            chosen = [index for index, each in enumerate(roles) if each == role]
            if chosen:
                self.sums[fold, :, place] += effects[:, chosen].mean(1)
                self.counts[fold, place] += 1
        self.n += 1

    def mean(self, folds: Sequence[int] | None = None) -> MapArray:
        """The mean over the pairs of some folds (a fold may count twice): [layers, roles], NaN for a role that none has."""
        chosen = list(range(PAIR_FOLDS)) if folds is None else list(folds)
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
        return [fold for fold in range(PAIR_FOLDS) if self.counts[fold].any()]

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
                half[:, place] = t(len(folds) - 1) * each.std(0, ddof=1) / math.sqrt(len(folds))
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


def _products(one: Totals, other: Totals) -> MapArray:
    """How the maps of every two folds vary together over the cells that both have [folds, folds]; NaN where they have none."""
    sides = [np.stack([each.mean([fold]).ravel() for fold in _shared_folds(one, other)]) for each in (one, other)]
    (first, here), (second, there) = ((np.nan_to_num(each), np.isfinite(each).astype(np.float64)) for each in sides)
    with np.errstate(invalid="ignore"):
        count = here @ there.T
        found: MapArray = first @ second.T / count - (first @ there.T / count) * (here @ second.T / count)
    return found


def map_reliability(totals: Totals) -> float:
    """How well the map would correlate with one of as many other pairs; NaN for too few pairs."""
    if len(totals.filled) < _FEWEST:
        return math.nan
    return similarity.reliability(_products(totals, totals))


def freed_correlation(one: Totals, other: Totals) -> Similarity | None:
    """The correlation of two maps as a part of its ceiling, by crossed folds (:func:`core.stats.similarity.crossed`): what noise does to it
    is taken out, also what the same pairs do to both. None for too few pairs, or where noise is all there is."""
    if len(_shared_folds(one, other)) < _FEWEST:
        return None
    found = similarity.crossed(_products(one, other), _products(one, one), _products(other, other))
    return found if math.isfinite(found.low) else None


def compared(one: Totals, other: Totals, nulls: tuple[Totals, Totals] | None = None, null_set: str = "") -> Comparison:
    """Two checkpoints' averages over the same pairs. ``nulls`` are the same two checkpoints' averages over another category."""
    first, second = one.mean(), other.mean()
    r = pearson(first, second)
    low, high = _interval(one, other, r)
    null, above = None, None
    if nulls is not None:
        null = _crosswise(first, second, nulls[0].mean(), nulls[1].mean())
        above = _above(one, other, nulls)
    halves = (map_reliability(one), map_reliability(other))
    places = [place for place in one.present if place in other.present]
    difference, width = (second - first)[:, places], other.half(one)[:, places]
    layer, column = np.unravel_index(int(np.abs(difference).argmax()), difference.shape)
    largest = (int(layer), int(column), float(difference[layer, column]), float(width[layer, column]))
    known = None if any(math.isnan(each) for each in halves) else halves
    return Comparison(
        r,
        float(low),
        float(high),
        known,
        null,
        null_set if nulls else "",
        largest,
        one.n,
        above,
        freed_correlation(one, other),
    )


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
    if min(map(len, samples)) < _FEWEST:
        return value, math.nan, math.nan
    spread = math.hypot(
        jackknife([found(rest, None) for rest in _leaving_one_out(samples[0])]),
        jackknife([found(None, rest) for rest in _leaving_one_out(samples[1])]),
    )
    half = t(min(map(len, samples)) - 1) * spread
    return value, value - half, value + half


def _shared_folds(one: Totals, other: Totals) -> list[int]:
    return [fold for fold in one.filled if fold in other.filled]


def _leaving_one_out(folds: Sequence[int]) -> list[list[int]]:
    return [[each for each in folds if each != fold] for fold in folds]


def _interval(one: Totals, other: Totals, r: float) -> tuple[float, float]:
    """The 95 % interval of two maps' correlation: a jackknife over the folds, on Fisher's z; NaN for too few pairs.

    (Bootstrap samples of folds have some twice and are noisier than the whole: their correlations lie below it.)
    """
    folds = _shared_folds(one, other)
    if len(folds) < _FEWEST or math.isnan(r):
        return math.nan, math.nan
    spread = jackknife([_fisher(pearson(one.mean(rest), other.mean(rest))) for rest in _leaving_one_out(folds)])
    middle, half = _fisher(r), t(len(folds) - 1) * spread
    return math.tanh(middle - half), math.tanh(middle + half)


def _fisher(r: float) -> float:
    """Fisher's z of a correlation, which may be 1 where two maps are one and the same."""
    return math.atanh(max(-_LARGEST, min(_LARGEST, r)))


def compared_pair(one: Map, other: Map) -> Comparison:
    """Two checkpoints' maps of one pair of sentences: there are no halves, and no interval."""
    first, second = array(one), array(other)
    difference = second - first
    layer, column = np.unravel_index(int(np.nanargmax(np.abs(difference))), difference.shape)
    largest = (int(layer), int(column), float(difference[layer, column]), math.nan)
    return Comparison(pearson(first, second), math.nan, math.nan, None, None, "", largest, 1)
