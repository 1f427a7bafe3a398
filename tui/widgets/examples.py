"""What a person sees first: what the program is, examples that were measured to work, and questions that the model in hand can answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.messages import ChoicesWanted

#: The cells of the word before the chips; a chip begins with a blank.
_WORD = 3
#: The blank on either side of a chip's words, and the one behind it.
_BESIDE, _GAP = 2, 1


@dataclass(frozen=True)
class Choice:
    """One thing to press: what it is called, what it says of itself, and what makes the message that tells that it was taken."""

    title: str
    note: str
    message: Callable[[], Message] = field(compare=False)


@dataclass(frozen=True)
class Welcome:
    """All that stands there: a line of ``purpose``, and the choices behind a word. Without a purpose, the choices have one row."""

    purpose: str
    groups: tuple[tuple[str, tuple[Choice, ...]], ...]


_MORE = Choice("more …", "Every example and every question.", ChoicesWanted)


class Chip(Static, can_focus=True):
    """One of the choices."""

    HELP = (
        "An example asks its question in two columns, plain and steered; a question is asked of the columns that are there. Enter takes "
        "it, and Undo (F9) brings the chat before it back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "Show it", key_display="⏎", id="chip.press"),
        Binding("left,up", "go(-1)", "Before", show=False, id="chip.before"),
        Binding("right,down", "go(1)", "After", show=False, id="chip.after"),
    ]
    DEFAULT_CSS = """
    Chip {
        width: auto; height: 1; margin: 0 1 0 0; padding: 0 1;
        background: $primary-muted; color: $text-primary; text-wrap: nowrap; text-overflow: ellipsis;
        &:hover { background: $primary; color: $text; }
        &:focus { background: $primary; color: $text; text-style: bold; }
        &:ansi { background: ansi_default; color: ansi_blue; text-style: underline; }
        &:ansi:focus { text-style: reverse; }
    }
    """

    def __init__(self, choice: Choice) -> None:
        super().__init__(Content(choice.title))
        self.choice = choice
        self.tooltip = Content(choice.note) if choice.note else None

    def action_press(self) -> None:
        """Take it."""
        self.post_message(self.choice.message())

    def action_go(self, by: int) -> None:
        """To the chip before or after."""
        if by > 0:
            self.screen.focus_next(Chip)
        else:
            self.screen.focus_previous(Chip)

    def on_click(self) -> None:
        """Take it."""
        self.action_press()


class Chips(Vertical):
    """The purpose, and rows of chips. No chip is cut: there are as many rows as it takes or, where there is to be one, a chip for all."""

    DEFAULT_CSS = """
    Chips {
        height: auto; padding: 0 1;
        & > #purpose { height: auto; color: $text; }
        & > Horizontal { height: 1; }
        & > Horizontal > .word { width: 3; color: $quiet; }
        &:ansi > Horizontal > .word { color: ansi_default; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.purpose = Static(id="purpose")
        self.welcome = Welcome("", ())
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """The purpose; the rows come with what is shown."""
        yield self.purpose

    def show(self, welcome: Welcome) -> None:
        """Put this there."""
        self.welcome = welcome
        self.purpose.display = bool(welcome.purpose)
        self.purpose.update(Content(welcome.purpose))
        self.display = any(choices for _, choices in welcome.groups)
        self._lay_out()

    def on_resize(self) -> None:
        """Give the chips the room that there is now."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.content_size.width or self.app.size.width - 2
        rows = _rows(self.welcome, width - _WORD)
        if rows == self._drawn:
            return
        self._drawn = rows
        held = self.screen.focused if isinstance(self.screen.focused, Chip) else None
        self.query(Horizontal).remove()
        self.mount_all(
            Horizontal(Static(word, classes="word"), *(Chip(choice) for choice in choices)) for word, choices in rows
        )
        if held is not None:
            # The one that had the focus is another widget now.
            same = [chip for chip in self.query(Chip) if chip.choice == held.choice and chip is not held]
            self.call_after_refresh((same[0] if same else self.screen.query_one("#prompt")).focus)


def _rows(welcome: Welcome, room: int) -> list[tuple[str, tuple[Choice, ...]]]:
    """The choices row by row, each with the word before it."""
    rows: list[tuple[str, tuple[Choice, ...]]] = []
    for word, choices in welcome.groups:
        parts = _packed(choices, room)
        rows += [(word if number == 0 else "", part) for number, part in enumerate(parts)]
    if welcome.purpose or len(rows) < 2:
        return rows
    word, first = rows[0]
    kept = list(first)
    while len(kept) > 1 and _length([*kept, _MORE]) > room:
        kept.pop()
    return [(word, (*kept, _MORE))]


def _packed(choices: Sequence[Choice], room: int) -> list[tuple[Choice, ...]]:
    """As many to a row as fit whole, one at least; out of their order only where that saves a row."""
    in_order = _filled(choices, room, last_only=True)
    longest_first = _filled(sorted(choices, key=lambda each: -_length([each])), room, last_only=False)
    if len(longest_first) >= len(in_order):
        return in_order
    rows = [tuple(sorted(row, key=choices.index)) for row in longest_first]
    return sorted(rows, key=lambda row: choices.index(row[0]))


def _filled(choices: Sequence[Choice], room: int, last_only: bool) -> list[tuple[Choice, ...]]:
    """Each into the first row that has room for it, or into the last one alone."""
    rows: list[tuple[Choice, ...]] = []
    for choice in choices:
        open_rows = range(len(rows) - 1 if last_only and rows else 0, len(rows))
        place = next((at for at in open_rows if _length([*rows[at], choice]) <= room), None)
        if place is None:
            rows.append((choice,))
        else:
            rows[place] = (*rows[place], choice)
    return rows


def _length(choices: Sequence[Choice]) -> int:
    return sum(cell_len(each.title) + _BESIDE + _GAP for each in choices) - _GAP
