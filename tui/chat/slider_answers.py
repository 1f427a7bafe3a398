"""The answers at nine strengths of the active slider, made ahead while nobody waits: moving the slider shows them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.chat.events import Done, Event
from core.chat.slider_cache import ScrubKey

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

    def show(self) -> None:
        """Show the answer that was computed ahead for the selected column's recipe, if there is one and it is not shown."""
        model, session = self.model, self.model.session
        stale = session.settings.turns and session.stale(session.settings.selected)
        if model.run is None and stale and model.engine.catalogue.sources(model.slider):
            model.bank.show_computed(session, model.scrubs, model.slider)

    def _may(self) -> bool:
        model, settings, name = self.model, self.model.settings, self.model.slider
        catalogue = model.engine.catalogue
        if not model.ready or not model.session.may_precompute(model.run is not None) or not catalogue.sources(name):
            return False
        if not model.bank.moves(settings, name):
            return False
        return name in catalogue.cards(model.bank.source(settings, name))

    def _start(self) -> None:
        if not self._may():
            return
        model, settings, name = self.model, self.model.settings, self.model.slider
        key = model.bank.key(settings, name)
        if model.scrubs.complete(key) or (self.run is not None and key == self._key):
            return
        self.stop()
        model.scrubs.start(key)
        self._key = key
        self.run = model.engine.scrub(model.bank.along(settings, name), settings.selected, name)
        self.reader.read(self.run, "scrub")

    def arrived(self, events: list[Event]) -> None:
        """Keep what was answered; where the slider stands there already, show it."""
        if self._key is not None:
            self.model.scrubs.apply(self._key, events)
            if any(isinstance(event, Done) for event in events):
                self.show()
                self.view.draw()

    def over(self) -> None:
        """All strengths are answered."""
        self.run = None
