"""A knowledge map in characters: two layers a line in half blocks, or glyphs where there are no colours."""

from __future__ import annotations

import math

from textual.content import Content

from core.display import palette
from core.knowledge.map_export import halves
from core.knowledge.maps import Map

#: What stands left of a line: a mark and a layer.
_LEFT = 6
_EMPTY = "#3a3f45"


def drawn(shown: Map, width: int, at: tuple[int, int], glyphs: bool) -> Content:
    """The map with the cursor at (layer, column): a mark beside its layer and beneath its column."""
    cell = max(2, min(12, (width - _LEFT) // max(1, len(shown.columns))))
    lines = _glyphs(shown, cell, at) if glyphs else _blocks(shown, cell, at)
    marks = " " * _LEFT + "".join(("▲" if place == at[1] else " ").ljust(cell) for place in range(len(shown.columns)))
    names = " " * _LEFT + "".join(_short(each, cell - 1).ljust(cell) for each in shown.columns)
    return Content("\n").join([*lines, Content(marks), Content(names)])


def legend(shown: Map, glyphs: bool) -> Content:
    """From the lowest to the highest value."""
    steps = [shown.lens.low + (shown.lens.high - shown.lens.low) * part / 4 for part in range(5)]
    if glyphs:
        return Content("  ".join(f"{palette.glyph(shown.lens, step)} {step:.2f}" for step in steps))
    parts = [Content.assemble(("██", palette.colour(shown.lens, step)), f" {step:.2f}  ") for step in steps]
    return Content("").join(parts)


def _blocks(shown: Map, cell: int, at: tuple[int, int]) -> list[Content]:
    lines = []
    for upper, lower in halves(range(shown.layers)):
        here = at[0] in (upper, lower)
        # The arrow points at the half that the cursor is on.
        mark = ("▀" if at[0] == upper else "▄") if here else " "
        name = f"{mark} {upper:>3} "
        parts = [Content.styled(name, "bold") if here else Content(name)]
        for place in range(len(shown.columns)):
            top = _colour(shown, upper, place)
            style = f"{top} on {_colour(shown, lower, place)}" if lower is not None else top
            parts.append(Content.assemble(("▀" * (cell - 1), style), " "))
        lines.append(Content("").join(parts))
    return lines


def _glyphs(shown: Map, cell: int, at: tuple[int, int]) -> list[Content]:
    lines = []
    for layer in reversed(range(shown.layers)):
        mark = "▸" if layer == at[0] else " "
        cells = "".join(
            _glyph(shown.cells[layer][place], shown) * (cell - 1) + " " for place in range(len(shown.columns))
        )
        lines.append(Content(f"{mark} {layer:>3} {cells}"))
    return lines


def _glyph(value: float, shown: Map) -> str:
    return "·" if math.isnan(value) else palette.glyph(shown.lens, value)


def _colour(shown: Map, layer: int, place: int) -> str:
    value = shown.cells[layer][place]
    return _EMPTY if math.isnan(value) else palette.colour(shown.lens, value)


def _short(name: str, width: int) -> str:
    """A column's name in its column."""
    name = name.strip() or repr(name)
    return name if len(name) <= width else name[: max(1, width - 1)] + "…"
