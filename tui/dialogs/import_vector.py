"""The window that imports a vector of another program into the library."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from core.errors import TillerError
from core.util.text import clean
from tui.dialogs.dialogs import Dialog

#: Takes file, checkpoint, name, layer and scale; what it returns is said. It raises TillerError, and runs in a thread.
Bring = Callable[[Path, str, str, int | None, float], str]

_FIELDS = (
    ("file", "file", "GGUF, safetensors or .pt"),
    ("name", "name", "for recipes, such as happy"),
    ("checkpoint", "of", ""),
    ("layer", "layer", "empty: what the file says"),
    ("scale", "times", "1 leaves it as it is"),
)


class ImportDialog(Dialog[str]):
    """Asks for a file and whose direction it becomes; what is wrong is said, and what was written stays."""

    AUTO_FOCUS = "#file"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s,f10", "take", "Import", priority=True, id="import.take")]
    DEFAULT_CSS = """
    ImportDialog {
        & Horizontal { height: 1; }
        & .name { width: 8; }
        & Input { width: 34; }
        & .note { width: 1fr; padding: 0 0 0 1; color: $quiet; }
    }
    """

    def __init__(self, checkpoints: Sequence[str], checkpoint: str, bring: Bring) -> None:
        super().__init__("Import a vector", "Ctrl+S imports · Tab goes on · Esc closes")
        self.checkpoints, self.checkpoint, self.bring = checkpoints, checkpoint, bring

    def compose(self) -> ComposeResult:
        """A line a field, and what is wrong."""
        values = {"checkpoint": self.checkpoint, "scale": "1"}
        notes = {"checkpoint": ", ".join(self.checkpoints)}
        with self.frame:
            yield Static(
                Content("A control vector of llama.cpp or repeng, direction.N or layer_activations.N, or one tensor."),
                classes="hint",
            )
            for name, title, note in _FIELDS:
                with Horizontal():
                    yield Static(Content(title), classes="name")
                    yield Input(values.get(name, ""), id=name, compact=True)
                    yield Static(Content(notes.get(name, note)), classes="note")
            yield Static("", classes="wrong")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter imports."""
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Read the fields, then the file, in a thread: its model's weights are read for their fingerprint."""
        try:
            work = partial(self.bring, *self._wish())
        except TillerError as error:
            self._wrong(str(error))
            return
        self.query_one(".wrong", Static).update(Content.styled("Reading …", "$quiet"))
        self.run_worker(partial(self._work, work), thread=True, exclusive=True, exit_on_error=False)

    def _work(self, work: Callable[[], str]) -> None:
        try:
            said = work()
        except TillerError as error:
            self.app.call_from_thread(self._wrong, str(error))
        else:
            self.app.call_from_thread(self.dismiss, said)

    def _wish(self) -> tuple[Path, str, str, int | None, float]:
        said = {name: clean(self.query_one(f"#{name}", Input).value).strip() for name, _, _ in _FIELDS}
        if not said["file"]:
            raise TillerError("The path of a file belongs in the first line.")
        if not re.fullmatch(r"[0-9]{0,4}", said["layer"]):
            raise TillerError(f"layer takes a whole number, or nothing, not {said['layer'][:40]!r}.")
        try:
            scale = float(said["scale"] or "1")
        except ValueError:
            raise TillerError(f"times takes a number, not {said['scale']!r}.") from None
        at = int(said["layer"]) if said["layer"] else None
        return Path(said["file"]).expanduser(), said["checkpoint"], said["name"], at, scale

    def _wrong(self, sentence: str) -> None:
        if self.is_attached:
            self.query_one(".wrong", Static).update(Content(f"✗ {sentence}"))
