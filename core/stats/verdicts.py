"""A verdict on a claim: computed from figures by thresholds that are stated beside it (methods.md §0). No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.util.table import Table

HOLDS, DOES_NOT, INCONCLUSIVE = "holds", "does not", "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """A claim, whether it holds here, the figures it was judged by, and the thresholds.

    ``reason`` says why nothing can be said, where that is so before any threshold.
    """

    claim: str
    state: str
    figures: str
    threshold: str
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return f"{self.state}{f': {self.reason}' if self.reason else ''}"


def together(claim: str, parts: tuple[Verdict, ...]) -> Verdict:
    """A claim that holds where all its parts do, and does not where one of them does not."""
    states = [each.state for each in parts]
    state = DOES_NOT if DOES_NOT in states else INCONCLUSIVE if INCONCLUSIVE in states or not states else HOLDS
    figures = "; ".join(f"{each.claim} {each.state}" for each in parts)
    reason = next((each.reason for each in parts if each.reason), "") if state == INCONCLUSIVE else ""
    return Verdict(claim, state, figures, "holds: all parts hold; does not: one does not; else inconclusive", reason)


def verdict_table(found: Sequence[Verdict], title: str = "Verdicts") -> Table:
    """Claims, what became of them, and by which thresholds."""
    rows = tuple((each.claim, each.sentence, each.figures, each.threshold) for each in found)
    return Table(title, ("claim", "verdict", "figures", "thresholds"), rows, sentences=True)
