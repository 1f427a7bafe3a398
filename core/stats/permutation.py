"""What chance alone does: permuted labels, and the best of many places against a permuted maximum. No torch."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.stats.rates import Rate

_Array = NDArray[np.float64]

PERMUTATIONS = 1_000


def told_apart(above: Mapping[bool, _Array], place: int, layer: int) -> dict[str, Any]:
    """How well held-out examples are told apart at one token and layer: balanced accuracy, hits, n and the interval of the rate.

    Args:
        above: for each class 1 or 0, on the positive side or not [examples, positions, layers].
    """
    right = int(above[True][:, place, layer].sum() + (1 - above[False][:, place, layer]).sum())
    n = len(above[True]) + len(above[False])
    balanced = (above[True][:, place, layer].mean() + 1 - above[False][:, place, layer].mean()) / 2
    return {"accuracy": float(balanced), "hits": right, "n": n, "interval": list(Rate(right, n).interval)}


def best_of_many(above: Mapping[bool, _Array], seed: int) -> dict[str, Any]:
    """How often permuted labels reach, at any token and layer, the best accuracy of the true ones.

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


def permuted_labels(
    labels: NDArray[np.bool_], groups: Sequence[Hashable], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Labels that say nothing of the true ones: in each group half of the positive examples get each label, and half of the negative ones.

    Permuted without this balance, labels agree a little with the true ones, or disagree; where the classes are what examples differ in
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
