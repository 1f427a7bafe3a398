"""What chance alone does: intervals of rates and of means, and the best of many places against a permuted maximum. No torch."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float64]

PERMUTATIONS = 1_000


def wilson(hits: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a rate [Wilson 1927]; (0, 1) when nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    rate = hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def mean_with_interval(values: Sequence[float], seed: int) -> dict[str, Any]:
    """A mean with its n and its 95 % bootstrap interval."""
    own = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(len(own), size=(PERMUTATIONS, len(own)))
    low, high = np.quantile(own[drawn].mean(1), (0.025, 0.975))
    return {"mean": float(own.mean()), "n": len(own), "interval": [float(low), float(high)]}


def told_apart(above: Mapping[bool, _Array], place: int, layer: int) -> dict[str, Any]:
    """How well held-out examples are told apart at one token and layer: balanced accuracy, hits, n and the interval of the rate.

    Args:
        above: for each class 1 or 0, on the positive side or not [examples, positions, layers].
    """
    right = float(above[True][:, place, layer].sum() + (1 - above[False][:, place, layer]).sum())
    n = len(above[True]) + len(above[False])
    balanced = (above[True][:, place, layer].mean() + 1 - above[False][:, place, layer].mean()) / 2
    return {"accuracy": float(balanced), "hits": int(right), "n": n, "interval": list(wilson(right, n))}


def best_of_many(above: Mapping[bool, _Array], seed: int) -> dict[str, Any]:
    """How often shuffled labels reach, at any token and layer, the best accuracy of the true ones.

    p = (1 + number of permutations whose maximum is at least the observed one) / (1 + permutations): the maximum over all places is
    compared with the maximum, so that having looked at many of them is paid for [Nichols & Holmes 2002].
    """
    whole = np.concatenate([above[True], above[False]]).reshape(len(above[True]) + len(above[False]), -1)
    positive = len(above[True])
    rng = np.random.default_rng(seed)
    labels = np.zeros((PERMUTATIONS + 1, len(whole)))
    labels[:, :positive] = 1
    labels[1:] = rng.permuted(labels[1:], axis=1)
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


def dealt(labels: NDArray[np.bool_], groups: Sequence[Hashable], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Labels that say nothing of the true ones: in each group half of the positive examples get each label, and half of the negative ones.

    Dealt without this balance, labels agree a little with the true ones, or disagree; where the classes are what examples differ in
    most, a direction learnt from them would then be the true one or its opposite, half of the time each.
    """
    found = labels.copy()
    order = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    places = np.array([order[group] for group in groups])
    for place in range(len(order)):
        for label in (True, False):
            own = rng.permutation(np.flatnonzero((places == place) & (labels == label)))
            half = len(own) // 2 + (int(rng.integers(2)) if len(own) % 2 else 0)
            found[own[:half]], found[own[half:]] = True, False
    return found
