"""What checkpoints take in memory at each quantization, against what there is: known from headers, before anything is loaded. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.families.checkpoint import Checkpoint, Counterfactual, Family, Subtracted, TemplateVars
from core.models import files, memory, packed
from core.models.files import LoadError, Stored
from core.models.memory import Room

#: From the largest to the smallest; what a person types as ``--quantize``, and how a plan says it.
QUANTIZE = {"none": "", "8bit": "8-bit", "4bit": "4-bit"}
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_SAID = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
#: Models below this many parameters run in float32 on a CPU: they are small, and faster so.
_SMALL = 60_000_000
#: The weights that a 4-bit scale belongs to, and the scales that a scale of theirs belongs to; bytes of a layer's code books and offset.
_BLOCK, _NESTED, _BOOKS = 64, 256, 4 * (16 + 256 + 1)


class DoesNotFit(LoadError):
    """Checkpoints that need more memory than there is; the sentence names the nearest plan that fits."""


@dataclass(frozen=True)
class Placing:
    """How checkpoints are loaded: what a person typed as ``--device``, ``--dtype``, ``--quantize`` and ``--max-memory``, and what
    their chat templates are told (``--template-var``)."""

    device: str = "auto"
    dtype: str = "auto"
    quantize: str = "none"
    max_memory: str = ""
    template_vars: TemplateVars = ()


@dataclass(frozen=True)
class Need:
    """What one checkpoint takes: ``size`` bytes of tensors, quantized or in ``dtype``."""

    name: str
    quantize: str
    dtype: str
    size: int

    def __str__(self) -> str:
        return f"{self.name} {QUANTIZE[self.quantize] or _SAID[self.dtype]} {memory.size_in_words(self.size)}"


@dataclass(frozen=True)
class Plan:
    """What the checkpoints of a family take, and where; what does not fit beside the others takes turns with them."""

    needs: tuple[Need, ...]
    room: Room

    @property
    def size(self) -> int:
        """The bytes of all of them."""
        return sum(need.size for need in self.needs)

    @property
    def at_once(self) -> int:
        """How many are in memory together at most, the largest counted first."""
        left, count = self.room.usable, 0
        for need in sorted(self.needs, key=lambda each: -each.size):
            left -= need.size
            count += left >= 0
        return count

    @property
    def large(self) -> bool:
        """Whether it is worth a line: not for a family that any machine holds."""
        return (
            self.size >= 10**9 or self.at_once < len(self.needs) or any(need.quantize != "none" for need in self.needs)
        )

    def __str__(self) -> str:
        """``base 4-bit 5.6 GB + post 4-bit 5.6 GB on cuda:0, 22.1 GB free``"""
        needed = " + ".join(map(str, self.needs))
        turns = f"; they take turns, {self.at_once} at a time" if self.at_once < len(self.needs) else ""
        return f"{needed} on {self.room.where}, {memory.size_in_words(sum(self.room.free.values()))} free{turns}"


def _dtype(wanted: str, device: str, quantize: str, config: Mapping[str, Any]) -> str:
    """The dtype of what is not quantized: float32 for small models on a CPU, else bfloat16, unless another is wanted."""
    if wanted != "auto":
        if wanted not in _BYTES:
            raise LoadError(f"There is no dtype {wanted!r}; use auto, {', '.join(_BYTES)}.")
        return wanted
    text = {**config, **(config.get("text_config") or {})}
    width = _number(text, "hidden_size", "n_embd")
    size = width * (_number(text, "vocab_size") + 12 * width * _number(text, "num_hidden_layers", "n_layer"))
    return "float32" if device == "cpu" and quantize == "none" and size < _SMALL else "bfloat16"


def _number(config: Mapping[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if isinstance(config.get(name), int)), 0)


def checkpoint_size(tensors: Mapping[str, Stored], config: Mapping[str, Any], quantize: str, dtype: str) -> int:
    """The bytes that a checkpoint's tensors take in memory.

    Quantized are the matrices of the blocks' linear layers, as bitsandbytes does it; embeddings, the unembedding, norms, biases and the
    joined matrices of mixtures of experts keep ``dtype``. QLoRA (arXiv 2305.14314), section 3: 64 weights of 4 bits share a
    scale of 8 bits, and 256 scales one of 32; LLM.int8() (arXiv 2208.07339): a row of int8 has one of 32.
    """
    tied = bool(config.get("tie_word_embeddings", (config.get("text_config") or {}).get("tie_word_embeddings", False)))
    # GPT-2 keeps its matrices the other way round than every other architecture.
    rows = -1 if config.get("model_type") == "gpt2" else 0
    total = 0
    for name, each in tensors.items():
        if tied and re.search(r"(^|\.)(lm_head|embed_out)\.weight$", name):
            continue
        small = quantize != "none" and _linear(name, each)
        total += _quantized(each.elements, each.shape[rows], quantize) if small else each.elements * _BYTES[dtype]
    return total


def _linear(name: str, each: Stored) -> bool:
    """Whether a tensor is the matrix of a linear layer in a block."""
    inside = re.search(r"\.[0-9]+\..*weight$", f".{name}")
    return len(each.shape) == 2 and bool(inside) and not re.search(r"\.experts\.|(block_sparse_moe|mlp)\.gate\.", name)


def _quantized(elements: int, rows: int, quantize: str) -> int:
    if quantize == "8bit":
        return elements + 4 * rows
    scales = -(-elements // _BLOCK)
    return -(-elements // 2) + scales + 4 * -(-scales // _NESTED) + _BOOKS


def need(checkpoint: Checkpoint, device: str, wanted: str, quantize: str, unpack: bool = False) -> Need:
    """What a checkpoint takes on a kind of device, in the dtype that is wanted; with ``unpack`` as full weights, whatever its files
    hold.

    Raises:
        LoadError: its files are not whole, or are quantized in a way of which no weights can be made, where these are wanted.
        Exception: whatever the Hub's client raises.
    """
    config, tensors = files.describe_files(checkpoint)
    kind = _dtype(wanted, device, quantize, config)
    weights = packed.unpacked(config, tensors)
    if stays_packed(checkpoint, config, weights, device, kind, quantize, unpack):
        # Codes take the bytes that they take in the files.
        size = sum(
            each.elements * _BYTES[kind] if each.dtype in packed.FLOATS else each.size for each in tensors.values()
        )
    else:
        if quantize != "none" and not packed.readable(config, weights):
            raise LoadError(f"The weights of {checkpoint.name} are quantized already; use --quantize none.")
        packed.check_readable(checkpoint, config, weights)
        size = checkpoint_size(weights, config, quantize, kind)
    return Need(checkpoint.name, quantize, kind, size)


def stays_packed(
    checkpoint: Checkpoint,
    config: Mapping[str, Any],
    weights: Mapping[str, Stored],
    device: str,
    dtype: str,
    quantize: str = "none",
    unpack: bool = False,
) -> bool:
    """Whether a checkpoint that is quantized in its files stays so in memory: not where its weights are to be changed, or quantized in
    another way."""
    changed = bool(checkpoint.adapters) or isinstance(checkpoint, Counterfactual | Subtracted)
    whole = unpack or changed or quantize != "none"
    return not whole and packed.packed_in_memory(config, weights, device, dtype)


def make(family: Family, names: Sequence[str], there: Room, needs: Callable[[str, str], Need], quantize: str) -> Plan:
    """The plan for some checkpoints of a family.

    Args:
        needs: gives what a checkpoint, by its name, takes at a quantization.

    Raises:
        DoesNotFit: not even one at a time; with the nearest quantization that does.
    """
    plan = Plan(tuple(needs(name, quantize) for name in names), there)
    largest = max(plan.needs, key=lambda each: each.size)
    if largest.size <= there.usable:
        return plan
    smaller = list(QUANTIZE)[list(QUANTIZE).index(quantize) + 1 :]
    for other in smaller:
        if (less := needs(largest.name, other)).size <= there.usable:
            raise DoesNotFit(
                _sentence(largest, there, f"use --quantize {other}, which needs {memory.size_in_words(less.size)}")
            )
    least = memory.size_in_words(needs(largest.name, "4bit").size)
    fix = "allow more by --max-memory" if there.limited else "free some memory"
    raise DoesNotFit(
        _sentence(
            largest,
            there,
            f"{fix} or take a smaller family than {family.title}: even --quantize 4bit needs {least}",
        )
    )


def _sentence(need: Need, there: Room, fix: str) -> str:
    return (
        f"{need.name} does not fit: it needs {memory.size_in_words(need.size)} {QUANTIZE[need.quantize] or 'in ' + need.dtype}, and "
        f"{memory.size_in_words(there.usable)} can be used on {there.where}; {fix}."
    )
