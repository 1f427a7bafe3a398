"""Checkpoints that are quantized in their files: which tensors stand for which weights, and what the weights are.

Nothing reads the numbers of such files as if they were weights. What can be computed from them is (:func:`unpacked`, :func:`weight`):

- fp8, or int8, with a scale for the tensor, its rows or its blocks: W = q · s (DeepSeek-V3, arXiv 2412.19437, section 3.3; the same in
  compressed-tensors);
- bitsandbytes in 4 bit (QLoRA, arXiv 2305.14314, section 3) and in 8 bit, W = q · s / 127 by rows (arXiv 2208.07339);
- MXFP4 of gpt-oss: 32 numbers of 4 bits share a power of two (arXiv 2310.10537).

Everything else (GPTQ, AWQ and others) stays as it is, for transformers to load; what would need its weights is refused in one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.families.checkpoint import Checkpoint
from core.models.files import LoadError, Stored

if TYPE_CHECKING:
    from torch import Tensor

#: The methods, as config.json names them, whose weights can be computed here, and how a person reads them and some others.
_READ = ("fp8", "fbgemm_fp8", "compressed-tensors", "bitsandbytes", "mxfp4")
_SAID = {
    "fp8": "FP8",
    "bitsandbytes": "bitsandbytes",
    "mxfp4": "MXFP4",
    "gptq": "GPTQ",
    "awq": "AWQ",
    "auto-round": "AutoRound",
}
#: What bitsandbytes keeps beside a matrix of 4 bits, and how it reads the last of it, of which the name says the kind.
_STATE = re.compile(r"\.quant_state\.bitsandbytes__(nf4|fp4)$")
_BESIDE = ("absmax", "quant_map", "nested_absmax", "nested_quant_map")
_QUANT_STATE = "quant_state.bitsandbytes__nf4"
#: The dtypes that weights are stored in which are not quantized.
FLOATS = ("F64", "F32", "F16", "BF16")
#: What lies beside weights and says how activations are rounded, or how a matrix is laid out: no weights.
_NO_WEIGHT = re.compile(r"[._](activation_scale|input_scale|output_scale|[qkv]_scale|weight_format)$")


@dataclass(frozen=True)
class Packed(Stored):
    """A weight that several tensors of a file make up, by the part that each is: ``shape`` is the weight's own. ``how`` is ``scaled``,
    ``4bit``, ``8bit`` or ``mxfp4``; ``block`` the rows and columns that share a scale, as far as config.json says it."""

    how: str = ""
    parts: Mapping[str, Stored] = field(default_factory=dict)
    block: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """The bytes of all its parts in the files."""
        return sum(each.size for each in self.parts.values())


def method(config: Mapping[str, Any]) -> str:
    """What quantized a checkpoint's files, as its config.json names it; empty where nothing did."""
    found = _settings(config)
    bits = found.get("load_in_4bit") or found.get("load_in_8bit")
    return str(found.get("quant_method") or ("bitsandbytes" if bits else "unknown")) if found else ""


def _settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    places = (config, config.get("text_config") or {})
    found = (each.get(key) for each in places for key in ("quantization_config", "compression_config"))
    return next((each for each in found if isinstance(each, dict)), {})


def unreadable_method(config: Mapping[str, Any]) -> str:
    """The method as a person reads it, where no weights can be made of what it left; else empty."""
    return "" if method(config) in ("", *_READ) else in_words(config)


def in_words(config: Mapping[str, Any]) -> str:
    """The method as a person reads it."""
    return _SAID.get(method(config), method(config))


def unpacked(config: Mapping[str, Any], tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """A checkpoint's weights by name: what its files keep as several tensors is one :class:`Packed`.

    What is not known here stays as it is in the files; :func:`check_readable` says so.
    """
    if method(config) not in _READ:
        return dict(tensors)
    found: dict[str, Stored] = {}
    used: set[str] = set()
    for name, each in tensors.items():
        how, weight, names = _parts(name, each, tensors)
        if how:
            parts = {ending: tensors[part] for ending, part in names.items()}
            main = parts[""]
            found[weight] = Packed("F32", _shape(how, parts), main.file, main.start, how, parts, _block(config))
            used |= set(names.values())
    plain = {name: each for name, each in tensors.items() if name not in used and not _NO_WEIGHT.search(name)}
    return {**plain, **found}


def readable(config: Mapping[str, Any], tensors: Mapping[str, Stored]) -> bool:
    """Whether every weight of :func:`unpacked` is numbers, or can be made of its parts."""
    if not method(config):
        return not any(_code(name, each, tensors) for name, each in tensors.items())
    # Vectors and single numbers may be whole numbers: counters, for one.
    return method(config) in _READ and all(len(each.shape) < 2 or each.dtype in FLOATS for each in tensors.values())


def _code(name: str, each: Stored, tensors: Mapping[str, Stored]) -> bool:
    """Whether a weight's numbers stand for others, of which config.json says nothing: whole numbers, or eight bits with a scale."""
    if not name.endswith("weight") or len(each.shape) < 2 or each.dtype in FLOATS:
        return False
    return not each.dtype.startswith("F8") or any(name + ending in tensors for ending in ("_scale", "_scale_inv"))


def check_readable(checkpoint: Checkpoint, config: Mapping[str, Any], tensors: Mapping[str, Stored]) -> None:
    """Raise LoadError, with what to take instead, where :func:`readable` says no."""
    if not readable(config, tensors):
        raise LoadError(not_readable(checkpoint, config))


def not_readable(checkpoint: Checkpoint, config: Mapping[str, Any]) -> str:
    """That a checkpoint's weights are not to be had, and what to take instead."""
    if not method(config):
        return (
            f"The files of {checkpoint.name} ({checkpoint.weights}) hold codes in place of weights, and config.json does not say what "
            "quantized them; copy config.json again from the model that they belong to, or take its full-precision model."
        )
    return (
        f"The files of {checkpoint.name} ({checkpoint.weights}) are quantized by {in_words(config)}, and its weights cannot be read from "
        "them; take the full-precision model that it was made of."
    )


def _holds_packed(tensors: Mapping[str, Stored]) -> bool:
    """Whether any of :func:`unpacked` is quantized in its file; a config.json may say so of a folder that was merged since."""
    return any(isinstance(each, Packed) for each in tensors.values())


def packed_in_memory(config: Mapping[str, Any], tensors: Mapping[str, Stored], device: str, dtype: str) -> bool:
    """Whether a checkpoint is left to transformers as it is in its files, and not read as the weights that those stand for.

    bitsandbytes runs everywhere, and fp8 and MXFP4 have products of their own on NVIDIA's GPUs. What cannot be read here is
    transformers' to load, or to refuse.

    Args:
        tensors: those of :func:`unpacked`.
    """
    kind = method(config)
    if kind == "bitsandbytes" or (kind and not readable(config, tensors)):
        return True
    return kind in ("fp8", "mxfp4") and device == "cuda" and dtype != "float32" and _holds_packed(tensors)


def _parts(name: str, each: Stored, tensors: Mapping[str, Stored]) -> tuple[str, str, Mapping[str, str]]:
    """How the weight is packed that a tensor tells of, the weight's name, and the names of its parts; an empty ``how`` where it tells
    of none."""
    if (state := _STATE.search(name)) and (weight := name[: state.start()]) in tensors:
        beside = {ending: f"{weight}.{ending}" for ending in _BESIDE if f"{weight}.{ending}" in tensors}
        return "4bit", weight, {"": weight, **beside, _QUANT_STATE: name}
    if name.endswith(".SCB") and (weight := f"{name.removesuffix('SCB')}weight") in tensors:
        return "8bit", weight, {"": weight, "scale": name}
    if name.endswith("_blocks") and (scales := f"{name.removesuffix('_blocks')}_scales") in tensors:
        return "mxfp4", name.removesuffix("_blocks"), {"": name, "scale": scales}
    # Eight bits with a _scale_inv hold two numbers of four bits each, which is another thing.
    kinds = {"F8_E4M3": ("_scale_inv", "_scale"), "F8_E5M2": ("_scale_inv", "_scale"), "I8": ("_scale",)}
    for ending in kinds.get(each.dtype, ()):
        if name + ending in tensors and f"{name}_zero_point" not in tensors:
            return "scaled", name, {"": name, "scale": name + ending}
    return "", "", {}


def _shape(how: str, parts: Mapping[str, Stored]) -> tuple[int, ...]:
    main = parts[""]
    if how == "mxfp4":
        *before, rows, groups, bytes_ = main.shape
        return (*before, groups * bytes_ * 2, rows)
    if how != "4bit":
        return main.shape
    state = parts[_QUANT_STATE]
    # Of a model that is on the Hub alone only the headers are known, and with them how many numbers there are.
    return tuple(_state(state)["shape"]) if state.file is not None else (main.size * 2, 1)


def _state(stored: Stored) -> dict[str, Any]:
    assert stored.file is not None
    with stored.file.open("rb") as file:
        file.seek(stored.start)
        found: dict[str, Any] = json.loads(file.read(stored.size))
    return found


def _block(config: Mapping[str, Any]) -> tuple[int, int] | None:
    settings = _settings(config)
    groups = settings.get("config_groups")
    first: Mapping[str, Any] = next(iter(groups.values()), {}) if isinstance(groups, dict) else {}
    found = settings.get("weight_block_size") or ((first.get("weights") or {}).get("block_structure"))
    return (int(found[0]), int(found[1])) if isinstance(found, list) and len(found) == 2 else None


# ------------------------------------------------------------------------------------------------------------- the numbers


def weight(packed: Packed, read: Callable[[Stored], Tensor]) -> Tensor:
    """A weight in float32, of its own shape.

    Args:
        read: gives a part as it is stored.

    Raises:
        LoadError: parts that do not fit each other.
        QuantizedError: bitsandbytes, which alone knows its 4 bits, does not run here.
    """
    parts = {ending: read(each) for ending, each in packed.parts.items()}
    main = parts.pop("")
    if packed.how == "4bit":
        from core.models import quantization

        return quantization.dequantized(main, parts)
    scale = parts["scale"]
    if packed.how == "8bit":
        return main.float() * (scale.float()[:, None] / 127)
    if packed.how == "mxfp4":
        import torch
        from transformers.integrations.mxfp4 import convert_moe_packed_tensors

        made: Tensor = convert_moe_packed_tensors(main, scale, dtype=torch.float32)
        return made
    return _scaled(packed, main.float(), scale)


def _scaled(packed: Packed, codes: Tensor, scale: Tensor) -> Tensor:
    """Codes times their scales: one number, one a row, or one a block of the last two dimensions."""
    import torch

    # A scale may be a power of two, of which the exponent alone is kept.
    factors = (scale.float() - 127).exp2() if scale.dtype == torch.uint8 else scale.float()
    if factors.numel() == 1:
        return codes * factors.reshape(())
    if factors.ndim == codes.ndim - 1:
        factors = factors[..., None]
    for axis in (-2, -1):
        size, count = codes.shape[axis], factors.shape[axis]
        block = packed.block[axis] if packed.block else 0
        # The last block may be smaller than the others.
        if not block or -(-size // block) != count:
            block = size // count
        if -(-size // block) != count:
            raise LoadError(f"{packed.file} has {count} scales for {size} numbers, which does not fit; copy it again.")
        factors = factors.repeat_interleave(block, axis).narrow(axis, 0, size)
    return codes * factors
