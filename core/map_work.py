"""Knowledge maps on the engine's thread, a few forward passes at a time, between the steps of chats."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from core import knowledge
from core.background import Background
from core.checkpoints import Family
from core.loading import Loaded
from core.map_jobs import MapJob
from core.maps import Traced
from core.shelf import Shelf
from core.steps import Pace
from core.tracer import Tracing

#: A whole, in the units in which the pace counts.
_WHOLE = 1_000


class MapWork(Background[MapJob]):
    """A map job in progress. When a chat needs its memory it lets go of its checkpoints, and begins anew later."""

    DOING = "Tracing"
    CANCELLED = "Cancelled; the rows that were computed stay."

    def __init__(
        self, job: MapJob, family: Family, shelf: Shelf, load: Callable[[str, Callable[[], bool]], Loaded]
    ) -> None:
        super().__init__(job)
        self._family, self._shelf, self._load = family, shelf, load
        self._work: Tracing | None = None
        self._holding = ExitStack()
        self._held: set[str] = set()
        self._pace = Pace(_WHOLE)

    @property
    def busy(self) -> set[str]:
        """The checkpoints it is computing with, which must not be given up."""
        return set(self._held)

    def let_go(self) -> None:
        """Close what computes, and let others have the checkpoints."""
        if self._work is not None:
            self._work.close()
        self._work = None
        self._holding.close()
        self._held.clear()

    def advance(self) -> None:
        """Compute some more, and show it; the end is said."""
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
            self._load(name, lambda: not self.cancelled)
            self._holding.enter_context(self._shelf.held(name))
            self._held.add(name)
        return self._shelf.get(name)
