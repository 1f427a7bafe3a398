"""Sets of MLP neurons with the means that ablation puts in their place, as artefacts. No torch, nothing unpickled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from core.artefacts import store
from core.artefacts.store import Array, Card
from core.errors import StoreError
from core.util.files import read_when_changed

#: A block and a neuron in it.
Neuron = tuple[int, int]


NEURON_SET_KIND = "neurons"


@dataclass(frozen=True)
class NeuronSet:
    """A named set of MLP neurons with the value that each is set to when it is ablated: ``means`` [neurons] in float32."""

    card: Card
    neurons: tuple[Neuron, ...]
    means: Array

    def at(self, layer: int) -> tuple[list[int], Array]:
        """The neurons of one block, and their means [neurons]."""
        own = [index for index, (block, _) in enumerate(self.neurons) if block == layer]
        return [self.neurons[index][1] for index in own], self.means[own]

    @property
    def layers(self) -> tuple[int, ...]:
        """The blocks that have some of them."""
        return tuple(sorted({layer for layer, _ in self.neurons}))


@read_when_changed
def load_set(path: Path) -> NeuronSet:
    """A set of neurons from its artefact, read again only when that has changed.

    Its tensors are ``neurons`` [neurons, 2] (block, neuron) and ``means`` [neurons].

    Raises:
        StoreError: unreadable, of another kind, or with tensors of unequal length.
    """
    card = store.read_card(path)
    if card.kind != NEURON_SET_KIND:
        raise StoreError(f"{path.name} holds a {card.kind}, not a set of neurons.")
    tensors = read_tensors(path)
    try:
        neurons, means = tensors["neurons"], tensors["means"]
    except KeyError as error:
        raise StoreError(f"{path.name} lacks the tensor {error}; make it again with precompute.") from error
    if neurons.ndim != 2 or neurons.shape != (len(means), 2) or means.ndim != 1 or not np.isfinite(means).all():
        raise StoreError(f"{path.name} has tensors that do not fit together; make it again with precompute.")
    return NeuronSet(card, tuple((int(layer), int(neuron)) for layer, neuron in neurons), means)


def read_tensors(path: Path) -> dict[str, Array]:
    """An artefact's tensors by name, in float32. Raises StoreError when the file cannot be read."""
    try:
        return {name: np.asarray(value, np.float32) for name, value in load_file(path).items()}
    except (SafetensorError, TypeError, ValueError, OSError) as error:
        raise StoreError(f"{path.name} is cut off; copy or make it again.") from error
