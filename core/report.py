"""The report on a model pair: the four findings of Du et al., "How Post-Training Reshapes LLMs", each with figures and a verdict. No torch.

It is what a researcher would attach to a paper about their own models: one HTML page that needs nothing else, or Markdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core import store
from core.checkpoints import Family
from core.errors import TillerError
from core.findings import Finding
from core.intervals import short
from core.store import Card
from core.tabulated import Table
from core.verdicts import HOLDS


class ReportError(TillerError):
    """A report that cannot be made."""


@dataclass(frozen=True)
class Report:
    """The findings on one base and one post-trained checkpoint. ``opening`` are the paragraphs that it begins with."""

    family: str
    base: str
    post: str
    opening: tuple[str, ...]
    findings: tuple[Finding, ...]
    directions: Table
    made: str

    @property
    def title(self) -> str:
        """What stands at the top."""
        return f"{self.family}: what post-training changed from {self.base} to {self.post}"

    @property
    def summary(self) -> Table:
        """A line a finding."""
        rows = tuple(
            (
                str(each.number),
                each.title,
                each.claim,
                each.verdict.state,
                each.decided_by or each.verdict.reason,
                f"{sum(part.state == HOLDS for part in each.parts)} of {len(each.parts)}",
                each.failed,
            )
            for each in self.findings
        )
        return Table(
            "The four findings",
            ("", "finding", "claim", "verdict", "decided by", "parts that hold", "controls that fail, as they should"),
            rows,
            "A finding holds where all its parts do, and does not where one does not; thresholds stand beside each part.",
            sentences=True,
        )


#: What every report says before its figures.
SCOPE = (
    "The findings are those of Du et al., How Post-Training Reshapes LLMs (arXiv 2504.02904), measured anew on this pair. "
    "Directions are learnt on one part of the examples, layers and strengths chosen on another, figures told on a third. "
    "Verdicts are computed from the figures by thresholds that are stated beside them; controls are judged by the same "
    "thresholds and are meant to fail."
)


def directions(family: Family, names: Sequence[str]) -> Table:
    """What the cards of the pair's directions say."""
    rows = []
    for name in names:
        for card in store.cards(family.name, name, folder=family.folder):
            rows.append((name, card.name, str(card.details.get("method", "–")), str(card.layer), *_figures(card)))
    return Table(
        "Directions",
        ("checkpoint", "direction", "method", "layer", "held-out accuracy (95 %)", "n", "best of many, p", "with itself, resampled (95 %)"),
        tuple(rows),
        "Held-out accuracy is told on the test split; p compares the best of all layers and tokens with the best of shuffled labels.",
    )  # fmt: skip


def _figures(card: Card) -> tuple[str, str, str, str]:
    held, many, steady = (card.details.get(key) or {} for key in ("held_out", "best_of_many", "steadiness"))
    told = card.details.get("test") or {}
    accuracy = held.get("accuracy", told.get("held_out_category_accuracy"))
    interval = held.get("interval")
    said = "–" if accuracy is None else short(float(accuracy))
    if interval:
        said += f" ({short(float(interval[0]))}–{short(float(interval[1]))})"
    itself = "–"
    if steady:
        low, high = (short(float(each)) for each in steady["interval"])
        itself = f"{short(float(steady['cosine']))} ({low}–{high})"
    p = f"{float(many['p']):.4f}" if many else "–"
    return said, str(held.get("n", told.get("n", "–"))), p, itself
