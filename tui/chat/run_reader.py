"""Listening to the engine's runs: each in a thread of its own, which posts to the screen what the run says."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from textual.worker import get_current_worker

from tui.messages import Arrived, RunOver

if TYPE_CHECKING:
    from textual.screen import Screen

    from core.engine.run import Run

_WAIT = 0.08
_FRAME = 0.03


class RunReader:
    """Reads one run of a kind at a time: another one of that kind cancels the one before."""

    def __init__(self, screen: Screen[None]) -> None:
        self.screen = screen

    def read(self, run: Run, kind: Literal["run", "scrub", "blame"]) -> None:
        """Post what a run says as :class:`Arrived`, and its end as :class:`RunOver`."""
        work = partial(self._read, run)
        self.screen.run_worker(work, thread=True, exclusive=True, group=kind, exit_on_error=False, name=kind)

    def _read(self, run: Run) -> None:
        """In a thread: hand on what a run says, until it has said all. Being cancelled cancels the run."""
        worker = get_current_worker()
        while not run.finished:
            if worker.is_cancelled:
                run.cancel()
            if not self.screen.is_attached:
                run.cancel()
                return
            events = run.poll(_WAIT)
            if events:
                # A screen drawn for each token would take the engine's time; thirty times a second is enough to watch.
                time.sleep(_FRAME)
                events += run.poll()
                self.screen.post_message(Arrived(run, events))
        self.screen.post_message(RunOver(run))
