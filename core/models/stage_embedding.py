"""A stage's part of a checkpoint's weights, carried through the training after it, in a file [Zhang et al., arXiv 2506.00175, §4].

Without a replay of later steps a part is (θ_S − θ_parent) times what weight decay left of it, so that one number for each tensor is all
that is kept, whatever the model's size (``details["factors"]``, 1 for a tensor that is not named). With Adam's moments or curvature it is a
tensor of its own, kept in int8 with a scale for each output row as :mod:`core.models.deltas` keeps a retrained checkpoint; it
has no more than the tensors that were trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.artefacts import store
from core.families.checkpoint import Subtracted
from core.models import deltas
from core.models.deltas import DifferenceError
from core.util.program import program


def write_embedding(path: Path, embedding: Mapping[str, Tensor], details: Mapping[str, Any]) -> None:
    """Write a stage's part of the weights, by the tensors' names in the files of the checkpoint; none where ``details`` has ``factors``.

    ``details`` have the ``fingerprint`` of the weights that it is a part of. Raises StoreError where that is not possible.
    """
    deltas.write_delta(path, deltas.int8_parts(embedding), {"kind": store.STAGE_EMBEDDING, **details})


def taken_out(checkpoint: Subtracted, fingerprint: str) -> Callable[[str, Tensor, Callable[[], Tensor]], Tensor]:
    """What takes a stage's part out of a tensor of ``checkpoint.whole``, whose fingerprint is given: a function of the tensor's name, the
    tensor in float32, and of what makes θ_S − θ_parent of it.

    Raises:
        StoreError: the file is missing, cut off, or not one of Tiller's.
        DifferenceError: it is no stage embedding, or one of other weights; also by the function itself, for a tensor of another shape.
    """
    path = checkpoint.embedding
    assert path is not None
    card = store.read_card(path)
    if card.kind != store.STAGE_EMBEDDING:
        raise DifferenceError(f"{path.name} holds a {card.kind}, not a stage embedding; make it again.")
    if card.details.get("fingerprint") != fingerprint:
        raise DifferenceError(
            f"{path.name} is a part of a {checkpoint.whole.name} with fingerprint {card.details.get('fingerprint')}, which now has "
            f"{fingerprint}; make it again with `{program()} embed --again`."
        )
    factors: Mapping[str, float] | None = card.details.get("factors")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (the file is no dictionary)
    except (SafetensorError, OSError) as error:
        raise DifferenceError(f"{path.name} cannot be read ({error}); make it again.") from error

    def changed(name: str, weight: Tensor, difference: Callable[[], Tensor]) -> Tensor:
        if factors is not None:
            return weight - factors.get(name, 1.0) * difference()
        part = torch.zeros_like(weight)
        if any(f"{name}.{kind}" in tensors for kind in ("steps", "exact")):
            deltas.add([(name, part)], tensors)
        return weight - part

    return changed
