"""Confidence: entropy neurons and calibration of one checkpoint, measured whole and kept as an artefact (methods.md §4).

The artefact, kind ``neurons``, name ``entropy``, holds the set that ``!neurons:entropy`` sets to its means, the scatter of norm ×
LogitVar, and every effect text by text, so that checkpoints are compared without loading one again (:mod:`core.confidence.compare`).

No torch here: :mod:`core.confidence.measure` measures.

Texts are the true statements of the family's truth set: means from its training split, effects and calibration on its test split. All
checkpoints read the same texts without a template, so that what differs is the checkpoint.

Controls: a hundred neurons of like norm for each block, one by one, of which one half sets the bar and the other is what passes it by
chance; twenty sets of neurons of like norm, as large as the set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artefacts import store
from core.artefacts.neuron_sets import NEURON_SET_KIND, Neuron, read_tensors
from core.confidence.calibration import Calibration
from core.confidence.neurons import Block
from core.errors import StoreError
from core.families.checkpoint import Family
from core.recipes.language import Recipe, Term

#: Neurons of like norm a block, and sets of them as large as the whole set.
MATCHED = 100
SETS = 20
CONFIDENCE_NAME = "entropy"
#: What an ablation changes, as the artefact names it.
EFFECT_PARTS = ("total", "frozen", "loss")

NeuronFigures = NDArray[np.float64]


@dataclass(frozen=True)
class NeuronEffect:
    """What an ablation changes, a number a text [texts]: entropy in nats in ``total`` and with the scale ``frozen``, and the ``loss``."""

    total: NeuronFigures
    frozen: NeuronFigures
    loss: NeuronFigures


@dataclass(frozen=True)
class Plain:
    """Mean entropy and loss of a text's tokens in nats, as the model is: [texts] each."""

    entropy: NeuronFigures
    loss: NeuronFigures


@dataclass(frozen=True)
class Measured:
    """Neurons ablated one by one, with what each changed text by text.

    ``neurons`` has (block, neuron) pairs; ``total`` and ``frozen`` [neurons, texts] are changes of entropy in nats, ``loss`` of loss.
    """

    neurons: tuple[Neuron, ...]
    total: NeuronFigures
    frozen: NeuronFigures
    loss: NeuronFigures


@dataclass(frozen=True)
class Confidence:
    """All that is known of a checkpoint's confidence.

    ``means`` [candidates] are the values that the candidates are set to; ``together`` is the effect of setting all of them, ``sets``
    [:data:`SETS`, texts] the change of entropy by sets of like size and norm. ``details`` is the artefact's metadata.
    """

    blocks: tuple[Block, ...]
    candidates: Measured
    matched: Measured
    means: NeuronFigures
    plain: Plain
    together: NeuronEffect
    sets: NeuronFigures
    calibration: Calibration
    details: Mapping[str, Any]
    #: Where the checkpoint stands in the path of training, by which it is coloured as its stage is.
    place: int = 0

    @property
    def checkpoint(self) -> str:
        """Whose it is."""
        return str(self.details["checkpoint"])

    @property
    def unfinished(self) -> str:
        """On how much it rests where the time was up before all was measured; else empty."""
        lacking = self.details.get("unfinished")
        if not lacking:
            return ""
        parts = (f"{lacking[what][0]} of {lacking[what][1]} {what}" for what in ("texts", "questions"))
        return (
            f"{self.checkpoint} is measured in part, on {' and '.join(parts)}; measured again, it goes on from there."
        )

    @property
    def which(self) -> tuple[int, ...]:
        """The texts that effects were measured on, by their places in the examples."""
        lacking = self.details.get("unfinished")
        return tuple(lacking["which"]) if lacking else tuple(range(len(self.plain.entropy)))

    def on(self, texts: Sequence[int]) -> Confidence:
        """The effects on some of the texts alone, by :attr:`which`; calibration is of other examples, and stays."""
        if tuple(texts) == self.which:
            return self
        places = [self.which.index(each) for each in texts]

        def cut(of: Measured) -> Measured:
            return Measured(of.neurons, *(getattr(of, part)[:, places] for part in EFFECT_PARTS))

        return replace(
            self,
            candidates=cut(self.candidates),
            matched=cut(self.matched),
            plain=Plain(self.plain.entropy[places], self.plain.loss[places]),
            together=NeuronEffect(*(getattr(self.together, part)[places] for part in EFFECT_PARTS)),
            sets=self.sets[:, places],
        )

    def bar(self, layer: int) -> float:
        """What 95 of 100 neurons of like norm in that block do not reach, in nats: of the half that sets it the one behind which so many
        more would be (the largest, where they are fewer than twenty)."""
        own = np.sort(np.abs(self._matched(0).total.mean(1))[[at == layer for at, _ in self._matched(0).neurons]])
        return float(own[min(math.ceil(0.95 * (len(own) + 1)), len(own)) - 1]) if len(own) else 0.0

    def _matched(self, half: int) -> Measured:
        """Every other neuron of like norm, from the first or the second on."""
        own = self.matched
        return Measured(own.neurons[half::2], *(getattr(own, part)[half::2] for part in EFFECT_PARTS))

    @property
    def found(self) -> tuple[bool, ...]:
        """Of each candidate, whether it is an entropy neuron: it changes the entropy more than 95 of 100 neurons of like norm, and less
        than half as much with the scale held."""
        return entropy_neurons(self, self.candidates)

    @property
    def found_by_chance(self) -> tuple[bool, ...]:
        """The same of those neurons of like norm that did not set the bar: the negative control, of which one in twenty passes the first
        condition."""
        return entropy_neurons(self, self._matched(1))


def entropy_neurons(of: Confidence, measured: Measured) -> tuple[bool, ...]:
    """Whether each neuron that was measured is an entropy neuron, by the bar of its block."""
    total, frozen = measured.total.mean(1), measured.frozen.mean(1)
    return tuple(
        bool(abs(moved) > of.bar(layer) and abs(held) < abs(moved) / 2)
        for (layer, _), moved, held in zip(measured.neurons, total, frozen, strict=True)
    )


def confidence_lines(of: Confidence) -> Iterator[str]:
    """What is said of a checkpoint in sentences, where it is kept."""
    passed, by_chance = sum(of.found), sum(of.found_by_chance)
    yield (
        f"{of.checkpoint} confidence: {passed} of {len(of.found)} candidates are entropy neurons "
        f"(of neurons of like norm {by_chance} of {len(of.found_by_chance)}); expected calibration error "
        f"{of.calibration.ece.text()} over {of.calibration.n} questions."
    )
    if of.unfinished:
        yield of.unfinished


# -------------------------------------------------------------------------------------------------------------- in recipes


def ablates(recipe: Recipe) -> bool:
    """Whether a recipe sets entropy neurons to their means."""
    return any(term.kind == "neurons" and term.direction == CONFIDENCE_NAME for term in recipe.terms)


def switched(recipe: Recipe, on: bool, source: str | None) -> Recipe:
    """The recipe with ``!neurons:entropy`` of a checkpoint (None: of the one that is steered), or without any."""
    kept = tuple(term for term in recipe.terms if not (term.kind == "neurons" and term.direction == CONFIDENCE_NAME))
    return Recipe((*kept, Term("neurons", CONFIDENCE_NAME, source=source))) if on else Recipe(kept)


# --------------------------------------------------------------------------------------------------------------- on disk


def confidence_tensors(of: Confidence) -> dict[str, NeuronFigures]:
    """Everything but the metadata, by the names that the artefact has."""
    found: dict[str, NeuronFigures] = {
        "neurons": np.array(of.candidates.neurons, np.float64).reshape(-1, 2),
        "means": of.means,
        "norms": np.array([each.norms for each in of.blocks]),
        "variances": np.array([each.variances for each in of.blocks]),
        "matched": np.array(of.matched.neurons, np.float64).reshape(-1, 2),
        "sets": of.sets,
        "sure": of.calibration.sure,
        "right": of.calibration.right.astype(np.float64),
        "plain.entropy": of.plain.entropy,
        "plain.loss": of.plain.loss,
    }
    for name in EFFECT_PARTS:
        found[f"neurons.{name}"] = getattr(of.candidates, name)
        found[f"matched.{name}"] = getattr(of.matched, name)
        found[f"together.{name}"] = getattr(of.together, name)
    return found


def save(of: Confidence, path: Path) -> None:
    """Write the artefact. Raises StoreError when it cannot be written."""
    summary = {
        "entropy_neurons": sum(of.found),
        "candidates": len(of.found),
        "ece": of.calibration.ece.value,
        "mass": of.calibration.mass,
        "questions": of.calibration.n,
    }
    whole = {name: value.astype(np.float32) for name, value in confidence_tensors(of).items()}
    store.save_artefact(path, whole, {**of.details, "calibration": summary})


def load_confidence(path: Path) -> Confidence:
    """A checkpoint's confidence from its artefact.

    Raises:
        StoreError: unreadable, of another kind, or without what a measurement leaves (a set that was imported has none).
    """
    card = store.read_card(path)
    if card.kind != NEURON_SET_KIND:
        raise StoreError(f"{path.name} holds a {card.kind}, not a set of neurons.")
    found = {name: value.astype(np.float64) for name, value in read_tensors(path).items()}
    try:
        layers = [int(each) for each in card.details["blocks"]]
        mass = float(card.details["calibration"]["mass"])
        return Confidence(
            tuple(Block(*each) for each in zip(layers, found["norms"], found["variances"], strict=True)),
            _measured(found, "neurons"),
            _measured(found, "matched"),
            found["means"],
            Plain(found["plain.entropy"], found["plain.loss"]),
            NeuronEffect(*(found[f"together.{name}"] for name in EFFECT_PARTS)),
            found["sets"],
            Calibration(found["sure"], found["right"] > 0.5, mass),
            card.details,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path.name} has no figures of its neurons' effects; make it again with precompute --what confidence."
        ) from error


def stored_confidence(family: Family, checkpoint: str) -> Confidence | None:
    """What was measured on a checkpoint of a family, None where nothing was. Raises StoreError for a file that cannot be used."""
    path = store.find_artefact(family.places, checkpoint, NEURON_SET_KIND, CONFIDENCE_NAME)
    return replace(load_confidence(path), place=len(family.path(checkpoint)) - 1) if path is not None else None


def _measured(found: Mapping[str, NeuronFigures], name: str) -> Measured:
    neurons = tuple((int(layer), int(neuron)) for layer, neuron in found[name])
    return Measured(neurons, *(found[f"{name}.{part}"] for part in EFFECT_PARTS))
