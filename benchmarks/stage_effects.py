"""Estimators of stage effects against retraining, as methods.md §5 wants them judged.

For every seed, stage and estimator: the effect of the stage on each metric of each held-out prompt, as the estimator says and as
training again without the stage says. The last stage is left out, since all estimators are exact there, and so is whatever trains again.
Correlations are taken within each kind of prompt: between kinds they come for nothing. The best estimator is chosen on one seed and
reported on the others.

What has been computed is kept in ``--state`` and not computed again. Without ``--seeds`` no model is trained; without
``--curvature`` no step is taken again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.accountability_classifiers import Judged
from benchmarks.effect_metrics import METRICS, Scene, measure, scene, skiff_kinds
from core.artefacts import store
from core.attribution.first_order import Embedding
from core.attribution.stage_embeddings import READOUTS
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import Checkpoint, Family
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.undo import fit
from core.util.files import write_bytes

DOCUMENT = Path(__file__).resolve().parent / "figures" / "stage_effects.md"
#: Kinds of prompts on which the truth hardly varies say nothing of an estimator.
LEAST_SPREAD = 0.01
#: Resamples of the bootstrap interval.
_RESAMPLES = 500


@dataclass(frozen=True)
class Seed:
    """One training of the family: its checkpoints by stage in order, and its retrainings without a stage, by the stage's checkpoint."""

    number: int
    chain: tuple[str, ...]
    without: Mapping[str, str]

    @property
    def final(self) -> str:
        """The last checkpoint."""
        return self.chain[-1]

    @property
    def judged(self) -> tuple[str, ...]:
        """The stages that estimators are judged on: those between the first and the last that have a retraining."""
        return tuple(name for name in self.chain[1:-1] if name in self.without)

    def parent(self, name: str) -> str:
        """The checkpoint before a stage."""
        return self.chain[self.chain.index(name) - 1]


def seeds_of(family: Family) -> list[Seed]:
    """The family's own training, and those of other seeds of which every checkpoint is there."""
    chain = tuple(each.name for each in family.path(family.final.name))
    by_stage = {family.checkpoint(name).stage: name for name in chain}
    without = {
        by_stage[each.without]: each.name
        for each in family.counterfactuals
        if each.of == family.final.name and each.without in by_stage
    }
    found = [Seed(1, chain, without)]
    names = {each.name for each in family.counterfactuals}
    for number in (2, 3):
        own = (chain[0], *(f"seed-{number}-{name}" for name in chain[1:-1]), f"seed-{number}")
        if names.issuperset(own[1:]):
            found.append(Seed(number, own, {}))
    return found


# ------------------------------------------------------------------------------------------------------- keeping results


class Notes:
    """Metrics that were measured, by what they were measured on; kept in a JSON file after every one."""

    def __init__(self, path: Path, about: str) -> None:
        self._path, self._about = path, about
        self._known: dict[str, list[list[float]]] = {}
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self._known = document["measured"] if document["about"] == about else {}
        except (OSError, ValueError, KeyError):
            # There are none yet, or they are of no use: everything is measured anew.
            self._known = {}

    def get(self, key: str, make: Callable[[], Tensor]) -> Tensor:
        """A measurement [metrics, prompts], made if it was not yet."""
        if key not in self._known:
            self._known[key] = make().tolist()
            document = {"about": self._about, "measured": self._known}
            write_bytes(self._path, json.dumps(document).encode())
            print(f"  measured: {key}", flush=True)
        return torch.tensor(self._known[key], dtype=torch.float64)


class Study:
    """A family whose stage effects are estimated and known."""

    def __init__(self, family: Family, kinds: Mapping[str, Sequence[str]], state: Path, device: str = "cpu") -> None:
        self.family, self.state, self.device = family, state, device
        #: Where a retraining that is no checkpoint of the family lies, by its name.
        self.trained: dict[str, Path] = {}
        self.seeds = seeds_of(family)
        if not self.seeds[0].judged:
            raise TillerError(
                f"{family.title} has no stage before its last that was also left out in a retraining, so that nothing is known to judge "
                "estimators by; train counterfactuals first (launch.py train-skiff)."
            )
        final, first = self.load(self.seeds[0].final), self.load(self.seeds[0].chain[1])
        self.scene: Scene = scene(kinds, final, first)
        prints = [store.folder_fingerprint(Path(each.source)) for each in family.checkpoints if each.local]
        self.notes = Notes(state / "measured.json", json.dumps([prints, self.scene.prompts]))

    def load(self, name: str) -> Loaded:
        """A checkpoint in float32; one that was trained here from its folder."""
        folder = self.trained.get(name)
        if folder is not None:
            return loading.load_model(registry.load_family(str(folder)), "model", Placing(self.device, "float32"))
        model = loading.load_model(self.family, name, Placing(self.device, "float32"))
        # All models are asked in the final one's chat template, so that a stage is not credited with its own [methods, 5].
        return loading.speaking(model, self.family.final.name)

    def measured(self, name: str) -> Tensor:
        """The metrics of a checkpoint: [metrics, prompts]."""
        return self.notes.get(name, lambda: measure(self.load(name), self.scene))

    def truth(self, seed: Seed, stage: str) -> Tensor:
        """γ(θ_K) − γ(trained again without the stage): [metrics, prompts]."""
        return self.measured(seed.final) - self.measured(seed.without[stage])

    def estimates(
        self, seed: Seed, stage: str, replayed: Mapping[str, Embedding] | None
    ) -> Iterator[tuple[str, Tensor]]:
        """Every estimator's effects of a stage, by its name."""
        yield "introduced_at", self.measured(stage) - self.measured(seed.parent(stage))
        embeddings: dict[str, Callable[[Loaded], Embedding]] = {
            "difference": lambda model: fit.stage_delta(model, self._named(stage), self._named(seed.parent(stage)))
        }
        if seed.number == 1:
            embeddings["schedule"] = lambda model: self._scheduled(model, seed, stage)
        if replayed is not None:
            embeddings["curvature"] = lambda _model: replayed[stage]
        for rung, make in embeddings.items():
            for how in READOUTS:
                title = "subtracted" if (rung, how) == ("difference", "point") else f"first_order {rung}, {how}"
                key = f"{seed.final} less {stage}: {rung}, {how}"
                yield title, self.notes.get(key, lambda make=make, how=how: self._read(seed, make, how))  # type: ignore[misc]

    def _named(self, name: str) -> Checkpoint:
        return self.family.checkpoint(name)

    def _read(self, seed: Seed, make: Callable[[Loaded], Embedding], how: str) -> Tensor:
        model = self.load(seed.final)
        embedding = make(model)
        whole = self.measured(seed.final)
        parameters = dict(model.model.named_parameters())
        found = READOUTS[how](parameters, embedding, lambda: measure(model, self.scene))
        assert found.shape == whole.shape
        return found

    def _scheduled(self, model: Loaded, seed: Seed, stage: str) -> Embedding:
        """The difference carried through the rates and decay of later stages, from the family's log."""
        from core.skiff.train.log import read_training_log

        embedding = fit.stage_delta(model, self._named(stage), self._named(seed.parent(stage)))
        records = {record["name"]: record for record in read_training_log(self.family.folder)["stages"]}
        left = 1.0
        for name in seed.chain[seed.chain.index(stage) + 1 :]:
            left *= _left(records[name]["recipe"]["stage"])
        # Decay acts on the blocks' matrices only (core.skiff.train.trainer.new_optimizer).
        return {
            name: part * (left if part.dim() == 2 and "embed" not in name else 1.0) for name, part in embedding.items()
        }


def _left(stage: Mapping[str, Any]) -> float:
    """Π (1 − η λ) over the steps of a logged stage."""
    from core.skiff.train.stages import Phase

    decay, left = float(stage["optimizer"]["weight_decay"]), 1.0
    for each in stage["phases"]:
        phase = Phase(**{**each, "draws": ()})
        for step in range(phase.steps):
            left *= 1 - phase.rate_at(step) * decay
    return left


# ---------------------------------------------------------------------------------------------------------------- judging


@dataclass(frozen=True)
class Line:
    """An estimator on one stage, metric and kind of prompt of one seed. ``size`` is the mean |true effect|."""

    seed: int
    estimator: str
    stage: str
    metric: str
    kind: str
    judged: Judged
    interval: tuple[float, float]
    size: float
    prompts: int


def judge(study: Study, replayed: Mapping[str, Embedding] | None = None) -> list[Line]:
    """Every estimator against retraining, wherever the truth varies enough within a kind of prompt."""
    lines = []
    for seed in study.seeds:
        for stage in seed.judged:
            truth = study.truth(seed, stage)
            own = replayed if seed.number == 1 else None
            for estimator, found in study.estimates(seed, stage, own):
                for (row, metric), (kind, part) in itertools.product(enumerate(METRICS), study.scene.slices().items()):
                    true, guess = truth[row, part], found[row, part]
                    if len(true) < 3 or float(true.std()) < LEAST_SPREAD:
                        continue
                    name = study.seeds[0].chain[seed.chain.index(stage)]
                    lines.append(
                        Line(
                            seed.number, estimator, name, metric, kind, Judged.of(guess, true), interval(guess, true),
                            float(true.abs().mean()), len(true),
                        )
                    )  # fmt: skip
    return lines


def interval(guess: Tensor, truth: Tensor) -> tuple[float, float]:
    """The bootstrap 95 % interval of Pearson's r over prompts."""
    made = torch.Generator().manual_seed(0)
    chosen = torch.randint(len(truth), (_RESAMPLES, len(truth)), generator=made)
    one, other = (each[chosen] - each[chosen].mean(-1, keepdim=True) for each in (guess, truth))
    below = one.norm(dim=-1) * other.norm(dim=-1)
    found = torch.where(below > 0, (one * other).sum(-1) / below.clamp_min(torch.finfo(below.dtype).tiny), 0.0)
    low, high = found.quantile(torch.tensor([0.025, 0.975], dtype=found.dtype)).tolist()
    return low, high


def ceilings(study: Study) -> dict[tuple[str, str, str], float]:
    """The correlation of the true effect between two seeds, by stage, metric and kind: no estimator can be asked for more."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for one, other in itertools.combinations(study.seeds, 2):
        for a, b in zip(one.chain[1:-1], other.chain[1:-1], strict=True):
            if a not in one.without or b not in other.without:
                continue
            first, second = study.truth(one, a), study.truth(other, b)
            for (row, metric), (kind, part) in itertools.product(enumerate(METRICS), study.scene.slices().items()):
                if float(first[row, part].std()) >= LEAST_SPREAD:
                    found.setdefault((a, metric, kind), []).append(Judged.of(first[row, part], second[row, part]).r)
    return {key: statistics.mean(each) for key, each in found.items()}


def costs(study: Study) -> dict[str, str]:
    """What each estimator takes, in multiples of the training of the family's later stages."""
    twice = 1 + 2 * (len(study.seeds[0].judged) + 1) / 2
    return {
        "introduced_at": "0", "subtracted": "0", "first_order difference, linear": "0", "first_order schedule, linear": "0",
        "first_order schedule, point": "0", "first_order curvature, linear": f"about {twice:.0f}",
        "first_order curvature, point": f"about {twice:.0f}", "retraining": "1 for each stage",
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------- telling


def _mean(lines: Sequence[Line], key: Callable[[Line], float]) -> float:
    return statistics.mean(key(each) for each in lines)


def chosen(lines: Sequence[Line], stage: str) -> str:
    """The estimator with the highest mean r on a stage of the first seed, of those that are known for other seeds, if there are any."""
    elsewhere = {each.estimator for each in lines if each.seed != 1}
    # One that no other seed can be asked by would have nothing to be reported on.
    names = dict.fromkeys(each.estimator for each in lines if not elsewhere or each.estimator in elsewhere)
    own = {
        name: [each for each in lines if (each.estimator, each.stage, each.seed) == (name, stage, 1)] for name in names
    }
    return max((name for name in own if own[name]), key=lambda name: _mean(own[name], lambda each: each.judged.r))


def told(study: Study, lines: Sequence[Line], drift: Mapping[str, float]) -> list[str]:
    """The document, in Markdown."""
    known = ceilings(study)
    said = [
        f"# Stage effects of {study.family.title}: estimators against retraining",
        "",
        "Written by `python launch.py bench stage-effects`; benchmarks/stage_effects.py and core/families/stages.py say what is measured. "
        f"{len(study.scene.prompts)} held-out prompts of {len(study.scene.kinds)} kinds. The last stage is left out: all are exact "
        "there. r is Pearson's within a kind of prompt, wherever the true effect varies by more than "
        f"{LEAST_SPREAD} there; an estimator's line is the mean over kinds and metrics.",
        "",
    ]
    said += [f"- {name}: {what}" for name, what in METRICS.items()] + [""]
    for stage in dict.fromkeys(each.stage for each in lines):
        said += _stage_table(study, [each for each in lines if each.stage == stage], stage)
    said += _details(lines, known)
    if drift:
        ends = ", ".join(f"{name} {each:.1e}" for name, each in drift.items())
        said += ["", f"Replayed steps ended from the checkpoints, relative to what the stage moved: {ends}."]
    return [*said, ""]


def _stage_table(study: Study, lines: Sequence[Line], stage: str) -> list[str]:
    numbers = sorted({each.seed for each in lines})
    cost = costs(study)
    said = [
        f"## {stage}",
        "",
        "| estimator | " + " | ".join(f"r, seed {number}" for number in numbers) + " | slope | signs | cost |",
    ]
    said += ["|---|" + "---|" * (len(numbers) + 3)]
    for name in dict.fromkeys(each.estimator for each in lines):
        own = [each for each in lines if each.estimator == name]
        cells = []
        for number in numbers:
            here = [each for each in own if each.seed == number]
            cells.append(f"{_mean(here, lambda each: each.judged.r):.2f}" if here else "")
        slope, signs = _mean(own, lambda each: each.judged.slope), _mean(own, lambda each: each.judged.signs)
        said.append(f"| {name} | {' | '.join(cells)} | {slope:.2f} | {signs:.2f} | {cost.get(name, '')} |")
    best = chosen(lines, stage)
    others = [each for each in lines if each.estimator == best and each.seed != 1]
    result = (
        f"on the others its mean r is {_mean(others, lambda each: each.judged.r):.2f}."
        if others
        else "no other seed has retrainings without a stage, so that its figure here is that of the best of many."
    )
    return [*said, "", f"Chosen on seed 1: {best}; {result}", ""]


def _details(lines: Sequence[Line], known: Mapping[tuple[str, str, str], float]) -> list[str]:
    said = ["## By kind of prompt", ""]
    said += ["| stage | metric | kind | n | mean true effect | ceiling | estimator | seed | r (95 %) | slope | signs |"]
    said += ["|---|---|---|---|---|---|---|---|---|---|---|"]
    for each in sorted(lines, key=lambda line: (line.stage, line.metric, line.kind, line.seed)):
        found = known.get((each.stage, each.metric, each.kind))
        ceiling = "" if found is None else f"{found:.2f}"
        low, high = each.interval
        said.append(
            f"| {each.stage} | {each.metric} | {each.kind} | {each.prompts} | {each.size:.3f} | {ceiling} "
            f"| {each.estimator} | {each.seed} | {each.judged.r:.2f} ({low:.2f} to {high:.2f}) | {each.judged.slope:.2f} "
            f"| {each.judged.signs:.2f} |"
        )
    return said


def stage_effects(options: argparse.Namespace) -> bool:
    """Judge every estimator on a family (Skiff), print the tables and write them to benchmarks/figures."""
    from benchmarks import stage_trainings

    torch.set_num_threads(options.threads or 1)
    family = registry.load_family(options.family)
    state = options.state or store.user_folder() / family.name / "stage-effects"
    study = Study(family, skiff_kinds(), state)
    if options.seeds:
        stage_trainings.more_truth(study)
    replayed, drift = stage_trainings.carried(study) if options.curvature else (None, {})
    lines = judge(study, replayed)
    text = "\n".join(told(study, lines, drift))
    print(text.split("## By kind")[0])
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"Written to {DOCUMENT}")
    return bool(lines)
