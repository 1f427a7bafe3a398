"""What a transfer report comes to for one cell: whether a direction from one checkpoint works on another, in counts. No torch."""

from __future__ import annotations

from core.stats.rates import Rate, less
from core.stats.verdicts import DOES_NOT, HOLDS, at_least
from core.transfer.checks import AS_WELL
from core.transfer.report import Bounded, Cell, TransferReport
from core.util.figures import figure_text


def transfer_conclusion(report: TransferReport, source: str, target: str) -> str:
    """Whether the direction of ``source`` does on ``target`` what the target's own does; KeyError for a cell that is not there."""
    cell, own = report.cell(source, target), report.cell(target, target) if target in report.sources else None
    what = f"the {report.kind} direction of {source}"
    rate = _acts(cell)
    if not cell.steered:
        return f"Not measured yet: {what} points as {target}'s own does by a cosine of {figure_text(cell.cosine)}, and was not added to it."
    if rate is None:
        return f"No: {what} has so little in common with {target}'s own that it cannot be added as strongly."
    done = _did(report.kind, rate)
    plain = _plain(report, target)
    if own is None or source == target or (best := _acts(own)) is None:
        return f"{_capital(what)}, added to {target}, {done}{plain}."
    _, low, high = _less(cell) or less(rate, best)
    state = at_least(low, high, -AS_WELL)
    beside = f"added to {target} it {done}, {target}'s own {best.hits} of {best.n}{plain}"
    if state == HOLDS:
        return f"Yes: {what} works on {target} as well as {target}'s own: {beside}."
    if state == DOES_NOT:
        return f"{'Only in part' if _more(report, target, rate) else 'No'}: {what} does less on {target} than {target}'s own: {beside}."
    return f"Not decided: {what} may work on {target} as well as {target}'s own: {beside}."


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
