"""What a stage embedding says of a metric, read out in two ways, for any prompts at once.

``linear`` is γ'(θ)·E, the estimate of the paper; ``point`` is γ(θ) − γ(θ − E), one more forward pass and far better where a stage is
larger than a small step [Zhang et al., arXiv 2506.00175, §4; methods, 5]. With E = θ_S − θ_parent, ``point`` is the question
"without S (weights subtracted)".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from core.errors import TillerError

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
