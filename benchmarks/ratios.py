"""Timing several things in turn, so that whatever else the machine does weighs on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Fewer pairs than this say nothing on a machine that does other things too.
FEWEST = 15


@dataclass(frozen=True)
class Timed:
    """Seconds of every repetition of one thing."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median time in seconds."""
        return statistics.median(self.seconds)

    def over(self, other: Timed) -> tuple[float, float, float]:
        """The median of the ratios to ``other``, pair by pair, and their first and third quartile."""
        ratios = [own / theirs for own, theirs in zip(self.seconds, other.seconds, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        return middle, low, high


def interleaved(things: Mapping[str, Callable[[], object]], pairs: int, fewest: int = FEWEST) -> dict[str, Timed]:
    """Run every thing once unmeasured, then all of them in turn, ``pairs`` times; the order turns round every time.

    Things that take many seconds each, over which a machine's other work evens out, may do with a smaller ``fewest``.
    """
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for thing in things.values():
        thing()
    for repetition in range(max(pairs, fewest)):
        for name in list(things)[:: 1 if repetition % 2 else -1]:
            start = time.perf_counter()
            things[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timed(tuple(each)) for name, each in seconds.items()}


def report(what: str, ratio: tuple[float, float, float], limit: float | None = None, note: str = "") -> bool:
    """Print one ratio, beside its limit where there is one; whether it is within it."""
    middle, low, high = ratio
    good = limit is None or middle <= limit
    promise = "" if limit is None else f"; limit {limit:.2f}: {'kept' if good else 'MISSED'}"
    tail = f"; {note}" if note else ""
    print(f"  {what:<58} {middle:5.2f}  (quartiles {low:.2f} to {high:.2f}{promise}{tail})", flush=True)
    return good
