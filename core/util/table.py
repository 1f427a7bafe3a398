"""A table of figures as a person reads it: in a terminal, in Markdown, in HTML, as CSV. No torch."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of words and numbers that are written out already. ``note`` is one sentence beneath.

    One of ``sentences`` has cells too long for columns: a terminal gets a row as lines below each other.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    sentences: bool = False

    def text(self) -> str:
        """For a terminal: columns aligned, numbers to the right."""
        if self.sentences:
            rows = [f"{row[0]}\n" + "\n".join(_labelled(self.columns, row)) for row in self.rows]
            return "\n".join([self.title, *rows, *([self.note] if self.note else [])])
        widths = [max(len(row[at]) for row in (self.columns, *self.rows)) for at in range(len(self.columns))]
        right = [all(_number(row[at]) for row in self.rows) for at in range(len(self.columns))]
        lines = [self.title]
        for row in (self.columns, *self.rows):
            cells = [
                cell.rjust(width) if end else cell.ljust(width)
                for cell, width, end in zip(row, widths, right, strict=True)
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def markdown(self) -> str:
        """With its title in bold; a bar in a cell is written as its character reference."""
        lines = [f"**{self.title}**", "", _bars(self.columns), f"|{'---|' * len(self.columns)}"]
        lines += [_bars(row) for row in self.rows]
        return "\n".join([*lines, *(["", self.note] if self.note else [])])

    def html(self) -> str:
        """A ``<table>`` with a caption; everything is escaped."""
        heads = "".join(f"<th>{html.escape(each)}</th>" for each in self.columns)
        body = "".join(f"<tr>{self._cells(row)}</tr>" for row in self.rows)
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        kind = ' class="sentences"' if self.sentences else ""
        return (
            f"<table{kind}><caption>{html.escape(self.title)}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody>"
            f"</table>{note}"
        )

    def _cells(self, row: Sequence[str]) -> str:
        """Cells of sentences carry their column's name, so that a narrow page can set them below each other."""
        if not self.sentences:
            return "".join(f"<td>{html.escape(each)}</td>" for each in row)
        named = zip(self.columns, row, strict=True)
        return "".join(f'<td data-column="{html.escape(name)}">{html.escape(each)}</td>' for name, each in named)

    def csv(self) -> str:
        """Column names and rows, as :func:`csv_text` writes them."""
        return csv_text((self.columns, *self.rows))


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, the column names first; a text that a spreadsheet would take for a formula begins with an apostrophe, and numbers have
    the minus that programs read."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([_inert(cell) for cell in row] for row in rows)
    return file.getvalue()


def _labelled(columns: Sequence[str], row: Sequence[str]) -> list[str]:
    """The cells behind the first one, each with its column's name."""
    return [f"  {name}: {cell}" for name, cell in zip(columns[1:], row[1:], strict=True) if cell]


def _bars(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _number(text: str) -> bool:
    try:
        float(text.replace(",", "").replace("−", "-"))
    except ValueError:
        return text == ""
    return True


def _interval(text: str) -> bool:
    """Whether a text is a number, two with "to" between them, or one with such a pair in brackets."""
    return all(map(_number, re.split(r" to | \(", text.removesuffix(")"))))


def _inert(cell: object) -> object:
    """A cell that cannot be a formula: numbers and intervals may begin with a sign, texts may not."""
    if not isinstance(cell, str):
        return cell
    formula = cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not _interval(cell)
    # A bare carriage return would be written without quotes, and its rest read as a row of its own.
    if _interval(cell):
        cell = cell.replace("−", "-")
    return ("'" * formula + cell).replace("\r\n", "\n").replace("\r", "\n")
