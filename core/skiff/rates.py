"""Rates with their intervals, and the figures that evaluation reports."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Sense = Literal[">=", "<="]


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % Wilson interval of a rate [Wilson 1927]; (0, 1) when nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    rate = hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Target:
    """A threshold, and on which side of it a rate must be."""

    sense: Sense
    value: float

    def met(self, rate: float) -> bool:
        """Whether the rate reaches the threshold."""
        return rate >= self.value if self.sense == ">=" else rate <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.sense == '>=' else '≤'} {self.value:.2f}".replace("0.", ".")


def at_least(value: float) -> Target:
    """The rate must be ``value`` or more."""
    return Target(">=", value)


def at_most(value: float) -> Target:
    """The rate must be ``value`` or less."""
    return Target("<=", value)


@dataclass(frozen=True)
class Figure:
    """One line of the evaluation: ``hits`` of ``n``, on one checkpoint.

    ``target`` is what the design asks for, ``first`` what the first edition must reach; either may be absent: then the
    figure is only reported. ``note`` says what the figure is made of, in a few words.
    """

    section: str
    name: str
    checkpoint: str
    hits: int
    n: int
    target: Target | None = None
    first: Target | None = None
    note: str = ""

    @property
    def rate(self) -> float:
        """hits / n, or 0 when nothing was counted."""
        return self.hits / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval."""
        return wilson(self.hits, self.n)

    def mark(self, target: Target | None) -> str:
        """✓, ✗, or nothing where there is no target."""
        if target is None:
            return ""
        return "✓" if self.n and target.met(self.rate) else "✗"


def count(section: str, name: str, checkpoint: str, outcomes: Iterable[bool], target: Target | None = None,
          first: Target | None = None, note: str = "") -> Figure:  # fmt: skip
    """A figure from single outcomes."""
    found = list(outcomes)
    return Figure(section, name, checkpoint, sum(found), len(found), target, first, note)
