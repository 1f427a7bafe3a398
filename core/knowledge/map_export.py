"""Knowledge maps to take away: CSV and SVG. No torch; an SVG needs nothing but a browser."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from html import escape

from core.display import palette
from core.display.lenses import Lens
from core.knowledge.maps import Map, Traced, Words, cell_text

#: Sizes of a drawing in pixels.
_CELL, _ROW, _LEFT, _TOP, _GAP, _FOOT = 56, 26, 48, 34, 30, 92
_FONT = "system-ui, sans-serif"
_EMPTY = "#e4e4e4"
#: Pixels of a word of a logit lens, and the letters that have room beside its probability.
_WORD, _LETTERS = 110, 11
#: How a logit lens is coloured.
PROBABILITY = Lens("probability", "probability", "", "magnitude", 0.0, 1.0, "")


def map_csv(traced: Traced) -> str:
    """Every cell of every map, a line each, with what it is a map of."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(
        ("traced", "map", "source", "target", "minus", "layer", "column", "place", "effect", "half_interval", "pairs")
    )
    for each in traced.maps:
        for layer, row in enumerate(each.cells):
            for place, value in enumerate(row):
                half = each.half[layer][place] if each.half else math.nan
                rows.writerow(
                    (traced.order.title, each.title, each.source, each.target, each.minus, layer, each.columns[place], place,
                     _number(value), _number(half), each.n)
                )  # fmt: skip
    return file.getvalue()


def words_csv(words: Words) -> str:
    """Every word of a logit lens, a line each."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("of", "layer", "rank", "word", "probability"))
    for title, layers in zip(words.titles, words.rows, strict=True):
        for layer, top in zip(words.layers, layers, strict=True):
            rows.writerows((title, layer, rank, word, f"{p:.6f}") for rank, (word, p) in enumerate(top, 1))
    return file.getvalue()


def words_svg(words: Words) -> str:
    """A logit lens as a picture: the likeliest words of every layer, the last one above, beside each other for all that is compared."""
    most = max((len(top) for layers in words.rows for top in layers), default=0)
    block = most * _WORD + _GAP
    width = _LEFT + max(len(words.titles) * block, 300)
    height = _TOP + _GAP + len(words.layers) * _ROW + 40
    drawn = [_text(12, 22, f"Tiller: logit lens where {words.said.strip()!r} stands", 15, weight=600)]
    for place, (title, layers) in enumerate(zip(words.titles, words.rows, strict=True)):
        left = _LEFT + place * block
        drawn.append(_text(left, _TOP + 18, title, 13, weight=600))
        for row, (layer, top) in enumerate(reversed(list(zip(words.layers, layers, strict=True)))):
            line = _TOP + _GAP + row * _ROW
            drawn += [_text(_LEFT - 8, line + 17, str(layer), 11, "end")] if place == 0 else []
            drawn += [_word(word, p, left + rank * _WORD, line) for rank, (word, p) in enumerate(top)]
    drawn += [_text(12, height - 16, words.note, 11)] if words.note else []
    return _page(width, height, drawn)


def _word(word: str, p: float, left: int, line: int) -> str:
    paint = palette.colour(PROBABILITY, p)
    said = word.strip() or repr(word)
    cut = said if len(said) <= _LETTERS else f"{said[: _LETTERS - 1]}…"
    box = (
        f'<rect x="{left}" y="{line}" width="{_WORD - 1}" height="{_ROW - 1}" fill="{paint}">'
        f"<title>{escape(said)}: {p:.3f}</title></rect>"
    )
    return box + _text(left + 6, line + 17, f"{cut} {p:.2f}", 11, fill=palette.ink(paint))


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
        drawn.append(_text(12, top, line, 12))
        top += 18
    title = _text(12, 22, f"Tiller: {traced.order.title}", 15, weight=600)
    return _page(width, top + 10, [title, *drawn])


def _page(width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{_FONT}" fill="#1a1a1a"><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _drawn(each: Map, top: int) -> str:
    parts = [_text(12, top + 18, f"{each.title} ({each.n} pair{'s' * (each.n != 1)})", 13, weight=600)]
    start = top + _GAP
    for layer in range(each.layers):
        line = start + (each.layers - 1 - layer) * _ROW
        parts.append(_text(_LEFT - 8, line + 17, str(layer), 11, "end"))
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
    label = _text(left + _CELL // 2, line + 17, cell_text(value), 11, "middle", palette.ink(paint)) if known else ""
    return box + label


def _text(x: int, y: int, text: str, size: int, anchor: str = "start", fill: str = "#1a1a1a", weight: int = 400) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}">{escape(text)}</text>'


def halves(rows: Sequence[int]) -> list[tuple[int, int | None]]:
    """Layers in twos, the last one first, as a terminal draws them with half blocks: (upper, lower), no lower one at an odd end."""
    ordered = sorted(rows, reverse=True)
    return [(ordered[at], ordered[at + 1] if at + 1 < len(ordered) else None) for at in range(0, len(ordered), 2)]
