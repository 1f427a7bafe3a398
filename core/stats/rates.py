"""Counts with their intervals. Pure Python: front ends draw them, and importing scipy.stats for this one formula takes a second.

A test holds the formula to scipy's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.util.figures import interval_text

#: The normal quantile of a 95 % interval.
Z = 1.959964


@dataclass(frozen=True)
class Rate:
    """``hits`` of ``n``."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """hits / n; NaN when nothing was counted."""
        return self.hits / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval [Wilson 1927]; (0, 1) when nothing was counted."""
        if not self.n:
            return 0.0, 1.0
        centre = (self.value + Z * Z / (2 * self.n)) / (1 + Z * Z / self.n)
        spread = math.sqrt(self.value * (1 - self.value) / self.n + Z * Z / (4 * self.n * self.n))
        half = Z / (1 + Z * Z / self.n) * spread
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        """``0.83 (0.71 to 0.91)``, or a dash when nothing was counted."""
        if not self.n:
            return "–"
        return interval_text(self.value, *self.interval)


def less(one: Rate, other: Rate) -> tuple[float, float, float]:
    """one − other, and its 95 % interval by Newcombe's hybrid of two Wilson intervals [Newcombe 1998, method 10]."""
    difference = one.value - other.value
    if math.isnan(difference):
        return math.nan, -1.0, 1.0
    (low, high), (other_low, other_high) = one.interval, other.interval
    down = math.hypot(one.value - low, other_high - other.value)
    up = math.hypot(high - one.value, other.value - other_low)
    return difference, difference - down, difference + up
