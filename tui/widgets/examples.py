"""The examples: one press shows something that was measured to work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from tui.messages import ExampleChosen

#: The cells of the word before the chips, with the blank behind it.
_WORD = 4
#: A chip is never cut to fewer cells than this.
_SHORTEST = 10

if TYPE_CHECKING:
    from core.families.checkpoint import Example


class Chip(Static, can_focus=True):
    """One example."""

    HELP = "An example: Enter asks its question in two columns, plain and steered. Undo (F9) brings the chat before it back."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "Show it", key_display="⏎", id="chip.press"),
        Binding("left", "go(-1)", "Before", show=False, id="chip.before"),
        Binding("right", "go(1)", "After", show=False, id="chip.after"),
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

    def __init__(self, example: Example) -> None:
        super().__init__(Content(example.title))
        self.example = example
        self.tooltip = Content(example.note) if example.note else None

    def action_press(self) -> None:
        """Show the example."""
        self.post_message(ExampleChosen(self.example))

    def action_go(self, by: int) -> None:
        """To the chip before or after."""
        if by > 0:
            self.screen.focus_next(Chip)
        else:
            self.screen.focus_previous(Chip)

    def on_click(self) -> None:
        """Show the example."""
        self.action_press()


class Chips(Horizontal):
    """A row of examples. Where they do not fit, the longest are cut first, so that every one is to be seen and pressed."""

    DEFAULT_CSS = """
    Chips {
        height: 1; padding: 0 1;
        & > #try { width: auto; color: $quiet; padding: 0 1 0 0; }
        &:ansi > #try { color: ansi_default; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: Sequence[Example] = ()

    def compose(self) -> ComposeResult:
        """The word before the chips."""
        yield Static("Try", id="try")

    def show(self, examples: Sequence[Example]) -> None:
        """Put these examples into the row."""
        if examples != self._shown:
            self._shown = examples
            self.query(Chip).remove()
            self.mount_all(Chip(example) for example in examples)
            self.call_after_refresh(self._fit)
        self.display = bool(examples)

    def on_resize(self) -> None:
        """Give the chips the room that there is now."""
        self._fit()

    def _fit(self) -> None:
        chips = list(self.query(Chip))
        room = self.content_size.width - _WORD - len(chips)
        widths = [cell_len(chip.example.title) + 2 for chip in chips]
        while sum(widths) > room and max(widths, default=0) > _SHORTEST:
            widths[widths.index(max(widths))] -= 1
        for chip, width in zip(chips, widths, strict=True):
            chip.styles.width = width
