"""``launch.py train-smollm2``: trains the stages of ours on SmolLM2-135M-Instruct, and writes each as an adapter."""

from __future__ import annotations

import gc
import hashlib
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from core.cli.options import Options
from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import Checkpoint, Family, Source
from core.models.deltas import checkpoint_fingerprint
from core.models.loading import Loaded, load_model
from core.models.placement import Placing
from core.smollm2 import stages
from core.smollm2.prompts import StagePrompt, undo_prompts
from core.smollm2.replies import OwnReply, own_replies
from core.smollm2.stages import INSTRUCT, AdapterStage
from core.smollm2.training import KEPT, Lesson, adapted, as_before, lessons, save_adapter, step_losses, train_adapter
from core.training.running import run_training
from core.training.state import PlainValue, saved_step
from core.util.files import read_json, write_bytes
from core.util.program import program

#: The longest reply that is learnt from, in tokens: what is held on to needs its beginning, what is shortened all of it.
LONGEST_REPLY = {"safety": KEPT, "dpo": 96}


def train_smollm2(options: Options) -> int:
    """Train from the command line; returns the exit status. Refusals are printed as one sentence."""
    wanted = _wanted(options.only or (), options.quick)
    return run_training("train-smollm2", options.threads, lambda: _train(wanted, options))


def _train(wanted: Sequence[AdapterStage], options: Options) -> None:
    state = options.state or options.out / ".training"
    work = StageTraining(registry.load_family(options.family), options.out, state)
    for stage in wanted:
        work.make(stage, options.restart)
    if all((options.out / each.folder).is_dir() for each in stages.adapter_stages().values()):
        # With the family's own file beside them the adapters are a family that opens by its folder.
        shutil.copyfile(work.family.folder / "family.toml", options.out / "family.toml")
        for key, texts in undo_prompts().items():
            write_bytes(options.out / "undo" / f"{key}.txt", ("\n".join(texts) + "\n").encode())
        print(
            f"`{program()} --family {options.out}` opens it; `{program()} evaluate --family {options.out}` measures it."
        )


def _wanted(names: Sequence[str], quick: bool) -> list[AdapterStage]:
    """The stages that are asked for, each behind those that it starts from."""
    every = stages.in_few_steps(stages.adapter_stages()) if quick else stages.adapter_stages()
    if unknown := [name for name in names if name not in every]:
        raise UsageError(f"There is no stage {unknown[0]!r}; there is {', '.join(every)}.")
    needed = set(names or every)
    for name in reversed(list(every)):
        if name in needed and every[name].start != INSTRUCT:
            needed.add(every[name].start)
    return [each for name, each in every.items() if name in needed]


class StageTraining:
    """Adapters in a folder, each with the log that says what it was made of; what is there already is not made again."""

    def __init__(self, family: Family, out: Path, state: Path) -> None:
        # Of a family that has these stages already, what they start from.
        before = tuple(each for each in family.checkpoints if each in family.path(INSTRUCT))
        self.family, self.out, self.state = replace(family, checkpoints=before, counterfactuals=()), out, state

    def make(self, stage: AdapterStage, restart: bool = False) -> None:
        """Train a stage unless it is there. Raises TrainingRefused."""
        folder, saved = self.out / stage.folder, self.state / f"{stage.name}.safetensors"
        asked = list(dict.fromkeys(each for step in range(stage.steps) for each in stage.batch(step)))
        kept = [each for each in asked if not each.refused]
        teacher = self._load(INSTRUCT if stage.kind == "safety" else stage.start)
        longest = LONGEST_REPLY[stage.kind]
        own = own_replies(teacher, kept, self.state / f"replies.{teacher.checkpoint.name}.{longest}.json", longest)
        plan = plan_of(teacher, stage, own)
        if _made(folder, plan):
            print(f"{stage.name} is there.", flush=True)
            return
        if restart:
            saved.unlink(missing_ok=True)
        loaded = teacher if teacher.checkpoint.name == stage.start else self._load(stage.start)
        model = adapted(loaded, stage)
        by_name = {each.name: each for each in lessons(loaded, stage, asked, own)}

        def learn(given: Sequence[StagePrompt]) -> list[Lesson]:
            return [by_name[each.name] for each in given if each.name in by_name]

        before = as_before(model, list(by_name.values()))
        begun = time.monotonic()
        step_losses(model, stage, learn(stage.batch(0)), before)
        model.zero_grad(set_to_none=True)
        left = (stage.steps - saved_step(saved)) * (time.monotonic() - begun)
        print(
            f"{stage.name}: {stage.steps} steps, about {left / 60:.0f} min. Ctrl-C stops; the same command goes on.",
            flush=True,
        )
        done = train_adapter(model, stage, learn, before, saved, plan, partial(print, flush=True))
        work = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(work, ignore_errors=True)
        below = self.family.checkpoint(INSTRUCT)
        of = INSTRUCT if below.local else below.source
        save_adapter(model, stage, work, of, checkpoint_fingerprint(below), plan, done)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
        saved.unlink(missing_ok=True)

    def _load(self, name: str) -> Loaded:
        """A checkpoint in float32: the family's own, or one whose adapters lie in the folder."""
        gc.collect()
        return load_model(self._grown(name), name, Placing("cpu", dtype="float32"))

    def _grown(self, name: str) -> Family:
        """The family with a stage of ours and what it starts from."""
        if name == INSTRUCT:
            return self.family
        stage = stages.adapter_stages()[name]
        family = self._grown(stage.start)
        start = family.checkpoint(stage.start)
        made = _with_adapter(start, name, self.out / stage.folder)
        return replace(family, checkpoints=(*family.checkpoints, made))


def _with_adapter(start: Checkpoint, name: str, folder: Path) -> Checkpoint:
    adapters = (*start.adapters, Source(str(folder.resolve()), True))
    return replace(start, name=name, title=name, parent=start.name, stage=name, adapters=adapters)


def _made(folder: Path, plan: PlainValue) -> bool:
    """Whether a finished adapter of this plan lies in a folder."""
    try:
        return bool(read_json(folder / "log.json")["plan"] == plan)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def plan_of(loaded: Loaded, stage: AdapterStage, own: dict[str, OwnReply]) -> PlainValue:
    """All that decides what a stage leads to, as plain values."""
    said = "\n".join(f"{name} {each.ids} {each.ended}" for name, each in sorted(own.items()))
    replies = hashlib.sha256(said.encode()).hexdigest()[:16]
    return {**asdict(stage), "fingerprint": loaded.fingerprint, "replies": replies}
