"""The lens that colours the tokens. Answers that a lens for training stages has nothing to say of yet are scored in the background."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.display.lenses import lacking
from tui.messages import KeepWanted

if TYPE_CHECKING:
    from core.chat.events import Event
    from core.engine.run import Run
    from tui.chat.model import ChatModel
    from tui.chat.run_reader import RunReader
    from tui.chat.view import ChatView


class Colouring:
    """Which lens, and the run that asks which training stage the tokens on the screen are owed to."""

    def __init__(self, model: ChatModel, view: ChatView, reader: RunReader) -> None:
        self.model, self.view, self.reader = model, view, reader
        self.run: Run | None = None

    def choose(self, index: int) -> None:
        """Colour by the lens at this place, where there is one."""
        lenses, session = self.model.lens_choice()[0], self.model.session
        if index < len(lenses):
            session.settings = replace(session.settings, lens=lenses[index].name)
            self.view.draw_transcript()
            self.soon()

    def choose_next(self) -> None:
        """Colour by the next lens."""
        lenses, chosen = self.model.lens_choice()
        self.choose((chosen + 1) % len(lenses))

    def soon(self) -> None:
        """Score what the lens shows: of a run that goes on while it does, of answers that are there now."""
        model, settings = self.model, self.model.settings
        lenses, chosen = model.lens_choice()
        if not model.ready or not settings.turns or lenses[chosen].kind != "stages":
            return
        if model.run is not None:
            model.run.blame = True
            return
        calibrated = model.engine.noise(settings.column.checkpoint).calibrated
        wanted = lacking(lenses[chosen], model.session.answers, calibrated)
        if wanted and self.run is None:
            self.run = model.engine.blame(settings, wanted)
            self.reader.read(self.run, "blame")

    def stop(self) -> None:
        """Score no further: chats go first, and answers that are replaced are not scored on."""
        if self.run is not None:
            self.run.cancel()
            self.run = None

    def arrived(self, events: list[Event]) -> None:
        """Fold the scores into the answers."""
        self.model.session.apply(events)
        self.view.draw_transcript()

    def over(self) -> None:
        """All is scored."""
        self.run = None
        self.view.screen.post_message(KeepWanted())
