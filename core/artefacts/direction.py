"""A direction: one vector a layer, learnt from a contrast, with the class means and its card. No torch, nothing unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from core.artefacts.store import Array, Card, read_card
from core.errors import StoreError

_OWN = ("vectors", "positive", "negative")


@dataclass(frozen=True)
class Direction:
    """One vector per layer, learnt from a contrast.

    ``vectors`` [layers, width] is the difference of the class means at every layer (fp32); ``positive`` and ``negative``
    [layers, width] are the means themselves. ``gap(l)`` = ‖vectors[l]‖ is the unit of strength. ``more`` are further vectors of the
    method that found it, by name [layers, width].
    """

    card: Card
    vectors: Array
    positive: Array
    negative: Array
    more: Mapping[str, Array] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, Array]:
        """Everything that its file holds."""
        return {"vectors": self.vectors, "positive": self.positive, "negative": self.negative, **self.more}

    def gap(self, layer: int) -> float:
        """The distance between the class means at a layer."""
        return float(np.linalg.norm(self.vectors[layer].astype(np.float64)))

    def unit(self, layer: int) -> Array:
        """The vector at a layer, scaled to length one in float64 and returned in float32 [width]."""
        vector = self.vectors[layer].astype(np.float64)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def load_direction(path: Path) -> Direction:
    """A direction from its file.

    Raises:
        StoreError: unreadable, of another kind, without a layer to act at, or with a value that is not finite.
    """
    card = read_card(path)
    if card.kind != "direction":
        raise StoreError(f"{path.name} holds a {card.kind}, not a direction.")
    try:
        tensors = load_file(path)
        vectors, positive, negative = (np.asarray(tensors[key], np.float32) for key in _OWN)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise StoreError(f"{path.name} is cut off or lacks a tensor; copy or make it again.") from error
    if vectors.ndim != 2 or vectors.shape != positive.shape or vectors.shape != negative.shape:
        raise StoreError(f"{path.name} has tensors of unequal shape; make it again.")
    if not all(np.isfinite(part).all() for part in tensors.values()):
        raise StoreError(f"{path.name} holds values that are not finite; make it again, in float32 or bfloat16.")
    layer = card.details.get("layer")
    if not isinstance(layer, int) or not 0 <= layer < len(vectors) or not vectors[layer].any():
        raise StoreError(f"{path.name} names no layer at which its two classes differ; make it again with precompute.")
    more = {key: np.asarray(value, np.float32) for key, value in tensors.items() if key not in _OWN}
    return Direction(card, vectors, positive, negative, more)
