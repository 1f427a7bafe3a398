"""Gauges: reading where the residual stands along a direction while a model generates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.artefacts.direction import Direction
from core.residual import Action, Site


@dataclass(frozen=True)
class Gauge:
    """The projection on a direction at its best layer, in gaps: 0 = negative, 1 = positive class mean.

    reading = (h·u − μ⁻·u) / gap, with h the residual that leaves the layer (after edits).
    """

    name: str
    layer: int
    unit: Tensor
    offset: float
    gap: float


def gauge(direction: Direction, layer: int | None = None, device: torch.device | None = None) -> Gauge:
    """The gauge of a direction at its best, or another, layer."""
    chosen = direction.card.layer if layer is None else layer
    unit = torch.from_numpy(direction.unit(chosen)).to(device or torch.device("cpu"))
    offset = float(direction.negative[chosen].astype("float64") @ direction.unit(chosen))
    return Gauge(direction.card.name, chosen, unit, offset, direction.gap(chosen))


def capture(actions: Mapping[Site, Action], layers: Collection[int], caught: dict[int, Tensor]) -> dict[Site, Action]:
    """``actions``, and behind them a capture of the last position's residual [rows, width] as it leaves each of ``layers``."""
    combined = dict(actions)
    for layer in layers:
        combined["leave", layer] = _catching(layer, actions.get(("leave", layer)), caught)
    return combined


def _catching(layer: int, edit: Action | None, caught: dict[int, Tensor]) -> Action:
    def action(states: Tensor) -> Tensor | None:
        new = edit(states) if edit else None
        caught[layer] = (states if new is None else new)[:, -1]
        return new

    return action


def read(gauges: Sequence[Gauge], caught: Mapping[int, Tensor], rows: int) -> list[Mapping[str, float]]:
    """Every gauge's reading for every row of what was caught."""
    if not gauges:
        return [{} for _ in range(rows)]
    columns = [
        ((caught[each.layer].float() @ each.unit.to(caught[each.layer].device) - each.offset) / each.gap).tolist()
        for each in gauges
    ]
    return [dict(zip((each.name for each in gauges), row, strict=True)) for row in zip(*columns, strict=True)]
