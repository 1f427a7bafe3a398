"""What a direction does at each strength, as text: bars of its effect, and a line that is shaded where it does damage."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from core.chat.sliders import SPAN

if TYPE_CHECKING:
    from core.directions.dose_response import Dose

_BARS = "▁▂▃▄▅▆▇█"
_SHADES = "─░▒▓"
#: The line where a push is of use.
_USEFUL = "━"


def even(width: int) -> int:
    """The widest line in ``width`` on which half steps are equally far apart."""
    return max(9, width - (width - 1) % 8)


def strength_at(cell: int, width: int) -> float:
    """The strength that a cell of a line of so many stands for."""
    return -SPAN + 2 * SPAN * cell / max(1, width - 1)


def cell_of(strength: float, width: int) -> int:
    """The cell that a strength stands in, the outermost ones for those beyond."""
    return round((min(SPAN, max(-SPAN, strength)) + SPAN) / (2 * SPAN) * (width - 1))


def bars(dose: Dose, width: int) -> str:
    """A bar for each cell, from the least to the largest effect."""
    # Dose itself reads figures with what the first paint does not wait for.
    from core.directions.plots import drawn_between

    low, high = drawn_between(dose.effect)
    heights = ((dose.at(dose.effect, strength_at(cell, width)) - low) / (high - low) for cell in range(width))
    return "".join(_BARS[round(height * (len(_BARS) - 1))] for height in heights)


def line(
    dose: Dose | None, width: int, thumb: float | None = None, ready: Collection[float] = ()
) -> list[tuple[str, str]]:
    """The line as pieces with their styles: the ``thumb`` of a slider, ticks at strengths that are ``ready``, the useful part, damage."""
    at, ticks = (None if thumb is None else cell_of(thumb, width)), {cell_of(each, width) for each in ready}
    useful, zero = (dose.useful if dose else None), cell_of(0.0, width)
    parts = []
    for cell in range(max(0, width)):
        strength = strength_at(cell, width)
        mark = _shade(dose, strength)
        if cell == at:
            parts.append(("●", "bold $text-accent"))
        elif cell in ticks:
            parts.append(("┴", "$quiet"))
        elif useful is not None and useful[0] <= strength <= useful[1]:
            # What is of use is not shaded: its damage stands in words beneath.
            parts.append(("┿" if cell == zero else _USEFUL, "$text-success"))
        elif mark == _SHADES[0]:
            parts.append(("┼" if cell == zero else mark, "$quiet"))
        else:
            parts.append((mark, "$text-warning"))
    return parts


def _shade(dose: Dose | None, strength: float) -> str:
    if dose is None or not dose.damage:
        return _SHADES[0]
    damage = dose.at(dose.damage, strength)
    return _SHADES[sum(damage > limit for limit in (0.1, 0.3, 0.6))]
