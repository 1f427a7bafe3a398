"""First-order stage effects: what a stage did to the final weights, carried through every later step of the training, without retraining.

Switch a stage's steps off little by little: step k of it becomes x + ξ·(Φ_k(x) − x), with x the weights and the optimizer's state and Φ_k
the step that was taken. The derivative of the final weights by ξ, at ξ = 1, is the stage embedding [Zhang et al., "Who Gets Credit or
Blame?", arXiv 2506.00175, §4]::

    E_S = Σ_{k in S} (Π_{j>k} J_j) Δ_k,   Δ_k = Φ_k(x_k) − x_k,   J_j = ∂Φ_j/∂x at x_j

How much of J_j is kept is a :class:`Rung`, from nothing (the difference of two checkpoints) to curvature. The embedding is
computed once, and read out for any prompt and metric by :mod:`core.attribution.stage_embeddings`. A :class:`Carrier` goes along
with the steps of a training while they are taken, or taken again from its log, since optimizer states are never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from core.errors import TillerError

Embedding = dict[str, Tensor]
#: Multiplies a vector, given by the parameters' names, with the Hessian of the step's loss at the weights before the step.
Hessian = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


class FirstOrderError(TillerError):
    """A training that cannot be carried through, such as one by another optimizer."""


@dataclass(frozen=True)
class Rung:
    """How much of a later step's derivative is kept.

    ``schedule``: every step's own learning rate, else their mean; ``decay``: weight decay; ``state``: momentum, or Adam's two moments;
    ``curvature``: Hessian-vector products. With none of them J is the identity.
    """

    name: str
    schedule: bool = True
    decay: bool = True
    state: bool = True
    curvature: bool = True


#: The ladder, each rung with what the one before it has.
RUNGS: dict[str, Rung] = {
    "difference": Rung("difference", schedule=False, decay=False, state=False, curvature=False),
    "schedule": Rung("schedule", state=False, curvature=False),
    "state": Rung("state", curvature=False),
    "curvature": Rung("curvature"),
}


@dataclass
class _Tangent:
    """A stage's part so far of the weights, and of the optimizer's first and second moments, by the parameters' names."""

    weights: dict[str, Tensor]
    first: dict[str, Tensor] = field(default_factory=dict)
    second: dict[str, Tensor] = field(default_factory=dict)


class Carrier:
    """Carries the embeddings of all stages so far through a training, step by step.

    Use: :meth:`begin` at every stage, ``with carrier.step(optimizer): optimizer.step()`` at every step, :meth:`reset` where the optimizer
    starts anew, :meth:`moved` where weights change outside a step (rounding).

    Args:
        parameters: the model's, by name; each is read, none is written.
        mean_rate: what stands for every step's learning rate where the rung has no schedule.
        inside: whether a stage's steps are also carried through the later steps of the stage itself, as the sum above says. Without,
            a stage's part begins with what it is exactly at its end, θ_S − θ_parent and the change of the optimizer's state, and is
            carried through later stages: exact for the last stage, and nearer to retraining for those before
            (benchmarks/accountability_classifiers.py).

    Raises:
        FirstOrderError: a rung without schedule that needs rates, and no ``mean_rate``.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], rung: Rung, mean_rate: float | None = None, inside: bool = False
    ) -> None:
        uses_rates = rung.decay or rung.curvature
        if uses_rates and not rung.schedule and mean_rate is None:
            raise FirstOrderError(f"The rung {rung.name!r} has no schedule; give the mean learning rate.")
        self.rung, self.inside = rung, inside
        self._parameters = dict(parameters)
        self._names = {id(parameter): name for name, parameter in self._parameters.items()}
        self._mean_rate = mean_rate
        self._tangents: dict[str, _Tangent] = {}
        self._current = ""
        self._known = self._copy()

    # ------------------------------------------------------------------------------------------------------- the training

    def begin(self, stage: str, reset: bool = True) -> None:
        """A stage begins; with ``reset`` its optimizer is a new one."""
        if stage in self._tangents:
            raise FirstOrderError(
                f"The stage {stage!r} comes twice in this training; give its second part another name."
            )
        if reset:
            self.reset()
        zeros = {name: torch.zeros_like(_wide(parameter)) for name, parameter in self._parameters.items()}
        self._tangents[stage], self._current = _Tangent(zeros), stage
        self._known = self._copy()

    def given(self, stage: str, embedding: Mapping[str, Tensor]) -> None:
        """A stage that is over, with its part of the weights as they are now; nothing of it is in the optimizer's state."""
        if stage in self._tangents:
            raise FirstOrderError(f"The stage {stage!r} comes twice in this training; give one of them another name.")
        self._tangents[stage] = _Tangent({name: _wide(part) for name, part in embedding.items()})

    def reset(self) -> None:
        """The optimizer starts anew: nothing of an earlier step is left in its state."""
        for tangent in self._tangents.values():
            tangent.first.clear()
            tangent.second.clear()

    def moved(self) -> None:
        """The weights have changed otherwise than by a step, as by rounding: that belongs to the stage that is on."""
        tangent, now = self._tangents[self._current], self._copy()
        for name, weight in now.items():
            tangent.weights[name] += weight - self._known[name]
        self._known = now

    @contextmanager
    def step(
        self, optimizer: torch.optim.Optimizer, hessian: Hessian | None = None, clip: float = 1.0
    ) -> Iterator[None]:
        """Inside, the optimizer takes one step, from the gradients that the parameters have then.

        Args:
            hessian: of the loss of this step, for a rung with curvature.
            clip: by what the gradients have been multiplied to keep their norm down.

        Raises:
            FirstOrderError: an optimizer that is neither SGD nor Adam(W), or curvature without ``hessian``.
        """
        if not self._current:
            raise FirstOrderError("No stage has begun; call begin with its name before the first step.")
        products = self._products(hessian, clip)
        gradients = {name: _wide(p.grad) for name, p in self._parameters.items() if p.grad is not None}
        moments = {name: _moments(optimizer, p) for name, p in self._parameters.items()}
        yield
        now = self._copy()
        for group in optimizer.param_groups:
            rule = _Rule.of(optimizer, group, self.rung, self._mean_rate)
            for parameter in group["params"]:
                name = self._names.get(id(parameter))
                if name is not None and name in gradients:
                    self._carry(name, rule, optimizer, parameter, gradients[name], products, moments[name], now[name])
        self._known = now

    def embeddings(self) -> dict[str, Embedding]:
        """E_S of every stage so far, by the parameters' names."""
        return {stage: dict(tangent.weights) for stage, tangent in self._tangents.items()}

    # ---------------------------------------------------------------------------------------------------------- one step

    def _copy(self) -> dict[str, Tensor]:
        return {name: _wide(parameter) for name, parameter in self._parameters.items()}

    def _carried(self) -> dict[str, _Tangent]:
        """The tangents that go through this step's derivative."""
        return {stage: tangent for stage, tangent in self._tangents.items() if self.inside or stage != self._current}

    def _products(self, hessian: Hessian | None, clip: float) -> dict[str, dict[str, Tensor]]:
        """For each carried stage, the derivative of this step's (clipped) gradient along its tangent."""
        if not self.rung.curvature:
            return {}
        if hessian is None:
            raise FirstOrderError(
                f"The rung {self.rung.name!r} needs the Hessian of every step; give it, or take a lower rung."
            )
        found = {}
        for stage, tangent in self._carried().items():
            product = {name: clip * each for name, each in hessian(tangent.weights).items()}
            if clip < 1:
                # Clipped gradients keep their norm: what lies along them is lost.
                gradients = {name: p.grad for name, p in self._parameters.items() if p.grad is not None}
                along = sum(float((gradients[name] * each).sum()) for name, each in product.items())
                norm = sum(float(each.square().sum()) for each in gradients.values())
                product = {name: each - gradients[name] * (along / norm) for name, each in product.items()}
            found[stage] = product
        return found

    def _carry(
        self,
        name: str,
        rule: _Rule,
        optimizer: torch.optim.Optimizer,
        parameter: Tensor,
        gradient: Tensor,
        products: Mapping[str, Mapping[str, Tensor]],
        before: tuple[Tensor | None, Tensor | None],
        now: Tensor,
    ) -> None:
        first, second = _moments(optimizer, parameter)
        taken = _Taken(gradient, self._known[name], first, second, _count(optimizer, parameter), before[0] is None)
        for stage, tangent in self._carried().items():
            bent = products[stage].get(name) if stage in products else None
            rule.carry(tangent, name, taken, bent)
        own = self._tangents[self._current]
        own.weights[name] = own.weights[name] + (now - self._known[name])
        for part, old, new in ((own.first, before[0], first), (own.second, before[1], second)):
            if self.rung.state and new is not None:
                part[name] = part.get(name, torch.zeros_like(new)) + (new if old is None else new - old)


@dataclass(frozen=True)
class _Taken:
    """A step of one parameter: its gradient and weights before it, the optimizer's moments and count of steps after it; whether it was
    the optimizer's ``initial`` one."""

    gradient: Tensor
    weight: Tensor
    first: Tensor | None
    second: Tensor | None
    count: float
    initial: bool


@dataclass(frozen=True)
class _Rule:
    """The derivative of one optimizer's step, for one group of parameters."""

    kind: str
    rate: float
    decay: float
    state: bool
    group: Mapping[str, Any]

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer, group: Mapping[str, Any], rung: Rung, mean: float | None) -> _Rule:
        """The rule of a group as far as a rung keeps it. Raises FirstOrderError for an optimizer that has none here."""
        rate = float(group["lr"]) if rung.schedule or mean is None else mean
        decay = float(group["weight_decay"]) if rung.decay else 0.0
        if group.get("maximize") or group.get("amsgrad"):
            raise FirstOrderError(
                "An optimizer that maximizes, or with amsgrad, cannot be carried through; train without it."
            )
        if isinstance(optimizer, torch.optim.SGD):
            return cls("sgd", rate, decay, rung.state, group)
        if isinstance(optimizer, torch.optim.AdamW) or group.get("decoupled_weight_decay"):
            return cls("adamw", rate, decay, rung.state, group)
        if isinstance(optimizer, torch.optim.Adam):
            return cls("adam", rate, decay, rung.state, group)
        raise FirstOrderError(
            f"{type(optimizer).__name__} cannot be carried through; the rungs above 'difference' know SGD, Adam and AdamW."
        )

    def carry(self, tangent: _Tangent, name: str, taken: _Taken, bent: Tensor | None) -> None:
        """Multiply one parameter's part of a tangent by J; ``bent`` is the derivative of the gradient along it."""
        if self.kind == "sgd":
            self._sgd(tangent, name, bent, taken.initial)
        else:
            self._adam(tangent, name, taken, bent)

    def _sgd(self, tangent: _Tangent, name: str, bent: Tensor | None, initial: bool) -> None:
        weights = tangent.weights[name]
        push = self.decay * weights + (0 if bent is None else bent)
        if self.state and self.group["momentum"]:
            momentum = float(self.group["momentum"])
            buffer = momentum * tangent.first.get(name, torch.zeros_like(weights))
            # PyTorch's first step puts the whole gradient into the buffer.
            buffer = buffer + (1 - (0.0 if initial else float(self.group["dampening"]))) * push
            tangent.first[name] = buffer
            push = push + momentum * buffer if self.group["nesterov"] else buffer
        tangent.weights[name] = weights - self.rate * push

    def _adam(self, tangent: _Tangent, name: str, taken: _Taken, bent: Tensor | None) -> None:
        assert taken.first is not None
        assert taken.second is not None
        beta1, beta2 = self.group["betas"]
        weights = tangent.weights[name]
        push = torch.zeros_like(weights) if bent is None else bent
        gradient, shrunk = taken.gradient, weights
        if self.kind == "adam":
            push, gradient = push + self.decay * weights, gradient + self.decay * taken.weight
        else:
            shrunk = weights * (1 - self.rate * self.decay)
        root = (taken.second / (1 - beta2**taken.count)).sqrt()
        below = root + self.group["eps"]
        if not self.state:
            # The moments are held as they are: the gradient's change acts at once, and through the scale that was there.
            tangent.weights[name] = shrunk - self.rate * push / below
            return
        zero = torch.zeros_like(weights)
        first = beta1 * tangent.first.get(name, zero) + (1 - beta1) * push
        second = beta2 * tangent.second.get(name, zero) + 2 * (1 - beta2) * gradient * push
        tangent.first[name], tangent.second[name] = first, second
        # Where no gradient ever was, the root has no slope; neither has anything there changed.
        slope = torch.where(root > 0, second / (1 - beta2**taken.count) / (2 * root), zero)
        moved = first / below - taken.first * slope / below.square()
        tangent.weights[name] = shrunk - self.rate / (1 - beta1**taken.count) * moved


def _moments(optimizer: torch.optim.Optimizer, parameter: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Copies of an optimizer's moments of a parameter: SGD's momentum or Adam's mean, and Adam's mean square."""
    state = optimizer.state.get(parameter, {})
    found = state.get("momentum_buffer", state.get("exp_avg")), state.get("exp_avg_sq")
    return (None if found[0] is None else _wide(found[0])), (None if found[1] is None else _wide(found[1]))


def _wide(tensor: Tensor) -> Tensor:
    """A copy in float32 at least: what a stage did is a sum of small differences, of which bfloat16 would keep three digits."""
    return tensor.detach().to(torch.promote_types(tensor.dtype, torch.float32), copy=True)


def _count(optimizer: torch.optim.Optimizer, parameter: Tensor) -> float:
    return float(optimizer.state.get(parameter, {}).get("step", 0))


# -------------------------------------------------------------------------------------------------------------- curvature


def exact_hessian(loss: Callable[[], Tensor], parameters: Mapping[str, Tensor]) -> Hessian:
    """Hessian-vector products by differentiating twice [Pearlmutter 1994]. ``loss()`` computes the step's loss anew, with a graph."""

    def product(vector: Mapping[str, Tensor]) -> dict[str, Tensor]:
        wanted = list(parameters.values())
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss(), wanted, create_graph=True, allow_unused=True)
            pairs = zip(parameters, gradients, strict=True)
            along = torch.stack([(g * vector[name]).sum() for name, g in pairs if g is not None]).sum()
            found = torch.autograd.grad(along, wanted, allow_unused=True)
        return {
            name: torch.zeros_like(parameter) if each is None else each.detach()
            for (name, parameter), each in zip(parameters.items(), found, strict=True)
        }

    return product


def hessian_by_difference(
    gradients: Callable[[], Mapping[str, Tensor]], parameters: Mapping[str, Tensor], step: float = 1e-3
) -> Hessian:
    """Hessian-vector products from two gradients, for losses that cannot be differentiated twice.

    Args:
        gradients: computes the step's gradients at the parameters as they are.
        step: how far the weights are moved to either side, relative to their norm.
    """

    def product(vector: Mapping[str, Tensor]) -> dict[str, Tensor]:
        length = float(torch.stack([vector[name].square().sum() for name in parameters]).sum().sqrt())
        if not length:
            return {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
        size = float(torch.stack([p.detach().square().sum() for p in parameters.values()]).sum().sqrt())
        far = step * size / length
        kept = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        sides = []
        try:
            for sign in (1, -1):
                with torch.no_grad():
                    for name, parameter in parameters.items():
                        parameter.copy_(kept[name] + sign * far * vector[name])
                sides.append({name: each.clone() for name, each in gradients().items()})
        finally:
            with torch.no_grad():
                for name, parameter in parameters.items():
                    parameter.copy_(kept[name])
        return {name: (sides[0][name] - sides[1][name]) / (2 * far) for name in parameters}

    return product
