"""How a transfer report is shown: its matrix, what is said of a cell, its layers, and the chat that tries it. No torch, nothing drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.chat.settings import Column, Settings
from core.display import palette
from core.display.lenses import Lens
from core.errors import TillerError
from core.recipes.language import parse
from core.transfer import checks
from core.transfer import report as transfers
from core.transfer import task as tasks
from core.transfer.matrix_measures import MEASURES, Measure
from core.transfer.report import SCALINGS, TransferReport
from core.transfer.task import TransferTask, trained
from core.util.figures import figure_text, interval_text

_PARTS = Lens("part", "part", "", "magnitude", 0.0, 1.0, "")
_SIGNED = Lens("cosine", "cosine", "", "signed", -1.0, 1.0, "")
#: The profiles that are drawn, with their dashes: what was measured whole, what it is read beside broken.
_CURVES = {
    "truth": {"cosine": "", "winsorised": "1 3", "ceiling": "6 3", "null": "2 2", "recentred": ""},
    "refusal": {"cosine": "", "shared": "", "shared_ceiling": "6 3", "shared_null": "2 2", "recentred": ""},
}


@dataclass(frozen=True)
class Shade:
    """A cell of the matrix: its words, its number, and the lens that colours it."""

    source: str
    target: str
    text: str
    value: float
    lens: Lens

    @property
    def colours(self) -> tuple[str, str] | None:
        """Background and ink, ``#rrggbb``; None where there is no number."""
        if math.isnan(self.value):
            return None
        background = palette.colour(self.lens, self.value)
        return background, palette.ink(background)

    @property
    def glyph(self) -> str:
        """One of five blocks, for screens without colour."""
        return " " if math.isnan(self.value) else palette.glyph(self.lens, self.value)


def opening(report: TransferReport) -> tuple[str, str]:
    """The cell that is told before anybody chooses, source and target: the ancestor's direction, or the other model's, on the final one."""
    foreign = [each for each in report.sources if each not in report.targets and trained(each) == each]
    return [report.sources[0], *foreign][-1], str(report.card.details["final"])


def stale(task: TransferTask) -> str:
    """What is said of a report that does not belong to what is there now; empty when it does, or when there is none."""
    try:
        report = transfers.find_report(task.family, task.about, task.other.name if task.other else "")
        if report is None:
            return ""
        if report.card.details.get("marks") == tasks.marks(task):
            return ""
    except TillerError as error:
        return str(error)
    return "This report was made from other directions, weights or examples than are here now; measure again."


def measures(report: TransferReport) -> dict[str, Measure]:
    """What the matrix can show, by name."""
    return dict(MEASURES[report.kind])


def matrix(report: TransferReport, name: str) -> list[list[Shade]]:
    """The matrix of a measure: a row for each source, in it a cell for each target."""
    measure = MEASURES[report.kind][name]
    lens = _SIGNED if "cosine" in measure.title else _PARTS
    return [
        [
            Shade(source, target, measure.text(cell), measure.value(cell), lens)
            for target, cell in ((target, report.cell(source, target)) for target in report.targets)
        ]
        for source in report.sources
    ]


def describe_cell(report: TransferReport, source: str, target: str) -> list[tuple[str, str]]:
    """All that is known of a cell, as (label, words)."""
    cell = report.cell(source, target)
    known = report.target(target) if target in report.steered else None
    strength = f", {known.strength:g} gap{'s' * (known.strength != 1)} of {target}'s own direction" if known else ""
    rows = [
        ("layer and strength" if known else "layer", f"layer {cell.layer}{strength}"),
        (
            "cosine",
            f"{interval_text(cell.cosine, cell.low, cell.high)}; ceiling {figure_text(cell.ceiling)}, null {figure_text(cell.null)}",
        ),
        ("largest coordinates cut", figure_text(cell.winsorised)),
    ]
    if cell.freed is not None:
        freed = interval_text(cell.freed.value, cell.freed.low, cell.freed.high)
        rows.append(("cosine freed of noise", f"{freed}; about 1 where the two are one and the same"))
    if not math.isnan(cell.shared):
        shared = cell.shared_freed
        said = f"; freed of noise {interval_text(shared.value, shared.low, shared.high)}" if shared else ""
        rows.append(("at a shared template", figure_text(cell.shared) + said))
    if cell.probe.n:
        rows.append(("probe, category left out", f"{cell.probe}; with {target}'s own midpoint {cell.recentred}"))
    if (told := report.maps().get(f"{source}>{target}")) is not None:
        at = f"from layer {told['from_layers'][cell.layer]}, {told['methods'][cell.layer]}"
        rows.append(("map", f"R² {figure_text(told['r2'][cell.layer])} on held-out texts, {at}"))
    for how, pushed in cell.pushed.items():
        rows += [
            (
                f"true to false, {SCALINGS[how]}",
                f"NIE {figure_text(pushed.nie_down)}, turned {pushed.down}, mass {figure_text(pushed.mass_down)}",
            ),
            (
                f"false to true, {SCALINGS[how]}",
                f"NIE {figure_text(pushed.nie_up)}, turned {pushed.up}, mass {figure_text(pushed.mass_up)}",
            ),
        ]
    rows += [(f"added to harmless, {SCALINGS[how]}", str(classes)) for how, classes in cell.added.items()]
    if cell.ablated is not None:
        rows.append(("ablated on harmful", str(cell.ablated)))
    if not cell.steered:
        rows.append(("steering", f"not measured yet; measured again, {target} is steered by it"))
    if known is None:
        return rows
    rows += [(f"{target} as it is, {what}", str(classes)) for what, classes in known.plain.items()]
    if cell.steered and "projection" not in (cell.pushed or cell.added):
        rows.append((SCALINGS["projection"], "out of reach: the two directions have too little in common"))
    for how, rates in known.controls.items():
        mean, most = float(np.mean(rates)), float(np.quantile(rates, 0.95))
        rows.append((f"controls, {how}", f"{figure_text(mean)} in the mean, 95th percentile {figure_text(most)}"))
    return rows


def curves(report: TransferReport, source: str, target: str) -> list[tuple[str, Sequence[float], str]]:
    """The layers of a cell as curves: name, values, dash."""
    profile = report.profile(source, target)
    wanted = _CURVES[report.kind]
    return [(transfers.PROFILES[name], profile[name], dash) for name, dash in wanted.items() if name in profile]


def findings(report: TransferReport) -> list[tuple[str, list[str]]]:
    """The checks: each in a line, with its parts."""
    return [(str(check), [str(part) for part in check.parts]) for check in checks.checks(report)]


def try_in_chat(settings: Settings, report: TransferReport, source: str, target: str) -> Settings:
    """The chat that tries a cell: the target as it is, and beside it steered; what was said before is left.

    Raises:
        TillerError: no recipe asks for so much.
    """
    cell = report.cell(source, target)
    recipe = cell.recipe
    if not cell.steered:
        raise TillerError(
            f"{target} was not steered by the direction of {source} yet; measure on, or take another cell."
        )
    if not recipe:
        raise TillerError(
            f"The direction of {source} would have to be added more than ten times over to be as long as that of {target}; take another."
        )
    columns = (Column(target), Column(target, parse(recipe)))
    return replace(settings, columns=columns, selected=1, turns=(), tab="chat")
