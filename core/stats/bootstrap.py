"""Intervals of means, and whether a change is small enough to count as none. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.util.figures import interval_text

_Figures = NDArray[np.float64]
DRAWS = 2_000


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % bootstrap interval, and the 90 % one that a test of equivalence at 5 % looks at; ``n`` units drawn."""

    value: float
    low: float
    high: float
    inner_low: float
    inner_high: float
    n: int

    @property
    def differs(self) -> bool:
        """Whether the 95 % interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def within(self, margin: float) -> bool:
        """Two one-sided tests at 5 %: whether the 90 % interval lies inside ±margin [Schuirmann 1987]."""
        return -margin < self.inner_low and self.inner_high < margin

    def beyond(self, margin: float) -> bool:
        """Whether the 95 % interval lies wholly outside ±margin, on one side."""
        return self.low > margin or self.high < -margin

    def text(self, digits: int = 3) -> str:
        """``0.123 (0.100 to 0.145)``"""
        return interval_text(self.value, self.low, self.high, digits)


def draws(n: int, seed: int = 0, samples: int = DRAWS) -> NDArray[np.int64]:
    """Which of ``n`` units each bootstrap sample has: [samples, n]. The same for the same arguments."""
    return np.random.default_rng(seed).integers(0, n, size=(samples, n))


def bootstrap_mean(
    values: _Figures | Sequence[float], seed: int = 0, samples: int = DRAWS, groups: NDArray[np.int64] | None = None
) -> Estimate:
    """The mean of one figure a unit, with percentile bootstrap intervals over the units, or over their ``groups``."""
    whole = np.asarray(values, np.float64)
    if not len(whole):
        raise ValueError("A mean needs at least one value.")
    if groups is None:
        return estimate(float(whole.mean()), whole[draws(len(whole), seed, samples)].mean(1), len(whole))
    numbers = np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(numbers, whole), np.bincount(numbers)
    drawn = draws(len(sums), seed, samples)
    return estimate(float(whole.mean()), sums[drawn].sum(1) / sizes[drawn].sum(1), len(whole))


def estimate(value: float, drawn: _Figures, n: int) -> Estimate:
    """An estimate from the values that bootstrap samples gave."""
    low, inner_low, inner_high, high = np.percentile(drawn, (2.5, 5, 95, 97.5))
    return Estimate(value, float(low), float(high), float(inner_low), float(inner_high), n)
