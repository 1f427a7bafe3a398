"""Du et al.'s two findings on directions as checks of a transfer report: each part a number, its interval and its threshold. No torch.

They find that the truth direction of a base model and of what was post-trained from it are similar and interchangeable, and that the
refusal directions are not: the base's works on the post-trained model in part only (arXiv 2504.02904, §4 and §5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from core.stats.rates import Rate, less, rank_p
from core.stats.verdicts import BEYOND, VerdictState, all_hold, at_least, at_most, by_rank
from core.transfer.report import Bounded, Cell, Target, TransferReport
from core.transfer.task import MAPPED, trained
from core.util.figures import figure_text, interval_text

#: Directions are called similar when the cosine reaches this part of what noise leaves of it.
SIMILAR = 0.7
#: Something from elsewhere does as well as one's own when it lacks no more than this.
AS_WELL = 0.15
#: A source from elsewhere has to do more by this than the same one with nothing learnt.
MORE = 0.05
#: Controls of a kind that lie along the target's own direction by more than that (the median of |cosine|) are no null: they are the
#: direction itself or its opposite.
NO_NULL = 0.5
#: A ceiling below this says that the directions are mostly noise: nothing is concluded from their cosine.
_NO_CEILING = 0.3
#: By which test a part is decided.
BY_BLOCKS = "crossed halves of the groups, jackknife interval"
BY_PAIRS = "paired interval over groups"
BY_RATES = "interval of two independent rates (an earlier version kept no pairs)"
#: Controls, by how they are made.
KINDS_SAID = {
    "shuffled": "directions from shuffled labels",
    "isotropic": "directions at random",
    "spread": "directions at random where states differ",
}


@dataclass(frozen=True)
class ClaimPart:
    """One number of a check: what it is, its interval, on which side of which limit it has to lie, and whether it is as claimed.

    Of what is not measured yet ``side`` says so, and there is no limit. ``test`` is what decided it. A rank among controls is a value
    without an interval.
    """

    what: str
    value: float
    low: float
    high: float
    side: str
    limit: float
    verdict: VerdictState
    test: str = ""

    @property
    def figure(self) -> str:
        """The value, with its interval where it has one."""
        return figure_text(self.value, 3) if self.low == self.high else interval_text(self.value, self.low, self.high)

    @property
    def threshold(self) -> str:
        """Side and limit in words: ``≥ −0.15``."""
        return self.side if math.isnan(self.limit) else f"{self.side} {figure_text(self.limit)}"

    def __str__(self) -> str:
        """``base → dpo, flip rate, other's − own: −0.02 (−0.10 to 0.05), ≥ −0.15: holds, by the paired interval over groups``"""
        by = f", by {self.test}" if self.test else ""
        return f"{self.what}: {self.figure}, {self.threshold}: {self.verdict}{by}"


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
    own = [made(report, _root(parents, name), name) for name in report.targets if parents[name]]
    foreign = [each for each in report.sources if each not in report.targets and trained(each) == each]
    return (*own, *(_from_elsewhere(report, source, name) for source in foreign for name in report.targets))


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
                _as_well(
                    f"{source} → {target}, probe accuracy, other's − own",
                    other.recentred,
                    own.recentred,
                    other.recentred_less,
                )
            )
        if "norm" in other.pushed and "norm" in own.pushed:
            flips = other.pushed["norm"].flips, own.pushed["norm"].flips
            parts.append(_as_well(f"{source} → {target}, flip rate, other's − own", *flips, other.pushed["norm"].less))
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
        parts.append(
            _falls_short(
                f"{base} → {post}, harmless requests refused, other's − own", *added, other.refused_less.get("norm")
            )
        )
    if not (other.steered and own.steered):
        parts.append(_not_yet(f"{base} → {post}, refusals"))
    if other.ablated and own.ablated:
        kept = own.ablated.rate("refuses"), other.ablated.rate("refuses")
        parts.append(
            _falls_short(
                f"{base} → {post}, harmful requests refused when ablated, own − other's", *kept, other.kept_less
            )
        )
    return Check("The refusal direction differs and transfers forward only in part", base, post, tuple(parts))


def _from_elsewhere(report: TransferReport, source: str, target: str) -> Check:
    """The map brings more than it would of directions that mean nothing, and of a model that knows nothing."""
    cell, what = report.cell(source, target), "flip rate" if report.kind == "truth" else "harmless requests refused"
    rates = cell.pushed["norm"].flips if "norm" in cell.pushed else None
    rates = cell.added["norm"].rate("refuses") if "norm" in cell.added else rates
    prefix = "" if report.kind == "truth" else "added "
    parts = []
    if target in report.steered and rates is not None:
        found = ranks(report.target(target), source, rates.value, prefix)
        if any(each.kind.startswith(MAPPED) for each in found):
            p, test = among(found)
            parts.append(
                ClaimPart(f"{source} → {target}, {what} above the controls', p", p, p, p, "≤", BEYOND, by_rank(p), test)
            )
    if cell.beyond_untrained:
        value, low, high = cell.beyond_untrained
        beside = f"{source} → {target}, {what}, less that of {source} with nothing learnt"
        parts.append(ClaimPart(beside, value, low, high, "≥", MORE, at_least(low, high, MORE), BY_PAIRS))
    if len(parts) < 2:
        parts.append(_not_yet(f"{source} → {target}, controls of the map"))
    return Check(f"The {report.kind} direction of another family carries over", source, target, tuple(parts))


def _cosine(report: TransferReport, cell: Cell, sense: str, threshold: float) -> ClaimPart:
    """The cosine freed of noise, at a shared template where there is one: what differs are then the weights alone."""
    said = next(
        each for each in report.card.details["cells"] if (each["source"], each["target"]) == (cell.source, cell.target)
    )
    shared = said.get("shared_interval") is not None
    ceiling, found = (said["shared_ceiling"], cell.shared_freed) if shared else (cell.ceiling, cell.freed)
    what = f"{cell.source}, {cell.target}, cosine over its ceiling{' at a shared template' if shared else ''}"
    if "freed" not in said:
        return replace(
            _not_yet(what), side="an earlier version's cosine is of texts that both were read from; measure it again"
        )
    if found is None or not ceiling > _NO_CEILING:
        return ClaimPart(
            f"{what} ({figure_text(ceiling)})", math.nan, -math.inf, math.inf, sense, threshold, "inconclusive"
        )
    low, high = found.low, found.high
    verdict = at_least(low, high, threshold) if sense == "≥" else at_most(low, high, threshold)
    return ClaimPart(what, found.value, low, high, sense, threshold, verdict, BY_BLOCKS)


def _not_yet(what: str) -> ClaimPart:
    """A part that the time was up before: nothing is concluded without it."""
    return ClaimPart(
        f"{what}, not measured yet", math.nan, -math.inf, math.inf, "nothing is told before", math.nan, "inconclusive"
    )


def _as_well(what: str, other: Rate, own: Rate, paired: Bounded | None) -> ClaimPart:
    value, low, high = paired or less(other, own)
    return ClaimPart(what, value, low, high, "≥", -AS_WELL, at_least(low, high, -AS_WELL), _difference(paired))


def _falls_short(what: str, other: Rate, own: Rate, paired: Bounded | None) -> ClaimPart:
    value, low, high = paired or less(other, own)
    return ClaimPart(what, value, low, high, "≤", -AS_WELL, at_most(low, high, -AS_WELL), _difference(paired))


def _difference(paired: Bounded | None) -> str:
    return BY_PAIRS if paired else BY_RATES


@dataclass(frozen=True)
class Rank:
    """How a direction stands among the controls of one ``kind``, ``n`` of them; ``null`` is whether they may be compared with."""

    kind: str
    p: float
    n: int
    null: bool


def ranks(known: Target, source: str, rate: float, prefix: str = "") -> tuple[Rank, ...]:
    """The ranks of a source's direction on a target, or of ``rate`` where an earlier version has not tried it as the controls were."""
    own = known.compared.get(f"{prefix}{source}", rate)
    return tuple(
        Rank(kind, rank_p(own, rates), len(rates), known.along.get(kind, 0.0) <= NO_NULL)
        for name, rates in known.controls.items()
        if name.startswith(prefix)
        and " " not in (kind := name.removeprefix(prefix))
        and rates
        # What a map makes of meaningless directions is compared with what it makes of its own source alone.
        and (not kind.startswith(MAPPED) or kind == f"{MAPPED}{source}")
    )


def among(found: tuple[Rank, ...]) -> tuple[float, str]:
    """The largest p of the kinds that are a null, and the test in words."""
    nulls = [each for each in found if each.null] or list(found)
    left = [each.kind for each in found if each not in nulls]
    counts = ", ".join(f"{each.n} {kind_said(each.kind)} (p {each.p:.3f})" for each in nulls)
    out = f"; {' and '.join(map(kind_said, left))} lie along its own and decide nothing" if left else ""
    least = max(1 / (1 + each.n) for each in nulls)
    reach = f"; so few cannot reach p ≤ {BEYOND:g}" if least > BEYOND else ""
    return max(each.p for each in nulls), f"rank among {counts}{out}{reach}"


def kind_said(kind: str) -> str:
    """Controls of a kind, in words."""
    return KINDS_SAID.get(kind) or f"directions of {kind.removeprefix(MAPPED)} from shuffled labels, mapped"


def _stronger(report: TransferReport, source: str, target: str, flips: Rate) -> ClaimPart:
    """Flips beside those of controls: a direction that does no more than any other transfers nothing."""
    p, test = among(ranks(report.target(target), source, flips.value))
    what = f"{source} → {target}, flip rate above the controls', p"
    return ClaimPart(what, p, p, p, "≤", BEYOND, by_rank(p), test)
