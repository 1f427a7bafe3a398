"""The run that answers: started, streamed into the session, stopped; what is computed ahead makes way for it and follows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from core.chat.events import Done, Event, Failed
from tui.messages import KeepWanted

if TYPE_CHECKING:
    from core.chat.beginnings import Beginning
    from core.engine.run import Run
    from tui.chat.colouring import Colouring
    from tui.chat.model import ChatModel
    from tui.chat.run_reader import RunReader
    from tui.chat.slider_answers import SliderAnswers
    from tui.chat.view import ChatView
    from tui.widgets.notice import Notice


class RunController:
    """Starts and ends the runs whose answers are the conversation."""

    def __init__(
        self, model: ChatModel, view: ChatView, reader: RunReader, colouring: Colouring, ahead: SliderAnswers
    ) -> None:
        self.model, self.view, self.reader = model, view, reader
        self.colouring, self.ahead = colouring, ahead
        self._waiting = False

    @property
    def run(self) -> Run | None:
        """The run that answers now."""
        return self.model.run

    def refuse(self, notice: Notice | None = None) -> bool:
        """Whether something has to wait for the end of a run; that is said then, where the person is looking."""
        if self.run is not None:
            (notice or self.view.notice).refuse("An answer is being written; wait for it or stop it with Esc first.")
        return self.run is not None

    def answer(self, columns: Iterable[int] | None = None, prefixes: Mapping[int, Beginning] | None = None) -> None:
        """Answer the last turn in all or some columns; beside recorded answers all are made anew, so that none passes for live."""
        model, session = self.model, self.model.session
        every = columns is None or session.recorded
        chosen = list(range(len(session.settings.columns))) if every else list(columns or ())
        self.stop_ahead()
        self.stop()
        session.waiting(chosen, prefixes)
        model.run = model.engine.submit(session.settings, chosen, prefixes)
        model.cursor = (session.settings.selected, None)
        # Kept before it is answered: whatever ends the program now, the message is not lost.
        self.view.screen.post_message(KeepWanted())
        self.reader.read(model.run, "run")
        self.view.draw()
        self.view.transcript.transcript.follow()
        self.view.screen.refresh_bindings()

    def say_waiting(self) -> None:
        """Say that the answer waits for the model, until it no longer does."""
        self._waiting = not self.model.ready
        self.view.notice.say("The answer waits for the model." if self._waiting else "")

    def stop(self) -> bool:
        """Stop the run, if there is one; what was said stays."""
        if self.run is None:
            return False
        self.run.cancel()
        return True

    def drop(self) -> None:
        """Stop everything, and hear no more of it: another chat takes this one's place."""
        self.stop_all()
        self.model.run = None

    def stop_all(self) -> None:
        """Stop what is answered, and what is computed ahead."""
        self.stop_ahead()
        self.stop()

    def interrupt(self) -> None:
        """Stop everything at once, because the program is being left: what was said so far is the answer."""
        running, session = self.run is not None, self.model.session
        self.drop()
        if running:
            said = ((column, answer) for column, answer in session.answers.items() if not answer.finished)
            session.apply([Done(column, "stopped", len(answer.tokens), answer.seconds) for column, answer in said])

    # --------------------------------------------------------------------------------------------------- in the background

    def ahead_soon(self) -> None:
        """Compute ahead once nothing has changed for a moment: first what the colours show, then the slider's answers."""
        self.colouring.soon()
        self.ahead.soon()

    def stop_ahead(self) -> None:
        """Chats go first, and answers that are replaced are not scored on."""
        self.colouring.stop()
        self.ahead.stop()

    # --------------------------------------------------------------------------------------------------------- listening

    def arrived(self, events: list[Event]) -> None:
        """Fold what arrived into the session."""
        if self._waiting:
            self._waiting = False
            self.view.notice.say("")
        self.model.session.apply(events)
        for event in events:
            if isinstance(event, Failed):
                self.view.notice.refuse(event.sentence)
        self.view.draw_transcript()

    def over(self) -> None:
        """Keep the answers; then compute ahead."""
        self.model.run = None
        self.view.screen.refresh_bindings()
        self.model.session.settle()
        self.view.draw()
        self.view.screen.post_message(KeepWanted())
        self.ahead_soon()

    def broken(self, error: BaseException | None) -> None:
        """A listener that broke is said, not swallowed; the program goes on."""
        self.model.run = None
        self.view.notice.refuse(f"The answer could not be read on: {error}. Ctrl+R tries again.")
        self.view.draw()
