"""Runs on the Chat screen: started, streamed into the session, stopped, and the nine strengths made ahead of the sliders."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from textual.worker import Worker, WorkerState, get_current_worker

from core.chat.events import Done, Failed
from core.chat.slider_cache import ScrubKey, scrub_key
from tui.chat.board import Board
from tui.messages import Arrived, KeepWanted, RunOver

if TYPE_CHECKING:
    from textual.timer import Timer

    from core.engine.run import Run

_WAIT = 0.08
_FRAME = 0.03
_SCRUB_AFTER = 0.3


class Running(Board):
    """Starting runs and listening to them."""

    def __init__(self) -> None:
        super().__init__()
        self._scrub_key: ScrubKey | None = None
        self._scrub_timer: Timer | None = None
        self.waiting = False

    # --------------------------------------------------------------------------------------------------------- chats

    def answer(
        self, columns: Iterable[int] | None = None, prefixes: Mapping[int, tuple[int, ...]] | None = None
    ) -> None:
        """Answer the last turn in all or some columns; beside recorded answers all are made anew, so that none passes for live."""
        assert self.engine is not None
        every = columns is None or self.chat.recorded
        chosen = list(range(len(self.chat.settings.columns))) if every else list(columns or ())
        self.stop_scrub()
        if self.run_now is not None:
            self.run_now.cancel()
        self.chat.waiting(chosen)
        self.run_now = self.engine.submit(self.chat.settings, chosen, prefixes)
        self.cursor = (self.chat.settings.selected, None)
        self._listen(self.run_now, "run")
        self.draw()
        self.transcript.follow()
        self.refresh_bindings()

    def say_waiting(self) -> None:
        """Say that a run waits for the model, until it no longer does."""
        self.waiting = not self.ready
        self.say("The answer waits for the model." if self.waiting else "")

    def stop(self) -> bool:
        """Stop the run, if there is one; what was said stays."""
        if self.run_now is None:
            return False
        self.run_now.cancel()
        return True

    def interrupt(self) -> None:
        """Stop the run at once, because the program is being left: what was said so far is the answer."""
        if self.stop():
            said = ((column, answer) for column, answer in self.chat.answers.items() if not answer.finished)
            self.chat.apply([Done(column, "stopped", len(answer.tokens), answer.seconds) for column, answer in said])
            self.run_now = None

    def _listen(self, run: Run, group: str) -> None:
        self.run_worker(
            partial(self._pump, run, group), thread=True, exclusive=True, group=group, exit_on_error=False, name=group
        )

    def _pump(self, run: Run, group: str) -> None:
        """In a thread of its own: hand on what a run says, until it has said all. Being cancelled cancels the run."""
        worker = get_current_worker()
        while not run.finished:
            if worker.is_cancelled:
                run.cancel()
            if not self.is_attached:
                run.cancel()
                return
            events = run.poll(_WAIT)
            if events:
                # A screen drawn for each token would take the engine's time; thirty times a second is enough to watch.
                time.sleep(_FRAME)
                events += run.poll()
                self.post_message(Arrived(run, events, group == "scrub"))
        self.post_message(RunOver(run, group == "scrub"))

    def on_arrived(self, message: Arrived) -> None:
        """Fold what arrived into the session, or into the strengths made ahead."""
        if message.scrub:
            self._scrub_arrived(message)
        elif message.run is self.run_now:
            if self.waiting:
                self.waiting = False
                self.say("")
            self.chat.apply(message.events)
            for event in message.events:
                if isinstance(event, Failed):
                    self.say(f"✗ {event.sentence}", wrong=True)
            self.draw_transcript()

    def on_run_over(self, message: RunOver) -> None:
        """Keep the answers; then compute ahead for the slider."""
        if message.scrub:
            if message.run is self.scrub_now:
                self.scrub_now = None
        elif message.run is self.run_now:
            self.run_now = None
            self.refresh_bindings()
            self.chat.settle()
            self.draw()
            self.keep()
            self.scrub_soon()

    def keep(self) -> None:
        """Store the state, once an answer is whole."""
        self.app.post_message(KeepWanted())

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A listener that broke is said, not swallowed; the program goes on."""
        if event.state is WorkerState.ERROR and event.worker.name not in ("scrub", "blame"):
            self.run_now = None
            self.say(f"✗ The answer could not be read on: {event.worker.error}. Ctrl+R tries again.", wrong=True)
            self.draw()

    # --------------------------------------------------------------------------------------------------------- scrubs

    def scrub_soon(self) -> None:
        """Compute ahead once nothing has changed for a moment."""
        if self._scrub_timer is not None:
            self._scrub_timer.stop()
        self._scrub_timer = self.set_timer(_SCRUB_AFTER, self._scrub)

    def _may_scrub(self) -> bool:
        chat, name = self.session, self.slider_chosen
        if (
            chat is None
            or chat.recorded
            or not chat.settings.turns
            or not self.ready
            or self.run_now is not None
            or not name
        ):
            return False
        answer = chat.answers.get(chat.settings.selected)
        if answer is None or not answer.finished or answer.error or answer.reason == "stopped":
            return False
        where = self.source(name) or chat.settings.column.checkpoint
        return name in self.cards_or_none(where) and not any(token.forced for token in answer.tokens)

    def _scrub(self) -> None:
        if not self._may_scrub():
            return
        assert self.engine is not None
        settings, name = self.chat.settings, self.slider_chosen
        source = self.source(name)
        if settings.column.recipe.slider(name) is None and source is not None:
            # The direction of another checkpoint is wanted, but no term carries its name yet.
            settings = settings.with_recipe(settings.column.recipe.with_strength(name, 1.0, source))
        key = scrub_key(settings, settings.selected, name, source)
        if self.scrubs.complete(key) or (self.scrub_now is not None and key == self._scrub_key):
            return
        self.stop_scrub()
        self.scrubs.start(key)
        self._scrub_key = key
        self.scrub_now = self.engine.scrub(settings, settings.selected, name)
        self._listen(self.scrub_now, "scrub")

    def stop_scrub(self) -> None:
        """Chats go first."""
        if self.scrub_now is not None:
            self.scrub_now.cancel()
            self.scrub_now = None

    def _scrub_arrived(self, message: Arrived) -> None:
        if message.run is not self.scrub_now or self._scrub_key is None:
            return
        self.scrubs.apply(self._scrub_key, message.events)
        if any(isinstance(event, Done) for event in message.events):
            self.swap()
            self.draw_panel()

    def swap(self) -> bool:
        """Show the answer that was computed ahead for the selected column's recipe, if there is one and it is not shown."""
        chat = self.chat
        column, name = chat.settings.selected, self.slider_chosen
        if self.run_now is not None or not chat.settings.turns or not chat.stale(column):
            return False
        key = scrub_key(chat.settings, column, name, self.source(name))
        answer = self.scrubs.find(key, chat.settings.column.recipe.strength(name))
        if answer is None:
            return False
        chat.swap(column, answer)
        self.draw_transcript()
        return True
