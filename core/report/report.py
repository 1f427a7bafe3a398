"""The report on a model pair: the four findings of Du et al., "How Post-Training Reshapes LLMs", each with figures and a verdict. No torch.

It is what a researcher would attach to a paper about their own models: one HTML page that needs nothing else, or Markdown. A finding
holds where all its parts hold, and does not where one does not (:mod:`core.stats.verdicts`). Controls are judged by the same thresholds as
the real thing and are meant to fail: one that passes says that the figures prove nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.artefacts import store
from core.artefacts.store import Card
from core.errors import TillerError
from core.families.checkpoint import Family
from core.stats.verdicts import DOES_NOT, HOLDS, INCONCLUSIVE, Verdict, together
from core.util.figures import figure_text, interval_text
from core.util.table import Table


@dataclass(frozen=True)
class Drawing:
    """A plot with the name of its file, without an ending, and what it shows as ``csv``."""

    name: str
    svg: str
    csv: str


@dataclass(frozen=True)
class Finding:
    """One finding. ``reason`` says why it could not be measured, where that is so; then there are no parts."""

    number: int
    title: str
    claim: str
    parts: tuple[Verdict, ...]
    controls: tuple[Verdict, ...]
    tables: tuple[Table, ...]
    drawings: tuple[Drawing, ...]
    methods: str
    notes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict on the claim, from its parts."""
        if not self.parts:
            return Verdict(self.claim, INCONCLUSIVE, "", "", self.reason or "nothing was measured")
        return together(self.claim, self.parts)

    @property
    def decided_by(self) -> str:
        """The first part that made the verdict, with its figures; of a finding that holds simply the first."""
        if not self.parts:
            return ""
        state = self.verdict.state
        part = next(each for each in self.parts if each.state == state)
        return f"{part.claim} {part.figures}{f' ({part.reason})' if part.reason else ''}"

    @property
    def failed(self) -> str:
        """How many controls failed, as they should."""
        if not self.controls:
            return "none"
        return f"{sum(each.state == DOES_NOT for each in self.controls)} of {len(self.controls)}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of controls that did not fail."""
        return tuple(
            f"A control did not fail as it should: {each.claim} {each.sentence}"
            for each in self.controls
            if each.state != DOES_NOT
        )


def unmeasured(number: int, title: str, claim: str, methods: str, reason: str) -> Finding:
    """A finding that could not be measured."""
    return Finding(number, title, claim, (), (), (), (), methods, (), reason.rstrip("."))


class ReportError(TillerError):
    """A report that cannot be made."""


@dataclass(frozen=True)
class PairReport:
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
        for card in store.cards(family.places, name):
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
    said = "–" if accuracy is None else _with_interval(float(accuracy), interval)
    itself = _with_interval(float(steady["cosine"]), steady["interval"]) if steady else "–"
    p = f"{float(many['p']):.4f}" if many else "–"
    return said, str(held.get("n", told.get("n", "–"))), p, itself


def _with_interval(value: float, interval: Sequence[float] | None) -> str:
    if not interval:
        return figure_text(value)
    low, high = interval
    return interval_text(value, low, high)
