"""The answers at nine strengths of the active slider, made ahead while nobody waits: moving the slider shows them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.chat.events import Done, Event
from core.chat.slider_cache import ScrubKey, scrub_key

if TYPE_CHECKING:
    from textual.timer import Timer

    from core.engine.run import Run
    from tui.chat.model import ChatModel
    from tui.chat.run_reader import RunReader
    from tui.chat.view import ChatView

_AFTER = 0.3


class SliderAnswers:
    """Made once nothing has changed for a moment; chats go first."""

    def __init__(self, model: ChatModel, view: ChatView, reader: RunReader) -> None:
        self.model, self.view, self.reader = model, view, reader
        self.run: Run | None = None
        self._key: ScrubKey | None = None
        self._timer: Timer | None = None

    def soon(self) -> None:
        """Compute them once nothing has changed for a moment."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.view.screen.set_timer(_AFTER, self._start)

    def stop(self) -> None:
        """Compute no further."""
        if self.run is not None:
            self.run.cancel()
            self.run = None

    def swap(self) -> bool:
        """Show the answer that was computed ahead for the selected column's recipe, if there is one and it is not shown."""
        model, session = self.model, self.model.session
        column, name = session.settings.selected, model.slider
        if model.run is not None or not session.settings.turns or not session.stale(column):
            return False
        key = scrub_key(session.settings, column, name, model.source(name))
        answer = model.scrubs.find(key, session.settings.column.recipe.strength(name))
        if answer is None:
            return False
        session.swap(column, answer)
        self.view.draw_transcript()
        return True

    # ------------------------------------------------------------------------------------------------------- computing

    def _may(self) -> bool:
        model, session, name = self.model, self.model.session, self.model.slider
        idle = model.ready and model.run is None
        if not (name and session.settings.turns and idle) or session.recorded:
            return False
        answer = session.answers.get(session.settings.selected)
        if answer is None or not answer.finished or answer.error or answer.reason == "stopped":
            return False
        where = model.source(name) or session.settings.column.checkpoint
        return name in model.cards(where) and not any(token.forced for token in answer.tokens)

    def _start(self) -> None:
        if not self._may():
            return
        model, settings, name = self.model, self.model.settings, self.model.slider
        source = model.source(name)
        if settings.column.recipe.slider(name) is None and source is not None:
            # The direction of another checkpoint is wanted, but no term carries its name yet.
            settings = settings.with_recipe(settings.column.recipe.with_strength(name, 1.0, source))
        key = scrub_key(settings, settings.selected, name, source)
        if model.scrubs.complete(key) or (self.run is not None and key == self._key):
            return
        self.stop()
        model.scrubs.start(key)
        self._key = key
        self.run = model.engine.scrub(settings, settings.selected, name)
        self.reader.read(self.run, "scrub")

    def arrived(self, events: list[Event]) -> None:
        """Keep what was answered; where the slider stands there already, show it."""
        if self._key is not None:
            self.model.scrubs.apply(self._key, events)
            if any(isinstance(event, Done) for event in events):
                self.swap()
                self.view.draw_panel()

    def over(self) -> None:
        """All strengths are answered."""
        self.run = None
