"""The window with the pairs that a model wrote under two system prompts: read, change, learn from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from core.directions.request import LearnRequest
from core.directions.written_pairs import pairs_request, read_pairs
from core.errors import TillerError
from core.util.text import clean
from tui.dialogs.dialogs import Dialog

_LINES = ("name", "for", "against")


class PairsDialog(Dialog[None]):
    """``begin`` is given a wish and starts; what cannot be learnt from is said, and what was written stays."""

    AUTO_FOCUS = "TextArea"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f10", "take", "Learn", priority=True, id="pairs.take")]
    DEFAULT_CSS = """
    PairsDialog {
        & Horizontal { height: 1; }
        & .name { width: 9; }
        & Input { width: 1fr; }
        & TextArea { height: 14; border: none; background: $field; margin: 1 0; &:focus { border: none; } }
    }
    """

    def __init__(
        self,
        checkpoint: str,
        name: str,
        wanted: str,
        unwanted: str,
        pairs: str,
        begin: Callable[[LearnRequest], object],
    ) -> None:
        super().__init__(f"What {checkpoint} wrote: change it, then learn", "Ctrl+S learns · Tab goes on · Esc closes")
        self.lines = {
            line: Input(text, compact=True) for line, text in zip(_LINES, (name, wanted, unwanted), strict=True)
        }
        self.pairs = TextArea(pairs, compact=True, tab_behavior="focus", highlight_cursor_line=False, soft_wrap=True)
        self.begin = begin

    def compose(self) -> ComposeResult:
        """The name, the two system prompts, the pairs, and what is wrong."""
        with self.frame:
            for line, field in self.lines.items():
                with Horizontal():
                    yield Static(Content(line), classes="name")
                    yield field
            yield self.pairs
            yield Static("", classes="wrong")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter learns."""
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Begin, or say what is in the way."""
        try:
            name, wanted, unwanted = (clean(self.lines[line].value) for line in _LINES)
            self.begin(pairs_request(name, wanted, unwanted, read_pairs(self.pairs.text)))
        except TillerError as error:
            self.query_one(".wrong", Static).update(Content(f"✗ {error}"))
            return
        self.dismiss(None)
