"""Counts with their intervals. Pure Python: front ends draw them, and importing scipy.stats for this one formula takes a second.

A test holds the formula to scipy's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.util.figures import interval_text

#: The normal quantile of a 95 % interval.
Z = 1.959964


@dataclass(frozen=True)
class Rate:
    """``hits`` of ``n``, which are worth ``worth`` independent trials where they are not independent (:func:`core.stats.groups.rate`)."""

    hits: int
    n: int
    worth: float | None = None

    @property
    def value(self) -> float:
        """hits / n; NaN when nothing was counted."""
        return self.hits / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval [Wilson 1927]; (0, 1) when nothing was counted."""
        if not self.n:
            return 0.0, 1.0
        n = self.n if self.worth is None else self.worth
        centre = (self.value + Z * Z / (2 * n)) / (1 + Z * Z / n)
        spread = math.sqrt(self.value * (1 - self.value) / n + Z * Z / (4 * n * n))
        half = Z / (1 + Z * Z / n) * spread
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        """``0.83 (0.71 to 0.91)``, or a dash when nothing was counted."""
        if not self.n:
            return "–"
        return interval_text(self.value, *self.interval)


def less(one: Rate, other: Rate, together: float = 0.0) -> tuple[float, float, float]:
    """one − other, and its 95 % interval by Newcombe's hybrid of two Wilson intervals [Newcombe 1998, method 10].

    ``together`` is the correlation of the two where they were counted on the same examples [Newcombe 1998b, method 8]
    (:func:`core.stats.groups.paired_difference`); 0 is for two samples.
    """
    difference = one.value - other.value
    if math.isnan(difference):
        return math.nan, -1.0, 1.0
    (low, high), (other_low, other_high) = one.interval, other.interval
    down = _hybrid(one.value - low, other_high - other.value, together)
    up = _hybrid(high - one.value, other.value - other_low, together)
    return difference, difference - down, difference + up


def _hybrid(one: float, other: float, together: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * together * one * other + other * other))


def rank_p(own: float, controls: Sequence[float]) -> float:
    """How often a control reaches as much: (1 + how many are at least as large) / (1 + how many there are) [Phipson & Smyth 2010].

    The controls are what is counted, and not what each was tried on: how much directions that mean nothing differ from each other is what a
    direction has to be compared with.
    """
    # Sums of the same numbers in another order may differ in their last digit.
    return (1 + sum(each >= own - 1e-12 for each in controls)) / (1 + len(controls))
