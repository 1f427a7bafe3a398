"""Readings along a direction while a model generates: gauges, which are shown, and gates, which steer.

A gate says where a term of a recipe acts, by what a direction reads at the position before in the model as it is.

reading = (h·u − μ⁻·u) / gap at the direction's best layer, as of a gauge, but of a run without any edit: a shadow row where a reply
is being written, a pass beforehand where all tokens are given. The reading at a prompt's last token decides for all of the prompt, and for
the first token of the reply; from then on each token's own position decides for the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.artefacts.direction import Direction
from core.artefacts.store import Array
from core.models.hooks import Action, Site
from core.recipes import language


@dataclass(frozen=True)
class GateProbe:
    """A gate with what it reads. Two of the same recipe term are equal, so that rows that share it share an operation."""

    text: str
    layer: int
    above: bool
    threshold: float
    fingerprint: str
    unit: Array = field(compare=False, repr=False)
    offset: float = field(compare=False)
    gap: float = field(compare=False)

    def readings(self, states: Tensor) -> Tensor:
        """``states`` [..., width] leaving the layer -> readings [...] in float32."""
        unit = torch.from_numpy(self.unit).to(states.device)
        return (states.float() @ unit - self.offset) / self.gap

    def opened(self, states: Tensor) -> Tensor:
        """1.0 where the gate is open, 0.0 elsewhere; ``states`` as for :meth:`readings`."""
        found = self.readings(states)
        return (found > self.threshold if self.above else found < self.threshold).float()


#: For each gate where it is open: [rows, positions, 1] of a pass.
Opened = Mapping[GateProbe, Tensor]


def gate(wanted: language.Gate, direction: Direction) -> GateProbe:
    """A recipe's gate on a direction."""
    layer = direction.card.layer
    unit = direction.unit(layer)
    return GateProbe(
        f"{wanted} on {direction.card.checkpoint}",
        layer,
        wanted.above,
        wanted.threshold,
        str(direction.card.details.get("fingerprint")),
        unit,
        float(direction.negative[layer].astype("float64") @ unit),
        direction.gap(layer),
    )


def gate_layers(gates: Collection[GateProbe]) -> tuple[int, ...]:
    """The layers that have to be read for these gates."""
    return tuple(sorted({each.layer for each in gates}))


def over_tokens(gates: Collection[GateProbe], states: Mapping[int, Tensor], replies: Tensor) -> Opened:
    """Where gates are open over a pass of given tokens.

    Args:
        states: the unedited residual leaving each layer [rows, positions, width], rows aligned at the right end.
        replies: how many tokens of each row are its reply [rows].
    """
    found: dict[GateProbe, Tensor] = {}
    for each in gates:
        own = states[each.layer]
        width = own.shape[1]
        # The position whose reading decides: the one before, or, in the prompt, the prompt's last one.
        column = torch.arange(width, device=own.device)[None, :]
        last = (width - replies.to(own.device) - 1)[:, None]
        deciding = torch.maximum(column - 1, last)
        found[each] = each.opened(own).gather(1, deciding)[:, :, None]
    return found


@dataclass(frozen=True)
class Projection:
    """The projection on a direction at its best layer, in gaps: 0 = negative, 1 = positive class mean.

    reading = (h·u − μ⁻·u) / gap, with h the residual that leaves the layer (after edits).
    """

    name: str
    layer: int
    unit: Tensor
    offset: float
    gap: float


def projection(direction: Direction, layer: int | None = None, device: torch.device | None = None) -> Projection:
    """The gauge of a direction at its best, or another, layer."""
    chosen = direction.card.layer if layer is None else layer
    unit = torch.from_numpy(direction.unit(chosen)).to(device or torch.device("cpu"))
    offset = float(direction.negative[chosen].astype("float64") @ direction.unit(chosen))
    return Projection(direction.card.name, chosen, unit, offset, direction.gap(chosen))


def capture_residual(
    actions: Mapping[Site, Action], layers: Collection[int], caught: dict[int, Tensor]
) -> dict[Site, Action]:
    """``actions``, and behind them a capture of the last position's residual [rows, width] as it leaves each of ``layers``."""
    combined = dict(actions)
    for layer in layers:
        combined["resid_post", layer] = _catching(layer, actions.get(("resid_post", layer)), caught)
    return combined


def _catching(layer: int, edit: Action | None, caught: dict[int, Tensor]) -> Action:
    def action(states: Tensor) -> Tensor | None:
        new = edit(states) if edit else None
        caught[layer] = (states if new is None else new)[:, -1]
        return new

    return action


def read_projections(
    gauges: Sequence[Projection], caught: Mapping[int, Tensor], rows: int
) -> list[Mapping[str, float]]:
    """Every gauge's reading for every row of what was caught."""
    if not gauges:
        return [{} for _ in range(rows)]
    columns = [
        ((caught[each.layer].float() @ each.unit.to(caught[each.layer].device) - each.offset) / each.gap).tolist()
        for each in gauges
    ]
    return [dict(zip((each.name for each in gauges), row, strict=True)) for row in zip(*columns, strict=True)]
