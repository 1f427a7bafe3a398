"""Do a checkpoint and its quantized twin mean the same by a direction? Each is learnt on one and used on the other. No torch."""

from __future__ import annotations

import numpy as np

from core.artefacts.direction import Direction
from core.errors import TillerError

_SAID = {"none": "full precision", "8bit": "8 bit", "4bit": "4 bit"}


def agreement(one: Direction, other: Direction) -> tuple[float, ...]:
    """The cosine of two directions at every layer, in float64; 0 where one of them is zero.

    Raises:
        TillerError: they belong to models of different shape.
    """
    if one.vectors.shape != other.vectors.shape:
        raise TillerError(
            f"{one.card.checkpoint} and {other.card.checkpoint} have directions of different shape, {one.vectors.shape} and "
            f"{other.vectors.shape}; compare directions of one family."
        )
    a, b = one.vectors.astype(np.float64), other.vectors.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return tuple(float(each) for each in (a * b).sum(1) / np.where(lengths > 0, lengths, np.inf))


def twins(one: Direction, other: Direction) -> bool:
    """Whether both were learnt on the same weights, in different quantizations, from the same examples."""
    first, second = one.card.details, other.card.details
    alike = [first.get(key) == second.get(key) for key in ("fingerprint", "contrast")]
    return all(alike) and _quantized(one) != _quantized(other)


def twin_sentence(one: Direction, other: Direction) -> str:
    """How well they agree: at each one's own layer, and at the layer where they agree least. Raises TillerError as :func:`agreement`."""
    found = agreement(one, other)
    least = min(range(len(found)), key=found.__getitem__)
    layers = sorted({one.card.layer, other.card.layer})
    own = ", ".join(f"{found[layer]:.3f} at layer {layer}" for layer in layers)
    return (
        f"{one.card.checkpoint} {one.card.name}: learnt in {_SAID[_quantized(one)]} and in {_SAID[_quantized(other)]}, "
        f"cosine {own}, where each acts best; the least is {found[least]:.3f} at layer {least}."
    )


def _quantized(direction: Direction) -> str:
    found = str(direction.card.details.get("quantize", "none"))
    return found if found in _SAID else "none"
