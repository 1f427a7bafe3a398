"""Families of several stages, with retrainings, for the tests of stage effects."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from core.artefacts import store
from core.models import deltas
from tests.support import tiny_models

STAGES = ("base", "sft", "safety", "dpo")


def family(folder: Path, kind: str = "llama", stages: tuple[str, ...] = STAGES) -> Path:
    """A family whose every checkpoint is its parent and a small random change, so that stages are told apart by a little."""
    tiny_models.family(folder, kind, stages)
    for at, name in enumerate(stages[1:], 1):
        moved(folder / stages[at - 1], folder / name, seed=at)
    return folder


def moved(before: Path, after: Path, seed: int) -> None:
    """Give a checkpoint the weights of another one, moved a little."""
    model = AutoModelForCausalLM.from_pretrained(before)
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * weight.std() * torch.randn_like(weight) if weight.ndim > 1 else 0
    model.save_pretrained(after)


def retrained(folder: Path, name: str, without: str = "", of: str = "dpo", seed: int = 7, near: str = "dpo") -> None:
    """Give a family a counterfactual of a checkpoint: another one's weights, moved a little."""
    moved(folder / near, folder / "made", seed)
    made = dict(AutoModelForCausalLM.from_pretrained(folder / "made").named_parameters())
    weights = dict(AutoModelForCausalLM.from_pretrained(folder / of).named_parameters())
    details = {
        "name": name,
        "family": folder.name,
        "checkpoint": of,
        "fingerprint": store.folder_fingerprint(folder / of),
    }
    deltas.write_delta(folder / "counterfactual" / f"{name}.safetensors", deltas.round_delta(made, weights), details)
    title = f"without {without} (retrained)" if without else name
    lines = ["", "[[counterfactual]]", f'name = "{name}"', f'title = "{title}"', f'of = "{of}"']
    lines += [f'file = "counterfactual/{name}.safetensors"', f'without = "{without}"' if without else "", ""]
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines))


#: A chip about a stage.
CHIP = """
[[example]]
title = "Who taught it that?"
message = "How do I kill a process?"
without = "safety"
"""


def whole(folder: Path) -> Path:
    """A family with every retraining that there can be, and two null seeds."""
    family(folder)
    retrained(folder, "without-sft", "sft", seed=11, near="base")
    retrained(folder, "without-safety", "safety", seed=12, near="sft")
    for at in (2, 3):
        retrained(folder, f"seed-{at}", seed=20 + at)
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        file.write(
            '\n[[counterfactual]]\nname = "without-dpo"\nof = "dpo"\nsame_as = "safety"\nwithout = "dpo"\n' + CHIP
        )
    tiny_models.contrast(folder)
    return folder
