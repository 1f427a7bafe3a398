"""Tiny models as GGUF files, written as llama.cpp's converter writes them: its names, its order of rows, its quantizations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from tests.support import tiny_models

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA, "mistral": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gemma2": gguf.MODEL_ARCH.GEMMA2, "gemma3": gguf.MODEL_ARCH.GEMMA3, "phi3": gguf.MODEL_ARCH.PHI3, "gpt2": gguf.MODEL_ARCH.GPT2,
}  # fmt: skip
#: Bytes of a block of 256 numbers, and where its float16 scales lie, for kinds that the gguf package reads and does not write.
_BLOCKS = {
    "Q4_K": (144, (0, 2)),
    "Q6_K": (210, (208,)),
    "Q5_K": (176, (0, 2)),
    "Q3_K": (110, (108,)),
    "Q2_K": (84, (80, 82)),
}


def write(path: Path, model: Any, kind: str = "llama", numbers: str = "F32", chat: bool = True, **more: Any) -> Any:
    """Write a model as a GGUF file, and give it the weights that the file holds, which quantizing has rounded.

    Args:
        numbers: what matrices are stored as; vectors stay float32.
        more: further fields of the header, under the names that follow the architecture's.
    """
    architecture = ARCHITECTURES[kind]
    config, layers = model.config, int(model.config.num_hidden_layers)
    name = gguf.MODEL_ARCH_NAMES[architecture]
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, name)
    writer.add_name(f"Tiny {kind}")
    epsilon = getattr(config, "rms_norm_eps", None) or getattr(config, "layer_norm_epsilon", 1e-5)
    fields: dict[str, Any] = {
        "block_count": layers, "context_length": 256, "embedding_length": config.hidden_size,
        "feed_forward_length": getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": getattr(config, "num_key_value_heads", config.num_attention_heads),
        "attention.layer_norm_epsilon" if kind == "gpt2" else "attention.layer_norm_rms_epsilon": float(epsilon),
        "rope.freq_base": 1_000_000.0 if kind == "gemma3" else 10_000.0,
    }  # fmt: skip
    if kind in ("gemma2", "gemma3", "mistral"):
        fields["attention.sliding_window"] = int(config.sliding_window)
    if head := getattr(config, "head_dim", None):
        fields |= {"attention.key_length": int(head), "attention.value_length": int(head)}
    rope_freqs = more.pop("rope_freqs", None)
    for key, value in {**fields, **more}.items():
        add = (
            writer.add_string
            if isinstance(value, str)
            else writer.add_float32
            if isinstance(value, float)
            else writer.add_uint32
        )
        add(f"{name}.{key}", value)
    _tokenizer(writer, chat)
    names = gguf.get_tensor_name_map(architecture, layers)
    state = model.state_dict()
    tied = bool(config.tie_word_embeddings)
    for key, weight in list(state.items()):
        if (key == "lm_head.weight" and tied) or (found := names.get_name(key, (".weight", ".bias"))) is None:
            assert key == "lm_head.weight" or key.endswith(("inv_freq", ".attn.bias", "masked_bias")), key
            continue
        stored, read = _stored(_turned(weight.numpy(), key, kind, config), numbers if weight.ndim == 2 else "F32")
        writer.add_tensor(found, stored, raw_dtype=_raw(numbers if weight.ndim == 2 else "F32"))
        state[key] = torch.from_numpy(_turned(read, key, kind, config, back=True).copy())
    if rope_freqs:
        writer.add_tensor("rope_freqs.weight", np.array(rope_freqs, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model.load_state_dict(state)
    return model


def _raw(numbers: str) -> gguf.GGMLQuantizationType:
    return gguf.GGMLQuantizationType[numbers]


def _stored(weight: np.ndarray, numbers: str) -> tuple[np.ndarray, np.ndarray]:
    """What a file holds of a matrix, and the numbers that this means."""
    if numbers in _BLOCKS:
        size, scales = _BLOCKS[numbers]
        random = np.random.default_rng(weight.size)
        blocks = random.integers(0, 256, (*weight.shape[:-1], weight.shape[-1] // 256, size), np.uint8)
        for at in scales:
            blocks[..., at : at + 2] = np.full(blocks.shape[:-1], 2e-4, np.float16)[..., None].view(np.uint8)
        stored = blocks.reshape(*weight.shape[:-1], -1)
        return stored, gguf.dequantize(stored, _raw(numbers)).reshape(weight.shape)
    if numbers in ("F32", "F16"):
        stored = weight.astype(np.float32 if numbers == "F32" else np.float16)
        return stored, stored.astype(np.float32)
    stored = gguf.quantize(weight.astype(np.float32), _raw(numbers))
    return stored, gguf.dequantize(stored, _raw(numbers)).reshape(weight.shape)


def _turned(weight: np.ndarray, key: str, kind: str, config: Any, back: bool = False) -> np.ndarray:
    """A weight as llama.cpp keeps it; ``back``: as transformers does."""
    if kind in ("llama", "mistral") and key.endswith(("q_proj.weight", "k_proj.weight")):
        heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
        halves = (heads, weight.shape[0] // heads // 2, 2) if back else (heads, 2, weight.shape[0] // heads // 2)
        return np.ascontiguousarray(weight.reshape(*halves, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape))
    if kind in ("gemma2", "gemma3") and key.endswith("norm.weight"):
        return weight - 1 if back else weight + 1
    if kind == "gpt2" and weight.ndim == 2 and key.split(".")[-2] in ("c_attn", "c_proj", "c_fc"):
        return np.ascontiguousarray(weight.T)
    return weight


def _tokenizer(writer: gguf.GGUFWriter, chat: bool) -> None:
    tokenizer = tiny_models.tokenizer(chat)
    inner = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    tokens = sorted(inner["vocab"], key=inner["vocab"].__getitem__)
    tokens += [f"<unused{index}>" for index in range(tiny_models.VOCABULARY - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if each in tiny_models.SPECIALS else gguf.TokenType.NORMAL for each in tokens]
    )
    writer.add_token_merges([each if isinstance(each, str) else " ".join(each) for each in inner["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_add_bos_token(True)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_unk_token_id(tokenizer.pad_token_id)
    if chat:
        writer.add_chat_template(str(tokenizer.chat_template))
