"""How alike two noisy vectors are beneath their noise, both measured on the same examples: crossed halves and a jackknife. No torch.

Examples are dealt into blocks, and each block gives one vector of each of the two. Noise adds nothing, in the mean, to a product of two
different blocks. A product of one block with itself has its noise in it, and that of two checkpoints on one block the noise that they
share. So of the inner products of one's blocks with the other's only those of different blocks are taken, above and below the line
[methods.md §2; Spearman 1904 for the division].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats.groups import jackknife, t

_Products = NDArray[np.float64]

#: With fewer blocks than that, leaving one out says nothing.
FEWEST_BLOCKS = 4


@dataclass(frozen=True)
class Similarity:
    """A cosine or correlation freed of noise, with its 95 % jackknife interval; it lies round 1 where two are one and the same.

    NaN, with an interval that says nothing, where noise is all there is of one of them.
    """

    value: float
    low: float
    high: float


def crossed(between: _Products, one: _Products, other: _Products) -> Similarity:
    """The similarity, from the inner products of blocks [blocks, blocks]: of one's with the other's, one's own, the other's own.

    The value is Σ⟨aⱼ, bₖ⟩ / √(Σ⟨aⱼ, aₖ⟩ Σ⟨bⱼ, bₖ⟩) over j ≠ k; the interval leaves out one block at a time.
    """
    count = len(between)
    value = _ratio(between, one, other, np.ones(count, dtype=bool)) if count > 1 else math.nan
    if count < FEWEST_BLOCKS or math.isnan(value):
        return Similarity(value, -math.inf, math.inf)
    left = [_ratio(between, one, other, np.arange(count) != block) for block in range(count)]
    if any(map(math.isnan, left)):
        return Similarity(value, -math.inf, math.inf)
    half = t(count - 1) * jackknife(left)
    return Similarity(value, value - half, value + half)


def _ratio(between: _Products, one: _Products, other: _Products, kept: NDArray[np.bool_]) -> float:
    over, *under = (_apart(each[np.ix_(kept, kept)]) for each in (between, one, other))
    return over / math.sqrt(under[0] * under[1]) if min(under) > 0 else math.nan


def _apart(products: _Products) -> float:
    """The mean product of two different blocks."""
    count = len(products)
    return float(np.nanmean(products[~np.eye(count, dtype=bool)]))


def reliability(own: _Products) -> float:
    """How well a mean over all blocks would agree with one of as many other examples: the part of its square that is no noise, 0 to 1."""
    whole = float(np.nanmean(own))
    return min(1.0, max(0.0, _apart(own) / whole)) if len(own) > 1 and whole > 0 else 0.0
