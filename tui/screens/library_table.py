"""The table of the Library: everything that is here, as much of it as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import DataTable

from tui.text import clipped

if TYPE_CHECKING:
    from core.directions.library import Entry

#: Of the library's columns, those that are worth their room where there is not enough for all.
_SHORT = (0, 2, 3, 4, 5, 9)
#: The column that gives way where the others have no room beside it, and what stays of it; the card has it whole.
_METHOD, _LEAST = 3, 16
#: The column of accuracies.
_SCORE = 5
#: The columns that say what kind it is, and of which checkpoint.
_KIND, _WHERE = 1, 2
#: Cells of a row that are no column's: the screen's margins, the fold's, and the scroll bar.
_AROUND = 9


class LibraryTable(DataTable[str]):
    """One row for each entry."""

    DEFAULT_CSS = """
    LibraryTable { height: auto; max-height: 100%; background: transparent; }
    """

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True)

    def show(self, entries: Sequence[Entry], room: int, at: int) -> None:
        """Put these into the rows, in so much ``room``, with the cursor on the one at this place."""
        from core.directions.library import HEADINGS

        self.clear(columns=True)
        rows = [entry.row for entry in entries]
        widths = _widths(HEADINGS, rows)
        whole = self._over(widths, room) <= widths[_METHOD] - _LEAST
        if not whole:
            # The interval of the accuracy is read on the card.
            rows = [(*row[:_SCORE], row[_SCORE].partition(" (")[0], *row[_SCORE + 1 :]) for row in rows]
            widths = {index: width for index, width in _widths(HEADINGS, rows).items() if index in _SHORT}
        widths[_METHOD] = max(min(_LEAST, widths[_METHOD]), widths[_METHOD] - max(0, self._over(widths, room)))
        for index, width in widths.items():
            self.add_column(HEADINGS[index], width=width)
        for entry, row in zip(entries, rows, strict=True):
            cells = (Content(fitted(row, index, width, whole)) for index, width in widths.items())
            self.add_row(*cells, key=entry.key)  # type: ignore[arg-type]
        self.move_cursor(row=min(at, max(0, len(entries) - 1)))

    def _over(self, widths: dict[int, int], room: int) -> int:
        """By how many cells columns of such widths are wider than the screen."""
        return sum(width + 2 * self.cell_padding for width in widths.values()) + _AROUND - room


def _widths(heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> dict[int, int]:
    """How wide each column wants to be."""
    return {index: max(map(len, each)) for index, each in enumerate(zip(heads, *rows, strict=True))}


def fitted(row: tuple[str, ...], index: int, width: int, whole: bool) -> str:
    """A cell as it fits: no two rows look alike because of what had no room."""
    text = row[index]
    if index == _WHERE and text == "shared" and not whole:
        # The column of kinds was left out, and of several checkpoints only kinds tell what it is.
        return row[_KIND]
    if index == _METHOD and len(text) > width and "/" in text:
        # Where it is mapped from: the checkpoint stands at the end.
        start = "from …"
        return f"{start}{text[len(start) - width :]}"
    return clipped(text, width)
