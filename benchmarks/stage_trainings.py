"""What benchmarks/stage_effects.py trains, or takes again: retrainings without a stage of other seeds, and replays with curvature."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.stage_study import Seed, Study
from core.attribution.first_order import RUNGS, Embedding
from core.models import loading
from core.models.placement import Placing
from core.skiff.train import log
from core.skiff.train.model import save_checkpoint
from core.skiff.train.replaying import replay
from core.skiff.train.stage_run import load_tokenizer, run_stage
from core.skiff.train.stages import TrainingRecipe, TrainingStage, generators, shipped
from core.skiff.train.tokenizer import with_chat_template

_REPORT = 20


def recipe_of(study: Study) -> TrainingRecipe:
    """The recipe by which a family was made; that it was is checked where its steps are taken again."""
    return shipped()


def carried(study: Study, recipe: TrainingRecipe | None = None) -> tuple[Mapping[str, Embedding], Mapping[str, float]]:
    """The embeddings of the stages with curvature, and how far the replay ended from the checkpoints."""
    started = time.monotonic()

    def watch(stage: str, step: int, steps: int) -> None:
        if step % _REPORT == 0 or step == steps:
            print(f"  {stage}: step {step} of {steps} taken again, {time.monotonic() - started:.0f} s", flush=True)

    found = replay(recipe or recipe_of(study), study.family.folder, RUNGS["curvature"], study.state, watch)
    return found.embeddings, found.drift


def more_truth(study: Study, recipe: TrainingRecipe | None = None) -> None:
    """Train every other seed again without each stage before the last, from its own checkpoints; what is there is taken as it is."""
    made = recipe or recipe_of(study)
    for place, seed in enumerate(study.seeds):
        if seed.number == 1:
            continue
        without = dict(seed.without)
        for own, stage in zip(seed.chain[1:-1], made.stages[1:-1], strict=True):
            folder = _without(study, made, seed, stage)
            without[own] = f"seed-{seed.number}-without-{stage.name}"
            study.trained[without[own]] = folder
        study.seeds[place] = replace(seed, without=without)


def _without(study: Study, recipe: TrainingRecipe, seed: Seed, left_out: TrainingStage) -> Path:
    """The folder of a seed's last checkpoint, trained without a stage; a family of its own."""
    stages = recipe.stages
    at = next(index for index, each in enumerate(stages) if each.name == left_out.name)
    root = study.state / f"seed-{seed.number}-without-{left_out.name}"
    changed = replace(recipe, post_seed=seed.number, without=left_out.name)
    tokenizer = load_tokenizer(study.family.folder / stages[0].name)
    start = root / "start"
    if not (root / "family.toml").exists():
        if not (start / "config.json").exists():
            _write_start(study, seed.chain[at - 1], start)
        for stage in stages[at + 1 :]:
            folder = root / stage.name
            if not (folder / "model.safetensors").exists():
                vocabulary = log.text_hash(tokenizer.backend_tokenizer.to_str())
                data = log.data_hash(stage, generators(), changed.seed_of(stage))
                plan = log.stage_recipe(changed, stage, data, vocabulary, log.weights_hash(start))
                root.mkdir(parents=True, exist_ok=True)
                saved = root / f"{stage.name}.state.safetensors"
                run_stage(changed, stage, tokenizer, start, json.loads(json.dumps(plan)), folder, saved, False)
            start = folder
        text = f'title = "Seed {seed.number} without {left_out.name}"\n[[checkpoint]]\nname = "model"\npath = "{start.name}"\n'
        log.write_text(root / "family.toml", f'{text}stage = "{stages[-1].stage}"\n')
    return root


def _write_start(study: Study, name: str, folder: Path) -> None:
    """A checkpoint of another seed, which is kept as a difference, as a folder to train from."""
    loaded = loading.load_model(study.family, name, Placing("cpu", "float32"))
    tokenizer = load_tokenizer(study.family.folder / study.seeds[0].chain[0])
    save_checkpoint(loaded.model, with_chat_template(tokenizer), folder)  # type: ignore[arg-type]
