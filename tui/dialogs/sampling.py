"""The window for the system prompt and for how the next token is chosen."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from core.chat.settings import Sampling, SettingsError, check_system
from core.util.text import clean
from tui.dialogs.dialogs import Dialog

_FIELDS = (
    ("temperature", "temperature", "0 always takes the likeliest token"),
    ("top_p", "top-p", "likeliest tokens up to this share; 1: off"),
    ("top_k", "top-k", "so many of the likeliest tokens; 0: off"),
    ("repetition_penalty", "repetition", "above 1 repeats less; 1: off"),
    ("max_new_tokens", "longest", "tokens of an answer"),
    ("seed", "seed", "the same seed draws the same answer"),
)
_WHOLE = ("top_k", "max_new_tokens", "seed")


class SamplingDialog(Dialog[tuple[str, Sampling]]):
    """Returns the system prompt and the sampling; what cannot be is said and stays written."""

    AUTO_FOCUS = "#system"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f10", "take", "Take it", priority=True, id="sampling.take")
    ]
    DEFAULT_CSS = """
    SamplingDialog {
        & #system { height: 4; border: none; background: $field; margin: 0 0 1 0; &:focus { border: none; } }
        & Horizontal { height: 1; }
        & .name { width: 13; }
        & Input { width: 16; }
        & .note { width: 1fr; padding: 0 0 0 1; color: $quiet; }
    }
    """

    def __init__(self, system: str, sampling: Sampling) -> None:
        super().__init__("System prompt and sampling", "Enter in a field, or Ctrl+S, takes it · Esc closes")
        self.system, self.sampling = system, sampling

    def compose(self) -> ComposeResult:
        """The system prompt, then a line a value."""
        with self.frame:
            yield Static(Content("system prompt (what the model is told before the conversation)"), classes="hint")
            yield TextArea(self.system, id="system", compact=True, tab_behavior="focus", highlight_cursor_line=False)
            for name, title, note in _FIELDS:
                with Horizontal():
                    yield Static(Content(title), classes="name")
                    yield Input(
                        f"{getattr(self.sampling, name):g}"
                        if name not in _WHOLE
                        else str(getattr(self.sampling, name)),
                        id=name,
                        compact=True,
                    )
                    yield Static(Content(note), classes="note")
            with Horizontal():
                yield Static(Content("stop at"), classes="name")
                yield Input(" | ".join(_escaped(each) for each in self.sampling.stop), id="stop", compact=True)
                yield Static(Content("end the answer; | between, \\n = new line"), classes="note")
            yield Static("", classes="wrong")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter takes everything."""
        event.stop()
        self.action_take()

    def action_take(self) -> None:
        """Read the fields, or say which one cannot be read."""
        try:
            system = clean(self.query_one("#system", TextArea).text).strip()
            check_system(system)
            self.dismiss((system, self._read()))
        except SettingsError as error:
            self.query_one(".wrong", Static).update(Content(f"✗ {error}"))

    def _read(self) -> Sampling:
        values: dict[str, float | int] = {}
        for name, title, _ in _FIELDS:
            text = self.query_one(f"#{name}", Input).value.strip()
            try:
                values[name] = int(text) if name in _WHOLE else float(text)
            except ValueError:
                raise SettingsError(
                    f"{title} takes a {'whole ' if name in _WHOLE else ''}number, not {clean(text)!r}."
                ) from None
        parts = (part.strip() for part in self.query_one("#stop", Input).value.split("|"))
        stop = tuple(clean(part.replace("\\n", "\n")) for part in parts if part)
        return Sampling(**values, stop=stop)  # type: ignore[arg-type]


def _escaped(text: str) -> str:
    return text.replace("\n", "\\n")
