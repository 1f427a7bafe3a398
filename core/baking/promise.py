"""What a baked model has to do: measured with the recipe on a few tokens, and looked for in the weights before and after they are saved.

Two things. Its logits are the recipe's. And what a block, or the embedding, writes has nothing of a direction that was removed there: the
coordinate u·w of what is written, w, is no more than rounding leaves of a sum over the width, a few ε·‖u∘h‖ with h the residual. Both
hold in every dtype, and neither depends on how strongly the direction shows in what the model says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.baking.weight_edits import BakingError, Changes
from core.models.hooks import Anatomy, Site, caught, hooked, ordinary_ids
from core.models.loading import Loaded
from core.steering.interventions import BatchEdits, Masks, RowEdit

#: Tokens that are read.
_TOKENS = 24
#: How many ε of the dtype rounding may make of the logits (in float32 at least _LEAST) and of a coordinate.
_ROUNDINGS, _LEAST, _OF_ONE = 32.0, 1e-4, 16.0
#: None of the tokens begins a text, so that every scope is all of them.
_EVERYWHERE: Masks = {"all": None, "all and first": None}


@dataclass(frozen=True)
class Promise:
    """Tokens [1, tokens], the recipe's logits there [1, tokens, vocabulary] in float32 on the CPU, and the changes of weights."""

    ids: Tensor
    logits: Tensor
    changes: Changes


@torch.inference_mode()
def promised(loaded: Loaded, edits: tuple[RowEdit, ...], changes: Changes) -> Promise:
    """What the recipe does, before the weights are changed."""
    ids = ordinary_ids(loaded.model, _TOKENS)
    with hooked(loaded.anatomy, BatchEdits([edits], loaded.device).actions(_EVERYWHERE)):
        logits = loaded.model(input_ids=ids, use_cache=False).logits
    return Promise(ids, logits.float().cpu(), changes)


@torch.inference_mode()
def check(promise: Promise, model: Any, anatomy: Anatomy) -> None:
    """Refuse weights that do not do what the recipe does. Raises BakingError with by how much."""
    layers = {layer for _, layer in promise.changes.removed}
    sites: list[Site] = [(kind, layer) for layer in sorted(layers) for kind in ("resid_pre", "resid_post")]
    with caught(anatomy, sites) as states:
        logits = model(input_ids=promise.ids.to(model.device), use_cache=False).logits.float().cpu()
    eps = torch.finfo(model.dtype).eps
    differs = float((logits - promise.logits).norm() / promise.logits.norm())
    if not differs <= max(_LEAST, _ROUNDINGS * eps):
        raise BakingError(
            f"The weights of a {model.config.model_type} model do not hold this recipe: what they give differs from it by {differs:.1%}; "
            "steer it with the recipe."
        )
    for layer, left, rounding in _left(promise.changes, states):
        if not left <= _OF_ONE * eps * rounding:
            raise BakingError(
                f"The weights of a {model.config.model_type} model do not hold this ablation: layer {layer} still writes the direction; "
                "steer it with the recipe."
            )


def _left(changes: Changes, states: dict[Site, Tensor]) -> Iterator[tuple[int, float, float]]:
    """Layer, how much of the direction removed last is written there, and the size of the sum that it is (root mean squares)."""
    for (kind, layer), units in changes.removed.items():
        before, after = (states[site, layer].double() for site in ("resid_pre", "resid_post"))
        unit = torch.zeros(before.shape[-1], dtype=torch.float64, device=before.device)
        unit[: len(units[-1])] = units[-1].to(unit)
        written = before if kind == "resid_pre" else after.to(before.device) - before
        if kind == "written" and layer in changes.added:
            written = written - changes.added[layer].to(written)
        size = (before * unit).norm() + (after.to(before.device) * unit).norm()
        yield layer, float((written @ unit).norm()), float(size)
