"""The conversation: sent, edited, answered again, taken back, gone on with from another token, replaced by another chat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.chat.session import Session
from core.errors import TillerError
from core.recipes.scanner import RecipeError
from tui.shell import shell

if TYPE_CHECKING:
    from core.chat.events import Alternative
    from core.families.checkpoint import Example
    from tui.chat.model import ChatModel
    from tui.chat.runs import RunController
    from tui.chat.view import ChatView
    from tui.widgets.prompt import Prompt


class ConversationController:
    """Changes the turns of the session, and has them answered."""

    def __init__(self, model: ChatModel, view: ChatView, runs: RunController, prompt: Prompt) -> None:
        self.model, self.view, self.runs, self.prompt = model, view, runs, prompt
        self.notice = view.notice
        #: Whether what is in the prompt takes the last message's place.
        self.editing = False

    def send(self, message: str, typed: bool = True) -> None:
        """Send a message, or say why not; then it stays in the prompt, as does what was not ``typed`` there."""
        if self.runs.refuse():
            return
        model, session = self.model, self.model.session
        try:
            if model.typed is not None:
                model.bank.write(model.settings, model.typed)
            if self.editing and typed:
                session.ask_again(message)
            else:
                session.ask(message)
        except RecipeError as error:
            self.notice.refuse(f"The recipe cannot be read. {error} Your message stays.")
            return
        except TillerError as error:
            self.notice.refuse(error)
            return
        model.typed = None
        if typed:
            self.editing = False
            self.prompt.put("")
        else:
            self.prompt.focus()
        self.runs.say_waiting()
        self.runs.answer()

    def edit(self) -> None:
        """Change the last message and send it again."""
        session = self.model.session
        if not session.settings.turns or session.recorded or self.runs.refuse():
            return
        self.editing = True
        self.prompt.put(session.settings.turns[-1].user)
        self.prompt.focus()
        self.notice.say("Editing your last message: Enter sends it in the old one's place, Esc leaves that as it is.")

    def stop(self) -> None:
        """Stop the run and what is being loaded for it; else leave editing; else back to the prompt."""
        if self.loads:
            self.model.engine.cancel_loading()
            self.runs.stop()
            return
        if self.runs.stop():
            return
        if self.editing:
            self.editing = False
            self.prompt.put("")
        self.notice.say("")
        self.prompt.focus()

    @property
    def loads(self) -> bool:
        """Whether a checkpoint is being loaded, which can be cancelled."""
        return self.model.engine.status.state == "loading"

    @property
    def stoppable(self) -> bool:
        """Whether there is something to stop or to leave."""
        return self.runs.run is not None or self.loads or self.editing or not self.prompt.has_focus

    def retry(self) -> None:
        """Answer the last message again in every column, with a new seed where tokens are drawn by chance; the answers that are there stay
        as a version."""
        if not self.runs.refuse():
            with self.notice.refusing():
                fixed = self.model.session.fixed
                self.model.session.retry()
                self.runs.say_waiting()
                if fixed and self.model.ready:
                    self.notice.say(fixed)
                self.runs.answer()

    def undo(self) -> None:
        """Back to how it was before the last message, retry, continuation or change of columns."""
        if self.runs.refuse():
            return
        self.runs.stop_ahead()
        with self.notice.refusing():
            self.model.session.undo()
            self.model.start_over()
            self.notice.say("One step back.")
            self.view.draw()
            self.answer_open()

    def continue_from(self, alternative: Alternative) -> None:
        """Answer again with this token instead of the one that is explained, in its column."""
        session, (column, index) = self.model.session, self.model.cursor
        answer = session.answers.get(column)
        if answer is None or index is None or self.runs.refuse():
            return
        with self.notice.refusing():
            begins = session.follow(column, index, alternative)
            self.prompt.focus()
            self.runs.answer([column], {column: begins})

    # ------------------------------------------------------------------------------------------------- another chat

    def new(self) -> None:
        """An empty chat with the same columns; undo brings this one back."""
        if not self.runs.refuse():
            self.open(Session(replace(self.model.settings, turns=())))
            self.notice.say("A new chat. F9 brings the last one back.")

    def open_example(self, example: Example) -> None:
        """Show an example."""
        if self.runs.refuse():
            return
        with self.notice.refusing():
            self.open(Session(self.model.engine.example(example, self.model.settings.lens)))
            self.notice.say(example.note)

    def open(self, opened: Session) -> None:
        """Put this chat on the screen; what its columns did not write is answered. Undo brings the one before back."""
        model, session = self.model, self.model.session
        self.runs.drop()
        session.replace_by(opened)
        model.start_over()
        model.first_slider()
        self.view.draw()
        self.prompt.focus()
        shell(self.prompt).go(opened.settings.tab)
        self.answer_open()

    def answer_cut_off(self) -> None:
        """Answer the last message where a crash cut its answers off."""
        session = self.model.session
        columns = [column for column in session.lacking if column not in session.answers]
        if columns and self.runs.run is None:
            self.runs.answer(columns)

    def answer_open(self) -> None:
        """Answer the last message in the columns that did not write what stands there; else compute ahead."""
        lacking = self.model.session.lacking
        if lacking:
            self.runs.answer(lacking)
        else:
            self.runs.ahead_soon()
