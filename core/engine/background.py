"""Something long on the engine's thread (learning, knowledge maps): a slice at a time, between the steps of chats, which go first."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from core.artefacts import store
from core.engine.jobs import Job, MapJob, State, View, Watched
from core.engine.precompute import BUILDERS, BuildRequest, builder, seconds_a_token
from core.errors import TillerError
from core.families.checkpoint import Family
from core.knowledge import tracing
from core.knowledge.maps import Traced
from core.knowledge.tracer import Tracing
from core.models.files import LoadingCancelled
from core.models.loading import Loaded
from core.models.pool import ModelPool, NoRoomNow
from core.util.progress import Pace, Step

_log = logging.getLogger(__name__)


J = TypeVar("J", bound=Watched[Any])


class BackgroundTask(ABC, Generic[J]):
    """A job in progress. It may be suspended when a chat needs its memory, and goes on later."""

    #: What is being done, as a sentence begins, and what is said when it was cancelled.
    DOING: ClassVar[str]
    CANCELLED: ClassVar[str]

    def __init__(self, job: J) -> None:
        self.job = job
        #: Whether the memory it needs was in use when it last asked.
        self.blocked = False

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        view: View = self.job.view
        return view.over

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants its end."""
        return self.job.cancelled.is_set()

    @property
    @abstractmethod
    def busy(self) -> set[str]:
        """The checkpoints it is computing with, which must not be given up."""

    @abstractmethod
    def advance(self) -> None:
        """One slice, which may end the job. Raises what stands in the way."""

    @abstractmethod
    def let_go(self) -> None:
        """Give up every checkpoint and what was being computed with it."""

    def step(self) -> None:
        """One slice; whatever stands in the way ends the job with a sentence."""
        self.blocked = False
        try:
            if self.cancelled:
                self.end("cancelled", self.CANCELLED)
            else:
                self.advance()
        except NoRoomNow:
            self.blocked = True
            self.suspend("Waiting for memory that a chat uses now.")
        except LoadingCancelled as error:
            self.end("cancelled", str(error))
        except TillerError as error:
            self.end("failed", str(error))
        except Exception as error:
            # A fault of ours or of a library's: logged whole, and said in one sentence.
            _log.error("%s failed.", self.DOING, exc_info=error)
            reason = " ".join(str(error).split())[:200]
            self.end(
                "failed",
                f"{self.DOING} stopped with an error ({type(error).__name__}: {reason}); try again or restart Tiller.",
            )

    def suspend(self, sentence: str) -> bool:
        """Let go of the checkpoints; the next slice fetches them again. Whether it held any."""
        held = bool(self.busy)
        self.let_go()
        self.job.publish("waiting", sentence)
        return held

    def end(self, state: State, sentence: str) -> None:
        """The job is over: done, cancelled or failed."""
        self.let_go()
        self.job.publish(state, sentence)


#: Gives a checkpoint, from memory or from disk, as long as it is wanted.
_Load = Callable[[str, Callable[[], bool]], Loaded]


class LearningTask(BackgroundTask[Job]):
    """A job in progress. It may be suspended when a chat needs its memory: it goes on from its notes later."""

    DOING = "Learning"
    CANCELLED = "Learning was cancelled; what was found out is kept for the next time."

    def __init__(self, job: Job, family: Family, load: _Load) -> None:
        super().__init__(job)
        checkpoint = job.view.checkpoint
        self.order = (
            BuildRequest.of(job.wish, family, checkpoint)
            if job.wish
            else BuildRequest(family, checkpoint, store.user_folder())
        )
        self._load = load
        self._left = list(job.view.kinds)
        self._work: Generator[Step, None, None] | None = None
        self._pace: Pace | None = None

    @property
    def busy(self) -> set[str]:
        """The checkpoint it is computing with, which must not be given up."""
        return {self.order.checkpoint} if self._work is not None else set()

    def advance(self) -> None:
        """Learn some more; the end is said."""
        if not self.job.view.kinds:
            self.end("done", f"Nothing is lacking: {self.order.checkpoint} has its directions.")
        elif not self._learn():
            self.end("done", f"Learnt {self.job.called} on {self.order.checkpoint}.")

    def let_go(self) -> None:
        """Close what computes; its notes are kept."""
        if self._work is not None:
            self._work.close()
        self._work = self._pace = None

    def _learn(self) -> bool:
        """Whether there was something left to do."""
        if self._work is None:
            loaded = self._load(self.order.checkpoint, lambda: not self.cancelled)
            # Fetched for chats in the first place, a checkpoint may be there already: then this slice is only planning.
            self.job.publish("running", "Looking at the examples.")
            tokens = {kind: builder(kind).plan(self.order, loaded).tokens for kind in self.job.view.kinds}
            self._pace = Pace(sum(tokens.values()))
            self._pace.done = sum(count for kind, count in tokens.items() if kind not in self._left)
            self._work = self._all(loaded)
            return True
        assert self._pace is not None
        self._pace.go()
        step = next(self._work, None)
        if step is None:
            return False
        self._pace.add(step)
        self.job.publish("running", step.sentence, self._pace.part, self._pace.left)
        return True

    def _all(self, loaded: Loaded) -> Generator[Step, None, None]:
        while self._left:
            yield from builder(self._left[0]).run(self.order, loaded)
            self._left.pop(0)


def estimate_seconds(family: Family, loaded: Loaded, kinds: tuple[str, ...]) -> Iterator[float | None]:
    """How many seconds learning ``kinds`` on a checkpoint takes, measured on a real batch: after a few slices (None), the number."""
    order = BuildRequest(family, loaded.checkpoint.name, store.user_folder())
    tokens = 0
    for kind in kinds:
        tokens += BUILDERS[kind].plan(order, loaded).tokens
        yield None
    yield tokens * seconds_a_token(order, loaded)


#: A whole, in the units in which the pace counts.
_WHOLE = 1_000


class MapTask(BackgroundTask[MapJob]):
    """A map job in progress. When a chat needs its memory it lets go of its checkpoints, and begins anew later."""

    DOING = "Tracing"
    CANCELLED = "Cancelled; the rows that were computed stay."

    def __init__(
        self, job: MapJob, family: Family, pool: ModelPool, load: Callable[[str, Callable[[], bool]], Loaded]
    ) -> None:
        super().__init__(job)
        self._family, self._shelf, self._load = family, pool, load
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
            self._work = tracing.trace(self._family, self.job.order, self._hold)
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
