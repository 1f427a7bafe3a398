"""Can true be told from false along one line? A mean-difference probe on categories it was not learnt from, with its negative controls.

[Marks & Tegmark, "Geometry of Truth"; methods.md §0 and §1] The direction comes from the training split, the layer from validation, the
figure from test; splits leave whole categories out. Control: all of it again with labels that were dealt out anew, by subject, and say
nothing of truth, :data:`SHUFFLES` times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from core.directions.activations import states
from core.directions.candidate import EARLY
from core.directions.contrast import SPLITS, ContrastItem, ContrastSet
from core.inference.batch import batch_rows
from core.inference.prompts import encode_text
from core.models.loading import Loaded
from core.stats import groups, permutation
from core.stats.rates import Rate
from core.util.budget import TimedPart, spread
from core.util.progress import Learning, Step

#: As many as the cards of directions have: fewer would leave a p near .05 to chance. (They were twenty until a first report on Skiff was
#: inconclusive for that p, and became as many after it was seen: whoever reads a p close to .05 there should know.)
SHUFFLES = 1_000
_ROWS = 64

States = NDArray[np.float32]


@dataclass(frozen=True)
class Probe:
    """What a probe reached on ``checkpoint``: ``rate`` of the test statements at ``layer``, and the ``shuffled`` runs' hits of as many."""

    checkpoint: str
    layer: int
    rate: Rate
    shuffled: tuple[int, ...]

    @property
    def p(self) -> float:
        """How often shuffled labels reach as much."""
        return (1 + sum(hits >= self.rate.hits for hits in self.shuffled)) / (1 + len(self.shuffled))

    @property
    def control(self) -> Rate:
        """The shuffled run in the middle, with an interval for as many trials as the real run's statements are worth."""
        return Rate(round(float(np.median(self.shuffled))), self.rate.n, self.rate.worth)


def probe(loaded: Loaded, contrast: ContrastSet) -> Learning[Probe]:
    """Read the statements and try the probe, a batch at a time."""
    prompts = [encode_text(loaded, item.text) for item in contrast.items]
    rows = min(_ROWS, batch_rows(loaded))
    parts: list[States] = []
    for start in range(0, len(prompts), rows):
        some = prompts[start : start + rows]
        parts.append(np.asarray(states(loaded, some, 1, rows)[:, 0].numpy(), np.float32))
        yield Step(sum(map(len, some)), f"Reading statements with {loaded.checkpoint.name}.")
    return probe_figures_of(loaded.checkpoint.name, np.concatenate(parts), contrast.items)


def probe_phases(loaded: Loaded, contrast: ContrastSet) -> list[TimedPart]:
    """The parts of :func:`probe`, for an estimate: reading, and trying a layer with every shuffling of the labels."""
    items = contrast.items
    rows = min(_ROWS, batch_rows(loaded))
    some = [encode_text(loaded, items[place].text) for place in spread(len(items))[:rows]]
    none = np.zeros((len(items), 1, loaded.width), np.float32)
    # Drawn once, for all layers of all checkpoints: a trial in which it happens would count it for each.
    _shuffled(items)
    return [
        TimedPart(len(items) / len(some), lambda: states(loaded, some, 1, rows)),
        TimedPart(max(1, ceil(EARLY * loaded.anatomy.layers)), lambda: probe_figures_of("", none, items)),
    ]


def probe_figures_of(checkpoint: str, found: States, items: Sequence[ContrastItem]) -> Probe:
    """The probe's figures from the states of the statements [statements, layers, width]."""
    labels = np.array([item.positive for item in items])
    split: dict[str, NDArray[np.bool_]] = {name: np.array([item.split == name for item in items]) for name in SPLITS}
    belongs = groups.numbered([item.belongs for item in items])
    (layer, *_), (_, *shuffled) = _tried(found, np.concatenate([labels[None], _shuffled(items)]), labels, split)
    said = _said(found[:, layer].astype(np.float64), labels[None], split["train"])[0, split["test"]]
    rate = groups.rate(said == labels[split["test"]], belongs[split["test"]])
    return Probe(checkpoint, layer, rate, tuple(shuffled))


def _shuffled(items: Sequence[ContrastItem]) -> NDArray[np.bool_]:
    belongs = groups.numbered([item.belongs for item in items]).tolist()
    return _permuted(tuple(item.positive for item in items), tuple(item.category for item in items), tuple(belongs))


@lru_cache(2)
def _permuted(labels: tuple[bool, ...], categories: tuple[str, ...], belongs: tuple[int, ...]) -> NDArray[np.bool_]:
    """The labels shuffled in :data:`SHUFFLES` ways [ways, statements]: the same for every checkpoint, and slow to be drawn."""
    given, together = np.array(labels), np.array(belongs)
    return np.stack(
        [
            permutation.permuted_labels(given, categories, np.random.default_rng([index, 4]), together)
            for index in range(SHUFFLES)
        ]
    )


def _tried(
    found: States, labels: NDArray[np.bool_], true: NDArray[np.bool_], split: dict[str, NDArray[np.bool_]]
) -> tuple[list[int], list[int]]:
    """For each way of labelling [ways, statements]: the layer that is best on validation by these labels, and how many test statements
    it judges as the ``true`` labels have it."""
    early = max(1, ceil(EARLY * found.shape[1]))
    validation, test = split["validation"], split["test"]
    right, hits = [], []
    for layer in range(early):
        said = _said(found[:, layer].astype(np.float64), labels, split["train"])
        right.append((said[:, validation] == labels[:, validation]).sum(1))
        hits.append((said[:, test] == true[test]).sum(1))
    layers = np.argmax(right, axis=0)
    return [int(each) for each in layers], [int(hits[layer][way]) for way, layer in enumerate(layers)]


def _said(states_of: NDArray[np.float64], labels: NDArray[np.bool_], train: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """On which side of the middle between the training means each statement lies, for each way of labelling [ways, statements]."""
    positive, negative = (_means(states_of, chosen & train) for chosen in (labels, ~labels))
    vectors = positive - negative
    middles = ((positive + negative) * vectors).sum(1) / 2
    return np.asarray(vectors @ states_of.T > middles[:, None])


def _means(states_of: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean state of those that each way chooses [ways, width]."""
    return np.asarray(chosen.astype(np.float64) @ states_of / chosen.sum(1, keepdims=True))
