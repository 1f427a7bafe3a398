"""One model in memory that wears the weights of other checkpoints of its family in turn: for models of which two would be too many.

Tensors are read one at a time from the checkpoints' safetensors files, made in float32, and written into the model; at the end its
own are read again. A quantized model keeps its packed matrices, and the *difference* of the other checkpoint to its own is added
beside them, in int8 with one scale a row: two checkpoints that are quantized each by itself differ more by rounding than by a small
stage of training [methods, 5].
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from core import linear, memory, quantizing, weights
from core.differences import LEVELS
from core.loading import Loaded
from core.weights import Weights

#: After a tensor of more numbers is written, what reading it took is given back before the next is read.
_LARGE = 10**6


@contextmanager
def wearing(loaded: Loaded, name: str) -> Iterator[Loaded]:
    """The model of ``loaded`` with the weights of another checkpoint of its family, until the end of the ``with``.

    Nothing else may use the model meanwhile.

    Raises:
        LoadError: the checkpoint has no whole weights, or other shapes.
    """
    if name == loaded.checkpoint.name:
        yield loaded
        return
    checkpoint = loaded.family.checkpoint(name)
    own, other = weights.of(loaded.checkpoint), weights.of(checkpoint)
    packed = _packed(loaded.model)
    plain = _plain(loaded.model, packed)
    # What differs in more than its vocabulary is found before anything is written.
    handles = [_beside(module, own, other, f"{place}.weight") for place, module in packed.items()]
    linear.forget(loaded.model)
    memory.trim()
    try:
        _write(plain, other)
        yield replace(loaded, checkpoint=checkpoint)
    finally:
        for handle in handles:
            handle.remove()
        _write(plain, own)
        memory.trim()


def fits(loaded: Loaded, name: str) -> bool:
    """Whether a model can wear another checkpoint: it cannot where tensors are joined while loading, as a mixture's experts are, or where
    one matrix serves both ends of the model and the other checkpoint has two."""
    own, other = weights.of(loaded.checkpoint), weights.of(loaded.family.checkpoint(name))
    if weights.untied(other) and not weights.untied(own):
        return False
    packed = _packed(loaded.model)
    places = [*_plain(loaded.model, packed), *(f"{place}.weight" for place in packed)]
    return all(weights.holds(each, place) for each in (own, other) for place in places)


def _packed(model: nn.Module) -> dict[str, nn.Module]:
    """The quantized linear layers of a model, by their names."""
    found = {id(layer) for layer in quantizing.layers(model)}
    return {name: module for name, module in model.named_modules() if id(module) in found}


def _plain(model: nn.Module, packed: dict[str, nn.Module]) -> dict[str, Tensor]:
    """Every weight of a model that is not packed, by its name; tied ones once."""
    inside = tuple(f"{name}.weight" for name in packed)
    # The parameters themselves, not their data: what is written is then counted, and packed copies of it are known to be out of date.
    return {name: weight for name, weight in model.named_parameters() if name not in inside}


@torch.no_grad()
def _write(plain: dict[str, Tensor], source: Weights) -> None:
    for name, weight in plain.items():
        weight.copy_(weights.like(source, name, tuple(weight.shape)))
        if weight.numel() > _LARGE:
            memory.trim()


def _beside(module: nn.Module, own: Weights, other: Weights, name: str) -> Any:
    """Add what another checkpoint differs by to what a packed layer computes; gives what takes it away again."""
    before = own.full(name)
    difference = weights.like(other, name, tuple(before.shape)) - before
    scale = difference.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
    steps = (difference / scale[:, None]).round().to(torch.int8)
    device = module.weight.device
    steps, scale = steps.to(device), scale.to(device)  # type: ignore[arg-type]

    def add(_module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        states = arguments[0]
        more = (states @ steps.to(states.dtype).T).float() * scale
        found: Tensor = (output.float() + more).to(output.dtype)
        return found

    return module.register_forward_hook(add)
