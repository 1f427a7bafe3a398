"""What a direction is compared with when a target is steered: directions that mean nothing, of the norm of the target's own.

Three kinds, as many of each: learnt from shuffled labels, isotropic ones, and ones at random among those in which the states differ at all.
Where truth is what states differ in most, a direction from shuffled labels is the true one or its opposite by half; how far a kind lies
along the target's own is told with it, and one that does is no null (methods.md §2). To a source of another family belongs one kind more:
its own directions from shuffled labels, by the same map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from core.transfer.alignment import Floats, ProbeReading, cosine
from core.transfer.task import MAPPED, UNTRAINED

CONTROL_KINDS = ("shuffled", "isotropic", "spread")
#: So many of every kind are tried between two looks at the time.
_TOGETHER = 20
#: Of what states differ in, the directions that hold this part.
_HELD = 0.95


def control_kinds(sources: Sequence[str]) -> tuple[str, ...]:
    """Every kind that there is beside some sources."""
    foreign = (each for each in sources if "/" in each and not each.endswith(UNTRAINED))
    return (*CONTROL_KINDS, *(f"{MAPPED}{source}" for source in foreign))


def control_vectors(
    reading: ProbeReading, own: Floats, layer: int, strength: float, count: int, mapped: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Vectors [count, width] of every kind at the target's layer, as long as ``strength`` times its own; ``mapped`` are directions from
    shuffled labels by source [more, width]."""
    rng = np.random.default_rng([20_250_408, layer])
    made = {
        "shuffled": reading.rows["shuffled"][:count, layer],
        "isotropic": rng.standard_normal((count, len(own))),
        "spread": _spread(reading.rows["spread"][:, layer], count, rng),
        **{f"{MAPPED}{source}": vectors[:count] for source, vectors in mapped.items()},
    }
    goal = strength * float(np.linalg.norm(own))
    return {
        how: np.asarray(each * (goal / np.maximum(np.linalg.norm(each, axis=-1, keepdims=True), 1e-12)), np.float64)
        for how, each in made.items()
    }


def _spread(sums: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Isotropic within the leading directions of random sums of what states differ from their class's mean by (a randomised
    decomposition of their covariance) [Halko et al. 2011]."""
    _, sizes, directions = np.linalg.svd(sums, full_matrices=False)
    held = np.cumsum(sizes**2) / max(float((sizes**2).sum()), 1e-300)
    kept = directions[: int(np.searchsorted(held, _HELD)) + 1]
    return np.asarray(rng.standard_normal((count, len(kept))) @ kept, dtype=np.float64)


def along(made: Mapping[str, Floats], own: Floats) -> dict[str, float]:
    """How far the controls of each kind lie along the target's own direction: the median of |cosine|."""
    return {how: float(np.median(np.abs(cosine(each, own[None])))) for how, each in made.items()}


def chunks(count: int) -> Iterator[slice]:
    """The controls of a kind in the pieces that are tried between two looks at the time."""
    for start in range(0, count, _TOGETHER):
        yield slice(start, min(count, start + _TOGETHER))


def in_turn(made: Mapping[str, Floats]) -> Iterator[tuple[str, int, Sequence[Floats]]]:
    """Some controls of every kind in turn, with their kind and the number of the first: whenever the time is up, each kind has about as
    many."""
    for piece in chunks(max(map(len, made.values()), default=0)):
        for how, vectors in made.items():
            yield how, piece.start, list(vectors[piece])
