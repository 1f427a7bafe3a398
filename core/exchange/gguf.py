"""GGUF control vectors, as llama.cpp and repeng read and write them. No torch.

Such a file has ``general.architecture = controlvector``, the model's kind as ``controlvector.model_hint``, the number of its vectors as
``controlvector.layer_count``, and a float32 tensor ``direction.N`` [width] for a layer. ``direction.N`` is added to what leaves block N,
counted from 0: our layer N. llama.cpp adds nothing at layer 0, and refuses a file that has a ``direction.0``; it is left out here, too.
Files of Tiller's carry a JSON document beside that, ``tiller.card``, which others pass over.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter

from core.artefacts.store import Array
from core.errors import StoreError
from core.models.gguf_file import WholeReader, text_field
from core.util.files import json_text, parsed_json

ARCHITECTURE = "controlvector"
_CARD = "tiller.card"
_TENSOR = re.compile(r"direction\.([0-9]{1,6})")
#: Kinds of numbers that are read; others are quantized, which no control vector is.
_KINDS = ("F32", "F16", "F64")


@dataclass(frozen=True)
class ControlVector:
    """What a file holds: a vector [width] a layer, what kind of model it was made for, and what Tiller said of it (empty: not ours)."""

    vectors: Mapping[int, Array]
    hint: str
    card: Mapping[str, Any]


def read_gguf(path: Path) -> ControlVector:
    """A control vector from its file; what its numbers are is not looked at here.

    Raises:
        StoreError: cut off, no control vector, or with tensors of another kind than that.
    """
    try:
        found = WholeReader(path)
        architecture, hint = text_field(found, "general.architecture"), text_field(found, f"{ARCHITECTURE}.model_hint")
        card = parsed_json(text_field(found, _CARD) or "{}")
        tensors = [(each.name, each.tensor_type.name, each.data) for each in found.tensors]
    except (ValueError, KeyError, IndexError, TypeError, OSError, OverflowError, MemoryError) as error:
        raise StoreError(f"{path.name} is cut off or not a GGUF file; copy it again.") from error
    if architecture != ARCHITECTURE:
        raise StoreError(
            f"{path.name} is a model ({architecture}), not a vector; open it with --model {path}."
            if found.get_field(f"{architecture}.block_count")
            else f"{path.name} is a GGUF file of the architecture {architecture or 'none'!r}; a direction comes from one of "
            f"{ARCHITECTURE!r}."
        )
    vectors: dict[int, Array] = {}
    for name, kind, data in tensors:
        layer = _TENSOR.fullmatch(name)
        if layer is None or kind not in _KINDS or data.ndim != 1:
            raise StoreError(
                f"{path.name} has a tensor {name!r} of kind {kind} and shape {list(data.shape)}; a control vector has direction.N, "
                "float32 numbers in a row, and nothing else."
            )
        with np.errstate(over="ignore"):
            # Its own copy: the file may go. What is too large becomes infinite, and is refused as that.
            vectors[int(layer[1])] = np.array(data, np.float32)
    return ControlVector(vectors, hint, card if isinstance(card, dict) else {})


def to_bytes(vectors: Mapping[int, Array], hint: str, card: Mapping[str, Any]) -> bytes:
    """The file of a control vector. ``vectors`` by layer, without layer 0, which llama.cpp refuses."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vector.gguf"
        writer = GGUFWriter(path, ARCHITECTURE)
        writer.add_string(f"{ARCHITECTURE}.model_hint", hint)
        writer.add_uint32(f"{ARCHITECTURE}.layer_count", len(vectors))
        writer.add_string(_CARD, json_text(card))
        for layer, vector in sorted(vectors.items()):
            writer.add_tensor(f"direction.{layer}", np.ascontiguousarray(vector, np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()
