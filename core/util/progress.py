"""Long work in slices, so that something else can be done between two of them. No torch.

A :data:`Slices` generator yields, after every forward pass, how many tokens it computed, and returns its result. A :data:`Learning`
says in words what it is at, too. Tokens are the measure of how much is done and how much is left: what is measured on the first ones
says how long the rest takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

Yielded = TypeVar("Yielded")
T = TypeVar("T")


class Step(NamedTuple):
    """A slice is done: tokens computed in it, what it was for, and whether it was done in an earlier run and only remembered now."""

    tokens: int
    sentence: str
    remembered: bool = False


Slices = Generator[int, None, T]
Learning = Generator[Step, None, T]


def finished(slices: Generator[Yielded, None, T], tell: Callable[[Yielded], object] = lambda _: None) -> T:
    """The result of slices, all computed at once; ``tell`` gets what each yields."""
    while True:
        try:
            done = next(slices)
        except StopIteration as stop:
            found: T = stop.value
            return found
        tell(done)


def told(slices: Slices[T], sentence: str) -> Learning[T]:
    """The same slices with a sentence that says what they are for."""
    while True:
        try:
            tokens = next(slices)
        except StopIteration as stop:
            found: T = stop.value
            return found
        yield Step(tokens, sentence)


@dataclass(frozen=True)
class Cost:
    """What a piece of work takes: ``prompts`` read (again and again), ``passes`` through the model, ``tokens`` computed in them,
    ``size`` bytes written."""

    prompts: int = 0
    passes: int = 0
    tokens: int = 0
    size: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.prompts + other.prompts, self.passes + other.passes, self.tokens + other.tokens, self.size + other.size
        )

    def times(self, count: int) -> Cost:
        """The cost of doing it so many times."""
        return Cost(self.prompts * count, self.passes * count, self.tokens * count, self.size * count)


class Pace:
    """How far some work is, and how long the rest takes at the pace so far.

    What was remembered from an earlier run counts as done, but says nothing of the pace.
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.total = max(1, total)
        self.done = 0
        self._computed = 0
        self._seconds = 0.0
        self._clock = clock
        self._last = clock()

    def add(self, step: Step) -> None:
        """A slice is done."""
        now = self._clock()
        self.done += step.tokens
        if not step.remembered:
            self._computed += step.tokens
            self._seconds += now - self._last
        self._last = now

    def go(self) -> None:
        """The work goes on from here; what happened since the last slice (a chat, a loading) was no part of it."""
        self._last = self._clock()

    @property
    def part(self) -> float:
        """How much is done, from 0 to just below 1: only the end itself says that it is the end."""
        return min(0.999, self.done / self.total)

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes, None before the first slice is done."""
        if not self._computed:
            return None
        return max(0, self.total - self.done) * self._seconds / self._computed


def duration(seconds: float) -> str:
    """A length of time as a person says it: 20 s, 4 min, 3 h."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
