"""Tiny random models in each architecture's own class, saved as families that the real loading code reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)  # fmt: skip

from core import store

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
    wrapped = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="<|end|>", pad_token="<pad>")
    if chat:
        wrapped.chat_template = CHAT
    return wrapped


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
    return {
        "llama": LlamaConfig(**_common(**rotary)),
        "qwen2": Qwen2Config(**_common(**rotary)),
        "qwen3": Qwen3Config(**_common(**rotary, head_dim=8)),
        "gemma2": Gemma2Config(**_common(**rotary, head_dim=8, sliding_window=16, query_pre_attn_scalar=8)),
        "gpt2": GPT2Config(**_common(n_embd=WIDTH, n_layer=LAYERS, n_head=4, n_positions=256)),
        "neox": GPTNeoXConfig(**_common(**plain)),
    }


def model(kind: str, seed: int = 0) -> torch.nn.Module:
    """A random model of an architecture, in float32, with weights large enough that logits differ clearly."""
    torch.manual_seed(seed)
    made = AutoModelForCausalLM.from_config(configs()[kind], dtype=torch.float32)
    for weight in made.parameters():
        if weight.ndim == 2:
            weight.data.mul_(4)
    return made.eval()


def family(
    folder: Path, kind: str = "llama", checkpoints: tuple[str, ...] = ("base", "chat"), plain_base: bool = True
) -> Path:
    """Write a family of tiny checkpoints, each the child of the one before, with a family.toml; gives its folder."""
    lines = ['title = "Tiny"', 'notes = "Random weights, for tests."', 'licence = "MIT"', ""]
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
        "fingerprint": store.fingerprint(folder / checkpoint),
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
