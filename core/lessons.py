"""Learning on the engine's thread, a forward pass at a time, between the steps of chats."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from core import store
from core.background import Background
from core.checkpoints import Family
from core.jobs import Job
from core.loading import Loaded
from core.parts import PARTS, Order, part, seconds_a_token
from core.steps import Pace, Step

#: Gives a checkpoint, from memory or from disk, as long as it is wanted.
Load = Callable[[str, Callable[[], bool]], Loaded]


class Lesson(Background[Job]):
    """A job in progress. It may be suspended when a chat needs its memory: it goes on from its notes later."""

    DOING = "Learning"
    CANCELLED = "Learning was cancelled; what was found out is kept for the next time."

    def __init__(self, job: Job, family: Family, load: Load) -> None:
        super().__init__(job)
        checkpoint = job.view.checkpoint
        self.order = (
            Order.of(job.wish, family, checkpoint) if job.wish else Order(family, checkpoint, store.user_folder())
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
            tokens = {kind: part(kind).plan(self.order, loaded).tokens for kind in self.job.view.kinds}
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
            yield from part(self._left[0]).run(self.order, loaded)
            self._left.pop(0)


def estimate(family: Family, loaded: Loaded, kinds: tuple[str, ...]) -> Iterator[float | None]:
    """How many seconds learning ``kinds`` on a checkpoint takes, measured on a real batch: after a few slices (None), the number."""
    order = Order(family, loaded.checkpoint.name, store.user_folder())
    tokens = 0
    for kind in kinds:
        tokens += PARTS[kind].plan(order, loaded).tokens
        yield None
    yield tokens * seconds_a_token(order, loaded)
