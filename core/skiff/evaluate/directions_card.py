"""What ``evaluate --what directions`` writes: figures with their aims, every cell of carrying, the checks, and what falls short."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.training.card_figures import Figure
from core.training.card_text import number
from core.transfer import checks
from core.transfer.report import Cell, TransferReport
from core.util.figures import figure_text

#: Figures that explain others.
DOES_NOT_KNOW = "harmless requests as it is: says that it does not know"
LAST_LAYER = "ablated by the last layer's vector"
PROBES, TRUTH, REFUSAL = "Probes", "Truth, carried", "Refusal, added and removed"
INTRODUCTION = (
    "What the directions of Skiff do, measured by `python launch.py evaluate --what directions` on test splits: categories, statements and "
    "requests that nothing was learnt from or chosen by. Every rate stands with its 95 % interval and the number of trials; what is a mean "
    "of repetitions stands with their 2.5th and 97.5th percentile. Controls are directions from shuffled labels and isotropic ones, of the "
    "same norm at the same layer."
)


def directions_card(
    title: str, figures: list[Figure], reports: dict[str, TransferReport], mapped: Sequence[TransferReport] = ()
) -> str:
    """The card as Markdown. ``mapped`` are reports with directions of other families."""
    lines = [f"# Directions of {title}", "", INTRODUCTION, ""]
    for section in dict.fromkeys(figure.section for figure in figures):
        lines += [f"## {section}", "", *_table([figure for figure in figures if figure.section == section]), ""]
    for report in reports.values():
        lines += [f"## Carrying {report.kind}", "", *_matrix(report), ""]
        for check in checks.checks(report):
            lines += [f"**{check}**", "", *(f"- {part}" for part in check.parts), ""]
    for report in mapped:
        lines += [f"## Carrying {report.kind} from {report.other}", "", *_maps(report), ""]
    missed = [
        f"- {figure.name} [{figure.checkpoint}]: {number(figure.rate, 3)}, aim {figure.target}. {_reason(figure, figures)}"
        for figure in figures
        if figure.mark(figure.target) == "✗"
    ]
    return "\n".join([*lines, *(["## Where it falls short", "", *missed, ""] if missed else [])])


def _reason(figure: Figure, figures: Sequence[Figure]) -> str:
    """Why a threshold is missed, as far as it and the other figures say."""
    low, high = figure.interval
    if (
        figure.target is not None
        and not figure.runs
        and figure.target.met(high if figure.target.sense == ">=" else low)
    ):
        return f"The interval ({number(low, 2)}–{number(high, 2)}) holds the aim: more trials would decide."
    rates = {each.name: each.rate for each in figures}
    if figure.name == "ablated, harmful requests: answered" and rates.get(DOES_NOT_KNOW, 0.0) > 0.5:
        return (
            f"What no longer refuses says that it does not know how, as {number(rates[DOES_NOT_KNOW], 2)} of the replies to "
            "harmless requests of this kind do: these weights know nothing that they could answer."
        )
    last = rates.get(f"{LAST_LAYER}, harmful requests: refused")
    if figure.name == "ablated, harmful requests: refused" and last is not None and last < figure.rate:
        return (
            f"The vector of the last layer leaves {number(last, 2)}; the choice leaves that layer out, where a vector acts on the next "
            "word and not on what the model makes of the request."
        )
    reasons: dict[str, str] = {
        PROBES: "Categories of the test split are judged by what other categories share with them, which these weights do not do so far.",
        TRUTH: "Directions from shuffled labels turn verdicts too, where truth is the largest difference between states.",
        REFUSAL: "One direction at one layer does not carry all of refusing in these weights.",
    }
    return reasons[figure.section]


def _maps(report: TransferReport) -> list[str]:
    """How well the maps fit, and what the mapped directions do."""
    lines = [
        f"From another model, by a linear map that was learnt on residuals of the same texts; made by `python launch.py transfer --from "
        f"{report.other}`. R² on held-out texts, at each layer of the model that is steered:",
        "",
    ]
    for way, told in report.maps().items():
        methods = ", ".join(sorted({str(each) for each in told["methods"]}))
        lines.append(f"- {way.replace('>', ' → ')}: {', '.join(figure_text(each) for each in told['r2'])} ({methods})")
    foreign = [source for source in report.sources if source.startswith(f"{report.other}/")]
    return [*lines, "", *_matrix(report, foreign)]


def _matrix(report: TransferReport, sources: Sequence[str] = ()) -> list[str]:
    """A cell in a few figures, sources (all, if none are named) down and targets across."""
    lines = [f"| from ↓ to → | {' | '.join(report.targets)} |", f"|---|{'---|' * len(report.targets)}"]
    for source in sources or report.sources:
        cells = [_cell(report.cell(source, target)) for target in report.targets]
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return lines


def _cell(cell: Cell) -> str:
    parts: list[tuple[str, Callable[[], str]]] = [
        ("cos", lambda: f"{figure_text(cell.cosine)} of {figure_text(cell.ceiling)}, null {figure_text(cell.null)}"),
        ("probe", lambda: str(cell.probe)),
    ]
    if "norm" in cell.pushed:
        pushed = cell.pushed["norm"]
        parts += [
            ("flips", lambda: str(pushed.flips)),
            ("NIE", lambda: figure_text(pushed.nie)),
            ("mass", lambda: figure_text(pushed.mass)),
        ]
    if "norm" in cell.added:
        parts.append(("added", lambda: str(cell.added["norm"])))
    if cell.ablated is not None:
        ablated = cell.ablated
        parts.append(("ablated", lambda: str(ablated)))
    return "<br>".join(f"{name} {text()}" for name, text in parts)


def _table(figures: list[Figure]) -> list[str]:
    lines = ["| figure | checkpoint | value | 95 % | n | aim |", "|---|---|---|---|---|---|"]
    for each in figures:
        ends = "" if len(each.runs) == 1 else "–".join(number(end, 2) for end in each.interval)
        aim = f"{each.target} {each.mark(each.target)}" if each.target else ""
        note = f" ({each.note})" if each.note else ""
        lines.append(f"| {each.name}{note} | {each.checkpoint} | {number(each.rate, 3)} | {ends} | {each.n} | {aim} |")
    return lines
