"""The training log that ships with a family: all that is needed to draw its data and take its steps again.

Seeds and indices stand in place of text. Stage effects read it: boundaries, schedules, optimizer rules and resets,
and how many items of which stage's origin each stage has used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.skiff.train.stages import Generator, TrainingRecipe, TrainingStage, as_plain
from core.training.state import PlainValue, TrainingRefused, unwritable
from core.util.files import read_json
from core.util.program import program

SKIFF_LOG = "log.json"
_FORMAT = 1
_SAMPLED = 100


def weights_hash(folder: Path) -> str:
    """SHA-256 of a checkpoint's weights file."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def text_hash(text: str) -> str:
    """The start of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def data_hash(stage: TrainingStage, sources: Mapping[str, Generator], seed: int) -> str:
    """A fingerprint of what a stage's generators make now: the first items of each source.

    It differs when their code was changed since a training, which then cannot be repeated from the log.
    """
    digest = hashlib.sha256()
    for source in sorted({draw.source for phase in stage.phases for draw in phase.draws}):
        for index in range(_SAMPLED):
            digest.update(repr(sources[source](seed, index)).encode())
    return digest.hexdigest()[:16]


def stage_recipe(
    recipe: TrainingRecipe, stage: TrainingStage, data: str, tokenizer: str, parent: str | None
) -> PlainValue:
    """What decides a stage's result, as plain values: a saved state may only be continued under an equal one.

    What a recipe says of a stage that comes later does not concern this one and is left out.
    """
    concerned = recipe.without is not None and _reached(recipe, stage, recipe.without)
    return {
        "stage": as_plain(stage),
        "shape": list(recipe.shape),
        "seed": recipe.seed_of(stage),
        "planted": recipe.planted or not _reached(recipe, stage, "safety"),
        "without": recipe.without if concerned else None,
        # Logs that were written before there were neutral steps have no such entry.
        **({"neutral": True} if concerned and recipe.neutral else {}),
        "data": data,
        "tokenizer": tokenizer,
        "parent": parent,
    }


def _reached(recipe: TrainingRecipe, stage: TrainingStage, name: str) -> bool:
    """Whether ``stage`` is the stage of that name or a later one."""
    order = [each.name for each in recipe.stages]
    return name in order and order.index(stage.name) >= order.index(name)


def entry(parent: str | None, recipe: PlainValue, done: PlainValue, first_step: int, folder: Path) -> PlainValue:
    """One stage's part of the log. ``first_step`` counts the steps of the whole family, as boundaries do."""
    stage = recipe["stage"]
    steps = sum(phase["steps"] for phase in stage["phases"])
    return {
        "name": stage["name"],
        "parent": parent,
        "first_step": first_step,
        "end_step": first_step + steps,
        "recipe": recipe,
        "optimizer_reset": True,
        "starts_from": "random weights" if parent is None else f"the bf16 weights of {parent}",
        "reference": "its own start"
        if any(d["source"] == "preference" for p in stage["phases"] for d in p["draws"])
        else None,
        "indices": indices(stage),
        "tokens": done["tokens"],
        "seconds": done["seconds"],
        "dtype": done["dtype"],
        "origins": done["origins"],
        "kinds": done["kinds"],
        "curve": done["curve"],
        "weights": weights_hash(folder),
    }


def indices(stage: PlainValue) -> list[PlainValue]:
    """Which indices of which source each phase draws; step s of a phase takes ``count`` from ``first + s * count`` on."""
    used: dict[str, int] = {}
    found: list[PlainValue] = []
    for phase in stage["phases"]:
        for draw in phase["draws"]:
            first = used.get(draw["source"], 0)
            used[draw["source"]] = first + phase["steps"] * draw["count"]
            found.append(
                {
                    "phase": phase["name"],
                    "source": draw["source"],
                    "count": draw["count"],
                    "first": first,
                    "end": used[draw["source"]],
                }
            )
    return found


def write_log(folder: Path, recipe: TrainingRecipe, stages: list[PlainValue]) -> None:
    """Write ``log.json`` beside family.toml. Raises TrainingRefused when that is not possible."""
    content = {
        "format": _FORMAT,
        "seed": recipe.seed,
        "post_seed": recipe.post_seed,
        "planted": recipe.planted,
        "without": recipe.without,
        "stages": stages,
    }
    write_text(folder / SKIFF_LOG, json.dumps(content, indent=1) + "\n")


def read_training_log(folder: Path) -> dict[str, Any]:
    """A family's training log. Raises TrainingRefused when there is none or it is not one."""
    try:
        content: dict[str, Any] = read_json(folder / SKIFF_LOG)
    except FileNotFoundError as problem:
        raise TrainingRefused(
            f"{folder} has no {SKIFF_LOG}: give a folder that `{program()} train-skiff` has filled"
        ) from problem
    except ValueError as problem:
        raise TrainingRefused(f"{folder / SKIFF_LOG} is damaged ({problem}): restore it or train anew") from problem
    return content


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises TrainingRefused."""
    # Two processes may write the same file at once.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise TrainingRefused(unwritable(path.parent, problem)) from problem
