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
from core.directions.contrast import ContrastSet
from core.inference import metrics
from core.inference.prompts import encode_text
from core.models.loading import Loaded
from core.stats import groups as grouping
from core.stats import similarity
from core.stats.groups import Groups
from core.stats.permutation import permuted_labels
from core.stats.similarity import Similarity
from core.util.progress import Slices

Floats = NDArray[np.float64]
Right = NDArray[np.bool_]

#: Directions from labels that say nothing of the true ones (:func:`core.stats.permutation.permuted_labels`): their 95th percentile is a
#: null, and some of them are controls.
SHUFFLED = 100
#: Random sums of the states' differences from their class's mean: what they span is where states differ at all.
SPREAD_ROWS = 100
#: Categories are left out one by one up to this many, and in so many groups beyond.
FOLDS = 16
#: The part of a vector's coordinates, the largest ones, that winsorising cuts down to the size of the next.
WINSORISED = 0.025


@dataclass(frozen=True)
class Texts:
    """The examples of a contrast, in an order of their own: their ``labels``, which ``learn`` a direction, the ``fold`` that each is left
    out with, and the ``group`` that it belongs to (the statements on one subject)."""

    texts: tuple[str, ...]
    labels: NDArray[np.bool_]
    learn: NDArray[np.bool_]
    fold: NDArray[np.int64]
    group: Groups


@dataclass(frozen=True)
class ProbeReading:
    """What was read of a checkpoint at every layer. ``rows`` holds [count, layers, width] by name: ``full`` 1, ``blocks`` the
    direction from each block of groups, ``shuffled``, ``spread``, and for every fold ``positive`` and ``negative``, the class means of all
    the others."""

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
    dealt = grouping.blocks(texts.group[learn], labels[learn], rng)
    shuffled, spread = [], []
    for _ in range(SHUFFLED):
        mixed = permuted_labels(labels[learn], texts.fold[learn].tolist(), rng, texts.group[learn])
        shuffled.append(_difference(len(labels), learn[mixed], learn[~mixed]))
    for _ in range(SPREAD_ROWS):
        sums = np.zeros(len(labels))
        for side in sides:
            drawn = rng.standard_normal(len(side))
            sums[side] = drawn - drawn.mean()
        spread.append(sums / np.sqrt(len(learn)))
    means = {}
    for name, label in (("positive", True), ("negative", False)):
        others = [np.flatnonzero((texts.fold != fold) & (labels == label)) for fold in range(int(texts.fold.max()) + 1)]
        means[name] = np.stack([_mean(chosen, len(labels)) for chosen in others])
    blocks = [
        _difference(len(labels), *(learn[(dealt == block) & (labels[learn] == label)] for label in (True, False)))
        for block in range(int(dealt.max()) + 1)
    ]
    every = {"full": [_difference(len(labels), *sides)], "blocks": blocks, "shuffled": shuffled, "spread": spread}
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


def direction_reliability(reading: ProbeReading) -> Floats:
    """How well the direction would agree with one from as many other texts [layers] (:func:`core.stats.similarity.reliability`)."""
    blocks = reading.rows["blocks"]
    return np.array([similarity.reliability(blocks[:, layer] @ blocks[:, layer].T) for layer in range(blocks.shape[1])])


def ceiling(one: ProbeReading, other: ProbeReading) -> Floats:
    """The largest cosine that two directions from different texts may have in the mean, from what noise leaves of each [layers]."""
    return np.asarray(np.sqrt(direction_reliability(one) * direction_reliability(other)), dtype=np.float64)


def freed_cosine(one: ProbeReading, other: ProbeReading, layer: int) -> Similarity:
    """The cosine of two directions at a layer as a part of its ceiling, by crossed blocks of groups: what noise does is taken out of both,
    also what the same texts do to both."""
    first, second = one.rows["blocks"][:, layer], other.rows["blocks"][:, layer]
    return similarity.crossed(first @ second.T, first @ first.T, second @ second.T)


def null(source: ProbeReading, target: ProbeReading) -> Floats:
    """The 95th percentile of |cosine| between the target's direction and directions of the source from shuffled labels [layers]."""
    found = np.abs(cosine(source.rows["shuffled"], target.vectors[None]))
    return np.asarray(np.quantile(found, 0.95, axis=0), dtype=np.float64)


def interval(one: ProbeReading, other: ProbeReading, layer: int, found: float) -> tuple[float, float]:
    """The 95 % interval round a cosine that was found at a layer: a jackknife over blocks of groups, left out of both (cut to −1…1)."""
    first, second = one.rows["blocks"][:, layer], other.rows["blocks"][:, layer]
    count = len(first)
    if count < similarity.FEWEST_BLOCKS:
        return -1.0, 1.0
    kept = ~np.eye(count, dtype=bool)
    left = [float(cosine(first[each].mean(0), second[each].mean(0))) for each in kept]
    half = grouping.t(count - 1) * grouping.jackknife(left)
    return max(-1.0, found - half), min(1.0, found + half)


# ---------------------------------------------------------------------------------------------------------------- probes


def probed(
    loaded: Loaded,
    prompts: Sequence[Ids],
    offset: int,
    texts: Texts,
    sources: Sequence[ProbeReading],
    own: ProbeReading,
    rows: int,
) -> Slices[tuple[Right, Right]]:
    """Probes of the sources tried on a checkpoint's states of the category that they have not seen: what is right [sources, texts, layers].

    A probe is the midpoint between the class means of all other categories. Twice: with its own midpoint, and with the target's, since a
    direction may carry over where its zero does not.
    """
    vectors = np.stack([each.rows["positive"] - each.rows["negative"] for each in sources])
    middles = np.stack([_along(each, vectors[index]) for index, each in enumerate(sources)])
    recentred = np.stack([_along(own, each) for each in vectors])
    right = np.zeros((2, len(sources), len(texts.labels), loaded.anatomy.layers), dtype=bool)
    for tokens, chosen, batch in alignment_batches(loaded, prompts, offset, rows):
        for fold in np.unique(texts.fold[chosen]):
            inside = [place for place, index in enumerate(chosen) if texts.fold[index] == fold]
            which = [chosen[place] for place in inside]
            said = np.einsum("bld,sld->bsl", batch[inside].double().numpy(), vectors[:, fold])
            for how, middle in enumerate((middles, recentred)):
                judged = (said > middle[:, fold][None]) == texts.labels[which][:, None, None]
                right[how][:, which] = judged.transpose(1, 0, 2)
        yield tokens
    return right[0], right[1]


def _along(reading: ProbeReading, vectors: Floats) -> Floats:
    """Where the midpoint of a reading's class means lies along vectors, for every fold and layer."""
    middle = (reading.rows["positive"] + reading.rows["negative"]) / 2
    return np.asarray((middle * vectors).sum(-1), dtype=np.float64)


def texts_of(examples: ContrastSet) -> Texts:
    """A contrast's examples as arrays; directions are learnt from its training split."""
    items = examples.items
    return Texts(
        tuple(each.text for each in items),
        np.array([each.positive for each in items]),
        np.array([each.split == "train" for each in items]),
        folds([each.category for each in items]),
        grouping.numbered([each.belongs for each in items]),
    )


def transfer_prompts(loaded: Loaded, about: str, texts: Sequence[str]) -> list[Ids]:
    """The texts as the direction is read from them: bare statements, or instructions in the chat template."""
    if about != "truth":
        return [each.ids for each in metrics.chat_prompts(loaded, texts)]
    return [encode_text(loaded, text) for text in texts]
