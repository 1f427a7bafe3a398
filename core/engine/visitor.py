"""An engine as one visitor of a server sees it: what he learns is his own, and what he begins is his own to cancel. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.chat.events import Status
from core.engine.allowance import VisitorAllowance, WaitingLine
from core.engine.engine import Engine
from core.engine.jobs import Watched
from core.engine.thread import EngineCommand, EngineThread
from core.families.checkpoint import VisitorFamily

if TYPE_CHECKING:
    from core.engine.worker import Worker


class VisitorEngine(Engine):
    """The same models on the same thread, with a library, jobs and a budget of its own.

    Args:
        owner: the engine whose models compute.
        folder: where what the visitor learns or imports is kept; whoever made it removes it.
        seconds: how long one piece of long work may compute.
        line: the line in which the long work of all visitors waits.
    """

    def __init__(self, owner: Engine, folder: Path, seconds: float, line: WaitingLine) -> None:
        EngineThread.__init__(self)
        self._owner = owner
        #: Where what the visitor learns or imports is kept.
        self.folder = folder
        self.placing, self.threads, self.account = owner.placing, owner.threads, owner.account
        # What is measured of the models holds for everybody.
        self._seconds, self._noise = owner._seconds, owner._noise
        self._serve(VisitorFamily(owner._families, folder), VisitorAllowance(seconds, line))

    @property
    def status(self) -> Status:
        """What the engine is doing now."""
        return self._owner.status

    def wait_ready(self, timeout: float | None = None) -> Status:
        """Wait until the final checkpoint is in memory, or cannot be."""
        return self._owner.wait_ready(timeout)

    def start(self) -> None:
        """The owner's thread computes."""

    def close(self) -> None:
        """End what was begun here; the models stay."""
        jobs: list[Watched[Any]] = [*self._jobs.values(), *self._maps.values()]
        for job in jobs:
            job.cancel()
        self.transfers.close()

    def cancel_loading(self) -> None:
        """Others may want what is being loaded. Raises TillerError."""
        self.allowance.check_owner()

    def _send(self, command: EngineCommand[Worker]) -> None:
        self._owner._send(command)
