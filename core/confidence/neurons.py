"""MLP neurons by their output weights: norm, LogitVar, which are candidates for entropy neurons, and how two checkpoints agree on them.

methods.md §4. For neuron i with output weight w_i, a column of the MLP's down projection:

- norm: ‖w_i‖
- LogitVar: Var over the vocabulary of cos(w_i, u_v), u_v the unembedding row with the final norm's gain folded in, centred over the
  vocabulary [Stolfo et al., "Confidence Regulation Neurons", §3.1]. What writes into a direction that hardly any word reads has a
  small one: it can move all logits together only, by the final norm's scale.
- candidates: among the quarter with the largest norms, the :data:`CANDIDATES` lowest LogitVar [Du et al., "How Post-Training Reshapes
  LLMs", §6]; the ratio of that paper is ‖w_i‖ / ln LogitVar.

No torch here: :mod:`core.confidence.logit_variance` computes LogitVar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
from numpy.typing import NDArray

from core.artefacts.neuron_sets import Neuron

CANDIDATES = 10
#: Neurons are looked for in this many blocks, counted from the end.
BLOCKS = 2
#: A neuron that a candidate is compared with is drawn from so many of the nearest norm.
_NEAREST = 8
#: Choices at random that say how far two checkpoints agree by chance.
CHOICES = 10_000

_Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Block:
    """The neurons of one block: ``norms`` and ``variances`` (LogitVar), both [neurons] in float64."""

    layer: int
    norms: _Figures
    variances: _Figures

    @cached_property
    def quarter(self) -> list[int]:
        """The neurons with the largest norms, a quarter of all."""
        return [int(each) for each in np.argsort(-self.norms, kind="stable")[: max(CANDIDATES, len(self.norms) // 4)]]

    @cached_property
    def candidates(self) -> list[int]:
        """The neurons of the quarter with the lowest LogitVar, lowest first."""
        return sorted(self.quarter, key=lambda neuron: self.variances[neuron])[:CANDIDATES]

    def ratio(self, neuron: int) -> float:
        """‖w‖ / ln LogitVar: the lower, the more an entropy neuron; NaN for a neuron that writes nothing or no word reads."""
        variance = float(self.variances[neuron])
        return float(self.norms[neuron]) / log(variance) if 0 < variance < 1 else float("nan")

    def _others(self) -> list[int]:
        """The neurons that are no candidates, the largest norm first."""
        candidates = set(self.candidates)
        return [int(each) for each in np.argsort(-self.norms, kind="stable") if int(each) not in candidates]

    def matched(self, rng: np.random.Generator) -> list[int]:
        """For each candidate another neuron of like norm, none twice and none a candidate; fewer where there are too few."""
        left = self._others()
        found: list[int] = []
        for candidate in self.candidates:
            nearest = sorted(left, key=lambda neuron: abs(self.norms[neuron] - self.norms[candidate]))[:_NEAREST]
            if nearest:
                found.append(nearest[int(rng.integers(len(nearest)))])
                left.remove(found[-1])
        return found

    def nearest(self, count: int) -> list[int]:
        """So many neurons of the norms that the candidates have, none of them a candidate, in an order that says nothing: candidate by
        candidate the one of nearest norm that is left; fewer where there are too few."""
        left = self._others()
        found: list[int] = []
        while left and len(found) < count:
            candidate = self.candidates[len(found) % len(self.candidates)]
            found.append(min(left, key=lambda neuron: abs(self.norms[neuron] - self.norms[candidate])))
            left.remove(found[-1])
        return [found[each] for each in np.random.default_rng(self.layer).permutation(len(found))]


@dataclass(frozen=True)
class Overlap:
    """How far two choices of neurons agree: ``jaccard`` = shared / all, with what chance gives and the probability of as much by it.

    By chance: each checkpoint's candidates drawn anew from its own quarter of large norms, block by block; ``chance`` is the mean
    of :data:`CHOICES` such draws and ``most`` their 95th percentile.
    """

    shared: tuple[Neuron, ...]
    jaccard: float
    chance: float
    most: float
    p: float


def overlap(one: Sequence[Block], other: Sequence[Block]) -> Overlap:
    """The agreement of two checkpoints on their candidates, over the same blocks."""
    pairs = [(mine, theirs) for mine in one for theirs in other if mine.layer == theirs.layer]
    shared = tuple(
        (mine.layer, neuron) for mine, theirs in pairs for neuron in mine.candidates if neuron in set(theirs.candidates)
    )
    sizes = sum(len(mine.candidates) + len(theirs.candidates) for mine, theirs in pairs)
    by_chance = np.zeros(CHOICES)
    rng = np.random.default_rng(0)
    for mine, theirs in pairs:
        by_chance += _shared_by_chance(mine, theirs, rng)
    rates = by_chance / np.maximum(1, sizes - by_chance)
    found = len(shared) / max(1, sizes - len(shared))
    p = (1 + int((rates >= found).sum())) / (1 + CHOICES)
    return Overlap(shared, found, float(rates.mean()), float(np.percentile(rates, 95)), p)


def _shared_by_chance(mine: Block, theirs: Block, rng: np.random.Generator) -> _Figures:
    """How many neurons two random choices from the two quarters share, :data:`CHOICES` times.

    Of the k that one draws from its quarter, a hypergeometric number lies in both quarters; of the other's k as many as chance has it
    are among these.
    """
    both = len(set(mine.quarter) & set(theirs.quarter))
    inside = rng.hypergeometric(both, len(mine.quarter) - both, len(mine.candidates), CHOICES)
    return np.asarray(rng.hypergeometric(inside, len(theirs.quarter) - inside, len(theirs.candidates)), np.float64)
