"""Removing a stage's part: a section of the Blame screen. Draws; decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from core.chat.session import Session
from core.engine.undo import beside
from core.util.files import read_text

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.undo.run import Undone
    from tui.screens.screen import Place

_HOW = (
    "Name the stage, and files of prompts whose behaviour is to be lost and kept, one a line (a family may bring its own). "
    "Enter fits and judges; Enter in the last field keeps the edited model as a checkpoint of that name, beside the model in Chat."
)
_FIELDS = ("stage", "lose", "keep", "name")


class UndoFields(Vertical):
    """Four fields and a table."""

    DEFAULT_CSS = """
    UndoFields { height: auto; & > Static { height: auto; } }
    """

    def __init__(self) -> None:
        super().__init__(id="undo")
        self.fields = {name: Input(id=f"undo-{name}", compact=True) for name in _FIELDS}
        self.result = Static(id="undo-report")
        self.found: Undone | None = None

    def compose(self) -> ComposeResult:
        """What the section is for, its fields, and what came out."""
        yield Static(Content.styled(_HOW, "$quiet"))
        for name, field in self.fields.items():
            yield Horizontal(Static({"name": "keep as"}.get(name, name)), field, classes="ask")
        yield self.result

    @property
    def place(self) -> Place:
        """The screen it stands on."""
        return self.screen  # type: ignore[return-value]

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter: in the last field keep what was found, in the others find it."""
        message.stop()
        engine = self.place.engine
        if engine is None:
            self.place.notice.refuse("The model is still loading; ask when it is ready.")
        elif message.input is self.fields["name"]:
            self._keep(engine)
        else:
            self._fit(engine)

    def _fit(self, engine: Engine) -> None:
        with self.place.notice.refusing():
            own = engine.undo.offered_prompts()
            lose, keep = (
                _prompts(self.fields[name].value, offer) for name, offer in zip(("lose", "keep"), own, strict=True)
            )
            stage = self.fields["stage"].value.strip() or engine.undo.likely
            self.place.say(f"Removing the part of {stage}. Ctrl+X stops.")
            self.place.run_slices(engine.undo.fit(stage, lose, keep), self._show)

    def _show(self, found: Undone) -> None:
        self.found = found
        self.place.say("")
        self.result.update(Content("\n".join([found.verdict, "", *found.table(), "", found.how])))

    def _keep(self, engine: Engine) -> None:
        name, chat = self.fields["name"].value.strip(), self.place.chat
        if self.found is None:
            self.place.notice.refuse("Remove a stage's part first.")
            return
        with self.place.notice.refusing():
            engine.undo.keep(self.found, name)
            self.place.action_chat()
            chat.conversation.open(Session(beside(chat.session.settings, self.found, name)))


def _prompts(value: str, offer: str) -> str:
    """The prompts of a file that is named, or those that are offered."""
    name = value.strip().removeprefix("@")
    return read_text(Path(name), "name a text file with one prompt a line") if name else offer
