"""Knowledge maps on the engine's thread, a few forward passes at a time, between the steps of chats."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from core import knowledge
from core.errors import TillerError
from core.families import Family
from core.loading import Loaded
from core.map_jobs import MapJob
from core.maps import Traced
from core.shelf import NoRoomNow, Shelf
from core.sources import LoadingCancelled
from core.steps import Pace
from core.tracer import Tracing

_log = logging.getLogger(__name__)
#: A whole, in the units in which the pace counts.
_WHOLE = 1_000


class MapWork:
    """A map job in progress. When a chat needs its memory it lets go of its checkpoints, and begins anew later."""

    def __init__(
        self, job: MapJob, family: Family, shelf: Shelf, load: Callable[[str, Callable[[], bool]], Loaded]
    ) -> None:
        self.job = job
        self._family, self._shelf, self._load = family, shelf, load
        self._work: Tracing | None = None
        self._holding = ExitStack()
        self._held: set[str] = set()
        self._pace = Pace(_WHOLE)
        #: Whether the memory it needs was in use when it last asked.
        self.blocked = False

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.job.view.over

    @property
    def busy(self) -> set[str]:
        """The checkpoints it is computing with, which must not be given up."""
        return set(self._held)

    def step(self) -> None:
        """One slice; whatever stands in the way ends the job with a sentence."""
        self.blocked = False
        try:
            if self.job.cancelled.is_set():
                self.end("cancelled", "Cancelled; the rows that were computed stay.")
            else:
                self._advance()
        except NoRoomNow:
            self.blocked = True
            self.suspend("Waiting for memory that a chat uses now.")
        except LoadingCancelled as error:
            self.end("cancelled", str(error))
        except TillerError as error:
            self.end("failed", str(error))
        except Exception as error:
            # A fault of ours or of a library's: logged whole, and said in one sentence.
            _log.error("Tracing failed.", exc_info=error)
            reason = " ".join(str(error).split())[:200]
            self.end(
                "failed",
                f"Tracing stopped with an error ({type(error).__name__}: {reason}); try again or restart Tiller.",
            )

    def suspend(self, sentence: str) -> bool:
        """Let go of the checkpoints; the next slice begins anew. Whether it held any."""
        held = bool(self._held)
        self._close()
        self.job.publish("waiting", sentence)
        return held

    def end(self, state: str, sentence: str) -> None:
        """The job is over."""
        assert state in ("done", "cancelled", "failed")
        self._close()
        self.job.publish(state, sentence)  # type: ignore[arg-type]

    def _close(self) -> None:
        if self._work is not None:
            self._work.close()
        self._work = None
        self._holding.close()
        self._held.clear()

    def _advance(self) -> None:
        if self._work is None:
            self._work = knowledge.trace(self._family, self.job.order, self._hold)
            self._pace = Pace(_WHOLE)
        self._pace.go()
        try:
            step, traced = next(self._work)
        except StopIteration as stop:
            whole: Traced = stop.value
            self.job.publish("running", whole.sentence, whole)
            self.end("done", "Done.")
            return
        if traced.part:
            self._pace.add(step._replace(tokens=round(traced.part * _WHOLE) - self._pace.done))
        self.job.publish("running", traced.sentence, replace(traced, left=self._pace.left))

    def _hold(self, name: str) -> Loaded:
        """A checkpoint that stays in memory until the job is over or suspended."""
        if name not in self._held:
            self._load(name, lambda: not self.job.cancelled.is_set())
            self._holding.enter_context(self._shelf.held(name))
            self._held.add(name)
        return self._shelf.get(name)
