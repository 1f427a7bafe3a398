"""What a transfer report comes to for one cell: whether a direction from one checkpoint works on another, in counts. No torch."""

from __future__ import annotations

from typing import Literal

from core.stats.rates import Rate, less
from core.stats.verdicts import HOLDS, INCONCLUSIVE, at_least
from core.transfer.checks import AS_WELL
from core.transfer.report import Bounded, Cell, TransferReport
from core.util.figures import figure_text

#: What a direction of one checkpoint does on another, as a picture has it; a target's own is what the others are judged by.
VerdictWord = Literal["works", "in part", "no", "not decided", "its own", "alone", "not measured"]


def cell_verdict(report: TransferReport, source: str, target: str) -> tuple[VerdictWord, str]:
    """The verdict on a cell in a word, and the count that it rests on, ``26 of 40``, or nothing; KeyError for a cell that is not there.

    Of a target without a direction of its own there is nothing to judge by: what is done there stands *alone*.
    """
    cell, own = report.cell(source, target), report.cell(target, target) if target in report.sources else None
    rate = _acts(cell)
    if not cell.steered:
        return "not measured", ""
    if rate is None:
        return "no", ""
    count = f"{rate.hits} of {rate.n}"
    if source == target:
        return "its own", count
    if own is None or (best := _acts(own)) is None:
        return "alone", count
    _, low, high = _less(cell) or less(rate, best)
    state = at_least(low, high, -AS_WELL)
    if state == INCONCLUSIVE:
        return "not decided", count
    # As well as one that does nothing is nothing, too.
    if not _more(report, target, rate):
        return "no", count
    return "works" if state == HOLDS else "in part", count


def transfer_conclusion(report: TransferReport, source: str, target: str) -> str:
    """Whether the direction of ``source`` does on ``target`` what the target's own does; KeyError for a cell that is not there."""
    cell, (word, _) = report.cell(source, target), cell_verdict(report, source, target)
    what = f"the {report.kind} direction of {source}"
    rate = _acts(cell)
    if word == "not measured":
        return f"Not measured yet: {what} points as {target}'s own does by a cosine of {figure_text(cell.cosine)}, and was not added to it."
    if rate is None:
        return f"No: {what} has so little in common with {target}'s own that it cannot be added as strongly."
    done = _did(report.kind, rate)
    plain = _plain(report, target)
    best = _acts(report.cell(target, target)) if target in report.sources else None
    if best is None or word in ("its own", "alone"):
        return f"{_capital(what)}, added to {target}, {done}{plain}."
    beside = f"added to {target} it {done}, {target}'s own {best.hits} of {best.n}{plain}"
    if word == "works":
        return f"Yes: {what} works on {target} as well as {target}'s own: {beside}."
    if word == "not decided":
        return f"Not decided: {what} may work on {target} as well as {target}'s own: {beside}."
    if word == "no" and not _more(report, target, best):
        return f"No: {what} does nothing on {target}, nor does {target}'s own: {beside}."
    return (
        f"{'Only in part' if word == 'in part' else 'No'}: {what} does less on {target} than {target}'s own: {beside}."
    )


def no_use(report: TransferReport, source: str, target: str) -> str:
    """Why a cell cannot be tried in Chat; empty where it can."""
    cell = report.cell(source, target)
    if cell.recipe and cell.steered:
        return ""
    if not cell.steered:
        return f"It cannot be used in Chat yet: {target} was not steered by it. Press Measure to go on."
    return f"It cannot be used in Chat: it would have to be added more than ten times over to be as long as {target}'s own."


def _acts(cell: Cell) -> Rate | None:
    """What it does as strongly as the target's own: verdicts turned round, or harmless requests refused."""
    if "norm" in cell.pushed:
        return cell.pushed["norm"].flips
    return cell.added["norm"].rate("refuses") if "norm" in cell.added else None


def _less(cell: Cell) -> Bounded | None:
    """What it does less what the target's own does, on the same statements or requests."""
    return cell.pushed["norm"].less if "norm" in cell.pushed else cell.refused_less.get("norm")


def _did(kind: str, rate: Rate) -> str:
    if kind == "truth":
        return f"turns {rate.hits} of {rate.n} verdicts on statements round"
    return f"makes it refuse {rate.hits} of {rate.n} harmless requests"


def _more(report: TransferReport, target: str, rate: Rate) -> bool:
    """Whether it does more than nothing: more refusals than without it, or any verdict turned round."""
    plain = report.target(target).plain.get("harmless") if report.kind == "refusal" else None
    return less(rate, plain.rate("refuses"))[1] > 0 if plain is not None else rate.hits > 0


def _plain(report: TransferReport, target: str) -> str:
    """The same without steering, which only refusals have."""
    if target not in report.steered or "harmless" not in (plain := report.target(target).plain):
        return ""
    rate = plain["harmless"].rate("refuses")
    return f", and left as it is it refuses {rate.hits} of {rate.n}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
