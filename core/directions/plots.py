"""The curves of a direction's card as drawings. No torch.

Probabilities and parts stand on one axis from 0 on, what is in nats in a drawing of its own; a line has the same colour everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from core.directions.card_figures import Curves
from core.directions.dose_response import Dose
from core.display.svg import COLOURS, DASHES, MARKS, PALE, PANEL, Axis, Plot
from core.util.figures import strength_text

#: Lines that differ by less are drawn flat: an axis of millionths would make much of nothing.
_FLAT = 0.1
#: How much of an axis stays free at either end, so that no mark is cut.
_ROOM = 0.04
_NATS = "(nats)"
#: What a name begins with, and its place among the colours, by what it means: the effect, what breaks, the rest.
_MEANINGS = (
    (("accuracy", "held-out"), 2), (("damage",), 1), (("broken",), 4), (("P(refusal), harmful", "P(refusal) ablated"), 3),
    (("P(", "refusal induced", "effect", "leaning", "P(TRUE)"), 0), (("flipped", "P(TRUE) + P"), 5),
)  # fmt: skip
#: The size of a card's small curve, and where its strengths end.
_SMALL = (180, 60)


def curves_plots(shown: Curves, title: str) -> tuple[str, ...]:
    """Lines over one axis, each with a colour, a dash and a mark of its own: what is in nats apart from what is a part or a probability."""
    nats = {name: values for name, values in shown.lines.items() if name.endswith(_NATS)}
    parts = {name: values for name, values in shown.lines.items() if name not in nats}
    drawn = [(parts, title, "probability or part"), (nats, f"{title}: nats" if parts else title, "nats a token")]
    return tuple(_drawn(shown, lines, called, up) for lines, called, up in drawn if lines)


def _drawn(shown: Curves, lines: Mapping[str, tuple[float, ...]], title: str, up: str) -> str:
    every = [0.0, *(value for values in lines.values() for value in values)]
    plot = Plot(title, _axis(shown.axis, shown.places), _axis(up, every, _FLAT), PANEL)
    if shown.chosen is not None:
        plot.upright(shown.chosen, f"chosen: {shown.place_text(shown.chosen)}")
    names = list(shown.lines)
    for name, values in lines.items():
        index = names.index(name)
        colour, mark = line_colour(name), tuple(MARKS)[index % len(MARKS)]
        points = list(zip(shown.places, values, strict=True))
        plot.line(points, colour, DASHES[index % len(DASHES)], name)
        for place, value in points:
            if math.isfinite(value):
                plot.sign(place, value, f"{name}, {shown.axis} {shown.place_text(place)}: {value:.3g}", colour, mark)
        plot.legend.append((name, colour, mark))
    return plot.svg()


def line_colour(name: str) -> str:
    """The colour of a line by what it means; one that means something else is black."""
    # The longest beginning that fits: P(TRUE) + P(FALSE) is no effect.
    fitting = [(len(start), place) for starts, place in _MEANINGS for start in starts if name.startswith(start)]
    return COLOURS[max(fitting)[1]] if fitting else COLOURS[-1]


def drawn_between(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper end of a small picture of some values: from the least to the largest, unless they hardly differ."""
    middle, half = (max(values) + min(values)) / 2, max((max(values) - min(values)) / 2, _FLAT / 2)
    return middle - half, middle + half


def small_curve(known: Dose) -> str:
    """A direction's effect over the strengths, its useful range shaded, damage behind it: for a card in a list."""
    width, height = _SMALL
    low, high = known.strengths[0], known.strengths[-1]

    def across(strength: float) -> float:
        return (strength - low) / ((high - low) or 1.0) * width

    def line(values: tuple[float, ...], bottom: float, top: float, colour: str, dash: str = "") -> str:
        span = (top - bottom) or 1.0
        points = " ".join(
            f"{across(at):.1f},{height - 4 - (value - bottom) / span * (height - 8):.1f}"
            for at, value in zip(known.strengths, values, strict=True)
        )
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'

    useful, parts = known.useful, []
    if useful is not None:
        left, right = across(useful[0]), across(useful[1])
        parts.append(
            f'<rect x="{left:.1f}" y="0" width="{right - left:.1f}" height="{height}" fill="{COLOURS[0]}" fill-opacity="0.10"/>'
        )
    parts.append(
        f'<line x1="{across(0):.1f}" x2="{across(0):.1f}" y1="0" y2="{height}" stroke="{PALE}" stroke-dasharray="2 3"/>'
    )
    if known.damage:
        parts.append(line(known.damage, 0.0, max(*known.damage, 1.0), line_colour("damage"), ' stroke-dasharray="4 3"'))
    parts.append(line(known.effect, *drawn_between(known.effect), line_colour("effect")))
    ends = f"from strength {strength_text(low)} to {strength_text(high)}"
    said = escape(f"effect (whole line) and damage (dashed) {ends}: {known.range_said()}")
    return (
        f'<svg class="t-small" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{said}">'
        f"<title>{said}</title>{''.join(parts)}</svg>"
    )


def _axis(title: str, values: list[float] | tuple[float, ...], least: float = 0.0) -> Axis:
    """An axis that has room for some values, and is at least so long."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    room = max((least - (high - low)) / 2, (high - low) * _ROOM, 0.0)
    return Axis(title, low - room, high + room)
