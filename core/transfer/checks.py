"""Du et al.'s two findings on directions as checks of a transfer report: each part a number, its interval and its threshold. No torch.

They find that the truth direction of a base model and of what was post-trained from it are similar and interchangeable, and that the
refusal directions are not: the base's works on the post-trained model in part only (arXiv 2504.02904, §4 and §5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.stats.rates import Rate, less
from core.stats.verdicts import VerdictState, all_hold, at_least, at_most
from core.transfer.report import Cell, TransferReport
from core.util.figures import figure_text, interval_text

#: Directions are called similar when the cosine reaches this part of what noise leaves of it.
SIMILAR = 0.7
#: Something from elsewhere does as well as one's own when it lacks no more than this.
AS_WELL = 0.15
#: A ceiling below this says that the directions are mostly noise: nothing is concluded from their cosine.
_NO_CEILING = 0.3


@dataclass(frozen=True)
class ClaimPart:
    """One number of a check: what it is, its interval, on which side of which limit it has to lie, and whether it is as claimed.

    Of what is not measured yet ``side`` says so, and there is no limit.
    """

    what: str
    value: float
    low: float
    high: float
    side: str
    limit: float
    verdict: VerdictState

    @property
    def threshold(self) -> str:
        """Side and limit in words: ``≥ −0.15``."""
        return self.side if math.isnan(self.limit) else f"{self.side} {figure_text(self.limit)}"

    def __str__(self) -> str:
        """``base → dpo, flip rate, other's − own: −0.02 (−0.10 to 0.05), ≥ −0.15: holds``"""
        return f"{self.what}: {interval_text(self.value, self.low, self.high)}, {self.threshold}: {self.verdict}"


@dataclass(frozen=True)
class Check:
    """A finding, for one pair of checkpoints, and whether it holds here."""

    claim: str
    base: str
    post: str
    parts: tuple[ClaimPart, ...]

    @property
    def verdict(self) -> VerdictState:
        """Holds when every part does, and does not when one does not."""
        return all_hold([part.verdict for part in self.parts])

    def __str__(self) -> str:
        """The verdict in a line."""
        return f"{self.claim} ({self.base}, {self.post}): {self.verdict}"


def checks(report: TransferReport) -> tuple[Check, ...]:
    """The finding that concerns the report's direction, for the root and every checkpoint that descends from it."""
    parents = report.card.details["parents"]
    made = _truth if report.kind == "truth" else _refusal
    return tuple(made(report, _root(parents, name), name) for name in report.targets if parents[name])


def _root(parents: dict[str, str | None], name: str) -> str:
    while (parent := parents[name]) is not None:
        name = parent
    return name


def _truth(report: TransferReport, base: str, post: str) -> Check:
    """Similar, and each one's probe and push work on the other as on itself."""
    parts = [_cosine(report, report.cell(base, post), "≥", SIMILAR)]
    for source, target in ((base, post), (post, base)):
        other, own = report.cell(source, target), report.cell(target, target)
        if other.recentred.n:
            parts.append(
                _as_well(f"{source} → {target}, probe accuracy, other's − own", other.recentred, own.recentred)
            )
        if "norm" in other.pushed and "norm" in own.pushed:
            flips = other.pushed["norm"].flips, own.pushed["norm"].flips
            parts.append(_as_well(f"{source} → {target}, flip rate, other's − own", *flips))
            if report.target(target).controls:
                parts.append(_stronger(report, source, target, other.pushed["norm"].flips))
        elif not (other.steered and own.steered):
            parts.append(_not_yet(f"{source} → {target}, flip rate"))
    return Check("The truth direction is similar and transfers", base, post, tuple(parts))


def _refusal(report: TransferReport, base: str, post: str) -> Check:
    """Not similar, and forward, the base's does less than the target's own, added and removed."""
    other, own = report.cell(base, post), report.cell(post, post)
    parts = [_cosine(report, other, "<", SIMILAR)]
    if "norm" in other.added and "norm" in own.added:
        added = other.added["norm"].rate("refuses"), own.added["norm"].rate("refuses")
        parts.append(_falls_short(f"{base} → {post}, harmless requests refused, other's − own", *added))
    if not (other.steered and own.steered):
        parts.append(_not_yet(f"{base} → {post}, refusals"))
    if other.ablated and own.ablated:
        kept = own.ablated.rate("refuses"), other.ablated.rate("refuses")
        parts.append(_falls_short(f"{base} → {post}, harmful requests refused when ablated, own − other's", *kept))
    return Check("The refusal direction differs and transfers forward only in part", base, post, tuple(parts))


def _cosine(report: TransferReport, cell: Cell, sense: str, threshold: float) -> ClaimPart:
    """The cosine as a part of its ceiling, at a shared template where there is one: what differs are then the weights alone."""
    said = next(
        each for each in report.card.details["cells"] if (each["source"], each["target"]) == (cell.source, cell.target)
    )
    shared = said.get("shared_interval") is not None
    value, ceiling = (said["shared"], said["shared_ceiling"]) if shared else (cell.cosine, cell.ceiling)
    low, high = said["shared_interval"] if shared else (cell.low, cell.high)
    what = f"{cell.source}, {cell.target}, cosine over its ceiling{' at a shared template' if shared else ''}"
    if not ceiling > _NO_CEILING:
        return ClaimPart(
            f"{what} ({figure_text(ceiling)})",
            math.nan,
            -math.inf,
            math.inf,
            sense,
            threshold,
            "inconclusive",
        )
    value, low, high = (each / ceiling for each in (value, low, high))
    verdict = at_least(low, high, threshold) if sense == "≥" else at_most(low, high, threshold)
    return ClaimPart(what, value, low, high, sense, threshold, verdict)


def _not_yet(what: str) -> ClaimPart:
    """A part that the time was up before: nothing is concluded without it."""
    return ClaimPart(
        f"{what}, not measured yet", math.nan, -math.inf, math.inf, "nothing is told before", math.nan, "inconclusive"
    )


def _as_well(what: str, other: Rate, own: Rate) -> ClaimPart:
    value, low, high = less(other, own)
    return ClaimPart(what, value, low, high, "≥", -AS_WELL, at_least(low, high, -AS_WELL))


def _falls_short(what: str, other: Rate, own: Rate) -> ClaimPart:
    value, low, high = less(other, own)
    return ClaimPart(what, value, low, high, "≤", -AS_WELL, at_most(low, high, -AS_WELL))


def _stronger(report: TransferReport, source: str, target: str, flips: Rate) -> ClaimPart:
    """Flips beside the mean of the stronger kind of controls: a direction that does no more than any other transfers nothing."""
    known = report.target(target)
    rates = max(known.controls.values(), key=lambda each: sum(each) / len(each))
    trials = Rate(round(sum(rates) * known.control_n), len(rates) * known.control_n)
    value, low, high = less(flips, trials)
    return ClaimPart(
        f"{source} → {target}, flip rate above the controls'", value, low, high, "≥", 0.0, at_least(low, high, 0.0)
    )
