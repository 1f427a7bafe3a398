"""Plots as SVG: they stand in a page, are saved as a file, and need nothing but a browser. No torch.

Every mark has a ``<title>`` with its numbers, so that whatever a colour or a place shows can be read as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from core.display.palette import OKABE_ITO
from core.util.table import Table

_WIDTH = 640
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 20, 36, 50
#: Letters that have room in a line before an interval.
_LETTERS = 54
_INK, PALE, _GRID, MARK = "#1a1a1a", "#8a8a8a", "#dddddd", "#D55E00"
#: The size of a drawing that is a file or stands on paper, and of one that stands beside another on a page, or alone on a phone.
SHEET, PANEL = (_WIDTH, 380), (420, 330)
#: Marks that are told apart without their colours, as a legend writes them, and as a path round the point where they stand.
MARKS = {
    "●": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "■": "m-3.5 -3.5h7v7h-7z",
    "◆": "m0 -5l5 5l-5 5l-5 -5z",
    "▲": "m0 -5l5 9h-10z",
    "▼": "m0 5l5 -9h-10z",
}
#: Patterns of lines, in the order in which they are given out.
DASHES = ("", "7 4", "2 3", "9 3 2 3", "14 4")
#: Colours that stand out from white, in the order in which lines get them.
COLOURS = (OKABE_ITO[4], OKABE_ITO[5], OKABE_ITO[2], OKABE_ITO[6], OKABE_ITO[0], OKABE_ITO[1], "#000000")


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high``, by powers of ten where it is ``log``."""

    title: str
    low: float
    high: float
    log: bool = False

    def part(self, value: float) -> float:
        """Where a value stands, from 0 to 1."""
        if self.log:
            low, high, at = (math.log10(max(each, 1e-300)) for each in (self.low, self.high, value))
        else:
            low, high, at = self.low, self.high, value
        return (at - low) / ((high - low) or 1.0)

    @property
    def ticks(self) -> list[float]:
        """Round values along the axis."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            found = [10.0**power for power in range(first, last + 1)]
            if len(found) > 1:
                return found
            finer = [step * 10.0**power for power in range(first - 1, last + 2) for step in (1, 2, 5)]
            return [each for each in finer if self.low <= each <= self.high]
        rough = (self.high - self.low) / 5
        step = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
        step *= next(each for each in (1, 2, 5, 10) if each * step >= rough * 0.999)
        start = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(start, math.floor(self.high / step + 1e-9) + 1)]


class Plot:
    """A frame with two axes that marks are put into."""

    def __init__(self, title: str, across: Axis, up: Axis, size: tuple[int, int] = SHEET) -> None:
        self.title, self.across, self.up = title, across, up
        self.width, self.height = size
        self.marks: list[str] = []
        #: What stands beneath: a name, its colour, and the mark beside it.
        self.legend: list[tuple[str, str, str]] = []
        self._right = self.width - _RIGHT

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return _LEFT + self.across.part(value) * (self._right - _LEFT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return self.height - _BOTTOM - self.up.part(value) * (self.height - _TOP - _BOTTOM)

    def dot(self, x: float, y: float, said: str, colour: str, size: float = 2.5) -> None:
        """A point with its numbers."""
        self.marks.append(
            f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{size}" fill="{colour}" fill-opacity="0.75">'
            f"<title>{escape(said)}</title></circle>"
        )

    def sign(self, x: float, y: float, said: str, colour: str, mark: str, size: float = 1.0) -> None:
        """A point with its numbers as one of :data:`MARKS`, so that the colour is not needed."""
        at = f"translate({self.x(x):.1f} {self.y(y):.1f}) scale({size:.2f})"
        self.marks.append(
            f'<path d="{MARKS[mark]}" transform="{at}" fill="{colour}" stroke="#ffffff" stroke-width="0.5">'
            f"<title>{escape(said)}</title></path>"
        )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: str,
        dash: str = "",
        said: str = "",
    ) -> None:
        """A line through the points that have a number."""
        known = [(x, y) for x, y in points if math.isfinite(y)]
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in known)
        style = f' stroke-dasharray="{dash}"' if dash else ""
        title = f"<title>{escape(said)}</title>" if said else ""
        self.marks.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{style}>{title}</polyline>'
        )

    def upright(self, x: float, name: str) -> None:
        """A dotted line from top to bottom, with its name beside it."""
        at, end = self.x(x), self.across.part(x) > 0.5
        self.marks.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{self.height - _BOTTOM}" stroke="{PALE}" stroke-dasharray="2 3"/>'
            + svg_text(at - 5 if end else at + 5, _TOP + 11, name, "end" if end else "start", PALE)
        )

    def bar(self, x: float, low: float, high: float, colour: str) -> None:
        """An upright interval."""
        self.marks.append(
            f'<line x1="{self.x(x):.1f}" x2="{self.x(x):.1f}" y1="{self.y(low):.1f}" y2="{self.y(high):.1f}" stroke="{colour}"/>'
        )

    def svg(self) -> str:
        """The drawing, with what its colours mean beneath it, where nothing is hidden."""
        names = [
            svg_text(_LEFT, self.height + 8 + 16 * row, f"{mark} {name}", fill=colour)
            for row, (name, colour, mark) in enumerate(self.legend)
        ]
        return svg_page(self.width, self.height + 16 * len(names), self.title, [*self._frame(), *self.marks, *names])

    def _frame(self) -> Iterator[str]:
        bottom, right = self.height - _BOTTOM, self._right
        for value in self.across.ticks:
            yield f'<line x1="{self.x(value):.1f}" x2="{self.x(value):.1f}" y1="{_TOP}" y2="{bottom}" stroke="{_GRID}"/>'
            yield svg_text(self.x(value), bottom + 16, _tick(value), "middle")
        for value in self.up.ticks:
            yield f'<line x1="{_LEFT}" x2="{right}" y1="{self.y(value):.1f}" y2="{self.y(value):.1f}" stroke="{_GRID}"/>'
            yield svg_text(_LEFT - 6, self.y(value) + 4, _tick(value), "end")
        yield svg_text((_LEFT + right) / 2, self.height - 10, self.across.title, "middle")
        middle = (_TOP + bottom) / 2
        yield (
            f'<text x="16" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 16 {middle:.1f})">{escape(self.up.title)}</text>'
        )


@dataclass(frozen=True)
class Interval:
    """A line of :func:`forest_plot`: a figure with its interval, and the threshold that it is judged by (NaN for none)."""

    name: str
    value: float
    low: float
    high: float
    threshold: float = math.nan
    verdict: str = ""


def forest_plot(title: str, intervals: Sequence[Interval]) -> str:
    """Figures below each other, each with its interval; a short stroke marks the threshold."""
    ends = [
        end for each in intervals for end in (each.value, each.low, each.high, each.threshold) if math.isfinite(end)
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    axis = Axis("", low - 0.03 * (high - low or 1), high + 0.03 * (high - low or 1))
    left, right = 330, _WIDTH - 30
    row = 14 + 12 * max((len(wrap(each.name, _LETTERS)) for each in intervals), default=1)

    def across(value: float) -> float:
        return left + min(1.0, max(0.0, axis.part(value))) * (right - left)

    bottom = _TOP + row * len(intervals) + 6
    parts = []
    for value in axis.ticks:
        parts.append(
            f'<line x1="{across(value):.1f}" x2="{across(value):.1f}" y1="{_TOP}" y2="{bottom}" stroke="{_GRID}"/>'
        )
        parts.append(svg_text(across(value), bottom + 14, _tick(value), "middle"))
    for place, each in enumerate(intervals):
        parts += _forest_row(each, _TOP + row * place + row / 2, across, left)
    if any(math.isfinite(each.threshold) for each in intervals):
        parts.append(svg_text(12, bottom + 14, "upright strokes: thresholds", fill=PALE))
    return svg_page(_WIDTH, bottom + 24, title, parts)


def _forest_row(each: Interval, y: float, across: Callable[[float], float], left: int) -> Iterator[str]:
    colour = {"holds": OKABE_ITO[2], "does not hold": OKABE_ITO[5]}.get(each.verdict, OKABE_ITO[4])
    label = wrap(each.name, _LETTERS)
    top = y + 4 - 6 * (len(label) - 1)
    words = "".join(svg_text(left - 12, top + 12 * line, part, "end") for line, part in enumerate(label))
    yield f"<g>{words}<title>{escape(each.name)}</title></g>"
    if not math.isfinite(each.value):
        yield svg_text(left + 4, y + 4, "no number", fill=PALE)
        return
    said = f"{each.name}: {each.value:.3f} ({each.low:.3f} to {each.high:.3f}) {each.verdict}"
    yield (
        f'<g stroke="{colour}" stroke-width="2"><title>{escape(said)}</title>'
        f'<line x1="{across(each.low):.1f}" x2="{across(each.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<circle cx="{across(each.value):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/></g>'
    )
    if math.isfinite(each.threshold):
        at = across(each.threshold)
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 9:.1f}" y2="{y + 9:.1f}" stroke="{_INK}" stroke-width="2"/>'


def intervals_csv(intervals: Sequence[Interval]) -> str:
    """What :func:`forest_plot` shows as CSV; what has no number is empty."""
    columns = ("figure", "value", "low", "high", "threshold", "verdict")
    rows = (
        (each.name, *map(_figure, (each.value, each.low, each.high, each.threshold)), each.verdict)
        for each in intervals
    )
    return Table("", columns, tuple(rows)).csv()


def lines_csv(across: str, curves: Sequence[tuple[str, Sequence[float], str]]) -> str:
    """What :func:`line_plot` shows as CSV; what has no number is empty."""
    longest = max((len(values) for _, values, _ in curves), default=0)
    rows = (
        (str(at), *(_figure(values[at]) if at < len(values) else "" for _, values, _ in curves))
        for at in range(longest)
    )
    return Table("", (across, *(name for name, _, _ in curves)), tuple(rows)).csv()


def _figure(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def line_plot(title: str, across: str, up: str, curves: Sequence[tuple[str, Sequence[float], str]]) -> str:
    """Curves over 0, 1, 2 …: each has a name, its values (NaN where there is none) and a dash pattern ("" for a whole line)."""
    known = [value for _, values, _ in curves for value in values if math.isfinite(value)]
    longest = max((len(values) for _, values, _ in curves), default=1)
    low, high = min([0.0, *known]), max([1.0, *known])
    plot = Plot(title, Axis(across, 0, max(1, longest - 1)), Axis(up, low, high))
    for place, (name, values, dash) in enumerate(curves):
        colour = COLOURS[place % len(COLOURS)]
        plot.line(list(enumerate(values)), colour, dash, name)
        for at, value in enumerate(values):
            if math.isfinite(value):
                plot.dot(at, value, f"{name}, {across} {at}: {value:.3f}", colour)
        plot.legend.append((name, colour, "■"))
    return plot.svg()


def svg_page(width: float, height: float, title: str, parts: Iterable[str], shades: bool = False) -> str:
    """A drawing on white with its title above, 12 pixels from the left.

    ``shades`` says that its grounds are figures: a dark page, which turns other drawings round, leaves these as they are.
    """
    kind = ' class="shades"' * shades
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{kind} viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="11" fill="{_INK}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{svg_text(12, 22, title, size=14, weight=600)}{"".join(parts)}</svg>'
    )


def svg_text(
    x: float, y: float, text: str, anchor: str = "start", fill: str = _INK, size: int = 11, weight: int = 400
) -> str:
    """A line of text, at whose start, middle or end the point stands; everything is escaped."""
    style = f' font-size="{size}"' * (size != 11) + f' font-weight="{weight}"' * (weight != 400)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"{style}>{escape(text)}</text>'


def _tick(value: float) -> str:
    return f"{value:.0e}" if value and abs(value) < 0.001 else f"{value:g}" if abs(value) > 1e-12 else "0"
