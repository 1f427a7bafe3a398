"""Findings 2 and 3 of the report: truth directions are alike and transfer, refusal directions are not and do so in part.

The checks are those of :mod:`core.transfer.checks`; the controls are judged by the same thresholds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from core.artefacts.store import Card
from core.display import svg
from core.display.svg import Interval
from core.report.report import Drawing, Finding
from core.report.truth_probe import SHUFFLES, Probe
from core.stats.verdicts import (
    BEYOND,
    DOES_NOT,
    HOLDS,
    INCONCLUSIVE,
    MIDDLE,
    Verdict,
    at_least,
    at_most,
    by_rank,
)
from core.transfer import checks
from core.transfer.checks import SIMILAR, Check, ClaimPart
from core.transfer.matrix_measures import MEASURES
from core.transfer.report import PROFILES, SCALINGS, Classes, TransferReport
from core.util.figures import figure_text, interval_text
from core.util.table import Table

#: A probe reads truth when it judges at least this part of the left-out categories rightly.
READS = 0.65

TRUTH = (
    2,
    "Truth",
    "Base and post-trained checkpoint have a truth direction; the two are alike, and each works on the other.",
)
REFUSAL = (
    3,
    "Refusal",
    "The refusal direction changes in post-training, and the base's works on the post-trained one only in part.",
)
TRUTH_METHODS = (
    "A direction is the difference between the means of the residual stream over true and over false statements, read at the "
    "full stop [Marks & Tegmark]. A probe is learnt on the training categories, its layer chosen on the validation categories "
    f"and its figure told on test categories that neither has seen; the same with labels shuffled {SHUFFLES:,} times is its "
    "control. The cosine of "
    "two directions is judged as a part of its ceiling, what noise in the examples leaves of it: blocks of subjects are crossed between "
    "the checkpoints, so that no text is on both sides. For the intervention, few-shot "
    "«S. This statement is:», the direction is added at the statement's last tokens at equal norm, at a strength that was "
    "chosen on validation; a verdict flips when TRUE and FALSE change places. Everything is resampled by subject. Intervals: Wilson for "
    "rates, as many trials as the statements are worth; Newcombe's paired one for differences on the same statements; a jackknife over "
    "blocks of subjects for cosines. Controls are compared by rank: each direction counts once. [Du et al., §4]"
)
REFUSAL_METHODS = (
    "The direction is the difference between the means over harmful and over harmless instructions, read behind the instruction [Arditi et "
    "al.]. Cosines are compared at one shared template, so that only the weights differ, as a part of their ceiling. The base's and the "
    "target's own direction are added at equal norm to harmless instructions, and removed on harmful ones; replies are scored in four "
    "classes (refuses, does not know, answers, broken). Intervals: Wilson for rates, as many trials as the instructions are worth by what "
    "they are about; Newcombe's paired one for differences; a jackknife for cosines. Controls are compared by rank. [Du et al., §5]"
)


def truth(report: TransferReport, post: str, probes: Sequence[Probe], controls: Sequence[Probe]) -> Finding:
    """The finding on truth.

    Args:
        probes: of the base and of ``post``.
        controls: of checkpoints that should have no truth direction: bases that were trained without labelled statements.
    """
    check = _check(report, post)
    cosine, *others = _parts(report, check)
    parts = (*(_reads(each) for each in probes), cosine, _above_null(report, check), *others)
    failing = [*(_reads_shuffled(each) for each in probes), *(_reads(each) for each in controls)]
    failing += _pushed_by_chance(report, post)
    tables = (_probe_table([*probes, *controls]), *_tables(report, check), _control_table(report))
    return Finding(*TRUTH, parts, tuple(failing), tables, _drawings(report, check), TRUTH_METHODS)


def refusal_finding(report: TransferReport, post: str, cards: Sequence[Card]) -> Finding:
    """The finding on refusal. ``cards`` are those of the pair's directions: how like itself each is when it is learnt again is the control
    of a claim that two differ."""
    check = _check(report, post)
    failing = (
        *_refused_by_chance(report, post),
        *(_unlike_itself(each) for each in cards if each.details.get("steadiness")),
    )
    tables = (*_tables(report, check), _replies(report, check), _control_table(report))
    return Finding(*REFUSAL, _parts(report, check), failing, tables, _drawings(report, check), REFUSAL_METHODS)


def _check(report: TransferReport, post: str) -> Check:
    return next(each for each in checks.checks(report) if each.post == post)


def _parts(report: TransferReport, check: Check) -> tuple[Verdict, ...]:
    cosine, ceiling, null = _cosines(report, check)
    beside = f"; cosine {figure_text(cosine[0])}, ceiling {figure_text(ceiling)}, null {figure_text(null)}"
    return tuple(
        Verdict(
            _sentence(part.what),
            part.verdict,
            f"{part.figure}{beside if place == 0 else ''}",
            _threshold(part),
            _reason(part),
            part.test,
        )
        for place, part in enumerate(check.parts)
    )


def _threshold(part: ClaimPart) -> str:
    if part.low == part.high:
        return f"holds: {part.threshold}; does not hold: ≥ {MIDDLE:g}, where a control in the middle does as much; else inconclusive"
    return f"holds: {part.threshold} over the whole 95 % interval; does not hold: over none of it"


def _reason(part: ClaimPart) -> str:
    """Why nothing can be said, empty where something can."""
    if not math.isnan(part.value):
        return ""
    return (
        "the two directions are mostly noise, so that their cosine says nothing"
        if math.isfinite(part.limit)
        else part.side
    )


def _sentence(what: str) -> str:
    """A part of a check in words for whoever has not seen the matrix of transfers."""
    if found := re.fullmatch(r"(\S+), (\S+), cosine over its ceiling(.*)", what):
        return f"Cosine of the directions of {found[1]} and {found[2]}{found[3]}, as a part of its ceiling."
    if found := re.fullmatch(r"(\S+) → (\S+), (.+)", what):
        rest = found[3].replace(", other's − own", f": with the direction of {found[1]} less with its own")
        rest = rest.replace(", own − other's", f": with its own direction less with that of {found[1]}")
        rest = rest.replace(
            " above the controls', p", f": with the direction of {found[1]} more than with controls, p by rank"
        )
        return f"On {found[2]}, {rest}."
    return f"{what}."


def _cosines(report: TransferReport, check: Check) -> tuple[tuple[float, float, float], float, float]:
    """The cosine of the pair with its interval, its ceiling and its null, at a shared template where there is one."""
    cell = report.cell(check.base, check.post)
    said = next(
        each for each in report.card.details["cells"] if (each["source"], each["target"]) == (check.base, check.post)
    )
    if said.get("shared_interval") is None:
        return (cell.cosine, cell.low, cell.high), cell.ceiling, cell.null
    null = report.profile(check.base, check.post)["shared_null"][cell.layer]
    low, high = said["shared_interval"]
    return (cell.shared, low, high), said["shared_ceiling"], null


def _above_null(report: TransferReport, check: Check) -> Verdict:
    (value, low, high), _, null = _cosines(report, check)
    state = at_least(low, high, null)
    return Verdict(
        f"The directions of {check.base} and {check.post} are more alike than with directions from shuffled labels.",
        state,
        f"cosine {interval_text(value, low, high)}, null {figure_text(null)}",
        "holds: all of the 95 % interval from the null on, the 95th percentile of shuffled labels; does not hold: none of it",
        test="jackknife interval over groups" if math.isfinite(low) else "",
    )


def _unlike_itself(card: Card) -> Verdict:
    """The control of a claim that two directions differ: one direction, learnt twice."""
    steady = card.details["steadiness"]
    value, low, high = (float(each) for each in (steady["cosine"], *steady["interval"]))
    return Verdict(
        f"The refusal direction of {card.checkpoint} differs from itself when it is learnt again from examples drawn anew.",
        at_most(low, high, SIMILAR),
        f"cosine {interval_text(value, low, high)}",
        f"holds: < {figure_text(SIMILAR)} over the whole 95 % interval; does not hold: over none of it",
        test="percentiles of directions learnt again",
    )


# ---------------------------------------------------------------------------------------------------------------- probes


def _reads(probe: Probe) -> Verdict:
    low, high = probe.rate.interval
    state = at_least(low, high, READS)
    state = INCONCLUSIVE if state == HOLDS and probe.p > 0.05 else state
    return Verdict(
        f"Truth can be read along a line in {probe.checkpoint}, in categories that were left out.",
        state,
        f"accuracy {probe.rate} of {probe.rate.n} at layer {probe.layer}, p against shuffled labels {probe.p:.3f}",
        f"holds: interval from {READS:.2f} on and p ≤ .05; does not hold: interval below {READS:.2f}",
        test="Wilson's interval by group, and rank among shuffled labels",
    )


def _reads_shuffled(probe: Probe) -> Verdict:
    rate = probe.control
    low, high = rate.interval
    return Verdict(
        f"Truth can be read along a line in {probe.checkpoint} that was learnt from shuffled labels.",
        at_least(low, high, READS),
        f"accuracy of the run in the middle of {len(probe.shuffled)} {rate}",
        f"holds: interval from {READS:.2f} on; does not hold: interval below {READS:.2f}",
        test="Wilson's interval by group",
    )


def _probe_table(probes: Sequence[Probe]) -> Table:
    rows = tuple(
        (each.checkpoint, str(each.layer), str(each.rate), str(each.rate.n), str(each.control), f"{each.p:.3f}")
        for each in probes
    )
    return Table(
        "Truth probe on categories that were left out",
        ("checkpoint", "layer", "accuracy (95 %)", "n", "labels shuffled, middle run", "p"),
        rows,
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- controls


def _pushed_by_chance(report: TransferReport, post: str) -> list[Verdict]:
    """Directions from shuffled labels, and any: do they flip verdicts as the target's own does?"""
    own = report.cell(post, post).pushed.get("norm")
    return [] if own is None else _by_chance(report, post, own.flips.value, "", f"flips verdicts of {post}")


def _refused_by_chance(report: TransferReport, post: str) -> list[Verdict]:
    own = report.cell(post, post).added.get("norm")
    return [] if own is None else _by_chance(report, post, own.rate("refuses").value, "added ", f"makes {post} refuse")


def _by_chance(report: TransferReport, post: str, rate: float, prefix: str, does: str) -> list[Verdict]:
    """For every kind of controls that is a null: whether one of them does as much as the target's own, which is not to be."""
    known = report.target(post)
    own = known.compared.get(f"{prefix}{post}", rate)
    found = []
    for each in checks.ranks(known, post, rate, prefix):
        rates = known.controls[f"{prefix}{each.kind}"]
        above = by_rank(each.p)
        found.append(
            Verdict(
                f"One of the {checks.kind_said(each.kind)} {does} as well as its own.",
                INCONCLUSIVE
                if not each.null
                else DOES_NOT
                if above == HOLDS
                else HOLDS
                if above == DOES_NOT
                else above,
                f"its own {figure_text(own)}, {each.n} controls {figure_text(sum(rates) / each.n)} in the mean, "
                f"{figure_text(max(rates))} at most, p {each.p:.3f}",
                f"does not hold: p ≤ {BEYOND:g}; holds: p ≥ {MIDDLE:g}; else inconclusive",
                "" if each.null else "they lie along its own direction, and are no null",
                f"rank among {each.n}",
            )
        )
    return found


def _control_table(report: TransferReport) -> Table:
    rows = []
    for target in report.targets:
        known = report.target(target)
        for name, rates in known.controls.items():
            mean = sum(rates) / len(rates) if rates else math.nan
            rows.append(
                (
                    target,
                    name,
                    figure_text(mean),
                    figure_text(max(rates, default=math.nan)),
                    str(len(rates)),
                    str(known.control_n),
                )
            )
    return Table(
        "Controls at the norm of the target's own direction",
        ("target", "control", "mean", "largest", "directions", "n each"),
        tuple(rows),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------ tables and plots


def _tables(report: TransferReport, check: Check) -> list[Table]:
    """Every measure for the four cells of the pair."""
    pair = (check.base, check.post)
    rows: list[tuple[str, ...]] = []
    for measure in MEASURES[report.kind].values():
        cells = [
            measure.text(report.cell(source, target))
            for target in pair
            for source in (target, *(each for each in pair if each != target))
        ]
        rows.append((measure.title, *cells, measure.sentence))
    heads = tuple(
        f"{source} → {target}" for target in pair for source in (target, *(each for each in pair if each != target))
    )
    cell = report.cell(check.base, check.post)
    note = (
        f"Cosine of the two directions at layer {cell.layer}: ceiling (blocks of groups) {figure_text(cell.ceiling)}, null (shuffled "
        f"labels) {figure_text(cell.null)}, winsorised {figure_text(cell.winsorised)}."
    )
    return [
        Table(
            f"{report.kind.capitalize()} across {check.base} and {check.post}",
            ("measure", *heads, "what it says"),
            tuple(rows),
            note,
        )
    ]


def _replies(report: TransferReport, check: Check) -> Table:
    known, cell, own = (
        report.target(check.post),
        report.cell(check.base, check.post),
        report.cell(check.post, check.post),
    )
    rows = [("as it is", _counted(known.plain["harmless"]), _counted(known.plain["harmful"]))]
    for name, each in ((f"direction of {check.post}", own), (f"direction of {check.base}", cell)):
        added = "; ".join(f"{SCALINGS[how]}: {_counted(said)}" for how, said in each.added.items())
        rows.append((name, added, _counted(each.ablated)))
    return Table(f"Replies of {check.post}", ("steered by", "harmless, added", "harmful, removed"), tuple(rows))


def _counted(classes: Classes | None) -> str:
    return "–" if classes is None else f"{classes} of {classes.n}"


def _drawings(report: TransferReport, check: Check) -> tuple[Drawing, ...]:
    profile = report.profile(check.base, check.post)
    shared = "shared" in profile
    names = ("shared", "shared_ceiling", "shared_null") if shared else ("cosine", "ceiling", "null")
    curves = [(PROFILES[name], profile[name], dash) for name, dash in zip(names, ("", "6 3", "2 3"), strict=True)]
    intervals = [_interval(part) for part in check.parts]
    title = f"{report.kind.capitalize()} directions of {check.base} and {check.post}, by layer"
    return (
        Drawing(
            f"{report.kind}-checks",
            svg.forest_plot(check.claim, intervals),
            svg.intervals_csv(intervals),
        ),
        Drawing(
            f"{report.kind}-layers",
            svg.line_plot(title, "layer", "cosine", curves),
            svg.lines_csv("layer", curves),
        ),
    )


def _interval(part: ClaimPart) -> Interval:
    return Interval(_sentence(part.what)[:-1], part.value, part.low, part.high, part.limit, part.verdict)
