"""Parts of a model card that is written by the command that measures it: paragraphs, tables of figures, and what a model said."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from core.training.card_figures import Figure

SIGNS = {"message": ">", "reply": "<"}


def card_paragraphs(text: str) -> list[str]:
    """Paragraphs of one line each, with an empty line after each."""
    return [line for part in textwrap.dedent(text).strip().split("\n\n") for line in (" ".join(part.split()), "")]


def figure_table(figures: Sequence[Figure]) -> list[str]:
    """The figures of a section; a column that would be empty is left out."""
    columns: dict[str, list[str]] = {
        "figure": [f"{each.name}{f' ({each.note})' if each.note else ''}" for each in figures],
        "checkpoint": [each.checkpoint for each in figures],
        "rate": [number(each.rate, 3) for each in figures],
        "95 %": ["–".join(number(end, 2) for end in each.interval) for each in figures],
        "n": [str(each.n) for each in figures],
        "seeds": [_seeds(each) for each in figures],
        "aim": [f"{each.target} {each.mark(each.target)}" if each.target else "" for each in figures],
        "first": [f"{each.first} {each.mark(each.first)}" if each.first else "" for each in figures],
    }
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    lines = [f"| {' | '.join(kept)} |", f"|{'---|' * len(kept)}"]
    return lines + [f"| {' | '.join(row)} |" for row in zip(*kept.values(), strict=True)]


def _seeds(figure: Figure) -> str:
    if figure.over_seeds is None:
        return ""
    mean, low, high = (number(value, 2) for value in figure.over_seeds)
    return f"{mean} ({low}–{high})"


def number(value: float, digits: int) -> str:
    """A rate with its digits; what is no rate but hundreds of something, without any."""
    return f"{value:.{digits}f}" if abs(value) < 10 else f"{value:,.0f}"


def missed_lines(figures: Iterable[Figure]) -> list[str]:
    """What misses either threshold; missing what the first edition had to reach is said first, since it is worse."""
    lines: list[tuple[int, str]] = []
    for figure in figures:
        for order, (name, target) in enumerate((("first edition", figure.first), ("aim", figure.target))):
            if target is not None and figure.mark(target) == "✗":
                lines.append(
                    (order, f"- {figure.name} [{figure.checkpoint}]: {number(figure.rate, 3)}, {name} {target}")
                )
    return [line for _, line in sorted(lines, key=lambda entry: entry[0])]


def fenced(message: str, reply: str) -> list[str]:
    """A message and its reply in a fence that is longer than any row of backticks in them."""
    longest = max((len(run) for run in re.findall("`+", message + "\n" + reply)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = [f"{SIGNS['message']} {line}".rstrip() for line in _lines(message)]
    shown += [f"{SIGNS['reply']} {line}".rstrip() for line in _lines(reply)]
    return [f"{fence}text", *shown, fence]


def _lines(text: str) -> list[str]:
    """Whatever anybody takes for the end of a line ends one here, and other control characters are spelt out."""
    return [
        "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in line) for line in text.splitlines()
    ] or [""]
