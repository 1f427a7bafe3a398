"""First-order stage effects of small classifiers against true retraining: the second paper's own kind of experiment, in small.

Two tasks (:mod:`benchmarks.classifier_data`), each trained by SGD with momentum, weight decay and a schedule in stages, one of which
teaches a spurious cue [Zhang et al., "Who Gets Credit or Blame?", arXiv 2506.00175, §5]. For every stage: the effect on the
probability of each test item's true class, by every rung of the estimator and by training again without the stage. Then the
stage that the estimator blames is
taken back, as far as validation items allow.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.classifier_data import TASKS, Data, StageData, Task
from core.attribution.first_order import RUNGS, Carrier, Embedding, Rung, exact_hessian
from core.attribution.stage_embeddings import READOUTS, shifted

SEEDS = (1, 2, 3, 4, 5)
MOMENTUM, DECAY = 0.9, 0.002
#: How much of the blamed stage is tried to be taken back.
STRENGTHS = tuple(index / 10 for index in range(16))
#: Validation items of the clean kind may lose so much accuracy.
ALLOWED = 0.02
ESTIMATORS: dict[str, Rung] = {
    "checkpoint difference": RUNGS["difference"],
    "+ schedule, decay": RUNGS["schedule"],
    "+ momentum": RUNGS["state"],
    "+ curvature (everything)": RUNGS["curvature"],
    "everything but momentum": Rung("everything but momentum", state=False),
    "everything but decay": Rung("everything but decay", decay=False),
    "everything but schedule": Rung("everything but schedule", schedule=False),
    "everything, from each step on": RUNGS["curvature"],
}
#: This one carries a stage's steps through the later steps of the stage itself, as the paper's sum is written; the others begin with
#: the stage's exact difference.
INSIDE = "everything, from each step on"
#: The estimator that finds the culprit and guides the intervention.
GUIDE = "+ curvature (everything)"
DOCUMENT = Path(__file__).resolve().parent / "figures" / "accountability_classifiers.md"


def rates(stage: StageData) -> list[float]:
    """The learning rate of every step of a stage: a cosine from its highest to a tenth of it."""
    steps = stage.passes * math.ceil(len(stage.data) / stage.batch)
    return [stage.rate * (0.1 + 0.45 * (1 + math.cos(math.pi * step / steps))) for step in range(steps)]


def batches(stage: StageData, seed: int) -> Iterator[Data]:
    """The items of every step of a stage: each pass in an order of its own, the same in every retraining."""
    made = torch.Generator().manual_seed(seed)
    for _ in range(stage.passes):
        order = torch.randperm(len(stage.data), generator=made)
        for start in range(0, len(stage.data), stage.batch):
            yield stage.data.part(order[start : start + stage.batch])


def _loss(model: nn.Module, data: Data) -> Tensor:
    return functional.cross_entropy(model(data.inputs), data.labels)


def train(task: Task, seed: int, without: str = "", carried: bool = False) -> tuple[nn.Module, dict[str, Carrier]]:
    """A task's training, without one of its stages if one is named; the optimizer goes on from stage to stage."""
    model = task.model(seed)
    parameters = dict(model.named_parameters())
    optimizer = torch.optim.SGD(list(parameters.values()), 0.1, momentum=MOMENTUM, weight_decay=DECAY)
    mean = statistics.mean(rate for stage in task.stages for rate in rates(stage))
    carriers = (
        {name: Carrier(parameters, rung, mean, inside=name == INSIDE) for name, rung in ESTIMATORS.items()}
        if carried
        else {}
    )
    for place, stage in enumerate(task.stages):
        if stage.name == without:
            continue
        for carrier in carriers.values():
            carrier.begin(stage.name, reset=False)
        for rate, data in zip(rates(stage), batches(stage, 100 * seed + place), strict=True):
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            _loss(model, data).backward()
            hessian = exact_hessian(partial(_loss, model, data), parameters)
            with ExitStack() as stack:
                for carrier in carriers.values():
                    stack.enter_context(carrier.step(optimizer, hessian))
                optimizer.step()
    return model, carriers


@torch.no_grad()
def true_class(model: nn.Module, data: Data) -> Tensor:
    """The probability of every item's true class: [items]."""
    probabilities: Tensor = model(data.inputs).softmax(-1)
    return probabilities[torch.arange(len(data)), data.labels]


@torch.no_grad()
def accuracy(model: nn.Module, data: Data) -> float:
    """The part of items whose likeliest class is the true one."""
    return float((model(data.inputs).argmax(-1) == data.labels).double().mean())


def pearson(one: Tensor, other: Tensor) -> float:
    """Pearson's r; 0 where one of the two is constant."""
    a, b = one - one.mean(), other - other.mean()
    below = float(a.norm() * b.norm())
    return float(a @ b) / below if below else 0.0


@dataclass(frozen=True)
class Judged:
    """An estimator on one stage against retraining, over all test items: r, slope of the truth on it, share of equal signs."""

    r: float
    slope: float
    signs: float

    @classmethod
    def of(cls, estimate: Tensor, truth: Tensor) -> Judged:
        """Judge estimates [items]."""
        centred = estimate - estimate.mean()
        below = float(centred @ centred)
        slope = float(centred @ (truth - truth.mean())) / below if below else 0.0
        return cls(pearson(estimate, truth), slope, float((estimate.sign() == truth.sign()).double().mean()))


@dataclass(frozen=True)
class Taken:
    """The blamed stage taken back: how far, and accuracy on clean and counter-cue test items."""

    stage: str
    strength: float
    clean: float
    counter: float


@dataclass(frozen=True)
class Result:
    """One seed of a task. ``effects`` are the mean effects of each stage on counter-cue items, by truth and by the guide."""

    judged: Mapping[tuple[str, str, str], Judged]
    effects: Mapping[str, tuple[float, float]]
    before: Taken
    after: Taken
    control: Taken
    retrained: Taken


def run(task: Task, seed: int) -> Result:
    """Train a task, estimate every stage's effect, train again without each, and take back the one that the guide blames."""
    model, carriers = train(task, seed, carried=True)
    parameters = dict(model.named_parameters())
    clean, counter = task.test
    every = Data(torch.cat([clean.inputs, counter.inputs]), torch.cat([clean.labels, counter.labels]))
    retrained = {stage.name: train(task, seed, without=stage.name)[0] for stage in task.stages}
    truth = {name: true_class(model, every) - true_class(other, every) for name, other in retrained.items()}
    judged: dict[tuple[str, str, str], Judged] = {}
    guided: dict[str, Tensor] = {}
    for name, carrier in carriers.items():
        for stage, embedding in carrier.embeddings().items():
            for how, readout in READOUTS.items():
                found = readout(parameters, embedding, lambda: true_class(model, every))
                judged[name, how, stage] = Judged.of(found, truth[stage])
                if (name, how) == (GUIDE, "point"):
                    guided[stage] = found
    effects = {
        stage: (float(truth[stage][len(clean) :].mean()), float(found[len(clean) :].mean()))
        for stage, found in guided.items()
    }
    blamed = min(effects, key=lambda stage: effects[stage][1])
    other = next(stage.name for stage in reversed(task.stages) if stage.name != blamed)
    embeddings = carriers[GUIDE].embeddings()
    before = Taken("", 0.0, accuracy(model, clean), accuracy(model, counter))
    without = retrained[blamed]
    return Result(
        judged,
        effects,
        before,
        take_back(model, task, blamed, embeddings[blamed]),
        take_back(model, task, other, embeddings[other]),
        Taken(blamed, 1.0, accuracy(without, clean), accuracy(without, counter)),
    )


def take_back(model: nn.Module, task: Task, stage: str, embedding: Embedding) -> Taken:
    """Subtract as much of a stage's embedding as helps counter-cue validation items most without costing clean ones their accuracy."""
    own = dict(model.named_parameters())
    clean, counter = task.validation
    least = accuracy(model, clean) - ALLOWED
    scores: dict[float, float] = {}
    for strength in STRENGTHS:
        with shifted(own, embedding, -strength):
            if strength == 0 or accuracy(model, clean) >= least:
                scores[strength] = accuracy(model, counter)
    best = max(scores, key=lambda strength: (scores[strength], -strength))
    with shifted(own, embedding, -best):
        return Taken(stage, best, accuracy(model, task.test[0]), accuracy(model, task.test[1]))


# ---------------------------------------------------------------------------------------------------------------- telling


def _mean(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{statistics.mean(values):.2f} ({low:.2f} to {high:.2f})"


def told(name: str, task: Task, results: Sequence[Result]) -> list[str]:
    """The tables of a task, in Markdown: means over the seeds, with the smallest and the largest."""
    stages = [stage.name for stage in task.stages]
    items = len(task.test[0]) + len(task.test[1])
    lines = [f"## {name}: {' → '.join(stages)}; culprit: {task.culprit}", ""]
    lines += [
        f"Pearson r with retraining over {items} test items, {len(results)} seeds; every rung in both readouts.",
        "",
    ]
    lines += ["| estimator | readout | " + " | ".join(f"r {each} | slope, signs" for each in stages) + " |"]
    lines += ["|---|---|" + "---|---|" * len(stages)]
    for estimator in ESTIMATORS:
        for how in READOUTS:
            cells = []
            for stage in stages:
                found = [result.judged[estimator, how, stage] for result in results]
                slope, signs = (statistics.mean(getattr(each, key) for each in found) for key in ("slope", "signs"))
                cells += [_mean([each.r for each in found]), f"{slope:.2f}, {signs:.2f}"]
            lines.append(f"| {estimator} | {how} | {' | '.join(cells)} |")
    lines += ["", "Mean effect on the probability of the true class, counter-cue items:", ""]
    lines += ["| stage | retrained | estimated |", "|---|---|---|"]
    for stage in stages:
        true, guessed = ([result.effects[stage][index] for result in results] for index in (0, 1))
        lines.append(f"| {stage} | {_mean(true)} | {_mean(guessed)} |")
    hits = sum(result.after.stage == task.culprit for result in results)
    lines += ["", f"The estimate blames {task.culprit} in {hits} of {len(results)} seeds.", ""]
    lines += ["| model | accuracy, clean items | accuracy, counter-cue items | part taken back |", "|---|---|---|---|"]
    rows = {"as trained": "before", "the blamed stage taken back": "after", "another stage taken back": "control"}
    for title, key in {**rows, "trained again without it": "retrained"}.items():
        each = [getattr(result, key) for result in results]
        figures = (_mean([getattr(one, part) for one in each]) for part in ("clean", "counter", "strength"))
        lines.append(f"| {title} | {' | '.join(figures)} |")
    return [*lines, ""]


def accountability_classifiers(options: argparse.Namespace) -> bool:
    """Both tasks on every seed; prints the tables and writes them to benchmarks/figures. Whether every culprit was found and taken back."""
    torch.set_num_threads(options.threads or 1)
    lines = [
        "# Accountability of small classifiers",
        "",
        "Written by `python launch.py bench accountability-classifiers`; benchmarks/accountability_classifiers.py says what is measured. "
        "Each figure is the mean over the seeds, with the smallest and the largest in brackets.",
        "",
    ]
    good = True
    for name, make in TASKS.items():
        tasks = {seed: make(seed) for seed in SEEDS}
        results = [run(task, seed) for seed, task in tasks.items()]
        lines += told(name, tasks[SEEDS[0]], results)
        good &= all(result.after.stage == tasks[SEEDS[0]].culprit for result in results)
        good &= statistics.mean(r.after.counter - r.before.counter for r in results) > 0
    text = "\n".join(lines)
    print(text)
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text, encoding="utf-8")
    return good
