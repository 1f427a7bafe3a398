"""Vectors from elsewhere: what a file holds, whatever made it. Nothing is unpickled.

What a file is follows from its first bytes, not from its name:

- Tiller's own artefacts (:mod:`core.artefacts.store`), with class means and all that was measured;
- GGUF control vectors (:mod:`core.exchange.gguf`);
- safetensors with ``direction.N`` [width] (repeng's ``ControlVector.directions``) or ``layer_activations.N`` [width] (steering-vectors'
  ``SteeringVector.layer_activations``), or with one tensor, [width] or [layers, width]. Layer N is what leaves block N, counted from 0,
  in both libraries and here. They keep such vectors in pickles; this is how to write one where it was made::

      from safetensors.numpy import save_file
      save_file({f"direction.{n}": v for n, v in control_vector.directions.items()}, "mine.safetensors")

      from safetensors.torch import save_file
      save_file({f"layer_activations.{n}": v for n, v in steering_vector.layer_activations.items()}, "mine.safetensors")

- a tensor that ``torch.save`` wrote (``.pt``), [width] or [layers, width], read with ``weights_only=True``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.artefacts.store import Array
from core.errors import StoreError
from core.exchange import gguf

_LAYER = re.compile(r"(direction|layer_activations)\.([0-9]{1,6})")
_MAKERS = {"direction": "repeng's safetensors", "layer_activations": "steering-vectors' safetensors"}
#: How the files of torch.save begin: a zip archive, or, of old versions, a pickle.
_TORCH = (b"PK\x03\x04", b"\x80")
_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Vectors:
    """What a file holds: a vector [width] a layer, float32.

    ``single`` is set, and ``by_layer`` empty, where it is one vector that names no layer. ``rows`` says that they are the rows of one
    tensor, which must then be as many as the model has layers. ``whole`` is one of Tiller's own; ``card`` is what Tiller said of a
    control vector that it wrote. ``maker`` says in words what kind of file it is, ``hint`` for what kind of model it was made.
    """

    maker: str
    by_layer: Mapping[int, Array] = field(default_factory=dict)
    single: Array | None = None
    rows: bool = False
    hint: str = ""
    card: Mapping[str, Any] = field(default_factory=dict)
    whole: Direction | None = None


def read_vectors(path: Path) -> Vectors:
    """The vectors of a file, finite and of one width.

    Raises:
        StoreError: one sentence: not there, cut off, a pickle, of another kind, with numbers that are not finite, or of several widths.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_POINTER))
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); check its name.") from error
    if start == _POINTER:
        raise StoreError(f"{path.name} is a Git LFS pointer, not the file itself; run git lfs pull.")
    if start.startswith(gguf.MAGIC):
        control = gguf.read_gguf(path)
        found = Vectors("a GGUF control vector", control.vectors, hint=control.hint, card=control.card)
    elif start.startswith(_TORCH):
        found = _rows(path, _unpacked(path), "a tensor of torch.save")
    else:
        found = _safetensors(path)
    return _checked(path, found)


def _unpacked(path: Path) -> torch.Tensor:
    """The tensor of a file that torch.save wrote."""
    try:
        with warnings.catch_warnings():
            # Of pickles that are no tensor, it warns before it refuses them.
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Whatever torch raises: it has a type of its own for every way in which such a file can be wrong.
        raise StoreError(
            f"{path.name} is cut off, or a pickle of more than a tensor, which is not read, since it can run code; save the vector "
            "alone with torch.save(vector, file), or as safetensors."
        ) from error
    if not isinstance(found, torch.Tensor):
        raise StoreError(
            f"{path.name} holds a {type(found).__name__}, not one tensor; save the vector alone, or several by layer as safetensors "
            "(direction.N)."
        )
    return found


def _safetensors(path: Path) -> Vectors:
    details = store.read_metadata(path)
    if details is not None:
        return Vectors("a direction of Tiller's", whole=load_direction(path))
    try:
        tensors = load_file(path)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise StoreError(f"{path.name} is cut off or not a safetensors file; copy it again.") from error
    names = {name: match for name in tensors if (match := _LAYER.fullmatch(name))}
    kinds = {match[1] for match in names.values()}
    if len(names) == len(tensors) and len(kinds) == 1:
        if odd := next((name for name in names if tensors[name].dim() != 1), None):
            raise StoreError(f"{path.name} has {odd} of shape {list(tensors[odd].shape)}; a layer's vector is [width].")
        by_layer = {int(match[2]): _numbers(path, tensors[name]) for name, match in names.items()}
        return Vectors(_MAKERS[kinds.pop()], by_layer)
    if len(tensors) == 1:
        return _rows(path, next(iter(tensors.values())), "a safetensors file")
    raise StoreError(
        f"{path.name} holds {len(tensors)} tensors such as {min(tensors, default='none')!r}; a direction's are called direction.N or "
        "layer_activations.N, N the layer, or it is one tensor alone."
    )


def _rows(path: Path, tensor: torch.Tensor, maker: str) -> Vectors:
    numbers = _numbers(path, tensor)
    if numbers.ndim == 1:
        return Vectors(maker, single=numbers)
    if numbers.ndim == 2:
        return Vectors(maker, dict(enumerate(numbers)), rows=True)
    raise StoreError(
        f"{path.name} holds a tensor of shape {list(numbers.shape)}; a direction is [width] or [layers, width]."
    )


def _numbers(path: Path, tensor: torch.Tensor) -> Array:
    if tensor.layout != torch.strided or not tensor.is_floating_point() or tensor.is_meta:
        raise StoreError(f"{path.name} holds a tensor of {tensor.dtype}, not of plain floating-point numbers.")
    return np.ascontiguousarray(tensor.detach().float().numpy())


def _checked(path: Path, found: Vectors) -> Vectors:
    """The same, if its numbers can be used."""
    if found.whole is not None:
        return found
    every = found.by_layer if found.single is None else {0: found.single}
    for layer, vector in every.items():
        if not np.isfinite(vector).all():
            where = f" at layer {layer}" if found.single is None else ""
            raise StoreError(f"{path.name} holds numbers that are not finite{where} (NaN or infinity); make it again.")
    if len({len(vector) for vector in every.values()}) > 1:
        raise StoreError(f"{path.name} has vectors of several widths; they belong to one model.")
    if not any(vector.any() for vector in every.values()):
        raise StoreError(f"{path.name} holds nothing but zeros; make it again.")
    return found
