"""What a person or a model wrote, made safe to draw: no control codes, no reordering of the line, no tabs."""

from __future__ import annotations

from core.util.text import clean

# Marks that reorder a whole line (Unicode's bidirectional controls): a model must not rearrange the screen with them.
_REORDERING = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def shown(text: str) -> str:
    """``text`` without control and reordering characters, tabs as four spaces; newlines stay."""
    return clean(text).translate(_REORDERING).expandtabs(4)


def one_line(text: str) -> str:
    """``text`` for a place that has one line: newlines become a visible mark."""
    return shown(text).replace("\n", "⏎")


def clipped(text: str, width: int) -> str:
    """``text`` cut to ``width`` characters, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
