"""How long a training will take here, from a few steps of it that are taken and thrown away."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from transformers import PreTrainedTokenizerFast

from core.skiff.train.model import ModelShape, new_model
from core.skiff.train.stages import Phase, TrainingRecipe, TrainingStage, generators
from core.skiff.train.tokenizer import with_chat_template
from core.skiff.train.trainer import Trainee, best_dtype, new_optimizer, take_step

STEPS = 2


@dataclass(frozen=True)
class TrainingCost:
    """Tokens and seconds."""

    tokens: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: TrainingCost) -> TrainingCost:
        return TrainingCost(self.tokens + other.tokens, self.seconds + other.seconds)


@dataclass
class Clock:
    """Measures phases, each mixture of sources once. The first step of all is not counted: it warms the processor's code up."""

    tokenizer: PreTrainedTokenizerFast
    _known: dict[object, TrainingCost] = field(default_factory=dict)
    _warm: bool = False

    def stage(self, recipe: TrainingRecipe, stage: TrainingStage, done: int = 0) -> TrainingCost:
        """What is left of a stage after ``done`` of its steps."""
        total = TrainingCost()
        for phase in stage.phases:
            left = max(0, phase.steps - done)
            done = max(0, done - phase.steps)
            if left:
                step = self._step(recipe, stage, phase)
                total += TrainingCost(step.tokens * left, step.seconds * left)
        return total

    def _step(self, recipe: TrainingRecipe, stage: TrainingStage, phase: Phase) -> TrainingCost:
        key = (phase.draws, recipe.shape, recipe.without if stage.stage != "pretrain" else None)
        if key not in self._known:
            if not self._warm:
                self._warm = True
                self._measure(recipe, stage, phase)
            self._known[key] = self._measure(recipe, stage, phase)
        return self._known[key]

    def _measure(self, recipe: TrainingRecipe, stage: TrainingStage, phase: Phase) -> TrainingCost:
        own = with_chat_template(self.tokenizer) if stage.stage != "pretrain" else self.tokenizer
        model = new_model(ModelShape(*recipe.shape), self.tokenizer, recipe.seed)
        alone = replace(stage, phases=(replace(phase, steps=max(STEPS, phase.steps)),))
        sources, seed = generators(recipe.planted), recipe.seed_of(stage)
        trainee = Trainee(model, own, alone, sources, seed, best_dtype(), recipe.without, 0, Counter(), Counter())
        if any(draw.source == "preference" for draw in phase.draws):
            trainee.reference = copy.deepcopy(model).requires_grad_(False)
        optimizer = new_optimizer(model, stage.optimizer)
        started = time.monotonic()
        for step in range(STEPS):
            take_step(trainee, optimizer, phase, step, step, {})
        return TrainingCost(trainee.tokens / STEPS, (time.monotonic() - started) / STEPS)


def describe_estimate(parts: Iterable[tuple[str, TrainingCost]]) -> str:
    """What each part will take, and all of it, in words."""
    listed = list(parts)
    whole = sum((cost for _, cost in listed), TrainingCost())
    speed = whole.tokens / whole.seconds if whole.seconds else 0.0
    lines = [f"  {name:<18} {training_duration(cost.seconds)}" for name, cost in listed]
    return "\n".join(
        [
            f"This will take about {training_duration(whole.seconds)}: {whole.tokens / 1e6:.1f} M tokens at {speed:,.0f} a second.",
            *lines,
        ]
    )


def training_duration(seconds: float) -> str:
    """Seconds as ``2 h 5 min``, ``40 min`` or ``30 s``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
