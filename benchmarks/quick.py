"""Quick directions against the whole grid: what one strength does on the test split, and the time it took beside what was estimated."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, replace

import torch

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.directions import learn
from core.directions.candidate import steer
from core.directions.effort import BUDGET, FULL, MEASURED, QUICK, Effort
from core.engine.precompute import BuildRequest, seconds_a_token
from core.errors import TillerError
from core.families import registry
from core.models import loading
from core.models.loading import Loaded
from core.util.budget import Budget
from core.util.progress import finished
from core.util.resume import ResumeNotes

KINDS = ("refusal", "truth")
#: Of the whole grid's effect a quick one has at least so much; estimates are within this factor.
EFFECT, ESTIMATE = 0.8, 1.5
#: Below this an effect of the whole grid is none, and no ratio of it means anything.
_NONE = 0.05


@dataclass(frozen=True)
class Learnt:
    """A direction, what it does on the test split from strength 0 to 1, and the seconds that it took and was to take."""

    direction: Direction
    effect: float
    seconds: float
    estimate: float


def quick(options: argparse.Namespace) -> bool:
    """Print a table; whether effects and estimates are within their limits."""
    torch.set_num_threads(options.threads or loading.threads())
    families = ("skiff", "skiff-small") if options.family == "skiff" else (options.family,)
    good = True
    print(f"{'family':<28} {'direction':<9} {'effect':>8} {'of':>8} {'ratio':>6} {'s':>6}")
    for name in families:
        family = registry.load_family(name)
        loaded = loading.load_model(family, options.checkpoint or family.final.name, options.placing)
        rows = [_compared(loaded, kind) for kind in KINDS]
        seconds, estimate = (sum(getattr(own, what) for own, _ in rows) for what in ("seconds", "estimate"))
        kept = 1 / ESTIMATE <= seconds / estimate <= ESTIMATE
        print(
            f"{name}: both in {seconds:.1f} s, {estimate:.1f} s were estimated, ratio {seconds / estimate:.2f}: "
            f"{'kept' if kept else 'MISSED'}",
            flush=True,
        )
        good = good and kept and all(well for _, well in rows)
    return good


def _compared(loaded: Loaded, kind: str) -> tuple[Learnt, bool]:
    order = BuildRequest(loaded.family, loaded.checkpoint.name, store.user_folder())
    own = _learnt(loaded, kind, replace(order, effort=QUICK))
    whole, said = _whole(loaded, kind, order)
    reached = _effect(loaded, kind, order, whole)
    # Where the whole grid finds nothing that has an effect, there is nothing to reach.
    kept = abs(reached) < _NONE or own.effect / reached >= EFFECT
    ratio = f"{own.effect / reached:.2f}" if abs(reached) >= _NONE else "–"
    print(
        f"{loaded.family.title[:28]:<28} {kind:<9} {own.effect:>8.3f} {reached:>8.3f} {ratio:>6} {own.seconds:>6.1f} "
        f"{'kept' if kept else 'MISSED'}; quick at layer {own.direction.card.layer}, {said} at {whole.card.layer}",
        flush=True,
    )
    return own, kept


def _learnt(loaded: Loaded, kind: str, order: BuildRequest) -> Learnt:
    given = (kind, loaded, order.contrast(kind), order.unrelated())
    estimate = learn.learn_cost(*given, effort=QUICK).tokens * seconds_a_token(order, loaded)
    started = time.perf_counter()
    direction: Direction = finished(learn.learn_in_slices(*given, ResumeNotes(), effort=QUICK))
    seconds = time.perf_counter() - started
    return Learnt(direction, _effect(loaded, kind, order, direction), seconds, estimate)


def _whole(loaded: Loaded, kind: str, order: BuildRequest) -> tuple[Direction, str]:
    """What the whole grid found, where it is there; else what is measured within a budget."""
    found = store.find_artefact(loaded.family.places, loaded.checkpoint.name, "direction", kind)
    if found is not None:
        direction = load_direction(found)
        if direction.card.details.get("effort", FULL.name) != QUICK.name:
            return direction, str(direction.card.details.get("effort", FULL.name))
    effort: Effort = MEASURED
    made: Direction = finished(
        learn.learn_in_slices(
            kind, loaded, order.contrast(kind), order.unrelated(), ResumeNotes(), effort=effort, budget=Budget(BUDGET)
        )
    )
    return made, effort.name


def _effect(loaded: Loaded, kind: str, order: BuildRequest, direction: Direction) -> float:
    """How far one strength moves the kind's effect on the test split: the mean with it less the mean without."""
    if direction.card.layer >= loaded.anatomy.layers:
        raise TillerError(f"{direction.card.name} belongs to another model.")
    learner = learn.learner_of(kind, order.contrast(kind))(
        loaded, order.contrast(kind), order.unrelated(), "mean_difference"
    )
    with_it, without = (
        finished(learner.tested.each(edits))["effect"]
        for edits in (steer(direction, loaded, 1.0, direction.card.layer), ())
    )
    return float(sum(with_it) / len(with_it) - sum(without) / len(without))
