"""A verdict on a claim: computed from figures by thresholds that are stated beside it (methods.md §0). No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from core.util.table import Table

VerdictState = Literal["holds", "does not hold", "inconclusive"]
HOLDS: Final = "holds"
DOES_NOT: Final = "does not hold"
INCONCLUSIVE: Final = "inconclusive"


def at_least(low: float, high: float, threshold: float) -> VerdictState:
    """What an interval says of "at least": all of it above, all of it below, or neither."""
    return HOLDS if low >= threshold else DOES_NOT if high < threshold else INCONCLUSIVE


def at_most(low: float, high: float, threshold: float) -> VerdictState:
    """What an interval says of "at most"."""
    return HOLDS if high <= threshold else DOES_NOT if low > threshold else INCONCLUSIVE


#: With a rank p of at most that, something does more than controls; from the other on, no more than the control in the middle.
BEYOND, MIDDLE = 0.05, 0.5


def by_rank(p: float) -> VerdictState:
    """What the rank among controls says of "more than controls do" (:func:`core.stats.groups.rank_p`)."""
    return HOLDS if p <= BEYOND else DOES_NOT if p >= MIDDLE else INCONCLUSIVE


def all_hold(states: Sequence[VerdictState]) -> VerdictState:
    """A claim of several parts holds where all of them do, and does not where one of them does not; of no part nothing is known."""
    if DOES_NOT in states:
        return DOES_NOT
    return HOLDS if states and set(states) == {HOLDS} else INCONCLUSIVE


@dataclass(frozen=True)
class Verdict:
    """A claim, whether it holds here, the figures it was judged by, and the thresholds.

    ``reason`` says why nothing can be said, where that is so before any threshold; ``test`` by which test it was decided.
    """

    claim: str
    state: VerdictState
    figures: str
    threshold: str
    reason: str = ""
    test: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words, with the test that decided it."""
        why = f": {self.reason}" if self.reason else f", by {self.test}" if self.test else ""
        return f"{self.state}{why}"


def together(claim: str, parts: tuple[Verdict, ...]) -> Verdict:
    """The verdict on a claim from those on its parts (:func:`all_hold`)."""
    state = all_hold([each.state for each in parts])
    figures = "; ".join(f"{each.claim} {each.state}" for each in parts)
    reason = next((each.reason for each in parts if each.reason), "") if state == INCONCLUSIVE else ""
    threshold = "holds: all parts hold; does not hold: one does not; else inconclusive"
    return Verdict(claim, state, figures, threshold, reason, "all its parts" if state == HOLDS else "its parts")


def verdict_table(found: Sequence[Verdict], title: str = "Verdicts") -> Table:
    """Claims, what became of them, and by which thresholds."""
    rows = tuple((each.claim, each.sentence, each.figures, each.threshold) for each in found)
    return Table(title, ("claim", "verdict", "figures", "thresholds"), rows, sentences=True)
