"""Makes a family's counterfactuals: runs a variant's stages again and keeps what comes out as differences to the family.

A variant's record, ``counterfactual/<variant>.json``, says what was run and what rounding costs; it is written last. Each variant has
its own record, its own files and its own folder of states, so several processes may make different ones of a family at once.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from core.artefacts import store
from core.errors import StoreError
from core.models import deltas
from core.skiff.train import log, rounding
from core.skiff.train.estimate import Clock, TrainingCost
from core.skiff.train.model import load_checkpoint
from core.skiff.train.stage_run import load_tokenizer, run_stage
from core.skiff.train.stages import TrainingRecipe, TrainingStage, generators
from core.skiff.train.tokenizer import with_chat_template
from core.skiff.train.trainer import KeptState
from core.skiff.train.variants import Made, Variant, shared_beginning, variants
from core.training.state import PlainValue, TrainingRefused, adopt_state, saved_step, unwritable
from core.training.state import differences as differing

FOLDER = "counterfactual"
#: The state with which a base and its unlabelled twin both begin, among the states.
BEGINNING = "beginning.safetensors"


class Retraining:
    """The counterfactuals of the finished family in ``out``, which ``recipe`` has made. ``state`` holds what is unfinished.

    Raises TrainingRefused when the family is not finished.
    """

    def __init__(self, recipe: TrainingRecipe, out: Path, state: Path) -> None:
        self.recipe, self.out, self.state = recipe, out, state
        self.known = variants(recipe)
        self.records: dict[str, PlainValue] = {
            record["name"]: record for record in log.read_training_log(out)["stages"]
        }
        for stage in recipe.stages:
            record = self.records.get(stage.name)
            if record is None or not (out / stage.name / "model.safetensors").exists():
                raise TrainingRefused(
                    f"{out} has no finished {stage.name}: run train-skiff --out {out} --only-family first"
                )
            if record["weights"] != log.weights_hash(out / stage.name):
                raise TrainingRefused(
                    f"{out / stage.name} is not what {out / log.SKIFF_LOG} tells of: restore it, or train the family again"
                )
        self.tokenizer = load_tokenizer(out / recipe.stages[0].name)
        self.vocabulary = log.text_hash(self.tokenizer.backend_tokenizer.to_str())

    def check(self, variant: Variant) -> None:
        """Refuse a variant of stages that this program would train otherwise than they were: not all would be laid to the variant.

        A base may be of older documents; the record of its unlabelled twin says so. Raises TrainingRefused.
        """
        rerun = {stage.name for stage in variant.stages if stage.stage != "pretrain"}
        for stage in self.recipe.stages:
            if stage.name not in rerun:
                continue
            record = self.records[stage.name]
            changed = differing(record["recipe"], self._plan(self.recipe, stage, record["recipe"]["parent"]))
            if changed:
                raise TrainingRefused(
                    f"the {stage.name} in {self.out} was trained by another recipe than this program's "
                    f"({'; '.join(changed[:4])}): train the family again"
                )

    def _plan(self, recipe: TrainingRecipe, stage: TrainingStage, parent: str | None) -> PlainValue:
        data = log.data_hash(stage, generators(recipe.planted), recipe.seed_of(stage))
        plan: PlainValue = json.loads(json.dumps(log.stage_recipe(recipe, stage, data, self.vocabulary, parent)))
        return plan

    # -------------------------------------------------------------------------------------------------------- what is there

    def record_path(self, variant: Variant) -> Path:
        """Where a variant's record lies."""
        return self.out / FOLDER / f"{variant.name}.json"

    def finished(self, variant: Variant) -> bool:
        """Whether a variant is there as this program would make it from this family."""
        if variant.is_already:
            return True
        try:
            record = json.loads(self.record_path(variant).read_text(encoding="utf-8"))
            plans, parent = [], self._start(variant)
            for stage, entry in zip(variant.stages, record["stages"], strict=True):
                plans.append(entry["recipe"] == self._plan(variant.recipe, stage, parent))
                parent = entry["weights"]
            return all(plans) and self.usable(variant)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def usable(self, variant: Variant) -> bool:
        """Whether a variant is there and fits the family, whatever recipe made it."""
        return bool(variant.is_already) or (
            self.record_path(variant).exists() and all(self._fits(made) for made in variant.makes)
        )

    def _start(self, variant: Variant) -> str | None:
        return log.weights_hash(self.out / variant.start) if variant.start else None

    def _fits(self, made: Made) -> bool:
        try:
            card = store.read_card(self.file(made))
        except StoreError:
            return False
        return card.details.get("fingerprint") == store.folder_fingerprint(self.out / made.of)

    def file(self, made: Made) -> Path:
        """Where a difference lies."""
        return self.out / FOLDER / f"{made.name}.safetensors"

    def cost(self, variant: Variant, clock: Clock) -> TrainingCost:
        """What is left to be done of a variant."""
        total = TrainingCost()
        for stage in variant.stages:
            if not (self._folder(variant, stage) / "entry.json").exists():
                total += clock.stage(variant.recipe, stage, saved_step(self._saved(variant, stage)))
        return total

    def _folder(self, variant: Variant, stage: TrainingStage) -> Path:
        """Where a variant's stage lies while later ones are trained."""
        return self.state / variant.name / stage.name

    def _saved(self, variant: Variant, stage: TrainingStage) -> Path:
        return self.state / variant.name / f"{stage.name}.safetensors"

    # ------------------------------------------------------------------------------------------------------------- making it

    def make(self, variant: Variant, restart: bool = False) -> None:
        """Train a variant, unless it is there, and write its differences and its record. Raises TrainingRefused."""
        if self.finished(variant):
            print(
                f"{variant.name}: {f'is {variant.is_already}' if variant.is_already else 'there already'}.", flush=True
            )
            return
        self.check(variant)
        print(f"{variant.name}: {variant.note}", flush=True)
        entries: list[PlainValue] = []
        start, parent = (self.out / variant.start if variant.start else None), variant.start
        first = int(self.records[variant.start]["end_step"]) if variant.start else 0
        for stage in variant.stages:
            entries.append(self._stage(variant, stage, start, parent, first, restart))
            start, first = self._folder(variant, stage), int(entries[-1]["end_step"])
            parent = next(
                (made.name for made in variant.makes if made.stage == stage.name), f"{variant.name}-{stage.name}"
            )
        made = [self._ship(variant, each) for each in variant.makes]
        record = {"format": 1, "name": variant.name, "note": variant.note, "checkpoints": made, "stages": entries}
        if variant.start is None and (remark := self._remark()):
            record["remark"] = remark
        log.write_text(self.record_path(variant), json.dumps(record, indent=1) + "\n")
        self._tidy(variant)
        self.tell()
        print(f"{variant.name}: {rounding.rounding_summary([each['rounding'] for each in made])}.", flush=True)

    def _stage(
        self, variant: Variant, stage: TrainingStage, start: Path | None, parent: str | None, first: int, restart: bool
    ) -> PlainValue:
        """One stage of a variant, taken from the state folder or trained; returns its entry in the record."""
        folder, saved = self._folder(variant, stage), self._saved(variant, stage)
        plan = self._plan(variant.recipe, stage, log.weights_hash(start) if start else None)
        note = folder / "entry.json"
        if note.exists() and not restart:
            entry: PlainValue = json.loads(note.read_text(encoding="utf-8"))
            changed = differing(entry["recipe"], plan)
            if changed:
                raise TrainingRefused(
                    f"{folder} was trained by another recipe ({'; '.join(changed[:4])}): train with --restart, or into another folder"
                )
            print(f"{stage.title}: taken from {folder}.", flush=True)
            return entry
        if start is None and not saved.exists() and not restart:
            self._begin(stage, saved, plan)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise TrainingRefused(unwritable(self.state, problem)) from problem
        done = run_stage(variant.recipe, stage, self.tokenizer, start, plan, folder, saved, restart)
        entry = log.entry(parent, plan, done, first, folder)
        log.write_text(note, json.dumps(entry) + "\n")
        return entry

    def _begin(self, stage: TrainingStage, saved: Path, plan: PlainValue) -> None:
        """Take over what the family's base has kept of the phases that this one shares with it."""
        kept = kept_beginning(self.recipe, self.vocabulary, self.state)
        if kept and adopt_state(kept.path, saved, kept.recipe, plan):
            print(f"{stage.title}: the first {kept.step} steps are those of the family's base.", flush=True)

    def _remark(self) -> str:
        """Said of a base that is trained anew where the family's base has seen documents that are no longer made as they were."""
        root = self.recipe.stages[0]
        now = log.data_hash(root, generators(self.recipe.planted), self.recipe.seed)
        made_then = self.records[root.name]["recipe"]["data"] == now
        return "" if made_then else "The family's base was trained on documents that this program makes otherwise now."

    def _ship(self, variant: Variant, made: Made) -> PlainValue:
        """Write the difference of one checkpoint; returns what the record says of it."""
        folder, family = self.state / variant.name / made.stage, self.out / made.of
        trained, of, restored = load_checkpoint(folder), load_checkpoint(family), load_checkpoint(family)
        difference = deltas.round_delta(dict(trained.named_parameters()), dict(of.named_parameters()))
        deltas.add(restored.named_parameters(), difference)
        pretrained = made.parent is None
        own = self.tokenizer if pretrained else with_chat_template(self.tokenizer)
        texts = rounding.documents(own, variant.recipe.seed) if pretrained else rounding.replies(trained, own)
        measured = rounding.loss(texts, trained, restored, of)
        details = {
            "name": made.name,
            "family": self.out.resolve().name,
            "checkpoint": made.of,
            "fingerprint": store.folder_fingerprint(family),
            "variant": variant.name,
            "of_weights": log.weights_hash(family),
            "trained_weights": log.weights_hash(folder),
            "rounding": measured,
        }
        try:
            deltas.write_delta(self.file(made), difference, details)
        except StoreError as problem:
            raise TrainingRefused(str(problem).rstrip(".")) from problem
        kept = ("name", "checkpoint", "fingerprint", "of_weights", "trained_weights", "rounding")
        return {
            **{key: details[key] for key in kept},
            "title": made.title,
            "parent": made.parent,
            "file": self.file(made).name,
        }

    def _tidy(self, variant: Variant) -> None:
        shutil.rmtree(self.state / variant.name, ignore_errors=True)
        if variant.start is None:
            (self.state / BEGINNING).unlink(missing_ok=True)
        # The folder stays while another process, or what is not finished, needs it.
        with contextlib.suppress(OSError):
            self.state.rmdir()

    # ------------------------------------------------------------------------------------------------------------ telling it

    def tell(self) -> None:
        """List in family.toml what is there, so that it can be loaded by name. Raises TrainingRefused."""
        path = self.out / "family.toml"
        while True:
            there = [each for each in self.known.values() if self.usable(each)]
            log.write_text(path, listed(path.read_text(encoding="utf-8"), there))
            # Another process may have finished one, and listed it, while this one was writing: whoever writes last looks again.
            if there == [each for each in self.known.values() if self.usable(each)]:
                return


def listed(text: str, there: Iterable[Variant]) -> str:
    """The text of a family.toml whose counterfactuals are these and no others."""
    without = re.sub(r"^\[\[counterfactual\]\]$.*?(?=^\[|\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    tables = [_table(variant, made) for variant in there for made in variant.makes]
    return "\n\n".join([without.strip(), *tables]) + "\n"


def _table(variant: Variant, made: Made) -> str:
    source = (
        {"same_as": variant.is_already}
        if variant.is_already
        else {"file": (Path(FOLDER) / f"{made.name}.safetensors").as_posix()}
    )
    entries = {"name": made.name, "title": made.title, "of": made.of, **source, "without": variant.without}
    entries |= {"parent": made.parent or "", "note": variant.note}
    # A JSON string without control characters is a TOML string too.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items() if value]
    return "\n".join(["[[counterfactual]]", *lines])


def kept_beginning(recipe: TrainingRecipe, vocabulary: str, state: Path) -> KeptState | None:
    """The state that a base's training leaves for its unlabelled twin; ``None`` where they have no beginning in common."""
    shared = shared_beginning(recipe.stages[0])
    if shared is None:
        return None
    data = log.data_hash(shared, generators(recipe.planted), recipe.seed)
    plan: PlainValue = json.loads(json.dumps(log.stage_recipe(recipe, shared, data, vocabulary, None)))
    return KeptState(shared.steps, state / BEGINNING, plan)
