"""Refusal in a transfer report: how many harmless requests are refused with each source's direction added, and how many harmful ones
still are with it removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artefacts.direction import Direction
from core.directions.candidate import ablate
from core.directions.reply_rates import counts, mostly_end, reply_texts
from core.inference import metrics
from core.stats import groups as grouping
from core.steering.interventions import RowEdit
from core.transfer.alignment import ProbeReading
from core.transfer.steering_controls import along, control_vectors, in_turn
from core.transfer.sweep import (
    AS_GOOD,
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
from core.util.progress import Learning, Slices
from core.util.resume import ResumeNotes


def refusal_cells(
    sweep: SteeringSweep,
    vectors: Mapping[str, SteeringVectors],
    removed: Mapping[str, int],
    reading: ProbeReading,
    notes: ResumeNotes,
) -> Learning[Found]:
    """Every figure of a target; :func:`core.transfer.cross_steering.cross_steer` says of what."""
    name, own = sweep.name, sweep.own.vectors[sweep.layer].astype(np.float64)
    chances = yield from notes.once(
        f"strength.{name}", partial(_refusal_chances, sweep, own), f"Choosing a strength for {name}."
    )
    strength = PUSH_STRENGTHS[next(index for index, each in enumerate(chances) if each >= max(chances) - AS_GOOD)]
    harmless, harmful = (request_prompts(sweep, label, sweep.sizes.requests) for label in (False, True))
    groups = [sweep.groups(sweep.examples.chosen("test", label, sweep.sizes.requests)) for label in (False, True)]
    plain: dict[str, CellDocument] = {}
    ends = True
    for what, prompts in (("harmless", harmless), ("harmful", harmful)):
        said = yield from notes.once(
            f"plain.{name}.{what}", partial(steered_replies, sweep, [(prompts, ())]), f"Asking {name} as it is."
        )
        ends = ends and mostly_end(said[0])
        plain[what] = counts(said[0], ends)
    cells: dict[str, CellDocument] = {}
    best: list[NDArray[np.bool_]] = []
    norms: dict[str, NDArray[np.bool_]] = {}
    for source, every in vectors.items():
        if sweep.budget.over():
            break
        vector = every[sweep.layer]
        made = scaled(vector, own, strength)
        removal = _without(sweep, every[removed[source]])
        jobs = [(harmless, added_edit(sweep, each)) for each in made.values()]
        sentence = f"Steering {name} by the direction of {source}."
        label = source.replace("/", ".")
        said = yield from notes.once(f"push.{name}.{label}", partial(steered_replies, sweep, jobs), sentence)
        without = yield from notes.once(
            f"ablate.{name}.{label}", partial(steered_replies, sweep, [(harmful, removal)]), sentence
        )
        refused = {how: _refuses(each, ends) for how, each in zip(made, said, strict=True)}
        kept = _refuses(without[0], ends)
        if made:
            norms[source] = refused["norm"]
        if source == name and made:
            best = [refused["norm"], kept]
        if best and source != name:
            cells[source] = {
                "refused_less": {
                    how: finite(grouping.paired_difference(each, best[0], groups[0])) for how, each in refused.items()
                },
                "kept_less": finite(grouping.paired_difference(best[1], kept, groups[1])),
            }
        cells[source] = {
            **cells.get(source, {}),
            "added": {how: counts(each, ends) for how, each in zip(made, said, strict=True)},
            "ablated": counts(without[0], ends),
            "refused": {how: rate_told(grouping.rate(each, groups[0])) for how, each in refused.items()},
            "kept": rate_told(grouping.rate(kept, groups[1])),
            "recipes": {**cell_recipes(sweep, source, vector, made), "ablated": f"!{sweep.about}@{source}"},
        }
        twin = trained(source)
        if twin != source and {twin, source} <= set(norms):
            less = grouping.paired_difference(norms[twin], norms[source], groups[0])
            cells[twin]["beyond_untrained"] = finite(less)
    made_by = control_vectors(reading, own, sweep.layer, strength, sweep.sizes.controls, sweep.mapped)
    as_long = as_long_as_own({source: vectors[source] for source in cells}, sweep.layer, own, strength)
    compared, rates = yield from _refusal_controls(sweep, made_by, as_long, ends, notes)
    target = {"layer": sweep.layer, "strength": strength, "own_accuracy": {}, "plain": plain, "controls": rates}
    whole = len(cells) == len(vectors) and all(
        len(rates.get(f"{what} {how}", ())) == len(each)
        for what in ("added", "ablated")
        for how, each in made_by.items()
    )
    count = min(sweep.sizes.control_requests, len(harmless))
    return Found({**target, "control_n": count, "compared": compared, "along": along(made_by, own)}, cells, whole)


def _refuses(said: Sequence[Any], ends: bool) -> NDArray[np.bool_]:
    """Which of some replies refuse."""
    return np.array([counts([each], ends)["refuses"] == 1 for each in said])


def _refusal_controls(
    sweep: SteeringSweep,
    made: Mapping[str, SteeringVectors],
    sources: Mapping[str, SteeringVectors],
    ends: bool,
    notes: ResumeNotes,
) -> Learning[tuple[dict[str, float], dict[str, list[float]]]]:
    """The part that refuses, of harmless requests with a vector added and of harmful ones with it removed: by what the sources' vectors do
    (``added base``), and by what controls do (``added shuffled``)."""
    few = {
        what: request_prompts(sweep, what == "ablated", sweep.sizes.control_requests) for what in ("added", "ablated")
    }
    compared: dict[str, float] = {}
    rates: dict[str, list[float]] = {}

    def tried(note: str, what: str, vectors: Sequence[SteeringVectors]) -> Learning[list[float]]:
        edits = [added_edit(sweep, each) if what == "added" else _without(sweep, each) for each in vectors]
        work = partial(steered_replies, sweep, [(few[what], each) for each in edits])
        said = yield from notes.once(note, work, f"Trying controls on {sweep.name}.")
        return [float(_refuses(each, ends).mean()) for each in said]

    for what in few:
        if sweep.budget.over():
            return compared, rates
        found = yield from tried(f"compared.{sweep.name}.{what}", what, list(sources.values()))
        compared |= {f"{what} {source}": each for source, each in zip(sources, found, strict=True)}
    for how, start, some in in_turn(made):
        for what in few:
            if sweep.budget.over():
                return compared, rates
            found = yield from tried(f"control.{sweep.name}.{how}.{what}.{start}", what, some)
            rates.setdefault(f"{what} {how}", []).extend(found)
    return compared, rates


def _refusal_chances(sweep: SteeringSweep, own: SteeringVectors) -> Slices[list[float]]:
    """P(refusal) on validation's harmless requests at every strength of the target's own direction."""
    asked = metrics.chat_prompts(sweep.loaded, sweep.part("validation", False, sweep.sizes.choosing))
    found = []
    for strength in PUSH_STRENGTHS:
        chances = yield from metrics.refusal_probability(sweep.loaded, asked, added_edit(sweep, strength * own))
        found.append(float(chances.mean()))
    return found


def request_prompts(sweep: SteeringSweep, harmful: bool, most: int) -> list[tuple[int, ...]]:
    """Requests of the test split in the target's own template."""
    return [each.ids for each in metrics.chat_prompts(sweep.loaded, sweep.part("test", harmful, most))]


def added_edit(sweep: SteeringSweep, vector: SteeringVectors) -> tuple[RowEdit, ...]:
    """The edit that adds a vector [width] at the target's layer."""
    return (RowEdit(("resid_post", sweep.layer), "add", "all", vector.astype(np.float32)),)


def _without(sweep: SteeringSweep, vector: SteeringVectors) -> tuple[RowEdit, ...]:
    """The edits that remove a vector's direction from everything that is written."""
    vectors = np.zeros_like(sweep.own.vectors)
    vectors[sweep.layer] = vector
    return ablate(_with(sweep.own, vectors), sweep.loaded, sweep.layer)


def _with(direction: Direction, vectors: NDArray[np.float32]) -> Direction:
    return Direction(direction.card, vectors, direction.positive, direction.negative)


def steered_replies(
    sweep: SteeringSweep, jobs: Sequence[tuple[Sequence[tuple[int, ...]], tuple[RowEdit, ...]]]
) -> Slices[list[list[tuple[str, bool]]]]:
    """For each job, prompts with the edits that act on all of them, its replies, and whether each ended by itself."""
    return reply_texts(sweep.loaded, jobs, sweep.sizes.reply)
