"""How far two checkpoints' directions point the same way: cosines with their ceiling and null, and probes tried across checkpoints.

Everything that is asked of the states of many prompts (the difference of the class means, of halves, of shuffled labels, of texts drawn
anew) is linear in them, so that one pass over the prompts gives it as a product of a few rows of weights with the states; no state is
kept (methods.md §2; Du et al., "How Post-Training Reshapes LLMs", §4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from core.directions.activations import Ids, states
from core.models.loading import Loaded
from core.stats.permutation import permuted_labels
from core.util.progress import Slices

Floats = NDArray[np.float64]

#: Random halves of the texts, of which a ceiling is the mean.
HALVES = 10
#: Shuffles of the labels, each of which says nothing of the true ones (:func:`core.stats.permutation.permuted_labels`), of which a null is
#: the 95th percentile.
_SHUFFLES = 40
#: Drawings of the texts with replacement, of which an interval is made.
DRAWINGS = 100
#: Categories are left out one by one up to this many, and in so many groups beyond.
FOLDS = 16
#: The part of a vector's coordinates, the largest ones, that winsorising cuts down to the size of the next.
WINSORISED = 0.025


@dataclass(frozen=True)
class Texts:
    """The examples of a contrast, in an order of their own: their ``labels``, which ``learn`` a direction, and the ``fold`` that each is
    left out with."""

    texts: tuple[str, ...]
    labels: NDArray[np.bool_]
    learn: NDArray[np.bool_]
    fold: NDArray[np.int64]


@dataclass(frozen=True)
class ProbeReading:
    """What was read of a checkpoint at every layer. ``rows`` holds [count, layers, width] by name: ``full`` 1, ``halves`` 2 ×
    :data:`HALVES`, ``shuffled``, ``drawn``, and for every fold ``positive`` and ``negative``, the class means of all the others."""

    rows: Mapping[str, Floats]

    @property
    def vectors(self) -> Floats:
        """The direction [layers, width]."""
        return np.asarray(self.rows["full"][0], dtype=np.float64)

    def mapped(self, maps: Floats, offsets: Floats, layers: Sequence[int]) -> ProbeReading:
        """The same in another model's space: what was read at ``layers[l]`` through ``maps`` [l, width, own width]; means get
        ``offsets`` too."""
        found = {}
        for name, rows in self.rows.items():
            moved = np.einsum("lij,rlj->rli", maps, rows[:, list(layers)])
            found[name] = moved + offsets if name in ("positive", "negative") else moved
        return ProbeReading(found)


def folds(categories: Sequence[str]) -> NDArray[np.int64]:
    """Which texts are left out together: those of a category, or of several where there are more than :data:`FOLDS`."""
    order = {name: index for index, name in enumerate(dict.fromkeys(categories))}
    return np.array([order[name] % FOLDS for name in categories], dtype=np.int64)


def weights(texts: Texts) -> dict[str, Floats]:
    """The rows of weights [count, texts] of a :class:`ProbeReading`; the same for every checkpoint, so that noise can be compared."""
    rng = np.random.default_rng(20_250_408)
    learn, labels = np.flatnonzero(texts.learn), texts.labels
    sides = [learn[labels[learn] == label] for label in (True, False)]
    halves, drawn, shuffled = [], [], []
    for _ in range(HALVES):
        cut = [np.split(rng.permutation(side), [len(side) // 2]) for side in sides]
        halves += [_difference(len(labels), cut[0][half], cut[1][half]) for half in (0, 1)]
    for _ in range(_SHUFFLES):
        mixed = permuted_labels(labels[learn], [int(each) for each in texts.fold[learn]], rng)
        shuffled.append(_difference(len(labels), learn[mixed], learn[~mixed]))
    for _ in range(DRAWINGS):
        drawn.append(_difference(len(labels), *(rng.choice(side, len(side)) for side in sides)))
    means = {}
    for name, label in (("positive", True), ("negative", False)):
        others = [np.flatnonzero((texts.fold != fold) & (labels == label)) for fold in range(int(texts.fold.max()) + 1)]
        means[name] = np.stack([_mean(chosen, len(labels)) for chosen in others])
    every = {"full": [_difference(len(labels), *sides)], "halves": halves, "shuffled": shuffled, "drawn": drawn}
    return {**{name: np.stack(rows) for name, rows in every.items()}, **means}


def _difference(count: int, positive: NDArray[np.int64], negative: NDArray[np.int64]) -> Floats:
    return _mean(positive, count) - _mean(negative, count)


def _mean(chosen: NDArray[np.int64], count: int) -> Floats:
    """Weights that make the mean of the chosen ones; one that is chosen twice counts twice."""
    found: Floats = np.bincount(chosen, minlength=count).astype(np.float64)
    return found / max(1, len(chosen))


def read_states(
    loaded: Loaded, prompts: Sequence[Ids], offset: int, wanted: Mapping[str, Floats], rows: int
) -> Slices[ProbeReading]:
    """Every row of weights times the states at token ``offset`` of the prompts, counted from the end (−1 is the last)."""
    matrix = np.concatenate(list(wanted.values()))
    total = torch.zeros(len(matrix), loaded.anatomy.layers, loaded.width, dtype=torch.float64)
    for tokens, chosen, batch in alignment_batches(loaded, prompts, offset, rows):
        total += torch.einsum("rb,bld->rld", torch.from_numpy(matrix[:, chosen]), batch.double())
        yield tokens
    parts = np.split(total.numpy(), np.cumsum([len(part) for part in wanted.values()])[:-1])
    return ProbeReading(dict(zip(wanted, parts, strict=True)))


def alignment_batches(
    loaded: Loaded, prompts: Sequence[Ids], offset: int, rows: int
) -> Iterator[tuple[int, list[int], torch.Tensor]]:
    """Prompts of like length together: how many tokens they have, which they are, their states [prompts, layers, width]."""
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        found = states(loaded, [prompts[index] for index in chosen], -offset, rows)
        yield sum(len(prompts[index]) for index in chosen), chosen, found[:, 0]


# --------------------------------------------------------------------------------------------------------------- cosines


def cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> Floats:
    """The cosine along the last dimension, in float64; 0 where one of the vectors is zero."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / np.where(lengths > 0, lengths, np.inf), dtype=np.float64)


def winsorised(vectors: NDArray[np.floating]) -> Floats:
    """Vectors [..., width] whose largest coordinates are cut down: a few huge ones can carry a cosine."""
    values = np.asarray(vectors, np.float64)
    edge = np.quantile(np.abs(values), 1 - WINSORISED, axis=-1, keepdims=True)
    return np.asarray(np.clip(values, -edge, edge), dtype=np.float64)


def split_half_cosine(reading: ProbeReading) -> Floats:
    """How well the direction would agree with one from as many other texts [layers]: the halves' cosine, stepped up to the whole.

    With r the mean cosine of two halves, 2r / (1 + r) [Spearman 1910; Brown 1910].
    """
    halves = reading.rows["halves"]
    found = np.maximum(cosine(halves[0::2], halves[1::2]).mean(0), 0)
    return np.asarray(2 * found / (1 + found), dtype=np.float64)


def ceiling(one: ProbeReading, other: ProbeReading) -> Floats:
    """The largest cosine that two directions may have in the mean, from what noise leaves of each [layers]."""
    return np.asarray(np.sqrt(split_half_cosine(one) * split_half_cosine(other)), dtype=np.float64)


def null(source: ProbeReading, target: ProbeReading) -> Floats:
    """The 95th percentile of |cosine| between the target's direction and directions of the source from shuffled labels [layers]."""
    found = np.abs(cosine(source.rows["shuffled"], target.vectors[None]))
    return np.asarray(np.quantile(found, 0.95, axis=0), dtype=np.float64)


def interval(one: ProbeReading, other: ProbeReading, layer: int, found: float) -> tuple[float, float]:
    """The 95 % interval round a cosine that was found at a layer, by drawing the same texts anew for both (basic bootstrap, cut to
    −1…1)."""
    middle = float(cosine(one.vectors[layer], other.vectors[layer]))
    drawn = cosine(one.rows["drawn"][:, layer], other.rows["drawn"][:, layer])
    low, high = np.quantile(drawn, (0.025, 0.975))
    return max(-1.0, found + middle - float(high)), min(1.0, found + middle - float(low))


# ---------------------------------------------------------------------------------------------------------------- probes


def probed(
    loaded: Loaded,
    prompts: Sequence[Ids],
    offset: int,
    texts: Texts,
    sources: Sequence[ProbeReading],
    own: ProbeReading,
    rows: int,
) -> Slices[tuple[Floats, Floats]]:
    """Probes of the sources tried on a checkpoint's states of the category that they have not seen: hits [sources, layers].

    A probe is the midpoint between the class means of all other categories. Twice: with its own midpoint, and with the target's, since a
    direction may carry over where its zero does not.
    """
    vectors = np.stack([each.rows["positive"] - each.rows["negative"] for each in sources])
    middles = np.stack([_along(each, vectors[index]) for index, each in enumerate(sources)])
    recentred = np.stack([_along(own, each) for each in vectors])
    hits = np.zeros((2, len(sources), loaded.anatomy.layers))
    for tokens, chosen, batch in alignment_batches(loaded, prompts, offset, rows):
        for fold in np.unique(texts.fold[chosen]):
            inside = [place for place, index in enumerate(chosen) if texts.fold[index] == fold]
            labels = texts.labels[[chosen[place] for place in inside]]
            said = np.einsum("bld,sld->bsl", batch[inside].double().numpy(), vectors[:, fold])
            for how, middle in enumerate((middles, recentred)):
                hits[how] += ((said > middle[:, fold][None]) == labels[:, None, None]).sum(0)
        yield tokens
    return hits[0], hits[1]


def _along(reading: ProbeReading, vectors: Floats) -> Floats:
    """Where the midpoint of a reading's class means lies along vectors, for every fold and layer."""
    middle = (reading.rows["positive"] + reading.rows["negative"]) / 2
    return np.asarray((middle * vectors).sum(-1), dtype=np.float64)
