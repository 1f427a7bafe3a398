"""Something long on the engine's thread (learning, knowledge maps): a slice at a time, between the steps of chats, which go first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

from core.directions.effort import MEASURED, QUICK, Effort
from core.directions.request import KINDS as DIRECTIONS
from core.engine.allowance import before_you, time_is_up
from core.engine.jobs import Job, MapJob, State, View, Watched, learnable
from core.engine.precompute import BUILDERS, BuildRequest, builder, seconds_a_token
from core.errors import TillerError
from core.families.checkpoint import Family
from core.knowledge import tracing
from core.knowledge.maps import Traced
from core.knowledge.tracer import Tracing
from core.models.files import LoadingCancelled
from core.models.loading import Loaded
from core.models.pool import ModelPool, NoRoomNow
from core.util.budget import Budget
from core.util.faults import fault
from core.util.progress import Pace, Step

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
        budget = self.job.budget
        budget.go()
        try:
            if self.cancelled:
                self.end("cancelled", self.CANCELLED)
            elif budget.over():
                self.end("cancelled", time_is_up(budget))
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
            # A fault of ours or of a library's: written down whole, and said in one sentence.
            self.end("failed", fault(self.DOING, error))
        finally:
            budget.pause()

    def wait(self, count: int) -> None:
        """So many are before it."""
        self.job.publish("waiting", before_you(count))

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
    """A job in progress: quick first, so that there is something to steer by, then measured.

    It may be suspended when a chat needs its memory: it goes on from its notes later.
    """

    DOING = "Learning"
    CANCELLED = "Learning was cancelled; what was found out is kept for the next time."

    def __init__(self, job: Job, family: Family, load: _Load) -> None:
        super().__init__(job)
        checkpoint = job.view.checkpoint
        self.order = (
            BuildRequest.of(job.wish, family, checkpoint) if job.wish else BuildRequest(family, checkpoint, family.root)
        )
        self._load = load
        #: What is still to be done of an effort, and the effort's own orders, each with a watch that stands still while others work.
        self._left: deque[tuple[str, BuildRequest]] = deque()
        for effort in (QUICK, MEASURED):
            # What is there already, learnt quickly, only goes on.
            lacking = job.wish is not None or bool(set(learnable(family, checkpoint)) & set(job.view.kinds))
            kinds = [
                kind for kind in job.view.kinds if effort is MEASURED or (lacking and (kind in DIRECTIONS or job.wish))
            ]
            self._left += [(kind, self._order(effort)) for kind in kinds]
        self._work: Generator[Step, None, None] | None = None
        self._pace: Pace | None = None

    def _order(self, effort: Effort) -> BuildRequest:
        watch = Budget(self.order.budget if effort is MEASURED else None)
        watch.pause()
        return replace(self.order, effort=effort, watch=watch, written=self.job.count)

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
        if not self._left:
            return False
        loaded = self._load(self.order.checkpoint, lambda: not self.cancelled)
        kind, order = self._left[0]
        if self._pace is None:
            # Fetched for chats in the first place, a checkpoint may be there already: then this slice is only planning.
            self.job.publish(
                "running", "Looking at the examples.", usable=order.effort is MEASURED and self.job.view.usable
            )
            same = [each for each, other in self._left if other.effort is order.effort]
            self._pace = Pace(sum(builder(each).plan(order, loaded).tokens for each in same))
            return True
        if self._work is None:
            self._work = builder(kind).run(order, loaded)  # type: ignore[assignment]
        assert self._work is not None
        assert order.watch is not None
        self._pace.go()
        order.watch.go()
        step = next(self._work, None)
        order.watch.pause()
        if step is None:
            self._next()
            return bool(self._left)
        self._pace.add(step)
        self.job.publish("running", step.sentence, *self._far(order.watch))
        return True

    def _next(self) -> None:
        """A direction is there; where all of an effort are, the count begins anew."""
        _, done = self._left.popleft()
        self._work = None
        if self._left and self._left[0][1].effort is not done.effort:
            self._pace = None
            self.job.publish("running", "Looking at the examples.", 0.0, usable=True)

    def _far(self, watch: Budget) -> tuple[float, float | None]:
        """How much is done, and the seconds that are left: by what there is to do, or by the time that there is for it."""
        assert self._pace is not None
        if watch.left is None or watch.seconds is None:
            return self._pace.part, self._pace.left
        count = sum(1 for _, order in self._left if order.effort is MEASURED)
        ahead = watch.left + (count - 1) * watch.seconds
        by_time = 1 - ahead / (len(self.job.view.kinds) * watch.seconds)
        left = self._pace.left
        return max(self._pace.part, min(0.999, by_time)), ahead if left is None else min(left, ahead)


def estimate_seconds(family: Family, loaded: Loaded, kinds: tuple[str, ...]) -> Iterator[float | None]:
    """How many seconds learning ``kinds`` quickly takes on a checkpoint, by a real batch: after a few slices (None), the number."""
    order = BuildRequest(family, loaded.checkpoint.name, family.root, effort=QUICK)
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
