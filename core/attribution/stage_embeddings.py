"""Stage embeddings: made from the logs of a training, by checkpoints and schedules alone or by taking the logged steps again; and
what one says of a metric, read out in two ways, for any prompts at once.

``linear`` is γ'(θ)·E, the estimate of the paper; ``point`` is γ(θ) − γ(θ − E), one more forward pass and far better where a stage is
larger than a small step [Zhang et al., arXiv 2506.00175, §4; methods, 5]. With E = θ_S − θ_parent, ``point`` is the question
"without S (weights subtracted)".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from core.attribution.first_order import Carrier, Embedding, Rung, exact_hessian
from core.attribution.training_log import Decayed, Log, LogError, LogItem
from core.errors import TillerError

#: Computes the loss of a batch by the items that the log names.
Loss = Callable[[nn.Module, tuple[LogItem, ...]], Tensor]

_OPTIMIZERS: dict[str, Any] = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}


def scheduled(difference: Mapping[str, Tensor], later: Sequence[Log]) -> Embedding:
    """θ_S − θ_parent carried through the schedule and weight decay of the stages after it: no step is taken again.

    Args:
        difference: θ_S − θ_parent, by the parameters' names.
        later: the logs of the stages after S, in order; none for the last stage.

    Raises:
        LogError: a stage whose decay can only be replayed, or one that goes on with the momentum that S left.
    """
    left = what_is_left(later)
    return {name: part * left.get(name, 1.0) for name, part in difference.items()}


def what_is_left(later: Sequence[Log]) -> dict[str, float]:
    """Which part of a stage's change of each parameter the schedules and weight decay of the stages after it leave; all of one that is not
    named. Raises LogError as :func:`scheduled`."""
    left: dict[str, Decayed] = {}
    for log in later:
        if log is later[0] and not log.reset and any(group.rules.get("momentum") for group in log.groups):
            raise LogError(
                f"{log.stage} goes on with the momentum of the stage before, which no log holds; replay the logs."
            )
        left = log.decayed(left)
    return {name: each.weight for name, each in left.items()}


def replay_steps(
    model: nn.Module, logs: Sequence[Log], loss: Loss, rung: Rung, inside: bool = False
) -> dict[str, Embedding]:
    """Take the logged steps again from the weights that ``model`` has, in order, and carry every stage's embedding through them.

    Momentum and Adam's moments are regenerated on the way. The model ends with the weights that the training led to: compare them
    with the checkpoint, since a loss that is computed otherwise leads elsewhere.

    Raises:
        LogError: a log that does not say what was in its batches, or names other parameters than the model has.
        FirstOrderError: an optimizer that cannot be carried through.
    """
    parameters = dict(model.named_parameters())
    every = [rate for log in logs for step in log.rates for rate in step]
    carrier = Carrier(parameters, rung, sum(every) / max(1, len(every)), inside)
    optimizer: torch.optim.Optimizer | None = None
    for log in logs:
        if log.batches is None:
            raise LogError(
                f"The log of {log.stage} does not say what was in its batches; the rung 'schedule' needs no replay."
            )
        if optimizer is None or log.reset:
            optimizer = _optimizer(log, parameters)
        carrier.begin(log.stage, log.reset)
        for rates, batch in zip(log.rates, log.batches, strict=True):
            _step(model, parameters, optimizer, carrier, log, rates, batch, loss)
    return carrier.embeddings()


def _optimizer(log: Log, parameters: Mapping[str, Tensor]) -> torch.optim.Optimizer:
    if lacking := next((name for group in log.groups for name in group.parameters if name not in parameters), None):
        raise LogError(
            f"The log of {log.stage} trains {lacking}, which this model does not have; replay it on the model that was trained."
        )
    groups = [
        {"params": [parameters[name] for name in group.parameters], **group.rules, "lr": 0.0} for group in log.groups
    ]
    made: torch.optim.Optimizer = _OPTIMIZERS[log.kind](groups, lr=0.0)
    return made


def _step(
    model: nn.Module,
    parameters: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    carrier: Carrier,
    log: Log,
    rates: Sequence[float],
    batch: tuple[LogItem, ...],
    loss: Loss,
) -> None:
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss(model, batch))
    scale = 1.0
    if log.clip is not None:
        norm = float(torch.nn.utils.clip_grad_norm_(list(parameters.values()), log.clip))
        scale = min(1.0, log.clip / (norm + 1e-6))
    hessian = exact_hessian(lambda: loss(model, batch), parameters) if carrier.rung.curvature else None
    with carrier.step(optimizer, hessian, scale):
        optimizer.step()


#: A metric of the weights as they are now: one number a prompt.
Metric = Callable[[], Tensor]
Readout = Callable[[Mapping[str, Tensor], Mapping[str, Tensor], Metric], Tensor]

#: The linear readout's derivative is a central difference over this part of the embedding.
_PART = 0.02


@contextmanager
def shifted(parameters: Mapping[str, Tensor], embedding: Mapping[str, Tensor], factor: float) -> Iterator[None]:
    """Inside, the weights are θ + factor·E; after it they are, bit for bit, what they were.

    Raises:
        TillerError: the embedding is one of other weights.
    """
    for name, part in embedding.items():
        if name not in parameters or parameters[name].shape != part.shape:
            raise TillerError(
                f"The stage embedding does not fit this model at {name}; compute it for this family again."
            )
    kept = {name: parameters[name].detach().clone() for name in embedding}
    try:
        with torch.no_grad():
            for name, part in embedding.items():
                parameters[name].add_(part.to(parameters[name]), alpha=factor)
        yield
    finally:
        with torch.no_grad():
            for name, weight in kept.items():
                parameters[name].copy_(weight)


def linear(parameters: Mapping[str, Tensor], embedding: Mapping[str, Tensor], metric: Metric) -> Tensor:
    """γ'(θ)·E for every prompt of the metric: [prompts], float64."""
    with shifted(parameters, embedding, _PART):
        above = metric().double()
    with shifted(parameters, embedding, -_PART):
        below = metric().double()
    return (above - below) / (2 * _PART)


def point(parameters: Mapping[str, Tensor], embedding: Mapping[str, Tensor], metric: Metric) -> Tensor:
    """γ(θ) − γ(θ − E) for every prompt of the metric: [prompts], float64."""
    whole = metric().double()
    with shifted(parameters, embedding, -1.0):
        return whole - metric().double()


READOUTS: dict[str, Readout] = {"linear": linear, "point": point}
