"""Blame on the Chat screen: whichever answers the lens for training stages has nothing to say of yet are scored in the background."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from core.display.lenses import lacking
from tui.chat.runs import Running
from tui.messages import Arrived, RunOver

if TYPE_CHECKING:
    from core.engine.run import Run


class Blaming(Running):
    """Asking the engine which training stage the tokens on the screen are owed to."""

    def __init__(self) -> None:
        super().__init__()
        self.blame_now: Run | None = None

    def blame_soon(self) -> None:
        """Score what the lens shows: of a run that goes on while it does, of answers that are there now."""
        if self.session is None or self.engine is None or not self.ready or not self.chat.settings.turns:
            return
        lens = self.lenses()[self.lens_index()]
        if lens.kind != "stages":
            return
        if self.run_now is not None:
            self.run_now.blame = True
            return
        calibrated = self.engine.noise(self.chat.settings.column.checkpoint).level is not None
        wanted = lacking(lens, self.chat.answers, calibrated)
        if wanted and self.blame_now is None:
            self.blame_now = self.engine.blame(self.chat.settings, wanted)
            self._listen(self.blame_now, "blame")

    def choose_lens(self, index: int) -> None:
        """Colour by the lens at this place, where there is one."""
        if self.session is not None and index < len(self.lenses()):
            self.chat.settings = replace(self.chat.settings, lens=self.lenses()[index].name)
            self.draw_transcript()
            self.blame_soon()

    def stop_blame(self) -> None:
        """Chats go first, and answers that are replaced are not scored on."""
        if self.blame_now is not None:
            self.blame_now.cancel()
            self.blame_now = None

    def answer(
        self, columns: Iterable[int] | None = None, prefixes: Mapping[int, tuple[int, ...]] | None = None
    ) -> None:
        """Answer the last turn; what was scored of earlier answers is not wanted any more."""
        self.stop_blame()
        super().answer(columns, prefixes)

    def interrupt(self) -> None:
        """Stop everything at once, because the program is being left."""
        self.stop_blame()
        super().interrupt()

    def on_arrived(self, message: Arrived) -> None:
        """Fold the scores into the answers."""
        if message.run is self.blame_now:
            message.prevent_default()
            self.chat.apply(message.events)
            self.draw_transcript()

    def on_run_over(self, message: RunOver) -> None:
        """All is scored; or an answer is whole, whose blame may be lacking."""
        if message.run is self.blame_now:
            message.prevent_default()
            self.blame_now = None
            self.keep()

    def scrub_soon(self) -> None:
        """What is computed once nothing has changed for a moment: first what the colours show."""
        self.blame_soon()
        super().scrub_soon()
