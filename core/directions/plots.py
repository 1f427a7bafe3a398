"""The curves of a direction's card as a drawing. No torch."""

from __future__ import annotations

import math

from core.directions.card import Curves
from core.display.svg import COLOURS, DASHES, MARKS, PANEL, Axis, Plot

#: Lines that differ by less are drawn flat: an axis of millionths would make much of nothing.
_FLAT = 0.1
#: How much of an axis stays free at either end, so that no mark is cut.
_ROOM = 0.04


def curves_plot(shown: Curves, title: str) -> str:
    """Lines over one axis, each with a colour, a dash and a mark of its own; what is named damage has its axis on the right."""
    apart = {name: values for name, values in shown.lines.items() if name.startswith("damage")}
    left = [value for name, values in shown.lines.items() if name not in apart for value in values]
    most = max((value for values in apart.values() for value in values if math.isfinite(value)), default=0.0)
    right = Axis("", 0.0, (most or 1.0) * (1 + _ROOM)) if apart else None
    plot = Plot(title, _axis(shown.axis, shown.places), _axis("", left, _FLAT), right, PANEL)
    if shown.chosen is not None:
        plot.upright(shown.chosen, f"chosen: {shown.chosen:g}")
    for index, (name, values) in enumerate(shown.lines.items()):
        colour, mark = COLOURS[index % len(COLOURS)], tuple(MARKS)[index % len(MARKS)]
        axis = right if name in apart else None
        points = list(zip(shown.places, values, strict=True))
        plot.line(points, colour, DASHES[index % len(DASHES)], name, axis)
        for place, value in points:
            if math.isfinite(value):
                plot.sign(place, value, f"{name}, {shown.axis} {place:g}: {value:.3g}", colour, mark, axis=axis)
        plot.legend.append((f"{name}, axis on the right" if name in apart else name, colour, mark))
    return plot.svg()


def _axis(title: str, values: list[float] | tuple[float, ...], least: float = 0.0) -> Axis:
    """An axis that has room for some values, and is at least so long."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    room = max((least - (high - low)) / 2, (high - low) * _ROOM, 0.0)
    return Axis(title, low - room, high + room)
