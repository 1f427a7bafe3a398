"""How much long work whoever uses an engine may have: for a visitor of a server one piece at a time, so many seconds of computing, and
behind those who asked before. No torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import TypeVar

from core.errors import TillerError
from core.util.budget import Budget
from core.util.progress import Step, duration

_T = TypeVar("_T")
Going = Callable[[], bool]

#: So many pieces of all visitors' work may be begun and not over.
MOST = 32
#: Who waits looks this often whether it is his turn, in seconds.
_LOOK = 0.3


class WaitingLine:
    """What all visitors of a server have begun, and whose turn it is to compute at length: who came first, then the next."""

    def __init__(self) -> None:
        self._line: list[object] = []
        self._begun: list[Going] = []
        self._gate = threading.Lock()

    def begin(self, going: Going) -> None:
        """One more piece of work. Raises TillerError when there is too much already."""
        with self._gate:
            self._begun = [each for each in self._begun if each()]
            if len(self._begun) >= MOST:
                raise TillerError(f"{MOST} pieces of other visitors' work wait or go on; try again in some minutes.")
            self._begun.append(going)

    def ahead(self, who: object) -> int:
        """How many are before ``who``, who stands in line from the first time that this is asked."""
        with self._gate:
            if who not in self._line:
                self._line.append(who)
            return self._line.index(who)

    def leave(self, who: object) -> None:
        """``who`` is done, or does not want to any more."""
        with self._gate:
            if who in self._line:
                self._line.remove(who)


class Allowance:
    """Of the owner: as much as he likes, at once, for as long as it takes."""

    def check_owner(self) -> None:
        """What is to be done changes something for everybody. Raises TillerError for a visitor."""

    def begin(self, going: Going) -> None:
        """Something long is to begin, and goes on for as long as ``going`` says so. Raises TillerError when it may not."""

    def ahead(self, who: object) -> int:
        """How many go first."""
        return 0

    def leave(self, who: object) -> None:
        """``who`` is done, or does not want to any more."""

    def budget(self) -> Budget:
        """The time for one piece of work; it does not run yet."""
        return _paused(None)


class VisitorAllowance(Allowance):
    """Of one visitor of a server: one piece of work at a time, in turn with those of others.

    Args:
        seconds: how long one piece may compute.
        line: that of all visitors.
    """

    def __init__(self, seconds: float, line: WaitingLine) -> None:
        self._seconds, self._line = seconds, line
        self._going: Going = lambda: False
        self._gate = threading.Lock()

    def check_owner(self) -> None:
        """Refuse it."""
        raise TillerError("Only the owner of this server may do that: sign in, or start Tiller on your own computer.")

    def begin(self, going: Going) -> None:
        """Raises TillerError while something of the same visitor goes on, or too many others wait."""
        with self._gate:
            if self._going():
                raise TillerError(
                    "Something that you began goes on still, and each visitor has one at a time; wait for its end, or cancel it."
                )
            self._line.begin(going)
            self._going = going

    def ahead(self, who: object) -> int:
        """How many came before."""
        return self._line.ahead(who)

    def leave(self, who: object) -> None:
        """The next one's turn."""
        self._line.leave(who)

    def budget(self) -> Budget:
        """As long as every visitor has."""
        return _paused(self._seconds)


def _paused(seconds: float | None) -> Budget:
    made = Budget(seconds)
    made.pause()
    return made


def before_you(count: int) -> str:
    """What is said to who waits."""
    return f"{count} before you."


def time_is_up(budget: Budget) -> str:
    """What is said of work that took all of its time."""
    return (
        f"The {duration(budget.seconds or 0)} that a visitor has for one piece of work are over; take less at a time, or start Tiller on "
        "your own computer."
    )


def allowed(
    allowance: Allowance, make: Callable[[], Generator[Step, None, _T]], line: bool = True
) -> Generator[Step, None, _T]:
    """Work in slices as far as an allowance goes; with ``line`` in turn with others of its kind. Closing it ends the work.

    Raises:
        TillerError: it may not begin, or took all of its time; and whatever the work raises.
    """
    over, who, budget = threading.Event(), object(), allowance.budget()
    allowance.begin(lambda: not over.is_set())
    try:
        while line and (count := allowance.ahead(who)):
            yield Step(0, before_you(count))
            time.sleep(_LOOK)
        work = make()
        try:
            while not budget.over():
                budget.go()
                try:
                    step = next(work)
                except StopIteration as stop:
                    found: _T = stop.value
                    return found
                finally:
                    budget.pause()
                yield step
            raise TillerError(time_is_up(budget))
        finally:
            work.close()
    finally:
        over.set()
        allowance.leave(who)


def wait_turn(allowance: Allowance, who: object, cancelled: threading.Event, say: Callable[[str], object]) -> bool:
    """Wait for the turn of ``who``, saying how many are before; False where it was cancelled meanwhile."""
    while count := allowance.ahead(who):
        say(before_you(count))
        if cancelled.wait(_LOOK):
            return False
    return True
