"""One stage of a training as the command runs it: from a checkpoint on disk to a checkpoint on disk."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from core.skiff.train.model import ModelShape, load_checkpoint, new_model, save_checkpoint
from core.skiff.train.stages import TrainingRecipe, TrainingStage, generators
from core.skiff.train.tokenizer import with_chat_template
from core.skiff.train.trainer import KeptState, TrainerProgress, train_stage
from core.training.state import PlainValue, TrainingRefused, unwritable


def run_stage(
    recipe: TrainingRecipe,
    stage: TrainingStage,
    tokenizer: PreTrainedTokenizerFast,
    start: Path | None,
    plan: PlainValue,
    folder: Path,
    saved: Path,
    restart: bool,
    keep: KeptState | None = None,
) -> PlainValue:
    """Train ``stage`` from the checkpoint ``start`` (or random weights), write the result to ``folder``; returns what was done.

    The unfinished stage lies at ``saved``. Raises TrainingRefused.
    """
    own = with_chat_template(tokenizer) if stage.stage != "pretrain" else tokenizer
    model = load_checkpoint(start) if start else new_model(ModelShape(*recipe.shape), tokenizer, recipe.seed)
    if restart:
        saved.unlink(missing_ok=True)
    print(f"{stage.title}: {stage.steps} steps.", flush=True)
    sources = generators(recipe.planted)
    seed = recipe.seed_of(stage)
    done = train_stage(model, own, stage, sources, seed, recipe.without, saved, plan, print_progress, keep)
    temporary = folder.with_name(f".{folder.name}.new")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        save_checkpoint(model, own, temporary)
        replace(temporary, folder)
    except OSError as problem:
        raise TrainingRefused(unwritable(folder.parent, problem)) from problem
    saved.unlink()
    return done


def replace(temporary: Path, folder: Path) -> None:
    """Put a new checkpoint in place of an old one. What was computed on the old one goes with it: it would not fit."""
    if folder.exists():
        shutil.rmtree(folder)
    temporary.rename(folder)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """A checkpoint's tokenizer."""
    loaded = PreTrainedTokenizerFast.from_pretrained(folder)
    assert isinstance(loaded, PreTrainedTokenizerFast)
    return loaded


def print_progress(progress: TrainerProgress) -> None:
    """One line on a training."""
    losses = "  ".join(f"{source} {loss:.3f}" for source, loss in progress.losses.items())
    clock = time.strftime("%H:%M:%S", time.gmtime())
    print(
        f"{clock} {progress.stage} {progress.step}/{progress.steps} {progress.phase}  {losses}  rate {progress.rate:.1e}  "
        f"{progress.tokens / 1e6:.2f} M tokens, {progress.speed:,.0f} tokens/s",
        flush=True,
    )
