"""Checkpoints that are kept as differences to another one: int8 with one scale per output row, 4.4 MB where the weights are 8.7.

A matrix W of the retrained model is stored as q [rows, columns] int8 and s [rows] float32, with W ≈ W_of + s·q and s the largest
|W − W_of| of the row over 127; everything that is no matrix (the norms' gains) is stored as its float32 difference. The file says
which weights it belongs to, and is read with no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from core.artefacts import store
from core.errors import StoreError, TillerError
from core.families.checkpoint import Checkpoint, Counterfactual
from core.util.files import json_text, write_bytes

KIND = "counterfactual"
LEVELS = 127


class DifferenceError(TillerError):
    """A stored difference that is missing, damaged, or belongs to other weights."""


def round_delta(trained: Mapping[str, Tensor], of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a difference file of two checkpoints' weights."""
    return int8_parts({name: weight.float() - of[name].float() for name, weight in trained.items()})


def int8_parts(differences: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a difference file: ``name.steps`` and ``name.scale`` for a matrix, ``name.exact`` for the rest."""
    found: dict[str, Tensor] = {}
    for name, difference in differences.items():
        if difference.dim() != 2:
            found[f"{name}.exact"] = difference
            continue
        scale = difference.abs().amax(dim=1) / LEVELS
        steps = difference / scale.clamp_min(torch.finfo(torch.float32).tiny)[:, None]
        found[f"{name}.steps"] = steps.round().clamp(-LEVELS, LEVELS).to(torch.int8)
        found[f"{name}.scale"] = scale
    return found


def add(weights: Iterable[tuple[str, Tensor]], difference: Mapping[str, Tensor]) -> None:
    """Add a difference to float32 ``weights`` in place.

    Raises:
        DifferenceError: a weight is missing in the difference, or has another shape.
    """
    with torch.no_grad():
        for name, weight in weights:
            part = difference.get(f"{name}.exact")
            if part is None and f"{name}.steps" in difference:
                part = difference[f"{name}.steps"].float() * difference[f"{name}.scale"][:, None]
            if part is None or part.shape != weight.shape:
                raise DifferenceError(f"The difference has no {name} of shape {tuple(weight.shape)}; make it again.")
            weight += part.to(weight.device)


def write_delta(path: Path, difference: Mapping[str, Tensor], details: Mapping[str, Any]) -> None:
    """Write a difference file; ``details`` name it and the weights it belongs to. Raises StoreError when that is not possible."""
    document = {"format": store.FORMAT, "kind": KIND, **details}
    tensors = {name: tensor.contiguous() for name, tensor in difference.items()}
    write_bytes(path, save(tensors, metadata={"tiller": json_text(document)}))


def delta_change(checkpoint: Counterfactual) -> Callable[[str, Tensor], Tensor]:
    """What makes a tensor of a counterfactual, in float32, of the same tensor of the checkpoint that it is a difference to, by its name.

    Raises:
        StoreError: the file is missing, cut off, or not one of Tiller's.
        DifferenceError: it is no difference, or belongs to other weights than the checkpoint now has; also by the function
            itself, for a tensor that the difference lacks.
    """
    path = checkpoint.difference
    assert path is not None
    check_delta(checkpoint)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (the file is no dictionary)
    except (SafetensorError, OSError) as error:
        raise DifferenceError(f"{path.name} cannot be read ({error}); copy or make it again.") from error

    def changed(name: str, weight: Tensor) -> Tensor:
        whole = weight.float()
        try:
            add([(name, whole)], tensors)
        except DifferenceError as error:
            raise DifferenceError(f"{path.name} does not fit {checkpoint.of}. {error}") from error
        return whole

    return changed


def check_delta(checkpoint: Counterfactual) -> None:
    """Raise StoreError or DifferenceError unless a counterfactual's file is a difference to the weights that are there now."""
    path = checkpoint.difference
    assert path is not None
    card = store.read_card(path)
    if card.kind != KIND:
        raise DifferenceError(f"{path.name} holds a {card.kind}, not the difference of a retrained checkpoint.")
    now, meant = store.folder_fingerprint(Path(checkpoint.source)), card.details.get("fingerprint")
    if meant != now:
        raise DifferenceError(
            f"{checkpoint.name} is kept as a difference to a {checkpoint.of} with fingerprint {meant}, which now has {now}; "
            "train it again."
        )


def checkpoint_fingerprint(checkpoint: Checkpoint) -> str:
    """What a local checkpoint's weights are known by: the folder's hash, or for a difference that hash and the file's; a fetched file's
    own hash, whichever version converted it.

    Raises:
        StoreError: there are no weights, or no difference.
    """
    fetched = checkpoint.package if checkpoint.local else None
    known = fetched.sha256[:16] if fetched else store.folder_fingerprint(Path(checkpoint.source))
    path = checkpoint.difference if isinstance(checkpoint, Counterfactual) else None
    if path is None:
        return known
    try:
        return store.fingerprint_of([known.encode(), path.read_bytes()])
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); copy or make it again.") from error
