"""One model in memory that takes the weights of other checkpoints of its family in turn: for models of which two would be too many.

Tensors are read one at a time from the checkpoints' safetensors files, made in float32, and written into the model; at the end its
own are read again. A quantized model keeps its packed matrices, and the *difference* of the other checkpoint to its own is added
beside them, in int8 with one scale a row: two checkpoints that are quantized each by itself differ more by rounding than by a small
stage of training [methods, 5]. Reading both takes as long as loading them, so that such a difference can be kept (:func:`between`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from core.families.checkpoint import Checkpoint, Counterfactual, Family, Subtracted
from core.models import fast_linear, memory, quantization, weights
from core.models.deltas import LEVELS
from core.models.loading import Loaded
from core.models.weights import Weights
from core.util.progress import finished

#: After a tensor of more numbers is written, what reading it took is given back before the next is read.
_LARGE = 10**6


@dataclass(frozen=True)
class Difference:
    """What a quantized model adds to be another checkpoint: of every packed layer, by its name, the difference [rows, columns] in int8
    and its scales [rows]; of every other weight the other checkpoint's own, in the model's dtype. All on the model's device."""

    checkpoint: Checkpoint
    packed: Mapping[str, tuple[Tensor, Tensor]]
    plain: Mapping[str, Tensor]


@contextmanager
def swapped_weights(loaded: Loaded, name: str, difference: Difference | None = None) -> Iterator[Loaded]:
    """The model of ``loaded`` with the weights of another checkpoint of its family, until the end of the ``with``.

    Nothing else may use the model meanwhile. ``difference`` is what :func:`between` found, where it was kept.

    Raises:
        LoadError: the checkpoint has no whole weights, or other shapes.
    """
    if name == loaded.checkpoint.name:
        yield loaded
    elif quantization.quantized_layers(loaded.model):
        if difference is None:
            difference = finished(between(loaded, name))
        with _put_on(loaded, difference):
            yield replace(loaded, checkpoint=loaded.family.checkpoint(name), thoughts=[])
    else:
        with _written(loaded, name):
            yield replace(loaded, checkpoint=loaded.family.checkpoint(name), thoughts=[])


def between(loaded: Loaded, name: str) -> Generator[None, None, Difference]:
    """What a quantized model differs by from another checkpoint, a tensor at a time; both are read in full precision for it.

    Raises:
        LoadError: the checkpoint has no whole weights, or other shapes.
    """
    checkpoint = loaded.family.checkpoint(name)
    own, other = (weights.weights_of(each, loaded.device) for each in (loaded.checkpoint, checkpoint))
    found, kept = {}, {}
    packed = _packed(loaded.model)
    for place, module in packed.items():
        found[place] = _beside(module, own, other, f"{place}.weight")
        yield
    # The largest are among these, and in float32 they need not be where the model is.
    other = weights.weights_of(checkpoint)
    for place, weight in _plain(loaded.model, packed).items():
        kept[place] = weights.like(other, place, tuple(weight.shape)).to(weight.dtype).to(weight.device)
        yield
    memory.release(circles=False)
    return Difference(checkpoint, found, kept)


def alike(family: Family, name: str) -> str:
    """The name of a checkpoint whose weights these are, too: without its last stage a model is its parent, retrained or subtracted."""
    found = family.checkpoint(name)
    if isinstance(found, Subtracted) and found.whole == found.minus:
        return found.plus.name
    if isinstance(found, Counterfactual) and found.difference is None:
        same = (each for each in family.checkpoints if (each.weights, each.adapters) == (found.weights, found.adapters))
        return next(same, found).name
    return found.name


@contextmanager
def _put_on(loaded: Loaded, difference: Difference) -> Iterator[None]:
    packed, plain = _packed(loaded.model), dict(loaded.model.named_parameters())
    fast_linear.forget(loaded.model)
    own = {name: plain[name].data for name in difference.plain}
    handles = [packed[name].register_forward_hook(_adding(*each)) for name, each in difference.packed.items()]
    try:
        for name, weight in difference.plain.items():
            plain[name].data = weight
        yield
    finally:
        for handle in handles:
            handle.remove()
        for name, weight in own.items():
            plain[name].data = weight
        fast_linear.forget(loaded.model)


@contextmanager
def _written(loaded: Loaded, name: str) -> Iterator[None]:
    own, other = weights.weights_of(loaded.checkpoint), weights.weights_of(loaded.family.checkpoint(name))
    plain = _plain(loaded.model, {})
    fast_linear.forget(loaded.model)
    memory.trim()
    try:
        _write(plain, other)
        yield
    finally:
        _write(plain, own)
        memory.trim()


def fits(loaded: Loaded, name: str) -> bool:
    """Whether a model can take another checkpoint's weights.

    It cannot where tensors are joined while loading, as a mixture's experts are, or where one matrix serves both
    ends of the model and the other checkpoint has two.
    """
    own, other = weights.weights_of(loaded.checkpoint), weights.weights_of(loaded.family.checkpoint(name))
    if weights.untied(other) and not weights.untied(own):
        return False
    packed = _packed(loaded.model)
    places = [*_plain(loaded.model, packed), *(f"{place}.weight" for place in packed)]
    return all(weights.holds(each, place) for each in (own, other) for place in places)


def _packed(model: nn.Module) -> dict[str, nn.Module]:
    """The quantized linear layers of a model, by their names."""
    found = {id(layer) for layer in quantization.quantized_layers(model)}
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


def _beside(module: nn.Module, own: Weights, other: Weights, name: str) -> tuple[Tensor, Tensor]:
    """What another checkpoint differs by at a packed layer, in int8, and the scale of each row."""
    before = own.full(name)
    difference = weights.like(other, name, tuple(before.shape)) - before
    scale = difference.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
    steps = (difference / scale[:, None]).round().to(torch.int8)
    device: Any = module.weight.device
    return steps.to(device), scale.to(device)


def _adding(steps: Tensor, scale: Tensor) -> Any:
    """A hook that adds a difference to what a packed layer computes."""

    def add(_module: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        states = arguments[0]
        more = (states @ steps.to(states.dtype).T).float() * scale
        found: Tensor = (output.float() + more).to(output.dtype)
        return found

    return add
