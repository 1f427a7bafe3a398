"""The window that asks what to learn: two boxes of examples, a method, a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from core.directions import request
from core.directions.methods import METHODS
from core.directions.request import FEWEST, KINDS, LearnRequest
from core.errors import TillerError
from core.util.text import clean
from tui.dialogs.dialogs import Dialog
from tui.widgets.tick import Tick

_FIELDS = (
    ("what", "what", f"{' or '.join(KINDS)}, or a name of yours"),
    ("name", "name", "for recipes; empty: the same"),
    ("checkpoint", "on", ""),
    ("method", "method", ""),
    ("layer", "layer", "empty: the best one"),
)
#: The box of each class, by its name in the window.
_BOXES = ("positive", "negative")


class LearnDialog(Dialog[None]):
    """``begin`` is given a checkpoint and a wish and starts; what cannot be learnt is said, and what was written stays."""

    AUTO_FOCUS = "#what"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f10", "take", "Learn", priority=True, id="learn.take")]
    DEFAULT_CSS = """
    LearnDialog {
        & Horizontal { height: 1; }
        & .name { width: 8; }
        & Input { width: 22; }
        & .note { width: 1fr; padding: 0 0 0 1; color: $quiet; }
        & #boxes { height: 7; }
        & TextArea { width: 1fr; height: 100%; border: none; background: $field; margin: 0 1 0 0; &:focus { border: none; } }
        & TextArea:nocolor { border: solid $foreground !important; }
        & Checkbox { border: none; padding: 0; background: transparent; &:focus { border: none; } }
    }
    """

    def __init__(
        self, checkpoints: Sequence[str], checkpoint: str, begin: Callable[[str, LearnRequest], object]
    ) -> None:
        super().__init__("Learn a direction", "Ctrl+S learns · Tab goes on · Esc closes")
        self.checkpoints, self.checkpoint, self.begin = checkpoints, checkpoint, begin

    def compose(self) -> ComposeResult:
        """A line a field, the boxes side by side, and what is wrong."""
        values = {"method": "mean_difference", "checkpoint": self.checkpoint}
        notes = {"method": ", ".join(METHODS), "checkpoint": ", ".join(self.checkpoints)}
        with self.frame:
            for name, title, note in _FIELDS:
                with Horizontal():
                    yield Static(Content(title), classes="name")
                    yield Input(values.get(name, ""), id=name, compact=True)
                    yield Static(Content(notes.get(name, note)), classes="note")
            yield Static(
                Content(f"positive | negative examples, one a line, {FEWEST} or more; truth and refusal bring theirs"),
                classes="hint",
            )
            with Horizontal(id="boxes"):
                for name in _BOXES:
                    yield TextArea(id=name, compact=True, tab_behavior="focus", highlight_cursor_line=False)
            yield Tick("boxes hold system prompts for/against a trait: learn from replies", id="replies", compact=True)
            yield Tick("may take the place of my own direction of that name", id="replace", compact=True)
            yield Static("", classes="wrong")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter learns."""
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Begin, or say what is in the way."""
        try:
            self.begin(self._line("checkpoint"), self._wish())
        except TillerError as error:
            self.query_one(".wrong", Static).update(Content(f"✗ {error}"))
            return
        self.dismiss(None)

    def _wish(self) -> LearnRequest:
        boxes = [clean(self.query_one(f"#{name}", TextArea).text) for name in _BOXES]
        at, may = request.parse_layer(self._line("layer")), self.query_one("#replace", Tick).value
        return request.learn_request(
            self._line("what"),
            boxes[0],
            boxes[1],
            self._line("name"),
            self._line("method"),
            at,
            may,
            replies=self.query_one("#replies", Tick).value,
        )

    def _line(self, name: str) -> str:
        return clean(self.query_one(f"#{name}", Input).value).strip()
