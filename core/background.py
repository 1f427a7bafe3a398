"""Something long on the engine's thread: a slice at a time, between the steps of chats, which go first."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from core.errors import TillerError
from core.shelf import NoRoomNow
from core.sources import LoadingCancelled
from core.watching import State, View, Watched

_log = logging.getLogger(__name__)


J = TypeVar("J", bound=Watched[Any])


class Background(ABC, Generic[J]):
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
