"""A direction while it is being learnt: trying it at a layer, measuring what each strength does, and what its card says in the end."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from core.artefacts.direction import Direction
from core.artefacts.store import Card
from core.directions import contrast_files
from core.directions.activations import ClassStates
from core.directions.contrast import ContrastSet
from core.inference import metrics
from core.inference.behind_thought import thought_before
from core.inference.metrics import OffTarget
from core.inference.prompts import template_words
from core.inference.teacher_forcing import score_replies
from core.models.loading import Loaded
from core.recipes.language import Recipe, Term
from core.steering.interventions import RowEdit, compile_recipe
from core.steering.readings import projection
from core.util.figures import strength_text
from core.util.progress import Learning, Slices
from core.util.resume import ResumeNotes
from core.util.version import PROGRAM

#: Rises when all is measured of a direction in another way: what an interrupted run of before has kept is not gone on with. Where a part
#: is, its notes get another name, and the others are gone on with.
MEASUREMENTS = 2
STRENGTHS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
#: Examples of a class that layers, strengths and damage are measured on; learning takes all of its split.
JUDGED = 32
#: Layers from this part of the depth on are not chosen: what is added there acts on the next word alone.
EARLY = 0.8
#: Why a layer was chosen, where a person chose it.
BY_HAND = "layer {layer} was chosen by hand"

#: Measures one kind of effect of some edits: its figures by name.
DoseMeasure = Callable[[metrics.Edits], Slices[dict[str, float]]]


def draft_direction(
    name: str, loaded: Loaded, contrast: ContrastSet, found: ClassStates, offset: int, method: str = "mean_difference"
) -> Direction:
    """A direction, read at one token, with what is known before a layer is chosen."""
    details = {
        "kind": "direction",
        "name": name,
        "family": loaded.family.name,
        "checkpoint": loaded.checkpoint.name,
        # Of the weights on disk, whatever was made of them in memory: a direction fits the checkpoint's quantized twins too.
        "fingerprint": loaded.fingerprint,
        "quantize": loaded.quantize,
        "layers": loaded.anatomy.layers,
        "width": loaded.width,
        "layer": 0,
        "method": method,
        "contrast": contrast_files.describe_table(contrast),
        "template": "" if name == "truth" else loaded.chat_template,
    }
    if name != "truth" and (before := template_words(loaded)):
        # A system prompt of the template's own, with its date, say: a part of what was read.
        details["template_words"] = before
    if name != "truth" and (thought := thought_before(loaded)):
        details["behind_thought"] = thought
    if loaded.variables:
        details["template_vars"] = dict(loaded.variables)
    card = Card(loaded.family.folder, "direction", name, loaded.family.name, loaded.checkpoint.name, details)
    more = {each: vectors[offset].astype(np.float32) for each, vectors in found.more.items()}
    sides = (found.positive[offset].astype(np.float32), found.negative[offset].astype(np.float32))
    return Direction(card, found.vectors[offset].astype(np.float32), *sides, more)


def finish_direction(drafted: Direction, details: dict[str, Any]) -> Direction:
    """A direction with all that was found out about it."""
    made = {"program": PROGRAM, "date": datetime.date.today().isoformat()}
    card = drafted.card
    whole = Card(card.path, card.kind, card.name, card.family, card.checkpoint, {**card.details, **details, **made})
    return Direction(whole, drafted.vectors, drafted.positive, drafted.negative, drafted.more)


def steer(drafted: Direction, loaded: Loaded, strength: float, layer: int) -> tuple[RowEdit, ...]:
    """The edits that add a strength of a direction at one layer."""
    return _compile(drafted, loaded, Term("add", drafted.card.name, strength, layers=(layer,)))


def ablate(drafted: Direction, loaded: Loaded, layer: int) -> tuple[RowEdit, ...]:
    """The edits that remove the direction of a layer from everything every layer writes."""
    card = Card(
        drafted.card.path,
        "direction",
        drafted.card.name,
        drafted.card.family,
        drafted.card.checkpoint,
        {**drafted.card.details, "layer": layer},
    )
    at_layer = Direction(card, drafted.vectors, drafted.positive, drafted.negative)
    return _compile(at_layer, loaded, Term("ablate", drafted.card.name))


def _compile(direction: Direction, loaded: Loaded, term: Term) -> tuple[RowEdit, ...]:
    return compile_recipe(Recipe((term,)), loaded, lambda _name, _checkpoint: direction)


def reading_range(drafted: Direction, loaded: Loaded, layer: int, by: OffTarget) -> Slices[list[float]]:
    """The readings at which the lens's palette ends: round the median of unsteered replies, wide enough for nine in ten
    of their tokens and for a steering of one gap. Tokens of a reply stand elsewhere along a direction than those it was
    learnt at, so 0 and 1 alone would show them all in one colour.
    """
    gauges = (projection(drafted, layer, loaded.device),)
    values: list[float] = []
    for chosen in metrics.off_target_batches(loaded, by):
        readings = score_replies(loaded, by.prompts[chosen], by.replies[chosen], gauges=gauges)
        values += [reading.projections[drafted.card.name] for reply in readings for reading in reply]
        yield metrics.tokens(by, chosen)
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    half = max(1.0, high - middle, middle - low)
    return [float(middle - half), float(middle + half)]


def measure_dose_response(
    drafted: Direction, loaded: Loaded, layer: int, by: OffTarget, measure: DoseMeasure, notes: ResumeNotes
) -> Learning[dict[str, list[float]]]:
    """The measured effect and the damage at every strength of the slider."""
    rows = []
    for strength in STRENGTHS:
        edits = steer(drafted, loaded, strength, layer) if strength else ()
        work = partial(_dose, loaded, by, measure, edits)
        row = yield from notes.once(f"strength.{strength:g}", work, f"Measuring strength {strength_text(strength)}.")
        rows.append({"strengths": strength, **row})
    return {key: [row[key] for row in rows] for key in rows[0]}


def _dose(loaded: Loaded, by: OffTarget, measure: DoseMeasure, edits: metrics.Edits) -> Slices[dict[str, float]]:
    found = yield from measure(edits)
    damage = yield from metrics.off_target_kl(loaded, by, edits)
    return {**found, "damage": damage}
