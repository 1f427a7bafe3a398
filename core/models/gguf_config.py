"""What transformers' reader leaves out of a GGUF file's header, though the model computes otherwise without it. No torch.

Sizes of heads, of the vocabulary and of attention windows, caps of logits, and how positions are turned (RoPE): what of these a file says
is put into the configuration, and what cannot be put there is refused, since the model would answer, and not as it should.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader

from core.models.gguf_file import GgufError

#: Fields behind the architecture's name, and what transformers' configurations call the same.
_SAME = {
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}
#: Llama 3's way of stretching positions: the context that it was first trained on, and how many waves of it are few, or many.
_FIRST, _LOW, _HIGH = 8192, 1.0, 4.0


def completed(path: Path, reader: GGUFReader, architecture: str, config: Any) -> Any:
    """The configuration that transformers made of a file, with what it left out. Raises GgufError for what cannot be put there."""
    for key, name in _SAME.items():
        value = _value(reader, f"{architecture}.{key}")
        if value is not None and hasattr(config, name):
            setattr(config, name, value)
    tensors = {each.name: each for each in reader.tensors}
    for tensor, name in (("token_embd.weight", "vocab_size"), ("position_embd.weight", "max_position_embeddings")):
        if tensor in tensors:
            setattr(config, name, int(tensors[tensor].shape[-1]))
    if hasattr(config, "query_pre_attn_scalar"):
        # No field of a file says it: llama.cpp goes by the number of blocks, which only Gemma's 27 B have.
        largest = config.num_hidden_layers in (46, 62)
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads if largest else config.head_dim
    if any(name.startswith("rope_factors_") for name in tensors):
        raise GgufError(_turned(path, "LongRoPE"))
    rope = dict(getattr(config, "rope_parameters", None) or {})
    # Where layers that see a window turn positions in their own way, what a file says is about the others.
    whole = dict(rope.get("full_attention", rope))
    if (factors := tensors.get("rope_freqs.weight")) is not None:
        whole |= _llama3(path, np.array(factors.data, np.float64), float(whole.get("rope_theta", 10_000.0)))
    whole |= _scaling(path, reader, architecture)
    if whole:
        config.rope_parameters = {**rope, "full_attention": whole} if "full_attention" in rope else whole
    return config


def windowed(reader: GGUFReader, architecture: str) -> dict[str, Any]:
    """What config.json says of a model that a file calls a Llama, though it has a window, as Mistral's have and no Llama."""
    window = _value(reader, f"{architecture}.attention.sliding_window")
    if architecture != "llama" or not window:
        return {}
    return {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": int(window)}


def _value(reader: GGUFReader, name: str) -> Any:
    found = reader.get_field(name)
    return None if found is None else found.contents()


def _scaling(path: Path, reader: GGUFReader, architecture: str) -> dict[str, Any]:
    """What a file says of positions that are stretched; nothing for most."""
    kind = _value(reader, f"{architecture}.rope.scaling.type")
    factor = _value(reader, f"{architecture}.rope.scaling.factor")
    if kind in (None, "none") or not factor:
        return {}
    if kind == "linear":
        return {"rope_type": "linear", "factor": float(factor)}
    first = _value(reader, f"{architecture}.rope.scaling.original_context_length")
    if kind == "yarn" and first:
        return {"rope_type": "yarn", "factor": float(factor), "original_max_position_embeddings": int(first)}
    raise GgufError(_turned(path, str(kind)))


def _llama3(path: Path, factors: np.ndarray[Any, Any], theta: float) -> dict[str, Any]:
    """Llama 3's way of stretching positions, told by what each frequency is divided by (``factors`` [half a head])."""
    most = float(factors.max())
    waves = _FIRST * theta ** (-np.arange(len(factors)) / len(factors)) / (2 * math.pi)
    smooth = np.clip((waves - _LOW) / (_HIGH - _LOW), 0, 1)
    if not np.allclose(factors, 1 / ((1 - smooth) / most + smooth), rtol=1e-3):
        raise GgufError(_turned(path, "rope_freqs.weight"))
    return {
        "rope_type": "llama3", "factor": most, "low_freq_factor": _LOW, "high_freq_factor": _HIGH,
        "original_max_position_embeddings": _FIRST,
    }  # fmt: skip


def _turned(path: Path, how: str) -> str:
    return (
        f"{path.name} turns positions in a way that is not read from GGUF here ({how}); take the model's own folder, or its name on "
        "the Hub."
    )
