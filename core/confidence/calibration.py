"""Calibration: is a checkpoint right as often as it is sure? Reliability diagram and expected calibration error. No torch.

A question with a known answer is a statement that the checkpoint judges, after four judged examples ("… This statement is:"), all
checkpoints in the same words. Its answer is the likelier of TRUE and FALSE; how sure it is, that answer's share of the two.

ECE = Σ_b n_b/n · |right in b − sure in b| over bins of equal width [Guo et al., "On Calibration of Modern Neural Networks", §2]. Where
few were asked it is above zero by chance alone, so that it stands beside what a perfectly calibrated model with the same sureness
would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.stats.bootstrap import DRAWS, Estimate, draws, estimate
from core.stats.rates import Rate

BINS = 10
#: An answer of two is at least this sure.
LOWEST = 0.5

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """The answers that are about as sure: from ``low`` to ``high``, ``n`` of them, on average ``sure`` and ``right`` of the time.

    ``interval`` is the 95 % Wilson interval of ``right``.
    """

    low: float
    high: float
    n: int
    sure: float
    right: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Calibration:
    """How sure [questions], between .5 and 1, and whether right [questions]; ``mass`` is the mean of P(TRUE) + P(FALSE)."""

    sure: Figures
    right: NDArray[np.bool_]
    mass: float

    @property
    def n(self) -> int:
        """The number of questions."""
        return len(self.sure)

    @property
    def accuracy(self) -> float:
        """How often the answer was right."""
        return float(self.right.mean())

    @property
    def sureness(self) -> float:
        """How sure the answers were on average."""
        return float(self.sure.mean())

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """The bins with answers in them, least sure first."""
        place = _places(self.sure)
        width = (1 - LOWEST) / BINS
        found = []
        for each in range(BINS):
            chosen = place == each
            n, hits = int(chosen.sum()), int(self.right[chosen].sum())
            if n:
                sure = float(self.sure[chosen].mean())
                low = LOWEST + each * width
                found.append(Bin(low, low + width, n, sure, hits / n, Rate(hits, n).interval))
        return tuple(found)

    @cached_property
    def ece(self) -> Estimate:
        """The expected calibration error, with a bootstrap interval over the questions."""
        drawn = draws(self.n)
        return estimate(
            _ece(self.sure, self.right), np.array([_ece(self.sure[d], self.right[d]) for d in drawn]), self.n
        )

    @cached_property
    def by_chance(self) -> tuple[float, float]:
        """The mean and the 95th percentile of the ECE of a perfectly calibrated model that is as sure of the same answers."""
        rng = np.random.default_rng(0)
        found = [_ece(self.sure, rng.random(self.n) < self.sure) for _ in range(DRAWS)]
        return float(np.mean(found)), float(np.percentile(found, 95))

    @property
    def brier(self) -> float:
        """The mean squared distance between how sure and whether right [Brier 1950]."""
        return float(((self.sure - self.right) ** 2).mean())


def of_margins(margin: Sequence[float], mass: Sequence[float], labels: Sequence[bool]) -> Calibration:
    """From P(TRUE) − P(FALSE) and P(TRUE) + P(FALSE) of statements, and whether each is true.

    Raises:
        ValueError: nothing was asked.
    """
    if not len(labels):
        raise ValueError("Calibration needs at least one question.")
    difference, whole = np.asarray(margin, np.float64), np.asarray(mass, np.float64)
    share = 0.5 + difference / (2 * np.maximum(whole, np.finfo(np.float64).tiny))
    right = (share > 0.5) == np.asarray(labels, bool)
    # Rounding may leave a share a hair outside its range.
    return Calibration(np.clip(np.maximum(share, 1 - share), LOWEST, 1.0), right, float(whole.mean()))


def _places(sure: Figures) -> NDArray[np.int64]:
    return np.minimum(BINS - 1, ((sure - LOWEST) / (1 - LOWEST) * BINS).astype(np.int64))


def _ece(sure: Figures, right: NDArray[np.bool_]) -> float:
    gaps = np.bincount(_places(sure), weights=right - sure, minlength=BINS)
    return float(np.abs(gaps).sum() / len(sure))
