"""How a figure is written where a person reads it: in one way, on the page and in the terminal. No torch."""

from __future__ import annotations

import math


def figure_text(value: float, places: int = 2) -> str:
    """A number with so many decimals, never in powers of ten; what rounds to nothing has no sign, minus is a minus, and what is not known
    is a dash."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.{places}f}".replace("-", "−") if round(value, places) else f"{0:.{places}f}"


def change_text(value: float, places: int = 2) -> str:
    """A difference: :func:`figure_text` with its sign, also where it is more."""
    return f"+{figure_text(value, places)}" if round(value, places) > 0 else figure_text(value, places)


def strength_text(value: float) -> str:
    """A strength, or a change by one, as it was chosen: ``+1.5``, ``−1``, and ``0`` for none."""
    return f"{value:+g}".replace("-", "−") if value else "0"


def digits_text(value: float, digits: int = 3) -> str:
    """A number that may be of any size, with so many digits that count: ``0.00325``, where decimals alone would leave nothing of it."""
    if not value or not math.isfinite(value):
        return figure_text(value, digits - 1)
    return figure_text(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def interval_text(value: float, low: float, high: float, places: int = 2) -> str:
    """A number with the interval that holds it: ``0.83 (0.71 to 0.91)``."""
    return f"{figure_text(value, places)} ({figure_text(low, places)} to {figure_text(high, places)})"


def percent_text(part: float, places: int = 0) -> str:
    """A part of a whole: ``97 %``."""
    return f"{figure_text(100 * part, places)} %"


def probability_text(value: float) -> str:
    """A probability with two decimals; one that would round to nothing is said to be less than one in a hundred."""
    return "<0.01" if 0 < value < 0.005 else figure_text(value)


def p_text(p: float) -> str:
    """A p value, with two digits that count; none is nothing."""
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"
