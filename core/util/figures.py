"""How a figure is written where a person reads it: in one way, on the page and in the terminal. No torch."""

from __future__ import annotations


def figure_text(value: float, places: int = 2) -> str:
    """A number with so many decimals, never in powers of ten; what rounds to nothing has no sign, and minus is a minus."""
    return f"{value:.{places}f}".replace("-", "−") if round(value, places) else f"{0:.{places}f}"


def change_text(value: float, places: int = 2) -> str:
    """A difference: :func:`figure_text` with its sign, also where it is more."""
    return f"+{figure_text(value, places)}" if round(value, places) > 0 else figure_text(value, places)


def probability_text(value: float) -> str:
    """A probability with two decimals; one that would round to nothing is said to be less than one in a hundred."""
    return "<0.01" if 0 < value < 0.005 else figure_text(value)
