"""Directions in and out: from a file of another program into a person's own artefacts, and from an artefact into a file for others.

The unit of strength. A direction that Tiller learnt has class means, and 1.0 is the distance between them. A vector from elsewhere has
none: there 1.0 is the vector as it is in the file (times the scale that is given on import), which is what llama.cpp adds at a scale
of 1; a reading of 0 is a projection of 0, and 1 that of the vector itself. The artefact says so, as ``unit``.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.artefacts.store import Array, Card
from core.directions import library
from core.directions.request import check_direction_name, check_free
from core.errors import TillerError
from core.exchange import gguf, vector_files
from core.exchange.vector_files import Vectors
from core.families.checkpoint import Checkpoint, Family
from core.models import shapes
from core.models.fingerprints import model_fingerprint
from core.recipes.language import layers_text
from core.util.files import write_bytes
from core.util.version import PROGRAM

#: What a direction can be written as.
_KINDS = (".gguf", ".safetensors")
UNIT = "1.0 is the vector as it was imported; 0 is a projection of zero, since there are no class means"


class ExchangeError(TillerError):
    """A file that is no direction of this model, or a direction that cannot be written as such a file."""


@dataclass(frozen=True)
class Exchanged:
    """What was written where, and what there is to say of it, in sentences."""

    path: Path
    sentences: tuple[str, ...]


# --------------------------------------------------------------------------------------------------------------------- in


def import_vector(
    family: Family, checkpoint: str, path: Path, name: str, layer: int | None = None, scale: float = 1.0
) -> Exchanged:
    """Make a file's vectors the direction ``name`` of a checkpoint, in the family's :attr:`~core.families.checkpoint.Family.root`.

    Args:
        checkpoint: whose direction it is; empty: the one that the file names, else the family's final one.
        layer: where recipes act that name no layers, 0-based; what the file says, or the middle of its layers, when left out.
        scale: what the vectors are multiplied by; a direction of Tiller's is taken as it is.

    Raises:
        ExchangeError, StoreError, ContrastError: one sentence; nothing was written.
    """
    name = check_direction_name(name)
    found = vector_files.read_vectors(path)
    target = _target(family, checkpoint, found)
    check_free(family, target.name, name)
    shape = _shape(target)
    fingerprint = model_fingerprint(target)
    _check_fingerprint(path, found, target, fingerprint)
    if found.whole is not None:
        direction = _of_tiller(path, found.whole, shape, layer, scale)
        more: dict[str, Any] = {}
    else:
        direction, more = _from_vectors(path, found, shape, layer, scale)
    details = {
        **direction.card.details,
        "kind": "direction",
        "name": name,
        "family": family.name,
        "checkpoint": target.name,
        "fingerprint": fingerprint,
        "imported": _origin(path, found, scale),
        **more,
    }
    where = store.artefact_path(family.root, family.name, target.name, "direction", name)
    store.save_artefact(where, _tensors(direction), details)
    full = [at for at in range(shape.layers) if direction.vectors[at].any()]
    return Exchanged(where, _told(family, target, name, found, shape, details, full))


def _target(family: Family, checkpoint: str, found: Vectors) -> Checkpoint:
    """The checkpoint whose direction it becomes; a retrained one is steered by those of the one whose twin it is."""
    if checkpoint:
        return family.checkpoint(family.directions_of(checkpoint))
    said = found.whole.card.details if found.whole is not None else found.card
    named = [
        each for each in family.checkpoints if (family.name, each.name) == (said.get("family"), said.get("checkpoint"))
    ]
    return named[0] if named else family.final


def _shape(target: Checkpoint) -> shapes.Shape:
    shape = shapes.shape_of(target)
    if shape is None or not (shape.layers and shape.width):
        raise ExchangeError(
            f"How wide {target.name} is cannot be said, since its config.json is not on this computer; open it once in a chat, then import."
        )
    return shape


def _check_fingerprint(path: Path, found: Vectors, target: Checkpoint, now: str) -> None:
    """Refuse what Tiller learnt on other weights."""
    said = found.whole.card.details if found.whole is not None else found.card
    meant = said.get("fingerprint")
    if said and meant != now:
        raise ExchangeError(
            f"{path.name} was learnt on {said.get('family')}/{said.get('checkpoint')} with fingerprint {meant}, and {target.name} has "
            f"{now}; name the checkpoint that it belongs to by --family and --checkpoint."
        )


def _of_tiller(path: Path, whole: Direction, shape: shapes.Shape, layer: int | None, scale: float) -> Direction:
    """A direction that Tiller wrote: everything that was measured holds for its own layer and strength only."""
    if whole.vectors.shape != (shape.layers, shape.width):
        raise ExchangeError(
            f"{path.name} is {whole.vectors.shape[1]} wide at {whole.vectors.shape[0]} layers, and {_said(shape)}; "
            "import it for a checkpoint of that shape."
        )
    if layer not in (None, whole.card.layer) or scale != 1.0:
        raise ExchangeError(
            f"{path.name} is a direction of Tiller's, with its own layer ({whole.card.layer}) and unit of strength; leave out --layer and "
            "--scale, and name layers in the recipe."
        )
    return whole


def _from_vectors(
    path: Path, found: Vectors, shape: shapes.Shape, layer: int | None, scale: float
) -> tuple[Direction, dict[str, Any]]:
    """A direction without class means, and what says how its layer and unit came about."""
    if not math.isfinite(scale) or scale == 0:
        raise ExchangeError(
            f"--scale multiplies the vectors, and {scale:g} leaves nothing to steer by; give another number."
        )
    if layer is not None and not 0 <= layer < shape.layers:
        raise ExchangeError(f"There is no layer {layer}; {_said(shape)}, from 0 to {shape.layers - 1}.")
    vectors = _placed(path, found, shape, layer)
    with np.errstate(over="ignore"):
        # What overflows is refused in the next line.
        vectors *= np.float32(scale)
    if not np.isfinite(vectors).all():
        raise ExchangeError(
            f"Times {scale:g} some numbers of {path.name} are too large for float32; take a smaller --scale."
        )
    full = [at for at in range(shape.layers) if vectors[at].any()]
    if not full:
        fix = "give another file" if scale == 1 else "take a larger --scale"
        raise ExchangeError(f"Times {scale:g} nothing is left of {path.name} in float32; {fix}.")
    if layer is not None and layer not in full:
        raise ExchangeError(f"{path.name} has no vector at layer {layer}; it has some at {layers_text(full)}.")
    chosen, why = _layer(found, full, layer)
    details = {
        "layers": shape.layers,
        "width": shape.width,
        "layer": chosen,
        "quantize": "none",
        "method": "imported",
        "criterion": why,
        "unit": UNIT,
        "program": PROGRAM,
        "date": datetime.date.today().isoformat(),
    }
    card = Card(path, "direction", "", "", "", details)
    return Direction(card, vectors, vectors, np.zeros_like(vectors)), details


def _placed(path: Path, found: Vectors, shape: shapes.Shape, layer: int | None) -> Array:
    """The file's vectors at their layers [layers, width], zeros elsewhere."""
    by_layer = dict(found.by_layer)
    if found.single is not None:
        if layer is None:
            raise ExchangeError(
                f"{path.name} holds one vector and does not say where it belongs; add --layer L, from 0 to {shape.layers - 1}."
            )
        by_layer = {layer: found.single}
    width = len(next(iter(by_layer.values())))
    if width != shape.width:
        raise ExchangeError(
            f"{path.name} is {width} wide, and {_said(shape)}; import it for the model that it was made on."
        )
    if found.rows and len(by_layer) == shape.layers + 1:
        # transformers' hidden_states: what enters block 0 comes first, and belongs to no layer.
        by_layer = {at - 1: vector for at, vector in by_layer.items() if at}
    if found.rows and len(by_layer) != shape.layers:
        raise ExchangeError(
            f"{path.name} has {len(by_layer)} rows, and {_said(shape)}; a direction has one row a layer, what leaves block 0 first, or "
            "one more before it, as transformers' hidden_states have."
        )
    if max(by_layer) >= shape.layers:
        raise ExchangeError(
            f"{path.name} has a vector at layer {max(by_layer)}, and {_said(shape)}, from 0 to {shape.layers - 1}; import it for the "
            "model that it was made on."
        )
    vectors = np.zeros((shape.layers, shape.width), np.float32)
    for at, vector in by_layer.items():
        vectors[at] = vector
    return vectors


def _layer(found: Vectors, full: list[int], layer: int | None) -> tuple[int, str]:
    """Where recipes act that name no layers, and why there."""
    if layer is not None:
        return layer, "as it was given on import"
    said = found.card.get("layer")
    if isinstance(said, int) and said in full:
        return said, "as the file says"
    return full[len(full) // 2], f"the middle of the layers with a vector, {layers_text(full)}: nothing was measured"


def _origin(path: Path, found: Vectors, scale: float) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    date = datetime.date.today().isoformat()
    return {"file": path.name, "sha256": digest, "kind": found.maker, "hint": found.hint, "scale": scale, "date": date}


def _told(
    family: Family,
    target: Checkpoint,
    name: str,
    found: Vectors,
    shape: shapes.Shape,
    details: Mapping[str, Any],
    full: Sequence[int],
) -> tuple[str, ...]:
    sentences = [f"{name} is now a direction of {family.name}/{target.name}, from {found.maker}."]
    if found.whole is None:
        sentences += [f"It acts at layer {details['layer']} ({details['criterion']}).", f"Strength: {UNIT}."]
        if len(full) > 1:
            sentences.append(
                f"At all its layers, as most programs add such vectors: the recipe {name}[{layers_text(full)}]."
            )
    if found.hint and found.hint != shape.kind:
        sentences.append(
            f"The file says that it was made for a {found.hint}, and {target.name} is a {shape.kind}; that is right if one program "
            "calls them so and the other so."
        )
    return tuple(sentences)


def _said(shape: shapes.Shape) -> str:
    return f"the model is {shape}"


# -------------------------------------------------------------------------------------------------------------------- out


def export_direction(family: Family, checkpoint: str, name: str, to: Path) -> Exchanged:
    """Write a direction as a control vector (``.gguf``) or, with everything that is known of it, as ``.safetensors``.

    Raises:
        ExchangeError, StoreError: one sentence; nothing was written.
    """
    target = family.checkpoint(family.directions_of(checkpoint or family.final.name))
    path = store.find_artefact(family.places, target.name, "direction", name)
    if path is None:
        there = ", ".join(card.name for card in store.cards(family.places, target.name)) or "none"
        raise ExchangeError(f"There is no direction {name} of {family.name}/{target.name}; there is {there}.")
    return write_direction(family, path, to)


def write_direction(family: Family, path: Path, to: Path) -> Exchanged:
    """The same for the direction of a file of the library."""
    if to.suffix not in _KINDS:
        raise ExchangeError(
            f"{to.name} should end in {_KINDS[0]} (for llama.cpp and repeng) or {_KINDS[1]} (for Tiller)."
        )
    if to.exists():
        raise ExchangeError(f"{to} is there already; choose another name, or delete it first.")
    direction = load_direction(path)
    card = direction.card
    whose = f"{card.name} of {card.family}/{card.checkpoint}"
    if to.suffix == _KINDS[1]:
        store.save_artefact(to, _tensors(direction), card.details)
        return Exchanged(to, (f"{whose}, with all that is known of it.",))
    write_bytes(to, _control_vector(direction, family.checkpoint(card.checkpoint)))
    return Exchanged(
        to,
        (
            f"{whose} as a control vector; llama.cpp acts at every layer that it is not told to leave out.",
            f"What the recipe 1*{card.name} does: llama-cli --control-vector {shlex.quote(to.name)} "
            f"--control-vector-layer-range {card.layer} {card.layer}",
        ),
    )


def remove(family: Family, key: str) -> Exchanged:
    """Delete a file of the library (:attr:`core.directions.library.Entry.key`), one that can be read or not.

    Raises:
        ExchangeError: it came with the family, and stays.
        StoreError: it is not there any more.
    """
    entry = library.find_entry(family, key)
    if not entry.own:
        raise ExchangeError(f"{entry.title} is everybody's and stays; only what you learnt or imported can be deleted.")
    try:
        entry.path.unlink()
    except OSError as error:
        raise ExchangeError(
            f"{entry.path.name} cannot be deleted ({error.strerror}); check its permissions."
        ) from error
    sentences = [f"{entry.name} ({entry.kind} of {entry.checkpoint}) is deleted."]
    if any(
        (each.kind, each.name, each.checkpoint) == (entry.kind, entry.name, entry.checkpoint)
        for each in library.entries(family)
    ):
        sentences.append("The one that came with the family is used again.")
    return Exchanged(entry.path, tuple(sentences))


def _control_vector(direction: Direction, target: Checkpoint) -> bytes:
    card = direction.card
    if card.layer == 0:
        raise ExchangeError(
            f"{card.name} acts at layer 0, where llama.cpp adds nothing and refuses a vector; write it as {_KINDS[1]}."
        )
    shape = shapes.shape_of(target)
    if shape is None:
        raise ExchangeError(
            f"What kind of model {target.name} is cannot be said, since its config.json is not on this computer; open it once in a chat, "
            "then export."
        )
    names = ("name", "family", "checkpoint", "fingerprint", "layer", "method")
    kept = {name: card.details.get(name) for name in names}
    vectors = {at: vector for at, vector in enumerate(direction.vectors) if at and vector.any()}
    return gguf.to_bytes(vectors, shape.kind, kept)


def _tensors(direction: Direction) -> dict[str, Array]:
    return {"vectors": direction.vectors, "positive": direction.positive, "negative": direction.negative}
