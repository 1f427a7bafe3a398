"""Vectors from elsewhere: what a file holds, whatever made it. Nothing is unpickled.

What a file is follows from its first bytes, not from its name:

- Tiller's own artefacts (:mod:`core.artefacts.store`), with class means and all that was measured;
- GGUF control vectors (:mod:`core.exchange.gguf`);
- safetensors with ``direction.N`` [width] (repeng's ``ControlVector.directions``), ``layer_activations.N`` [width] (steering-vectors'
  ``SteeringVector.layer_activations``) or ``layer_N`` [width] (saklas' ``Profile``), or with one tensor, [width] or [layers, width].
  Layer N is what leaves block N, counted from 0, in these libraries and here. The first two keep such vectors in pickles; this is how
  to write one where it was made::

      from safetensors.numpy import save_file
      save_file({f"direction.{n}": v for n, v in control_vector.directions.items()}, "mine.safetensors")

      from safetensors.torch import save_file
      save_file({f"layer_activations.{n}": v for n, v in steering_vector.layer_activations.items()}, "mine.safetensors")

- what ``torch.save`` wrote (``.pt``), read with ``weights_only=True``: such a tensor, or a dictionary of vectors by layer;
- an array that ``numpy.save`` wrote (``.npy``).

[1, width] is one vector, and [layers + 1, width] are transformers' ``hidden_states``, of which the first is what enters block 0.
"""

from __future__ import annotations

import math
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.artefacts.safetensors_header import read_header
from core.artefacts.store import Array
from core.errors import StoreError
from core.exchange import gguf
from core.models.gguf_file import MAGIC
from core.util.limits import MAX_NUMBERS, MAX_ROWS, MAX_UPLOAD

#: How a layer's vector is called in a file, and by whom.
_LAYER = re.compile(r"(direction\.|layer_activations\.|layer_|)([0-9]{1,6})")
_MAKERS = {"direction.": "repeng's", "layer_activations.": "steering-vectors'", "layer_": "saklas'", "": "its maker's"}
_READ = "read are .safetensors, .gguf, .pt (of torch.save) and .npy (of numpy.save)"
#: How the files of torch.save begin: a zip archive, or, of old versions, a pickle.
_TORCH = (b"PK\x03\x04", b"\x80")
_NUMPY = b"\x93NUMPY"
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
    if path.stat().st_size > MAX_UPLOAD:
        raise _too_large(path)
    if start == _POINTER:
        raise StoreError(f"{path.name} is a Git LFS pointer, not the file itself; run git lfs pull.")
    if start.startswith(MAGIC):
        control = gguf.read_gguf(path)
        found = Vectors("a GGUF control vector", control.vectors, hint=control.hint, card=control.card)
    elif start.startswith(_TORCH):
        found = _tensors(path, _unpacked(path), "a file of torch.save")
    elif start.startswith(_NUMPY):
        found = _rows(path, _array(path), "an array of numpy.save")
    elif start[8:9] != b"{":
        # A safetensors file begins with eight bytes, how long its header is, and then the header.
        raise StoreError(f"{path.name} holds no vectors that are known here: {_READ}.")
    else:
        found = _safetensors(path)
    return _checked(path, found)


def _unpacked(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of a file that torch.save wrote, by name; one that has none is called so."""
    try:
        if zipfile.is_zipfile(path):
            # It may be packed: a small file could fill all of memory.
            with zipfile.ZipFile(path) as packed:
                if sum(each.file_size for each in packed.infolist()) > MAX_UPLOAD:
                    raise _too_large(path)
        with warnings.catch_warnings():
            # Of pickles that are no tensor, it warns before it refuses them.
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except StoreError:
        raise
    except Exception as error:
        # Whatever torch raises: it has a type of its own for every way in which such a file can be wrong.
        raise StoreError(
            f"{path.name} is cut off, or a pickle of more than a tensor, which is not read, since it can run code; save the vector "
            "alone with torch.save(vector, file), or as safetensors."
        ) from error
    if isinstance(found, torch.Tensor):
        return {"vector": found}
    # What else a dictionary holds (a layer that was chosen, settings) is of its maker's own kind.
    tensors = (
        {str(key): each for key, each in found.items() if torch.is_tensor(each)} if isinstance(found, dict) else {}
    )
    if not tensors:
        raise StoreError(
            f"{path.name} holds a {type(found).__name__} without tensors; save the vector alone, or several as a dictionary by layer."
        )
    return tensors


def _array(path: Path) -> torch.Tensor:
    try:
        # Mapped, so that a header cannot ask for more memory than the file has.
        array = np.load(path, allow_pickle=False, mmap_mode="r")
        _check_sizes(path, [array.shape])
        return torch.from_numpy(np.array(array))
    except StoreError:
        raise
    except Exception as error:
        # Whatever numpy raises: it reads the header as Python, and tells of what is wrong with that in as many ways.
        raise StoreError(
            f"{path.name} is cut off or no array of plain numbers; save it again with numpy.save."
        ) from error


def _safetensors(path: Path) -> Vectors:
    _check_sizes(path, [entry["shape"] for entry in read_header(path).entries.values()])
    details = store.read_metadata(path)
    if details is not None:
        return Vectors("a direction of Tiller's", whole=load_direction(path))
    try:
        tensors = load_file(path)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise StoreError(f"{path.name} is cut off or not a safetensors file; copy it again.") from error
    return _tensors(path, tensors, "a safetensors file")


def _tensors(path: Path, tensors: Mapping[str, torch.Tensor], maker: str) -> Vectors:
    """Tensors by name as vectors by layer, or the only one."""
    for each in tensors.values():
        _check_plain(path, each)
    _check_sizes(path, [each.shape for each in tensors.values()])
    names = {name: match for name in tensors if (match := _LAYER.fullmatch(name))}
    kinds = {match[1] for match in names.values()}
    if len(names) == len(tensors) and len(kinds) == 1:
        if odd := next((name for name in names if tensors[name].numel() != tensors[name].shape[-1:].numel()), None):
            raise StoreError(f"{path.name} has {odd} of shape {list(tensors[odd].shape)}; a layer's vector is [width].")
        by_layer = {int(match[2]): _numbers(path, tensors[name].reshape(-1)) for name, match in names.items()}
        return Vectors(f"{maker} of {_MAKERS[kinds.pop()]} kind", by_layer)
    if len(tensors) == 1:
        return _rows(path, next(iter(tensors.values())), maker)
    raise StoreError(
        f"{path.name} holds {len(tensors)} tensors such as {min(tensors, default='none')!r}; a direction's are called direction.N, "
        "layer_activations.N or layer_N, N the layer, or it is one tensor alone."
    )


def _rows(path: Path, tensor: torch.Tensor, maker: str) -> Vectors:
    numbers = _numbers(path, tensor)
    if numbers.ndim == 1 or (numbers.ndim == 2 and len(numbers) == 1):
        return Vectors(maker, single=numbers.reshape(-1))
    if numbers.ndim == 2:
        return Vectors(maker, dict(enumerate(numbers)), rows=True)
    raise StoreError(
        f"{path.name} holds a tensor of shape {list(numbers.shape)}; a direction is [width] or [layers, width], so save the part of it "
        "that you steer by."
    )


def _numbers(path: Path, tensor: torch.Tensor) -> Array:
    _check_plain(path, tensor)
    return np.ascontiguousarray(tensor.detach().float().numpy())


def _check_plain(path: Path, tensor: torch.Tensor) -> None:
    """Raises StoreError where a tensor is not plain numbers, each of them its own: a view of one number can be as large as it likes."""
    plain = tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta
    if not plain or not tensor.is_floating_point():
        raise StoreError(f"{path.name} holds a tensor of {tensor.dtype}, not of plain floating-point numbers.")
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        raise StoreError(f"{path.name} holds a tensor that repeats its numbers; save a copy of it (vector.clone()).")


def _check_sizes(path: Path, shapes: Iterable[Sequence[int]]) -> None:
    """Raises StoreError where tensors are none of vectors by their shapes alone, before anything is made of them."""
    whole = 0
    for shape in shapes:
        whole += (numbers := math.prod(shape))
        if numbers == 0 or (len(shape) > 1 and shape[0] > MAX_ROWS):
            raise StoreError(
                f"{path.name} holds a tensor of shape {list(shape)}; vectors are of at most {MAX_ROWS:,} layers, and have a width."
            )
    if whole > MAX_NUMBERS:
        raise StoreError(f"{path.name} holds {whole:,} numbers; a direction has at most {MAX_NUMBERS:,}.")


def _too_large(path: Path) -> StoreError:
    return StoreError(
        f"{path.name} holds more than {MAX_UPLOAD // 10**6} MB, which no direction has; save the vectors alone."
    )


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
