"""A tiny random model of every causal class of the installed transformers."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.support.tiny_models import VOCABULARY

WIDTH, LAYERS = 32, 2
#: A class that is larger than this in spite of a small configuration does not take its sizes from it.
_MOST = 20_000_000
KINDS = tuple(sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES))

_WIDTHS = (
    "hidden_size",
    "n_embd",
    "d_model",
    "embed_dim",
    "word_embed_proj_dim",
    "lru_width",
    "embedding_size",
    "attention_hidden_size",
)
_HEADS = (
    "num_attention_heads",
    "n_head",
    "n_heads",
    "num_heads",
    "decoder_attention_heads",
    "mamba_n_heads",
    "mamba_num_heads",
)
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "num_decoder_layers")
_INNER = ("intermediate_size", "ffn_dim", "n_inner", "mamba_d_ssm", "decoder_ffn_dim")
_EIGHT = (
    "head_dim", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "state_size", "mamba_d_state", "ssm_state_size", "rotary_dim",
    "linear_key_head_dim", "linear_value_head_dim", "index_topk", "index_head_dim", "global_head_dim", "hidden_size_per_layer_input",
    "query_pre_attn_scalar", "kv_channels",
)  # fmt: skip
_SIXTEEN = (
    "moe_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size", "q_lora_rank", "kv_lora_rank", "qk_head_dim",
    "mamba_d_head", "mamba_head_dim", "mamba_chunk_size", "chunk_size", "sliding_window", "attention_window",
)  # fmt: skip
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "mamba_d_conv", "conv_kernel")
_LONG = ("max_position_embeddings", "n_positions", "max_target_positions", "n_ctx", "max_seq_len")
_ONE = ("n_shared_experts", "mamba_n_groups", "n_group", "topk_group", "first_k_dense_replace", "n_groups")
_SMALL: dict[str, Any] = {
    **dict.fromkeys(_WIDTHS, WIDTH),
    **dict.fromkeys(_HEADS, 4),
    **dict.fromkeys(_LAYERS, LAYERS),
    **dict.fromkeys(_INNER, 64),
    **dict.fromkeys(_EIGHT, 8),
    **dict.fromkeys(_SIXTEEN, 16),
    **dict.fromkeys(_EXPERTS, 4),
    **dict.fromkeys(_LONG, 256),
    **dict.fromkeys(_ONE, 1),
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), VOCABULARY),
    **dict.fromkeys(
        ("num_key_value_heads", "num_experts_per_tok", "linear_num_key_heads", "mamba_expand", "expand"), 2
    ),
    **dict.fromkeys(("index_n_heads",), 2),
    "linear_num_value_heads": 4,
    "num_kv_shared_layers": 0,
    "tie_word_embeddings": False,
    "is_decoder": True,
    "bos_token_id": 0,
    "eos_token_id": 5,
    "pad_token_id": 1,
}
_ATTENTION_LAST = {"layer_types": ["linear_attention", "full_attention"]}
_HYBRID_LAST = {
    "layer_types": ["linear_attention", "hybrid"],
    "layers_block_type": ["mamba", "hybrid"],
    "attention_hidden_size": 64,
}
#: What some classes ask for beside that: other sizes, or a layer of each of their kinds within two.
_MORE: dict[str, dict[str, Any]] = {
    "bailing_hybrid": _ATTENTION_LAST,
    "bamba": {"attn_layer_indices": [1]},
    "dots3_note": {"num_key_value_heads": 4},
    "dots3_note_text": {"num_key_value_heads": 4},
    "glm_moe_dsa": {"index_topk": 64},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": _ATTENTION_LAST,
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "kimi_linear": {
        **_ATTENTION_LAST,
        "linear_attn_config": {
            "num_heads": 4,
            "head_dim": 8,
            "short_conv_kernel_size": 4,
            "kda_layers": [1],
            "full_attn_layers": [2],
        },
    },
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "lfm3": {"layer_types": ["conv", "full_attention"]},
    "longcat_flash": {"head_dim": 8},
    "mamba2": {"num_heads": 4, "head_dim": 16},
    "qwen3_5_text": _ATTENTION_LAST,
    "qwen3_5_moe_text": _ATTENTION_LAST,
    "qwen3_next": _ATTENTION_LAST,
    "qwen4_exp_text": {
        "num_hidden_layers": 4,
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 16,
        "indexer_compress_ratio": 4,
    },
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [16, 16]},
    "zamba": _HYBRID_LAST,
    "zamba2": _HYBRID_LAST,
    "zaya": {"num_experts_per_tok": 1},
}
_TEXTS = ("text_config", "llm_config", "thinker_config", "decoder")


def config(kind: str) -> PretrainedConfig:
    """A small configuration of a class, and of the text model in it."""
    made = _shrunk(CONFIG_MAPPING[kind])
    text = made.get_text_config()
    if text is not made:
        for name in _TEXTS:
            if hasattr(made, name):
                setattr(made, name, _shrunk(type(text)))
    return made


def _shrunk(kind: type[PretrainedConfig]) -> PretrainedConfig:
    names: set[str] = set()
    for each in kind.__mro__:
        names |= {*getattr(each, "__annotations__", {}), *inspect.signature(each.__init__).parameters}
    aliases = getattr(kind, "attribute_map", {})
    values = {name: value for name, value in _SMALL.items() if name in names or name in aliases}
    if "qk_rope_head_dim" in values:
        # Elsewhere a head's size; here that of the part that is turned.
        values.pop("head_dim", None)
        values["num_key_value_heads"] = 4
    values = {name: value for name, value in values.items() if aliases.get(name) not in values}
    return kind(**{**values, **_MORE.get(kind.model_type, {})})


def model(kind: str) -> Any:
    """A random model of a class in float32, whose gains are not all one, as trained ones are not.

    Raises:
        Exception: whatever the class says of this size; ValueError where it is not small.
    """
    made = config(kind)
    with torch.device("meta"):
        size = sum(weight.numel() for weight in AutoModelForCausalLM.from_config(made).parameters())
    if size > _MOST:
        raise ValueError("too large")
    torch.manual_seed(0)
    found: Any = AutoModelForCausalLM.from_config(made, dtype=torch.float32).eval().requires_grad_(False)
    for weight in found.parameters():
        if weight.ndim in (2, 3):
            weight.mul_(4)
        elif weight.ndim == 1:
            weight.add_(torch.randn_like(weight) * 0.3)
    return found
