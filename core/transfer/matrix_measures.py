"""What the matrix of a transfer report can show: each figure's title, what it means, and how it is read off a cell. No torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.transfer.report import SCALINGS, Cell, Pushed
from core.util.figures import figure_text, interval_text


@dataclass(frozen=True)
class Measure:
    """A figure that a matrix can show: its title, one sentence on it, its number (NaN where there is none) and its words."""

    title: str
    sentence: str
    value: Callable[[Cell], float]
    text: Callable[[Cell], str]


def _pushed(figure: Callable[[Pushed], float], how: str = "norm") -> Callable[[Cell], float]:
    return lambda cell: figure(cell.pushed[how]) if how in cell.pushed else math.nan


def _added(kind: str, how: str = "norm") -> Callable[[Cell], float]:
    return lambda cell: cell.added[how].rate(kind).value if how in cell.added else math.nan


def _said(value: Callable[[Cell], float]) -> Callable[[Cell], str]:
    return lambda cell: figure_text(value(cell))


def _flipped(how: str) -> Callable[[Cell], str]:
    return lambda cell: str(cell.pushed[how].flips) if how in cell.pushed else "–"


_COSINE = Measure(
    "cosine",
    "How far the two directions point the same way at the target's layer, with its 95 % interval; read it beside its ceiling and null.",
    lambda cell: cell.cosine,
    lambda cell: interval_text(cell.cosine, cell.low, cell.high),
)
_PROBE = Measure(
    "probe",
    "How often a probe learnt on the source's other categories judges the target's left-out category rightly.",
    lambda cell: cell.probe.value,
    lambda cell: str(cell.probe),
)
_RECENTRED = Measure(
    "probe, own midpoint",
    "The same probe with the target's own midpoint: whether the direction carries over even where its zero does not.",
    lambda cell: cell.recentred.value,
    lambda cell: str(cell.recentred),
)
_NIE = "How far the verdict on a statement moves towards its opposite when the direction is added; 1 is all the way."
_FLIPS = "How many verdicts turn round when the direction is added; read it beside the controls."
_MASS = "What is left of P(TRUE) + P(FALSE): it falls when a model merely breaks."
#: What a matrix can show, by kind of direction and name.
MEASURES: Mapping[str, Mapping[str, Measure]] = {
    "truth": {
        "cosine": _COSINE,
        "probe": _PROBE,
        "recentred": _RECENTRED,
        **{
            f"{name}{'' if how == 'norm' else ' projected'}": Measure(
                f"{title}, {SCALINGS[how]}", sentence, _pushed(figure, how),
                _flipped(how) if name == "flips" else _said(_pushed(figure, how)),
            )
            for how in SCALINGS
            for name, title, sentence, figure in (
                ("nie", "NIE", _NIE, lambda each: each.nie),
                ("flips", "flip rate", _FLIPS, lambda each: each.flips.value),
                ("mass", "remaining mass", _MASS, lambda each: each.mass),
            )
        },
    },
    "refusal": {
        "cosine": _COSINE,
        "shared": Measure(
            "cosine, shared template",
            "The same with both checkpoints read through one template, so that only the weights differ.",
            lambda cell: cell.shared,
            _said(lambda cell: cell.shared),
        ),
        "probe": _PROBE,
        "recentred": _RECENTRED,
        **{
            f"refused{'' if how == 'norm' else ' projected'}": Measure(
                f"harmless requests refused, {SCALINGS[how]}",
                "How many harmless requests are refused when the direction is added.",
                _added("refuses", how),
                lambda cell, how=how: str(cell.added[how].rate("refuses")) if how in cell.added else "–",  # type: ignore[misc]
            )
            for how in SCALINGS
        },
        "ablated": Measure(
            "harmful requests refused, ablated",
            "How many harmful requests are still refused when the direction is removed.",
            lambda cell: cell.ablated.rate("refuses").value if cell.ablated else math.nan,
            lambda cell: str(cell.ablated.rate("refuses")) if cell.ablated else "–",
        ),
    },
}  # fmt: skip
