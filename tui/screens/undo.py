"""Removing a stage's part: a section of the Blame screen. Draws; decides nothing."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from core.engine import undo
from core.errors import TillerError
from core.util.files import read_text

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.undo.run import Undone
    from tui.screens.screen import Place

_HOW = (
    "Remove a stage's part: name the stage, and files of prompts whose behaviour is to be lost and kept, one a line (Skiff has its own). "
    "Enter fits and judges; Enter in the last field keeps the edited model as a checkpoint of that name, beside the model in Chat."
)
_FIELDS = ("stage", "lose", "keep", "name")


class UndoFields(Vertical):
    """Four fields and a table."""

    DEFAULT_CSS = """
    UndoFields { height: auto; margin: 1 0 0 0; & > Static { height: auto; } }
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
            self.place.say("✗ The model is still loading; ask when it is ready.", wrong=True)
        elif message.input is self.fields["name"]:
            self._keep(engine)
        else:
            self._fit(engine)

    def _fit(self, engine: Engine) -> None:
        try:
            own = undo.offered_prompts(engine)
            lose, keep = (
                _lines(self.fields[name].value, offer) for name, offer in zip(("lose", "keep"), own, strict=True)
            )
        except TillerError as error:
            self.place.say(f"✗ {error}", wrong=True)
            return
        stage = self.fields["stage"].value.strip() or undo.stages_of(engine)[0]
        self.place.say(f"Removing the part of {stage}. Ctrl+X stops.")
        self.screen.run_worker(
            partial(self._work, engine, stage, lose, keep),
            thread=True,
            exclusive=True,
            group="blame",
            exit_on_error=False,
        )

    def _work(self, engine: Engine, stage: str, lose: str, keep: str) -> None:
        """In a thread of its own; what goes wrong is said."""
        worker, said = get_current_worker(), ""
        work = undo.undoing(engine, stage, lose, keep)
        tell: Any = self.app.call_from_thread
        try:
            while not worker.is_cancelled:
                step = next(work)
                if step.sentence != said:
                    said = step.sentence
                    tell(self.place.say, f"{said} Ctrl+X stops.")
        except StopIteration as stop:
            tell(self._show, stop.value)
        except TillerError as error:
            tell(self.place.say, f"✗ {error}", True)
        finally:
            work.close()

    def _show(self, found: Undone) -> None:
        self.found = found
        self.place.say("")
        self.result.update(Content("\n".join([found.verdict, "", *found.table(), "", found.how])))

    def _keep(self, engine: Engine) -> None:
        name, chat = self.fields["name"].value.strip(), self.place.board.session
        if self.found is None or chat is None:
            self.place.say("✗ Remove a stage's part first.", wrong=True)
            return
        try:
            undo.keep_edited(engine, self.found, name)
        except TillerError as error:
            self.place.say(f"✗ {error}", wrong=True)
            return
        from core.chat.session import Session

        self.place.action_chat()
        self.place.board.open_session(Session(undo.beside(chat.settings, self.found, name)))


def _lines(value: str, offer: str) -> str:
    """The prompts of a file that is named, or those that are offered."""
    name = value.strip().removeprefix("@")
    return read_text(Path(name), "name a text file with one prompt a line") if name else offer
