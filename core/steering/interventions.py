"""Recipe + directions -> edits of the residual stream, for every row and position of a batch.

Formulas (h a residual, v the direction's vector at a layer, u = v/‖v‖, everything in float32 and cast last):

- add:    h + strength · v                      at the layers named, else the direction's best layer; v is one gap long
- hold:   h + (μ⁻·u + value · ‖v‖ − h·u) u      likewise; 0 is the negative, 1 the positive class mean
- ablate: w − (w·u) u                           for everything that is written: what enters block 0, what each part of a block adds,
                                                u from the best layer [Arditi et al., "Refusal is mediated by a single direction", §2.4]
- neurons: n_i ← mean of n_i                    for the neurons of a set, before the MLP's last projection [Stolfo et al.,
                                                "Confidence Regulation Neurons", §3.2]

What is added or held leaves the first token as it is, beginning-of-text or not: it holds the attention that goes nowhere, and has a huge
norm of its own.
An ablation acts there too, as the formula says: a model without the direction does not write it anywhere. So does setting neurons to
their means, as it is measured.

A term with a gate acts only where the gate is open (:mod:`core.steering.readings`).

Rows that a term does not concern have a zero vector there, so an unsteered row of a batch comes out bit for bit as it went in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor

from core.artefacts import store
from core.artefacts.direction import Direction
from core.artefacts.neuron_sets import NEURON_SET_KIND as NEURONS
from core.artefacts.neuron_sets import NeuronSet, load_set
from core.artefacts.store import Array, Card
from core.errors import TillerError
from core.families.checkpoint import Checkpoint, Counterfactual
from core.families.commands import family_option
from core.models.fingerprints import model_fingerprint, packaged_fingerprint
from core.models.hooks import Action, Anatomy, Site
from core.models.loading import Loaded
from core.recipes.language import Recipe, Scope, Term
from core.steering import readings
from core.steering.readings import GateProbe, Opened
from core.util.program import program

#: (direction, checkpoint it was learnt on) -> the direction; raises TillerError when there is none.
Fetch = Callable[[str, str], Direction]
#: The positions that an edit acts on: a scope's, which are without the first token, or those and that one.
Reach = Scope | Literal["all and first", "prompt and first"]
#: Which positions of which rows an edit reaches: [rows, positions, 1] float, or None for all of them. What is
#: missing has no position in this pass.
Masks = Mapping[Reach, Tensor | None]
#: A pass over one new token of every row's reply.
ONE_TOKEN: Masks = {"all": None, "all and first": None, "reply": None}
_ABLATED: dict[Scope, Reach] = {"all": "all and first", "prompt": "prompt and first"}


class EditError(TillerError):
    """A recipe that does not fit the model it is to steer."""


@dataclass(frozen=True)
class RowEdit:
    """One edit of one row: ``add`` the vector, ``set`` the coordinate along the unit vector to ``target``, or ``put`` the vector's values
    where they are numbers (at the others it is NaN), in every case only where ``gate`` is open."""

    site: Site
    kind: Literal["add", "set", "put"]
    reach: Reach
    vector: Array
    target: float = 0.0
    gate: GateProbe | None = None


def compile_recipe(recipe: Recipe, target: Loaded, fetch: Fetch) -> tuple[RowEdit, ...]:
    """What a recipe does to one row of a batch of ``target``.

    Raises:
        EditError: a layer the model does not have, a direction of another width or of another model than its checkpoint now is.
    """
    return tuple(edit for term in recipe.terms for edit in _compile_term(term, target, fetch))


def _compile_term(term: Term, target: Loaded, fetch: Fetch) -> list[RowEdit]:
    made = _neuron_edits(term, target) if term.kind == "neurons" else _direction_edits(term, target, fetch)
    if term.gate is None:
        return made
    direction = fetch(term.gate.direction, _source(term.gate.source, target))
    check_fit(direction, target)
    gate = readings.gate(term.gate, direction)
    return [replace(edit, gate=gate) for edit in made]


def _source(named: str | None, target: Loaded) -> str:
    own = target.family.directions_of(target.checkpoint.name)
    # A direction of another family is another one for every checkpoint that it was mapped into.
    return f"{named}>{own}" if named and "/" in named else named or own


def _neuron_edits(term: Term, target: Loaded) -> list[RowEdit]:
    """A set of neurons is a property of its checkpoint's weights; on another of the family it is the same neurons, with its means."""
    found = neuron_set(term.direction, _source(term.source, target), target)
    check_neurons(found, target)
    reach = _ABLATED.get(term.scope, term.scope)
    layers = [layer for layer in found.layers if term.layers is None or layer in term.layers]
    if not layers:
        there = ", ".join(map(str, found.layers))
        raise EditError(f"{term.place} names no layer with a neuron of this set; it has neurons in layer {there}.")
    return [RowEdit(("neurons", layer), "put", reach, _values(found, layer, target)) for layer in layers]


def _values(found: NeuronSet, layer: int, target: Loaded) -> Array:
    """What is put into a layer's neurons: [neurons], NaN at those that are left."""
    values = np.full(neuron_count(target, layer), np.nan, np.float32)
    chosen, means = found.at(layer)
    values[chosen] = means
    return values


def _direction_edits(term: Term, target: Loaded, fetch: Fetch) -> list[RowEdit]:
    direction = fetch(term.direction, _source(term.source, target))
    check_fit(direction, target)
    for layer in term.layers or ():
        if layer >= target.anatomy.layers:
            raise EditError(
                f"{term.place} names layer {layer}; {target.checkpoint.name} has layers 0 to {target.anatomy.layers - 1}."
            )
        if term.kind != "ablate" and not direction.vectors[layer].any():
            raise EditError(
                f"{term.place} names layer {layer}, where this direction has no vector; leave that layer out."
            )
    best = direction.card.layer
    if term.kind == "ablate":
        unit = direction.unit(best)
        reach = _ABLATED.get(term.scope, term.scope)
        return [RowEdit(site, "set", reach, unit) for site in _writes(target.anatomy, term.layers)]
    layers = term.layers if term.layers is not None else (best,)
    if term.kind == "add":
        return [RowEdit(("resid_post", at), "add", term.scope, _times(direction.vectors[at], term)) for at in layers]
    return [
        RowEdit(("resid_post", at), "set", term.scope, direction.unit(at), _coordinate(direction, at, term.value))
        for at in layers
    ]


def _times(vector: Array, term: Term) -> Array:
    """A vector as long as a term adds it. Norms take the square of what they are given, in float32."""
    with np.errstate(over="ignore"):
        added = vector * np.float32(term.value)
        if not np.isfinite(np.square(added).sum()):
            raise EditError(f"{term.place} adds a vector so long that its square overflows; take a lower strength.")
    return added


def _coordinate(direction: Direction, layer: int, value: float) -> float:
    """The coordinate along the unit vector at which the projection reads ``value``."""
    return float(direction.negative[layer].astype(np.float64) @ direction.unit(layer)) + value * direction.gap(layer)


def _writes(anatomy: Anatomy, layers: tuple[int, ...] | None) -> list[Site]:
    before: list[Site] = [("resid_pre", at) for at in anatomy.entries] if layers is None else []
    return before + [("written", at) for at in (range(anatomy.layers) if layers is None else layers)]


def neuron_set(name: str, checkpoint: str, target: Loaded) -> NeuronSet:
    """A set of neurons found on a checkpoint of the target's family. Raises EditError when there is none, StoreError when it is broken."""
    path = store.find_artefact(target.family.places, checkpoint, NEURONS, name)
    if path is None:
        raise EditError(
            f"{checkpoint} has no set of neurons {name!r}; entropy neurons are found by Measure in "
            f"Inspect (on the command line: `{program()} precompute{family_option(target.family)} --what confidence`)."
        )
    return load_set(path)


def neuron_count(target: Loaded, layer: int) -> int:
    """How many neurons the MLP of a layer has. Raises AnatomyError for a mixture of experts."""
    projection = target.anatomy.neurons(layer)
    # Conv1D has no in_features, and a quantized weight not its own shape.
    counted = getattr(projection, "in_features", None) or cast(Tensor, projection.weight).shape[0]
    return int(counted)


def check_neurons(found: NeuronSet, target: Loaded) -> None:
    """Refuse a set that names neurons the model does not have, or whose checkpoint has changed. Raises EditError."""
    card = found.card
    for layer, neuron in found.neurons:
        if not 0 <= layer < target.anatomy.layers or not 0 <= neuron < neuron_count(target, layer):
            raise EditError(
                f"The neurons {card.name} of {card.family}/{card.checkpoint} name neuron {neuron} of layer {layer}, which "
                f"{target.checkpoint.name} does not have; find them on a checkpoint of this family."
            )
    _check_fingerprint(card, f"The neurons {card.name} were found on a", target, " --what confidence")


def check_fit(direction: Direction, target: Loaded) -> str:
    """Refuse a direction of another width, or one whose source checkpoint has changed since it was learnt; gives what has to be said of
    one that fits.

    Raises:
        EditError: with both sides named.
    """
    card = direction.card
    layers, width = direction.vectors.shape
    if width != target.width:
        raise EditError(
            f"The direction {card.name} of {card.family}/{card.checkpoint} is {width} wide, {target.checkpoint.name} is {target.width}; "
            "learn it on a checkpoint of this family."
        )
    if layers != target.anatomy.layers:
        raise EditError(
            f"The direction {card.name} of {card.family}/{card.checkpoint} has {layers} layers, "
            f"{target.checkpoint.name} has {target.anatomy.layers}."
        )
    return _check_fingerprint(card, f"The direction {card.name} was learnt on a", target)


def _check_fingerprint(card: Card, made: str, target: Loaded, what: str = "") -> str:
    source = next((each for each in target.family.choices if each.name == card.checkpoint), None)
    now = _source_fingerprint(card.checkpoint, source, target)
    meant = card.details.get("fingerprint")
    if now is not None and meant != now:
        if source is not None and source.package is not None and meant == packaged_fingerprint(source):
            # The same model out of another place: its numbers were rounded, and a direction of it fits.
            return (
                f"{card.name} was measured on the weights of {source.package}; on these its effect may differ a little."
            )
        raise EditError(
            f"{made} {card.family}/{card.checkpoint} with fingerprint {card.details.get('fingerprint')}, "
            f"which now has {now}; make it again in "
            f"{'Inspect' if what else 'Library'} (on the command line: `{program()} precompute{family_option(target.family)}{what}`)."
        )
    return ""


_FINGERPRINTS: dict[str, tuple[str, tuple[tuple[str, int, int], ...]]] = {}


def _source_fingerprint(name: str, found: Checkpoint | None, target: Loaded) -> str | None:
    """The fingerprint of a checkpoint of the target's family as it is now; None when it belongs to no folder here."""
    if name == target.checkpoint.name:
        return target.fingerprint
    if found is None or not found.local:
        return None
    folders = [Path(each.source) for each in (found.weights, *found.adapters) if each.local]
    files = sorted(file for folder in folders for file in folder.glob("*.safetensors"))
    if isinstance(found, Counterfactual) and found.difference is not None and found.difference.is_file():
        files.append(found.difference)
    # Hashing takes time; a file written since then has another time or size.
    marks = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    key = f"{found.source} {found.name}"
    if _FINGERPRINTS.get(key, ("", ()))[1] != marks or not marks:
        _FINGERPRINTS[key] = (model_fingerprint(found), marks)
    return _FINGERPRINTS[key][0]


# --------------------------------------------------------------------------------------------------------------- batches


@dataclass(frozen=True)
class _Operation:
    """One tensor operation over a whole batch at a site. ``vectors`` [rows, 1, width]; ``targets`` [rows, 1, 1] or None for zeros."""

    kind: Literal["add", "set", "put"]
    reach: Reach
    gate: GateProbe | None
    vectors: Tensor
    targets: Tensor | None


class BatchEdits:
    """The edits of all rows of a batch, as few tensor operations as possible; terms act in the order of each row's recipe."""

    def __init__(self, rows: Sequence[tuple[RowEdit, ...]], device: torch.device) -> None:
        self.operations: dict[Site, list[_Operation]] = {}
        for site in dict.fromkeys(edit.site for row in rows for edit in row):
            self.operations[site] = _merge([[edit for edit in row if edit.site == site] for row in rows], device)
        #: The gates that :meth:`actions` has to be told of.
        self.gates: frozenset[GateProbe] = frozenset(edit.gate for row in rows for edit in row if edit.gate)

    def actions(self, masks: Masks, opened: Opened | None = None) -> dict[Site, Action]:
        """What to hook for one forward pass whose positions ``masks`` sorts, and in which gates are open as ``opened`` says."""
        actions: dict[Site, Action] = {}
        for site, operations in self.operations.items():
            live = [
                (operation, _gated(masks[operation.reach], operation.gate, opened or {}))
                for operation in operations
                if operation.reach in masks
            ]
            if live:
                actions[site] = partial(_apply, live)
        return actions


def _gated(mask: Tensor | None, gate: GateProbe | None, opened: Opened) -> Tensor | None:
    if gate is None:
        return mask
    return opened[gate] if mask is None else mask * opened[gate]


def _merge(rows: list[list[RowEdit]], device: torch.device) -> list[_Operation]:
    """The k-th edits of all rows that are of one kind, reach and gate become one operation."""
    merged: list[_Operation] = []
    for step in range(max(len(row) for row in rows)):
        present = [row[step] if step < len(row) else None for row in rows]
        for kind, reach, gate in dict.fromkeys((edit.kind, edit.reach, edit.gate) for edit in present if edit):
            chosen = [
                edit if edit and (edit.kind, edit.reach, edit.gate) == (kind, reach, gate) else None for edit in present
            ]
            width = next(edit.vector.shape[0] for edit in chosen if edit)
            nothing = np.full(width, np.nan if kind == "put" else 0.0, np.float32)
            vectors = np.stack([edit.vector if edit else nothing for edit in chosen])
            targets = np.array([edit.target if edit else 0.0 for edit in chosen], np.float32)
            merged.append(
                _Operation(
                    kind,
                    reach,
                    gate,
                    torch.from_numpy(vectors).to(device)[:, None, :],
                    torch.from_numpy(targets).to(device)[:, None, None] if targets.any() else None,
                )
            )
    return merged


def _apply(live: Sequence[tuple[_Operation, Tensor | None]], states: Tensor) -> Tensor:
    """Edited states, in the dtype and on the device they came in. ``states`` [rows, positions, width]."""
    new = states.float()
    for operation, mask in live:
        vectors = operation.vectors.to(new.device)
        if operation.kind == "add":
            new = new + (vectors if mask is None else vectors * mask.to(new.device))
            continue
        if operation.kind == "put":
            there = ~vectors.isnan() if mask is None else ~vectors.isnan() & (mask.to(new.device) > 0)
            new = torch.where(there, vectors, new)
            continue
        # What is missing from the target along the unit vector, [rows, positions, 1].
        missing = -torch.bmm(new, vectors.transpose(1, 2))
        if operation.targets is not None:
            missing = missing + operation.targets.to(new.device)
        if mask is not None:
            missing = missing * mask.to(new.device)
        new = torch.baddbmm(new, missing, vectors)
    return new.to(states.dtype)
