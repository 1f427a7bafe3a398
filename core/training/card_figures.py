"""Rates with their intervals, and the figures that evaluation reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.stats.rates import Rate

Sense = Literal[">=", "<="]


@dataclass(frozen=True)
class CardTarget:
    """A threshold, and on which side of it a rate must be."""

    sense: Sense
    value: float

    def met(self, rate: float) -> bool:
        """Whether the rate reaches the threshold."""
        return rate >= self.value if self.sense == ">=" else rate <= self.value

    def __str__(self) -> str:
        shown = f"{self.value:.2f}".replace("0.", ".", 1) if self.value <= 1 else f"{self.value:,.0f}"
        return f"{'≥' if self.sense == '>=' else '≤'} {shown}"


def target_at_least(value: float) -> CardTarget:
    """The rate must be ``value`` or more."""
    return CardTarget(">=", value)


def target_at_most(value: float) -> CardTarget:
    """The rate must be ``value`` or less."""
    return CardTarget("<=", value)


@dataclass(frozen=True)
class Figure:
    """One line of the evaluation: ``hits`` of ``n``, on one checkpoint.

    ``target`` is what the design asks for, ``first`` what the first edition must reach; either may be absent: then the
    figure is only reported. ``note`` says what the figure is made of, in a few words.

    ``runs`` are the results of repetitions where the figure is their mean and no rate of one count; then ``n`` is how many there
    are. ``seeds`` are the rates of the same checkpoint trained with other seeds.
    """

    section: str
    name: str
    checkpoint: str
    hits: int
    n: int
    target: CardTarget | None = None
    first: CardTarget | None = None
    note: str = ""
    runs: tuple[float, ...] = ()
    seeds: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        """hits / n, or 0 when nothing was counted; the mean of the repetitions where there are any."""
        if self.runs:
            return sum(self.runs) / len(self.runs)
        return self.hits / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval, or between which percentiles, the 2.5th and the 97.5th, the repetitions lie."""
        if self.runs:
            low, high = np.quantile(self.runs, (0.025, 0.975))
            return float(low), float(high)
        return Rate(self.hits, self.n).interval

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells the figure from the others of an evaluation."""
        return self.section, self.name, self.checkpoint

    @property
    def over_seeds(self) -> tuple[float, float, float] | None:
        """Mean, smallest and largest rate over the shipped seed and the others; ``None`` where only one was measured."""
        if not self.seeds:
            return None
        rates = (self.rate, *self.seeds)
        return sum(rates) / len(rates), min(rates), max(rates)

    def mark(self, target: CardTarget | None) -> str:
        """✓, ✗, or nothing where there is no target."""
        if target is None:
            return ""
        return "✓" if self.n and target.met(self.rate) else "✗"


def repeated(
    section: str, name: str, checkpoint: str, runs: Iterable[float], target: CardTarget | None = None, note: str = ""
) -> Figure:
    """A figure that is the mean of repetitions."""
    found = tuple(runs)
    return Figure(section, name, checkpoint, 0, len(found), target, None, note, found)


def count(section: str, name: str, checkpoint: str, outcomes: Iterable[bool], target: CardTarget | None = None,
          first: CardTarget | None = None, note: str = "") -> Figure:  # fmt: skip
    """A figure from single outcomes."""
    found = list(outcomes)
    return Figure(section, name, checkpoint, sum(found), len(found), target, first, note)


def figure_line(figure: Figure) -> str:
    """One figure as a line of text."""
    low, high = figure.interval
    targets = "  ".join(
        f"{name} {target} {figure.mark(target)}"
        for name, target in (("target", figure.target), ("first edition", figure.first))
        if target is not None
    )
    note = f"  ({figure.note})" if figure.note else ""
    spread = figure.over_seeds
    seeds = f"  {len(figure.seeds) + 1} seeds {spread[0]:.3f} ({spread[1]:.2f}–{spread[2]:.2f})" if spread else ""
    return (
        f"{figure.section}: {figure.name} [{figure.checkpoint}]  {figure.rate:.3f}  n {figure.n}  "
        f"95 % {low:.2f}–{high:.2f}{seeds}  {targets}{note}"
    )


def figure_json(figure: Figure) -> dict[str, object]:
    """One figure for ``--json``."""
    low, high = figure.interval
    return {
        "section": figure.section,
        "name": figure.name,
        "checkpoint": figure.checkpoint,
        "hits": figure.hits,
        "n": figure.n,
        "rate": figure.rate,
        "low": low,
        "high": high,
        "target": _plain(figure.target),
        "first_edition": _plain(figure.first),
        "note": figure.note,
        "runs": list(figure.runs),
        "seeds": list(figure.seeds),
    }


def _plain(target: CardTarget | None) -> list[object] | None:
    return [target.sense, target.value] if target else None
