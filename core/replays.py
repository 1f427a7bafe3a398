"""Stage embeddings from the logs of a training: from checkpoints and schedules alone, or by taking the logged steps again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.first_order import Carrier, Embedding, Rung, exact_hessian
from core.training_log import Item, Log, LogError

#: Computes the loss of a batch by the items that the log names.
Loss = Callable[[nn.Module, tuple[Item, ...]], Tensor]

_OPTIMIZERS: dict[str, Any] = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}


def scheduled(difference: Mapping[str, Tensor], later: Sequence[Log]) -> Embedding:
    """θ_S − θ_parent carried through the schedule and weight decay of the stages after it: no step is taken again.

    Args:
        difference: θ_S − θ_parent, by the parameters' names.
        later: the logs of the stages after S, in order; none for the last stage.

    Raises:
        LogError: a stage whose decay can only be replayed.
    """
    factors = [log.kept() for log in later]
    found = {}
    for name, part in difference.items():
        left = 1.0
        for each in factors:
            left *= each.get(name, 1.0)
        found[name] = part * left
    return found


def replay(model: nn.Module, logs: Sequence[Log], loss: Loss, rung: Rung, inside: bool = False) -> dict[str, Embedding]:
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
    batch: tuple[Item, ...],
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
