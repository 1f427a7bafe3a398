"""Removing a stage's part: a strength for every output row of what the stage changed in the weights, fitted to prompts in seconds.

θ(a) = θ_K − a ⊙ (θ_S − θ_parent), with one number a for each output row of a matrix, and one for each vector. Subtracting all of it
(a = 1) undoes the good with the bad; fitted strengths undo what some prompts show and keep what others show [methods, 5]. The fit
minimises the cross-entropy of what the parent says on prompts to lose, plus KL(now ‖ edited) on prompts to keep
(:mod:`core.undo.examples`). The controls learn from the same examples with the same loss: :mod:`core.undo.controls`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.families.checkpoint import Checkpoint
from core.inference.batch import pad_batch
from core.models import quantization, weights
from core.models.loading import Loaded
from core.undo.examples import Examples, TrainingPrompt, UndoError, rest
from core.util.program import program
from core.util.progress import Learning, Step

#: Steps of the fit, prompts of each kind in one, and the learning rate of Adam on strengths.
STEPS, ROWS, RATE = 40, 16, 0.08
#: How much a prompt to keep weighs against one to lose.
KEEP = 8.0
#: Between what a strength may be: a row may also be moved a little further along what the stage did.
LEAST, MOST = -1.0, 2.0
#: The norm that a step's gradient may have.
_CLIP = 1.0

#: Computes logits: takes the keywords of a model's forward pass.
Forward = Callable[..., Any]
Parts = dict[str, Tensor]


def stage_delta(loaded: Loaded, after: Checkpoint, before: Checkpoint) -> Parts:
    """θ_after − θ_before for every parameter of a model, by name, in float32 on the model's device.

    Raises:
        UndoError: the model is quantized, or the two are the same.
        LoadError: one of the checkpoints has no whole weights, or other shapes.
    """
    if quantization.quantized_layers(loaded.model):
        fix = "leave --quantize out" if loaded.quantize != "none" else f"use `{program()} undo`, which unpacks them"
        raise UndoError(f"The part of a stage is removed from full weights, and these are quantized; {fix}.")
    new, old = weights.weights_of(after), weights.weights_of(before)
    found = {}
    for name, parameter in loaded.model.named_parameters():
        shape = tuple(parameter.shape)
        part = weights.like(new, name, shape) - weights.like(old, name, shape)
        if part.any():
            found[name] = part.to(parameter.device)
    if not found:
        raise UndoError(f"{after.name} and {before.name} have the same weights: there is nothing to remove.")
    return found


@dataclass(frozen=True)
class Strengths:
    """How much of a stage's change each row loses: for a matrix [rows], for a vector a single number []; by the parameter's name."""

    rows: Parts
    difference: Parts

    def part(self, name: str) -> Tensor:
        """What is taken from a parameter."""
        strength, change = self.rows[name], self.difference[name]
        return change * strength.view(*strength.shape, *[1] * (change.ndim - strength.ndim))

    @property
    def mean(self) -> float:
        """The mean strength, each row weighed by how much the stage changed it."""
        sums = [(self.part(name).abs().sum(), self.difference[name].abs().sum()) for name in self.rows]
        return float(sum(float(a) for a, _ in sums) / sum(float(b) for _, b in sums))


def same_strength(change: Parts, strength: float = 1.0) -> Strengths:
    """The same strength for every row."""
    return Strengths({name: torch.full_like(_rows(each), strength) for name, each in change.items()}, change)


def _rows(change: Tensor) -> Tensor:
    """A number for each output row of a tensor; a vector has one in all."""
    return torch.zeros(change.shape[:-1], device=change.device)


@contextmanager
def edited(loaded: Loaded, strengths: Strengths) -> Iterator[Loaded]:
    """Inside, the model has lost a stage's part; after it its weights are, bit for bit, what they were."""
    parameters = dict(loaded.model.named_parameters())
    kept = {name: parameters[name].detach().clone() for name in strengths.rows}
    try:
        with torch.no_grad():
            for name in strengths.rows:
                parameters[name].copy_(kept[name].float() - strengths.part(name))
        yield loaded
    finally:
        with torch.no_grad():
            for name, weight in kept.items():
                parameters[name].copy_(weight)


def fit_strengths(
    loaded: Loaded, change: Parts, examples: Examples, steps: int = STEPS, seed: int = 0
) -> Learning[Strengths]:
    """Fit a strength for every row, a step at a time; closing the generator cancels it and leaves the model as it was."""
    rows = {name: _rows(each).requires_grad_(True) for name, each in change.items()}
    fixed = {name: parameter.detach() for name, parameter in loaded.model.named_parameters()}

    def forward(**inputs: Any) -> Any:
        now = Strengths(rows, change)
        own = {name: (fixed[name].float() - now.part(name)).to(fixed[name].dtype) for name in rows}
        return torch.func.functional_call(loaded.model, own, args=(), kwargs=inputs)

    def bound() -> None:
        for each in rows.values():
            each.clamp_(LEAST, MOST)

    yield from descend(loaded, forward, list(rows.values()), examples, RATE, steps, seed, bound)
    return Strengths({name: each.detach() for name, each in rows.items()}, change)


def descend(
    loaded: Loaded,
    forward: Forward,
    parameters: Sequence[Tensor],
    examples: Examples,
    rate: float,
    steps: int,
    seed: int = 0,
    bound: Callable[[], None] = lambda: None,
) -> Learning[None]:
    """Let some parameters learn what is to be lost and kept: the one loop of the fit and of its controls.

    ``forward`` is the model with these parameters in it; ``bound`` brings them back to where they may be after a step.
    """
    optimizer = torch.optim.Adam(parameters, rate)
    made = random.Random(seed)
    for step in range(steps):
        # The rate falls to nothing, so that the last steps settle.
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        lose, keep = (_drawn(made, each) for each in (examples.lose, examples.keep))
        with torch.enable_grad():
            loss = _loss(loaded, forward, lose, keep)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
        optimizer.step()
        with torch.no_grad():
            bound()
        tokens = 3 * sum(len(each.prompt) + len(each.reply) for each in (*lose, *keep))
        yield Step(tokens, f"Step {step + 1} of {steps}, loss {loss.item():.2f}.")


def _drawn(made: random.Random, every: Sequence[TrainingPrompt]) -> list[TrainingPrompt]:
    return made.sample(list(every), min(ROWS, len(every)))


def _loss(loaded: Loaded, forward: Forward, lose: Sequence[TrainingPrompt], keep: Sequence[TrainingPrompt]) -> Tensor:
    """The mean over tokens of what is to be lost, plus :data:`KEEP` times that of what is to be kept."""
    both = [*lose, *keep]
    sheet = pad_batch(loaded, [each.prompt for each in both], [each.reply for each in both])
    longest = max(len(each.reply) for each in both) + 1
    inputs: Mapping[str, Any] = {
        "input_ids": sheet.ids, "attention_mask": sheet.attention, "position_ids": sheet.positions, "use_cache": False,
        "logits_to_keep": longest,
    }  # fmt: skip
    logits = forward(**inputs).logits.float()
    lost, kept = [], []
    for row, example in enumerate(both):
        # The rows are aligned at the right: the token before a reply predicts its first one.
        own = logits[row, longest - len(example.reply) - 1 : longest - 1].log_softmax(-1)
        if row < len(lose):
            lost.append(-own[range(len(example.reply)), list(example.reply)])
        else:
            kept.append(_divergence(example, own))
    return torch.cat(lost).mean() + KEEP * torch.cat(kept).mean()


def _divergence(example: TrainingPrompt, logprobs: Tensor) -> Tensor:
    """KL(as it was ‖ now) at each token of a reply, over the likeliest tokens then and all others together: [tokens]."""
    assert example.likeliest is not None
    assert example.logprobs is not None
    before = example.logprobs.to(logprobs.device)
    chosen = logprobs.gather(-1, example.likeliest.to(logprobs.device))
    now = torch.cat([chosen, rest(chosen)], -1)
    return (before.exp() * (before - now)).sum(-1)
