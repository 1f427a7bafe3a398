"""Truth in a transfer report: which verdicts on statements each source's direction turns, of true ones pushed down and false ones up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from core.directions.contrast import Split
from core.stats import groups as grouping
from core.stats.groups import Groups
from core.steering.interventions import RowEdit
from core.transfer import truth_intervention
from core.transfer.alignment import ProbeReading
from core.transfer.steering_controls import along, control_vectors, in_turn
from core.transfer.sweep import (
    AS_GOOD,
    MASS,
    PUSH_STRENGTHS,
    CellDocument,
    Found,
    SteeringSweep,
    SteeringVectors,
    as_long_as_own,
    cell_recipes,
    finite,
    rate_told,
    scaled,
)
from core.transfer.task import trained
from core.transfer.truth_intervention import Judged, Verdicts
from core.util.progress import Learning, Slices
from core.util.resume import ResumeNotes


@dataclass(frozen=True)
class AskedStatements:
    """Statements of a split: true ones, then false ones."""

    true: list[Judged]
    false: list[Judged]
    #: Which of :attr:`all` belong together.
    groups: Groups

    @property
    def all(self) -> list[Judged]:
        """Both, in that order."""
        return [*self.true, *self.false]


def asked_statements(sweep: SteeringSweep, split: Split, most: int) -> AskedStatements:
    """Statements behind four judged ones of the training split, so many of a class."""
    trues, falses = sweep.part("train", True, 2), sweep.part("train", False, 2)
    shots = [(trues[0], True), (falses[0], False), (falses[1], False), (trues[1], True)]
    items = [sweep.examples.chosen(split, label, most) for label in (True, False)]
    true, false = (
        truth_intervention.few_shot_prompts(sweep.loaded, [each.text for each in part], shots) for part in items
    )
    return AskedStatements(true, false, sweep.groups([*items[0], *items[1]]))


def judge_steered(
    sweep: SteeringSweep, asked: AskedStatements, vectors: Sequence[SteeringVectors | None]
) -> Slices[list[list[list[float]]]]:
    """For every vector (none: the model as it is) margin and mass of the true statements pushed down and of the false ones pushed up."""
    rows: list[Judged] = []
    edits: list[tuple[RowEdit, ...]] = []
    for vector in vectors:
        for sign, part in ((-1.0, asked.true), (1.0, asked.false)):
            rows += part
            edits += [
                ()
                if vector is None
                else truth_intervention.steering_edit((sign * vector).astype(np.float32), sweep.layer)
            ] * len(part)
    found = yield from truth_intervention.verdicts(sweep.loaded, rows, edits)
    size = len(asked.all)
    return [
        [list(found.margin[start : start + size]), list(found.mass[start : start + size])]
        for start in range(0, len(rows), size)
    ]


def _sides(asked: AskedStatements, said: Sequence[Sequence[float]]) -> tuple[Verdicts, Verdicts]:
    """Of the true statements, and of the false ones."""
    cut = len(asked.true)
    margin, mass = said
    return Verdicts(tuple(margin[:cut]), tuple(mass[:cut])), Verdicts(tuple(margin[cut:]), tuple(mass[cut:]))


def _turned(
    asked: AskedStatements, plain: Sequence[Sequence[float]], said: Sequence[Sequence[float]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which statements were judged against the push before, and which of these are judged by it afterwards."""
    sign = np.where(np.arange(len(asked.all)) < len(asked.true), -1.0, 1.0)
    before = sign * np.asarray(plain[0]) < 0
    return before, (sign * np.asarray(said[0]) > 0)[before]


def _told(
    asked: AskedStatements,
    plain: Sequence[Sequence[float]],
    said: Sequence[Sequence[float]],
    own: Sequence[Sequence[float]] | None = None,
) -> CellDocument:
    """A :class:`core.transfer.report.Pushed` as a document; beside the target's ``own`` vector where that is another one."""
    before, after = _sides(asked, plain), _sides(asked, said)
    ways = [(before[side], after[side], towards) for side, towards in ((0, False), (1, True))]
    flips = [truth_intervention.flips(*way) for way in ways]
    could, turned = _turned(asked, plain, said)
    found = {
        "nie": [truth_intervention.normalised_effect(*way) for way in ways],
        "down": [flips[0].hits, flips[0].n],
        "up": [flips[1].hits, flips[1].n],
        "flips": rate_told(grouping.rate(turned, asked.groups[could])),
        "mass": [truth_intervention.mass_left(one, other) for one, other, _ in ways],
    }
    if own is not None:
        found["less"] = finite(grouping.paired_difference(turned, _turned(asked, plain, own)[1], asked.groups[could]))
    return found


def _flipped(told: CellDocument) -> float:
    n = told["down"][1] + told["up"][1]
    return (told["down"][0] + told["up"][0]) / n if n else 0.0


def truth_cells(
    sweep: SteeringSweep, vectors: Mapping[str, SteeringVectors], reading: ProbeReading, notes: ResumeNotes
) -> Learning[Found]:
    """Every figure of a target; :func:`core.transfer.cross_steering.cross_steer` says of what."""
    name, own = sweep.name, sweep.own.vectors[sweep.layer].astype(np.float64)
    choosing, asked = (
        asked_statements(sweep, "validation", sweep.sizes.choosing),
        asked_statements(sweep, "test", sweep.sizes.statements),
    )
    tried = yield from notes.once(
        f"strength.{name}",
        partial(judge_steered, sweep, choosing, [None, *(strength * own for strength in PUSH_STRENGTHS)]),
        f"Choosing a strength for {name}.",
    )
    strength = _truth_strength([_told(choosing, tried[0], said) for said in tried[1:]])
    work = partial(judge_steered, sweep, asked, [None])
    (plain,) = yield from notes.once(f"plain.{name}", work, f"Asking {name} as it is.")
    cells: dict[str, CellDocument] = {}
    best: Sequence[Sequence[float]] | None = None
    norms: dict[str, Sequence[Sequence[float]]] = {}
    for source, every in vectors.items():
        if sweep.budget.over():
            break
        vector = every[sweep.layer]
        made = scaled(vector, own, strength)
        said = yield from notes.once(
            f"push.{name}.{source.replace('/', '.')}",
            partial(judge_steered, sweep, asked, list(made.values())),
            f"Pushing {name} by the direction of {source}.",
        )
        if made:
            norms[source] = said[0]
        if source == name and made:
            best = said[0]
        beside = best if source != name else None
        told = {how: _told(asked, plain, each, beside) for how, each in zip(made, said, strict=True)}
        cells[source] = {"pushed": told, "recipes": cell_recipes(sweep, source, vector, made)}
        twin = trained(source)
        if twin != source and {twin, source} <= set(norms):
            could, turned = _turned(asked, plain, norms[twin])
            less = grouping.paired_difference(turned, _turned(asked, plain, norms[source])[1], asked.groups[could])
            cells[twin]["beyond_untrained"] = finite(less)
    made_by = control_vectors(reading, own, sweep.layer, strength, sweep.sizes.controls, sweep.mapped)
    as_long = as_long_as_own({source: vectors[source] for source in cells}, sweep.layer, own, strength)
    few = asked_statements(sweep, "test", sweep.sizes.control_statements)
    compared, rates = yield from _truth_controls(sweep, few, made_by, as_long, notes)
    sides = _sides(asked, plain)
    right = {
        "true": [sum(each > 0 for each in sides[0].margin), len(sides[0].margin)],
        "false": [sum(each < 0 for each in sides[1].margin), len(sides[1].margin)],
    }
    whole = len(cells) == len(vectors) and _all_tried(made_by, rates)
    target = {"layer": sweep.layer, "strength": strength, "own_accuracy": right, "plain": {}, "controls": rates}
    more = {"control_n": len(few.all), "compared": compared, "along": along(made_by, own)}
    return Found({**target, **more}, cells, whole)


def _truth_controls(
    sweep: SteeringSweep,
    few: AskedStatements,
    made: Mapping[str, SteeringVectors],
    sources: Mapping[str, SteeringVectors],
    notes: ResumeNotes,
) -> Learning[tuple[dict[str, float], dict[str, list[float]]]]:
    """The part of a few verdicts that is turned: by the sources' vectors, and by controls of every kind."""
    name, rates = sweep.name, dict[str, list[float]]()
    if sweep.budget.over():
        return {}, rates
    sentence = f"Trying controls on {name}."
    work = partial(judge_steered, sweep, few, [None, *sources.values()])
    before, *said = yield from notes.once(f"compared.{name}", work, sentence)
    compared = {source: _flipped(_told(few, before, each)) for source, each in zip(sources, said, strict=True)}
    for how, start, some in in_turn(made):
        if sweep.budget.over():
            break
        said = yield from notes.once(
            f"control.{name}.{how}.{start}", partial(judge_steered, sweep, few, some), sentence
        )
        rates.setdefault(how, []).extend(_flipped(_told(few, before, each)) for each in said)
    return compared, rates


def _all_tried(made: Mapping[str, SteeringVectors], rates: Mapping[str, Sequence[float]]) -> bool:
    return all(len(rates.get(how, ())) == len(vectors) for how, vectors in made.items())


def _truth_strength(tried: Sequence[CellDocument]) -> float:
    """The smallest strength that turns about as many verdicts as the best one, among those that leave the mass."""
    allowed = [index for index, told in enumerate(tried) if min(told["mass"]) >= MASS] or [0]
    best = max(_flipped(tried[index]) for index in allowed)
    return PUSH_STRENGTHS[next(index for index in allowed if _flipped(tried[index]) >= best - AS_GOOD)]
