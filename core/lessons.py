"""Learning on the engine's thread, a forward pass at a time, between the steps of chats."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator

from core import store
from core.errors import TillerError
from core.families import Family
from core.jobs import Job
from core.loading import Loaded
from core.parts import PARTS, Order, part, seconds_a_token
from core.shelf import NoRoomNow
from core.sources import LoadingCancelled
from core.steps import Pace, Step

_log = logging.getLogger(__name__)

#: Gives a checkpoint, from memory or from disk, as long as it is wanted.
Load = Callable[[str, Callable[[], bool]], Loaded]


class Lesson:
    """A job in progress. It may be suspended when a chat needs its memory: it goes on from its notes later."""

    def __init__(self, job: Job, family: Family, load: Load) -> None:
        self.job = job
        checkpoint = job.view.checkpoint
        self.order = (
            Order.of(job.wish, family, checkpoint) if job.wish else Order(family, checkpoint, store.user_folder())
        )
        self._load = load
        self._left = list(job.view.kinds)
        self._work: Generator[Step, None, None] | None = None
        self._pace: Pace | None = None
        #: Whether the memory it needs was in use when it last asked.
        self.blocked = False

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.job.view.over

    @property
    def busy(self) -> set[str]:
        """The checkpoint it is computing with, which must not be given up."""
        return {self.order.checkpoint} if self._work is not None else set()

    def step(self) -> None:
        """One slice; whatever stands in the way ends the job with a sentence."""
        name, self.blocked = self.order.checkpoint, False
        try:
            if self.job.cancelled.is_set():
                self.end("cancelled", "Learning was cancelled; what was found out is kept for the next time.")
            elif not self.job.view.kinds:
                self.end("done", f"Nothing is lacking: {name} has its directions.")
            elif not self._advance():
                self.end("done", f"Learnt {self.job.called} on {name}.")
        except NoRoomNow:
            self.blocked = True
            self.suspend("Waiting for memory that a chat uses now.")
        except LoadingCancelled as error:
            self.end("cancelled", str(error))
        except TillerError as error:
            self.end("failed", str(error))
        except Exception as error:
            # A fault of ours or of a library's: logged whole, and said in one sentence.
            _log.error("Learning failed.", exc_info=error)
            reason = " ".join(str(error).split())[:200]
            self.end(
                "failed",
                f"Learning stopped with an error ({type(error).__name__}: {reason}); try again or restart Tiller.",
            )

    def suspend(self, sentence: str) -> bool:
        """Let go of the model; the next slice fetches it again. Whether it held one."""
        held = self._work is not None
        self._close()
        self.job.publish("waiting", sentence)
        return held

    def end(self, state: str, sentence: str) -> None:
        """The job is over."""
        assert state in ("done", "cancelled", "failed")
        self._close()
        self.job.publish(state, sentence, 1.0 if state == "done" else None)  # type: ignore[arg-type]

    def _close(self) -> None:
        if self._work is not None:
            self._work.close()
        self._work = self._pace = None

    def _advance(self) -> bool:
        """Whether there was something left to do."""
        if self._work is None:
            loaded = self._load(self.order.checkpoint, lambda: not self.job.cancelled.is_set())
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
