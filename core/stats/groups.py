"""Examples that belong together (the statements on one subject, the two sides of a pair): whatever is resampled is resampled by group.

Statements on one subject share what the model knows of it. Halves, draws and shuffles that take them singly break that up, and an interval
that counts each as a trial of its own is too narrow. (methods.md §0)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from core.stats.rates import Rate, Z, less

Groups = NDArray[np.int64]

#: A jackknife leaves out one of so many blocks of groups at a time, or one group where there are fewer.
JACKKNIFE_BLOCKS = 20


def numbered(names: Sequence[Hashable]) -> Groups:
    """Which group each example is of, numbered from 0 in the order in which they come."""
    order = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([order[name] for name in names], dtype=np.int64)


def kinds(groups: Groups, labels: NDArray[np.bool_]) -> dict[tuple[bool, bool], Groups]:
    """The groups by what they hold, (a positive example, a negative one): what is dealt or drawn keeps as many of each kind."""
    found: dict[tuple[bool, bool], list[int]] = {}
    for group in np.unique(groups):
        own = labels[groups == group]
        found.setdefault((bool(own.any()), bool((~own).any())), []).append(int(group))
    return {kind: np.array(each, dtype=np.int64) for kind, each in found.items()}


def blocks(
    groups: Groups, labels: NDArray[np.bool_], rng: np.random.Generator, count: int = JACKKNIFE_BLOCKS
) -> Groups:
    """Groups dealt into blocks, each of which has examples of both classes: which block each example is in.

    There are fewer than ``count`` where the groups do not suffice for an example of each class in every block.
    """
    of_kind = kinds(groups, labels)
    both = len(of_kind.get((True, True), ()))
    least = both + min(len(of_kind.get((True, False), ())), len(of_kind.get((False, True), ())))
    count = max(1, min(count, least))
    place = np.zeros(int(groups.max()) + 1, dtype=np.int64)
    start = 0
    # Those with both classes first, so that those of one class fill up the blocks that are left.
    for kind in ((True, True), (True, False), (False, True)):
        own = rng.permutation(of_kind.get(kind, np.zeros(0, np.int64)))
        place[own] = (start + np.arange(len(own))) % count
        start += len(own) if kind == (True, True) else 0
    return place[groups]


def draw_groups(groups: Groups, labels: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Examples of as many groups as there are, drawn with replacement, each kind of group by itself (a cluster bootstrap)."""
    members = {int(group): np.flatnonzero(groups == group) for group in np.unique(groups)}
    chosen = [rng.choice(own, len(own)) for own in kinds(groups, labels).values()]
    return np.concatenate([members[int(group)] for group in np.concatenate(chosen)])


# ----------------------------------------------------------------------------------------------------------------- rates


def rate(right: Sequence[bool] | NDArray[np.bool_], groups: Groups) -> Rate:
    """How many are right, with an interval by group: Wilson's, for as many trials as they are worth [Kish 1965; Korn & Graubard 1998].

    The variance between groups over that of independent trials says how many that is; Student's t in place of the normal quantile pays for
    few groups. Where all are right, or none, nothing can be estimated, and a group counts as one trial.
    """
    hits = np.asarray(right, np.float64)
    n, count = len(hits), len(np.unique(groups))
    if n == 0 or count == n:
        return Rate(int(hits.sum()), n)
    p = float(hits.mean())
    between = _variance(hits, groups)
    worth = float(count) if p in (0.0, 1.0) or between <= 0 else p * (1 - p) / between
    return Rate(int(hits.sum()), n, min(float(n), max(1.0, worth * (Z / t(count - 1)) ** 2)))


def paired_difference(
    one: Sequence[bool] | NDArray[np.bool_], other: Sequence[bool] | NDArray[np.bool_], groups: Groups
) -> tuple[float, float, float]:
    """The rate of ``one`` less that of ``other`` on the same examples, with its 95 % interval [Newcombe 1998b], by group."""
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if not len(first):
        return less(Rate(0, 0), Rate(0, 0))
    spreads = _variance(first, groups) * _variance(second, groups)
    together = _covariance(first, second, groups) / spreads**0.5 if spreads > 0 else 0.0
    return less(rate(first > 0.5, groups), rate(second > 0.5, groups), float(np.clip(together, -1.0, 1.0)))


def paid_p(own: float, controls: Sequence[float] | NDArray[np.float64], looks: int) -> float:
    """The chance that the largest of ``looks`` figures that mean nothing is as far from 0 as ``own``, where they differ as controls do.

    A rank among controls at the place that was chosen does not pay for the choice: places differ in how far a given direction moves there.
    By Student's t for the root mean square of the controls, times the looks [Bonferroni].
    """
    spread = float(np.sqrt(np.mean(np.square(controls)))) if len(controls) else 0.0
    if not spread:
        return 1.0 if not own else 0.0 if len(controls) else 1.0
    return min(1.0, looks * (1 - _within(abs(own) / spread, len(controls))))


def t(freedom: int, looks: int = 1) -> float:
    """Student's t for a 95 % interval; for intervals of so many figures that hold together with 95 % [Bonferroni]."""
    low, high = 0.0, 1.0
    while _within(high, freedom) < 1 - 0.05 / looks and high < 1e9:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 1 - 0.05 / looks else (low, middle)
    return high


def _within(value: float, freedom: int) -> float:
    """P(|T| ≤ value), in its closed form for whole degrees of freedom [Abramowitz & Stegun 26.7.3 and 26.7.4]: a test holds it to scipy's,
    which takes a second to load and is no requirement."""
    freedom = max(1, freedom)
    angle = math.atan(value / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    whole = term if freedom > 1 else 0.0
    for power in range(2 + odd, freedom - 1, 2):
        term *= math.cos(angle) ** 2 * (power - 1) / power
        whole += term
    return 2 / math.pi * (angle + math.sin(angle) * whole) if odd else math.sin(angle) * whole


def _variance(values: NDArray[np.float64], groups: Groups) -> float:
    return _covariance(values, values, groups)


def _covariance(one: NDArray[np.float64], other: NDArray[np.float64], groups: Groups) -> float:
    """The covariance of two means over the same examples, from how the groups' sums differ from what the means would have them be."""
    numbers = np.unique(groups, return_inverse=True)[1]
    sums = [np.bincount(numbers, each - each.mean()) for each in (one, other)]
    count = len(sums[0])
    return float((sums[0] * sums[1]).sum() * count / max(1, count - 1) / len(one) ** 2)


def jackknife(values: Sequence[float] | NDArray[np.float64]) -> float:
    """The standard error of a figure, from what it is with each block left out."""
    left = np.asarray(values, np.float64)
    return float(np.sqrt((len(left) - 1) / len(left) * ((left - left.mean()) ** 2).sum()))
