"""The half-finished training of one stage on disk: weights, Adam's moments, and the recipe they belong to.

One safetensors file a stage, written to a temporary name and renamed, so a power cut leaves the previous state whole.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.errors import TillerError

PlainValue = dict[str, Any]


class TrainingRefused(TillerError):
    """A training cannot start or go on; the message is one sentence that names the fix."""


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two plain values (dicts, lists, scalars) differ, as ``path: old -> new``."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key))
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for index, pair in enumerate(zip(old, new, strict=True))
            for line in differences(*pair, f"{path}[{index}]")
        ]
    return [] if old == new else [f"{path}: {_short(old)} -> {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def save_state(
    path: Path, model: nn.Module, optimizer: torch.optim.AdamW, done: PlainValue, recipe: PlainValue
) -> None:
    """Write the state after ``done["step"]`` steps.

    Raises TrainingRefused when the disk is full or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    # The optimizer counts its own steps: it starts anew at a fresh phase, and a step without items is none of its.
    taken = 0
    for name, parameter in _trained(model):
        moments = optimizer.state.get(parameter, {})
        taken = max(taken, int(moments.get("step", 0)))
        tensors[f"weight.{name}"] = parameter.detach()
        tensors[f"mean.{name}"] = moments.get("exp_avg", torch.zeros_like(parameter))
        tensors[f"square.{name}"] = moments.get("exp_avg_sq", torch.zeros_like(parameter))
    _write(path, tensors, done, recipe, taken)


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, each) for name, each in model.named_parameters() if each.requires_grad)


def _write(path: Path, tensors: dict[str, Tensor], done: PlainValue, recipe: PlainValue, taken: int) -> None:
    temporary = path.with_suffix(".new")
    metadata = {"done": json.dumps(done), "recipe": json.dumps(recipe), "optimizer_steps": str(taken)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, temporary, metadata)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as problem:
        temporary.unlink(missing_ok=True)
        raise TrainingRefused(unwritable(path.parent, problem)) from problem


def unwritable(folder: Path, problem: BaseException) -> str:
    """Why ``folder`` could not be written, and what to do."""
    full = getattr(problem, "errno", None) == errno.ENOSPC or "No space left" in str(problem)
    if full:
        return f"the disk that holds {folder} is full: make room and run the same command again, it goes on from the last state"
    return f"cannot write to {folder} ({problem}): choose a folder you may write to with --out or --state"


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.AdamW, recipe: PlainValue) -> PlainValue | None:
    """Put a saved state into model and optimizer; returns what was done, or None when there is no state.

    Raises TrainingRefused when the state belongs to another recipe (it names what differs) or is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            changed = differences(json.loads(metadata["recipe"]), recipe)
            if changed:
                raise TrainingRefused(
                    f"{path} was saved by another recipe ({'; '.join(changed[:4])}): train with --restart, or into another folder"
                )
            done: PlainValue = json.loads(metadata["done"])
            taken = float(metadata.get("optimizer_steps", done["step"]))
            with torch.no_grad():
                for name, parameter in _trained(model):
                    parameter.copy_(file.get_tensor(f"weight.{name}"))
                    optimizer.state[parameter] = {
                        "step": torch.tensor(taken),
                        "exp_avg": file.get_tensor(f"mean.{name}"),
                        "exp_avg_sq": file.get_tensor(f"square.{name}"),
                    }
    except (SafetensorError, KeyError, json.JSONDecodeError) as problem:
        raise TrainingRefused(
            f"{path} is damaged ({problem}): delete it and run again, or train with --restart"
        ) from problem
    return done


def saved_step(path: Path) -> int:
    """How many steps the state at ``path`` has behind it; 0 without a state that can be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return int(json.loads(file.metadata()["done"])["step"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return 0


def adopt_state(source: Path, target: Path, prefix: PlainValue, recipe: PlainValue) -> bool:
    """Let a training under ``recipe`` begin with the state at ``source``, which belongs to the common beginning ``prefix``.

    Returns whether there was such a state. Raises TrainingRefused when ``target`` cannot be written.
    """
    try:
        with safe_open(source, framework="pt") as file:
            metadata = file.metadata()
            if differences(json.loads(metadata["recipe"]), prefix):
                return False
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (the file is no dictionary)
            done, taken = json.loads(metadata["done"]), int(metadata["optimizer_steps"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return False
    _write(target, tensors, done, recipe, taken)
    return True
