"""What a GGUF file holds: its header, read by the gguf package, and what of it can be opened as a model. No torch."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader

from core.errors import TillerError

MAGIC = b"GGUF"


class GgufError(TillerError):
    """A GGUF file that cannot be opened as a model: one sentence with the fix."""


@dataclass(frozen=True)
class GgufModel:
    """What a file says of its model: ``kind`` names what most of its weights are quantized to, ``parameters`` counts them."""

    architecture: str
    name: str
    kind: str
    parameters: int
    template: bool


class WholeReader(GGUFReader):
    """The package's reader, which takes what lies behind the end of a file for empty, and may then count to 2⁶⁴.

    It cuts a vocabulary into a hundred thousand pieces, which takes a third of the time where they are cut from no memory map.
    """

    @property
    def data(self) -> Any:
        """The bytes of the file."""
        return self._bytes

    @data.setter
    def data(self, mapped: Any) -> None:
        self._bytes = mapped.view(np.ndarray)

    def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> Any:
        if offset + int(count) * np.dtype(dtype).itemsize > len(self.data):
            raise ValueError("the file ends too early")
        return super()._get(offset, dtype, count, override_order)


def text_field(reader: GGUFReader, name: str) -> str:
    """A text of a file's header; empty where there is none. Raises TypeError where it is no text."""
    found = reader.get_field(name)
    if found is None:
        return ""
    value = found.contents()
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def is_gguf(path: Path) -> bool:
    """Whether a file begins as a GGUF file does. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def look(path: Path) -> GgufModel:
    """What a file holds, by its header; see :func:`looked_into`."""
    return looked_into(path)[0]


def looked_into(path: Path) -> tuple[GgufModel, WholeReader]:
    """What a file holds, by its header, and the reader that has gone through it, which takes seconds for a large vocabulary.

    Raises:
        GgufError: cut off, no language model, of an architecture or with numbers that transformers does not read, or a part of several.
    """
    try:
        reader = WholeReader(path)
        architecture, name = text_field(reader, "general.architecture"), text_field(reader, "general.name")
        tokenizer, template = text_field(reader, "tokenizer.ggml.model"), text_field(reader, "tokenizer.chat_template")
        parts = reader.get_field("split.count")
        count = int(parts.contents()) if parts is not None else 1
    except (ValueError, KeyError, IndexError, TypeError, OSError, OverflowError, MemoryError) as error:
        raise GgufError(f"{path.name} is cut off or not a GGUF file; copy it again.") from error
    if architecture == "controlvector":
        raise GgufError(f"{path.name} is a control vector and no model; bring it by import {path.name} --name NAME.")
    if architecture in ("clip", "mmproj"):
        raise GgufError(
            f"{path.name} is the part of a model that sees pictures; open the file of the language model that lies beside it."
        )
    if count > 1:
        raise GgufError(
            f"{path.name} is one of {count} parts; join them first: llama-gguf-split --merge {path.name} whole.gguf"
        )
    known = _architectures()
    if _letters(architecture) not in known:
        raise GgufError(
            f"{path.name} is of the architecture {architecture or 'none'!r}, which transformers does not read from GGUF; take the model's "
            f"own folder or its name on the Hub. It reads {', '.join(sorted(known))}."
        )
    if not tokenizer:
        raise GgufError(f"{path.name} has no tokenizer; take a file that was made with the model's own.")
    if not reader.tensors:
        raise GgufError(f"{path.name} has a vocabulary and no weights; take the file of the whole model.")
    kinds: Counter[str] = Counter()
    for each in reader.tensors:
        kinds[each.tensor_type.name] += int(each.n_elements)
    _check_kinds(path, set(kinds))
    return GgufModel(architecture, name, kinds.most_common(1)[0][0], kinds.total(), bool(template)), reader


def _architectures() -> set[str]:
    """Architectures that transformers reads from GGUF files and that answer, by their letters."""
    from transformers.integrations.gguf.gguf_conversion_mapping import GGUF_ARCHS
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    return {_letters(each) for each in (*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_ARCHS)} - {
        "general",
        "tokenizer",
        "t5",
        "umt5",
    }


def _letters(architecture: str) -> str:
    """A name without what llama.cpp and transformers write between its words, each in its own way."""
    return re.sub("[^a-z0-9]", "", architecture.lower())


def _check_kinds(path: Path, kinds: set[str]) -> None:
    from gguf import GGMLQuantizationType
    from gguf.quants import _type_traits

    plain = {"F32", "F16", "F64", "I8", "I16", "I32", "I64"}
    if unknown := sorted(kinds - plain - {GGMLQuantizationType(each).name for each in _type_traits}):
        raise GgufError(
            f"{path.name} holds numbers of the kind {unknown[0]}, which cannot be read here; take a file of another quantization, such as "
            "Q8_0 or Q4_K_M."
        )
