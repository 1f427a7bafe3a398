"""Knowledge maps to take away: CSV and SVG. No torch; an SVG needs nothing but a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from core.display import palette
from core.display.lenses import Lens
from core.display.svg import svg_page, svg_text
from core.knowledge.maps import Map, Traced, Words, cell_text
from core.util.figures import probability_text
from core.util.table import csv_text

#: Sizes of a drawing in pixels.
_CELL, _ROW, _LEFT, _TOP, _GAP, _FOOT = 56, 26, 48, 34, 30, 92
_EMPTY = "#e4e4e4"
#: Pixels of a word of a logit lens, and the letters that have room beside its probability.
_WORD, _LETTERS = 110, 11
_COLUMNS = (
    "traced",
    "map",
    "source",
    "target",
    "minus",
    "layer",
    "column",
    "place",
    "effect",
    "half_interval",
    "pairs",
)
#: How a logit lens is coloured.
PROBABILITY = Lens("probability", "probability", "", "magnitude", 0.0, 1.0, "")


def map_csv(traced: Traced) -> str:
    """Every cell of every map, a line each, with what it is a map of."""
    rows: list[tuple[object, ...]] = [_COLUMNS]
    for each in traced.maps:
        for layer, row in enumerate(each.cells):
            for place, value in enumerate(row):
                half = each.half[layer][place] if each.half else math.nan
                rows.append(
                    (traced.order.title, each.title, each.source, each.target, each.minus, layer, each.columns[place], place,
                     _number(value), _number(half), each.n)
                )  # fmt: skip
    return csv_text(rows)


def words_csv(words: Words) -> str:
    """Every word of a logit lens, a line each."""
    rows: list[tuple[object, ...]] = [("of", "layer", "rank", "word", "probability")]
    for title, layers in zip(words.titles, words.rows, strict=True):
        for layer, top in zip(words.layers, layers, strict=True):
            rows += [(title, layer, rank, word, f"{p:.6f}") for rank, (word, p) in enumerate(top, 1)]
    return csv_text(rows)


def words_svg(words: Words) -> str:
    """A logit lens as a picture: the likeliest words of every layer, the last one above, beside each other for all that is compared."""
    most = max((len(top) for layers in words.rows for top in layers), default=0)
    block = most * _WORD + _GAP
    width = _LEFT + max(len(words.titles) * block, 300)
    height = _TOP + _GAP + len(words.layers) * _ROW + (40 if words.note else 12)
    drawn = [svg_text(_LEFT - 8, _TOP + 18, "layer", "end")]
    for place, (title, layers) in enumerate(zip(words.titles, words.rows, strict=True)):
        left = _LEFT + place * block
        drawn.append(svg_text(left, _TOP + 18, title, size=13, weight=600))
        for row, (layer, top) in enumerate(reversed(list(zip(words.layers, layers, strict=True)))):
            line = _TOP + _GAP + row * _ROW
            drawn += [svg_text(_LEFT - 8, line + 17, str(layer), "end")] if place == 0 else []
            drawn += [_word(word, p, left + rank * _WORD, line) for rank, (word, p) in enumerate(top)]
    drawn += [svg_text(12, height - 16, words.note)] if words.note else []
    return svg_page(width, height, f"Tiller: logit lens where {words.said.strip()!r} stands", drawn, shades=True)


def _word(word: str, p: float, left: int, line: int) -> str:
    paint = palette.colour(PROBABILITY, p)
    said = word.strip() or repr(word)
    cut = said if len(said) <= _LETTERS else f"{said[: _LETTERS - 1]}…"
    box = (
        f'<rect x="{left}" y="{line}" width="{_WORD - 1}" height="{_ROW - 1}" fill="{paint}">'
        f"<title>{escape(said)}: {probability_text(p)}</title></rect>"
    )
    return box + svg_text(left + 6, line + 17, f"{cut} {probability_text(p)}", fill=palette.ink(paint))


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"


def to_svg(traced: Traced) -> str:
    """All maps below each other, every cell with its number, and what the comparison says beneath."""
    maps = traced.maps
    columns = max((len(each.columns) for each in maps), default=0)
    width = _LEFT + max(columns * _CELL + 20, 560)
    drawn: list[str] = []
    top = _TOP
    for each in maps:
        drawn.append(_drawn(each, top))
        top += _GAP + each.layers * _ROW + _FOOT
    for line in traced.lines:
        drawn.append(svg_text(12, top, line, size=12))
        top += 18
    return svg_page(width, top + 10, f"Tiller: {traced.order.title}", drawn)


def _drawn(each: Map, top: int) -> str:
    parts = [svg_text(12, top + 18, f"{each.title} ({each.n} pair{'s' * (each.n != 1)})", size=13, weight=600)]
    start = top + _GAP
    for layer in range(each.layers):
        line = start + (each.layers - 1 - layer) * _ROW
        parts.append(svg_text(_LEFT - 8, line + 17, str(layer), "end"))
        parts += [_cell(each, layer, place, line) for place in range(len(each.columns))]
    bottom = start + each.layers * _ROW
    for place, column in enumerate(each.columns):
        across = _LEFT + place * _CELL + _CELL // 2
        parts.append(
            f'<text x="{across}" y="{bottom + 14}" font-size="11" text-anchor="end" transform="rotate(-35 {across} {bottom + 14})">'
            f"{escape(column.strip() or repr(column))}</text>"
        )
    return "".join(parts)


def _cell(each: Map, layer: int, place: int, line: int) -> str:
    value = each.cells[layer][place]
    known = not math.isnan(value)
    paint = palette.colour(each.lens, value) if known else _EMPTY
    left = _LEFT + place * _CELL
    box = (
        f'<rect x="{left}" y="{line}" width="{_CELL - 1}" height="{_ROW - 1}" fill="{paint}">'
        f"<title>{escape(each.described(layer, place))}</title></rect>"
    )
    if not known:
        return box
    return box + svg_text(left + _CELL // 2, line + 17, cell_text(value), "middle", palette.ink(paint))


def halves(rows: Sequence[int]) -> list[tuple[int, int | None]]:
    """Layers in twos, the last one first, as a terminal draws them with half blocks: (upper, lower), no lower one at an odd end."""
    ordered = sorted(rows, reverse=True)
    return [(ordered[at], ordered[at + 1] if at + 1 < len(ordered) else None) for at in range(0, len(ordered), 2)]
