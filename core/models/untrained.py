"""A model without what it learnt, as a control: the same shapes and sizes of numbers, each matrix's dealt anew within it."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from core.models import fast_linear, memory
from core.models.hooks import locate
from core.models.loading import Loaded

#: A copy is made where so many times its size is free.
_ROOM = 1.5


@torch.no_grad()
def untrained(loaded: Loaded, seed: int = 0) -> Loaded | None:
    """A copy of a model with the numbers of every matrix shuffled by a seed; vectors, such as a norm's gains, stay as they are. None where
    there is no room for a copy, or where the weights are packed."""
    size = sum(weight.numel() * weight.element_size() for weight in loaded.model.parameters())
    if loaded.quantize != "none" or _ROOM * size > memory.room((str(loaded.device),), {}).usable:
        return None
    model = copy.deepcopy(loaded.model)
    dealt = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        if weight.dim() > 1:
            order = torch.randperm(weight.numel(), generator=dealt).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
    fast_linear.forget(model)
    return replace(loaded, model=model, anatomy=locate(model), thoughts=[])
