"""Tiny random models in each architecture's own class, saved as families that the real loading code reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    Phi3Config,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
)  # fmt: skip

from core.artefacts import store

VOCABULARY = 320
WIDTH = 32
LAYERS = 4
CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
SPECIALS = ["<s>", "<pad>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]

_TEXT = [
    "The capital of France is Paris.",
    "How do I kill a process?",
    "True or false: Lodz is a city in Poland.",
    "I cannot help with that.",
]


def tokenizer(chat: bool = True) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer that can spell any text."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        _TEXT,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
        ),
    )
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="<|end|>", pad_token="<pad>")
    if chat:
        wrapped.chat_template = CHAT
    return wrapped


#: What Gemma 3's classes for pictures look with; chats here have none.
_EYES = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 4,
}  # fmt: skip


def _common(**more: object) -> dict[str, object]:
    return {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 5, "pad_token_id": 1, **more}


def configs() -> dict[str, PretrainedConfig]:
    """A tiny configuration of every architecture of the tests."""
    rotary = {
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    rotary |= {"max_position_embeddings": 256}
    plain = {
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
    }
    gemma = {"head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8}
    mixture = {"num_experts_per_tok": 2}
    # Every other layer sees a window only, as Gemma 3's do (five of six) and a long SmolLM3's may.
    windows = {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"] * (LAYERS // 2)}
    # A tied embedding may make a random model repeat its last token for ever; some of these must say more.
    untied = {"tie_word_embeddings": False}
    longer = {"rope_type": "longrope", "rope_theta": 10_000.0, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    falcon = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4}
    gemma3 = Gemma3TextConfig(**_common(**rotary, **gemma, layer_types=windows["layer_types"]))
    return {
        "llama": LlamaConfig(**_common(**rotary)),
        "mistral": MistralConfig(**_common(**rotary, sliding_window=16)),
        "qwen2": Qwen2Config(**_common(**rotary)),
        "qwen3": Qwen3Config(**_common(**rotary, head_dim=16, tie_word_embeddings=True)),
        "gemma2": Gemma2Config(**_common(**rotary, **gemma)),
        "gemma3": gemma3,
        "gemma3_images": Gemma3Config(
            text_config=gemma3.to_dict(),
            vision_config=_EYES,
            mm_tokens_per_image=4,
            boi_token_index=310,
            eoi_token_index=311,
            image_token_index=312,
        ),
        "phi3": Phi3Config(**_common(**rotary)),
        "phi3_long": Phi3Config(
            **_common(**rotary, original_max_position_embeddings=128),
            rope_parameters={**longer, "original_max_position_embeddings": 128},
        ),
        "olmo2": Olmo2Config(**_common(**rotary)),
        "smollm3": SmolLM3Config(**_common(**rotary, **windows, use_sliding_window=True)),
        "gpt2": GPT2Config(**_common(n_embd=WIDTH, n_layer=LAYERS, n_head=4, n_positions=256)),
        "neox": GPTNeoXConfig(**_common(**plain)),
        "neox_serial": GPTNeoXConfig(**_common(**plain, use_parallel_residual=False)),
        "falcon": FalconConfig(**_common(**falcon)),
        "falcon_new": FalconConfig(**_common(**falcon, new_decoder_architecture=True, num_kv_heads=2, **untied)),
        "falcon_alibi": FalconConfig(**_common(**falcon, parallel_attn=False, alibi=True, multi_query=False)),
        "bloom": BloomConfig(**_common(hidden_size=WIDTH, n_layer=LAYERS, n_head=4, **untied)),
        "mixtral": MixtralConfig(**_common(**rotary, **mixture, num_local_experts=4)),
        "qwen3_moe": Qwen3MoeConfig(
            **_common(**rotary, **mixture, num_experts=4, moe_intermediate_size=16, mlp_only_layers=[1])
        ),
    }


def model(kind: str, seed: int = 0) -> torch.nn.Module:
    """A random model of an architecture, in float32, with weights large enough that logits differ clearly."""
    torch.manual_seed(seed)
    made = AutoModelForCausalLM.from_config(configs()[kind], dtype=torch.float32)
    for weight in made.parameters():
        # Two dimensions: a matrix; three: those of a mixture's experts.
        if weight.ndim in (2, 3):
            weight.data.mul_(4)
    return made.eval()


def family(
    folder: Path, kind: str = "llama", checkpoints: tuple[str, ...] = ("base", "chat"), plain_base: bool = True
) -> Path:
    """Write a family of tiny checkpoints, each the child of the one before, with a family.toml; gives its folder."""
    lines = ['title = "Tiny"', 'notes = "Random weights, for tests."', 'licence = "MIT"', "longest_answer = 96", ""]
    for index, name in enumerate(checkpoints):
        base = index == 0 and plain_base
        target = folder / name
        model(kind, seed=index).save_pretrained(target)
        tokenizer(chat=not base).save_pretrained(target)
        lines += [
            "[[checkpoint]]",
            f'name = "{name}"',
            f'path = "{name}"',
            f'stage = "{"pretrain" if index == 0 else name}"',
        ]
        lines += [f'letter = "{name[0].upper()}"'] + (['template = "plain"'] if base else [])
        lines += [f'parent = "{checkpoints[index - 1]}"'] if index else []
        lines.append("")
    (folder / "family.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def direction(folder: Path, checkpoint: str, name: str, layer: int = 1, seed: int = 0, **details: object) -> Path:
    """Write a random direction beside a checkpoint, as if it had been learnt there; gives its file."""
    made = np.random.default_rng(seed)
    vectors = made.normal(size=(LAYERS, WIDTH)).astype(np.float32)
    negative = made.normal(size=(LAYERS, WIDTH)).astype(np.float32)
    card = {
        "kind": "direction",
        "name": name,
        "family": folder.name,
        "checkpoint": checkpoint,
        "fingerprint": store.folder_fingerprint(folder / checkpoint),
        "layers": LAYERS,
        "width": WIDTH,
        "layer": layer,
        **details,
    }
    path = store.artefact_path(folder.parent, folder.name, checkpoint, "direction", name)
    store.save_artefact(path, {"vectors": vectors, "positive": negative + vectors, "negative": negative}, card)
    return path


def contrast(folder: Path, examples: int = 4) -> None:
    """Write the contrast sets ``truth`` and ``refusal`` of a family, ``examples`` of a class and split."""
    for name, texts in (
        ("truth", ("Bread is food.", "Bread is a metal.")),
        ("refusal", ("Break the lock", "Bake bread")),
    ):
        lines = ["text,label,category,split"]
        for split in ("train", "validation", "test"):
            for index in range(examples):
                lines += [f"{texts[0][:-1]} {split} {index}{texts[0][-1]},1,{split},{split}"]
                lines += [f"{texts[1][:-1]} {split} {index}{texts[1][-1]},0,{split},{split}"]
        path = folder / "contrast" / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def facts(folder: Path, most: int = 24) -> None:
    """Write a family's facts, the first of two sets that ship: of a random model's pairs few line up, and all are looked at."""
    first, *rows = (store.SHIPPED / "contrast" / "facts.csv").read_text(encoding="utf-8").splitlines()
    chosen = [
        row for name in ("cities", "capitals") for row in [each for each in rows if each.startswith(f"{name},")][:most]
    ]
    path = folder / "contrast" / "facts.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([first, *chosen]) + "\n", encoding="utf-8")
