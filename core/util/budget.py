"""Time for long work: a budget that it keeps within, the order that makes any beginning of it a fair sample, and how long it will take.

Work that has a budget goes in pieces, each remembered (:mod:`core.util.resume`), and looks at its budget between two of them. What is
there when the time is up is a smaller sample of the whole, told with the number that it rests on; begun again, the work goes on behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

#: A trial that took longer than this, in seconds, is not made a second time.
_LONGEST = 2.0


class Budget:
    """Time for some work, in seconds of its own; None: as long as it takes.

    It counts from :meth:`go` to :meth:`pause`, and to the present where it was not paused.
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds = seconds
        self._clock, self._spent = clock, 0.0
        self._since: float | None = clock()

    @property
    def spent(self) -> float:
        """Seconds so far."""
        return self._spent + (self._clock() - self._since if self._since is not None else 0.0)

    @property
    def left(self) -> float | None:
        """Seconds to go, None where there is no end."""
        return None if self.seconds is None else max(0.0, self.seconds - self.spent)

    def over(self, share: float = 1.0) -> bool:
        """Whether a share of the time is spent."""
        return self.seconds is not None and self.spent >= share * self.seconds

    def part(self, count: int) -> Budget:
        """What one of ``count`` parts that are still to be done may take of what is left."""
        return Budget(None if self.left is None else self.left / count, self._clock)

    def pause(self) -> None:
        """Something else is done now."""
        self._spent, self._since = self.spent, None

    def go(self) -> None:
        """The work goes on."""
        if self._since is None:
            self._since = self._clock()


def spread(count: int) -> list[int]:
    """The places 0 to ``count`` − 1 in an order of which any beginning lies evenly over all of them (van der Corput's, bits reversed)."""
    bits = max(1, (count - 1).bit_length())
    places = (int(f"{place:0{bits}b}"[::-1], 2) for place in range(1 << bits))
    return [place for place in places if place < count]


@dataclass(frozen=True)
class TimedPart:
    """A part of some work that goes at a pace of its own: ``times`` as long as ``trial`` takes, a real piece of it."""

    times: float
    trial: Callable[[], object]


def estimated(phases: Iterable[TimedPart], clock: Callable[[], float] = time.perf_counter) -> float:
    """How many seconds all phases take, by a trial of each."""
    return sum(each.times * _took(each.trial, clock) for each in phases if each.times > 0)


def _took(trial: Callable[[], object], clock: Callable[[], float]) -> float:
    times: list[float] = []
    # The first pass of a process is slower than those after it; of two, the quicker: other work on the machine only ever adds to it.
    while not times or (len(times) == 1 and times[0] <= _LONGEST):
        started = clock()
        trial()
        times.append(clock() - started)
    return min(times)
