"""A target steered by its own direction, by everyone else's, and by controls; the figures of a transfer report's cells.

Everybody's vector acts at the target's own layer. Controls (:mod:`core.transfer.steering_controls`) are of the norm that the target's own
direction has at the strength that is used; what they are compared with is measured on the same statements or requests as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artefacts.direction import Direction
from core.directions.candidate import ablate
from core.directions.contrast import ContrastItem, ContrastSet, Split
from core.directions.reply_rates import counts, mostly_end, reply_texts
from core.inference import metrics
from core.inference.batch import batch_rows
from core.models.loading import Loaded
from core.recipes.language import MAX_STRENGTH
from core.stats import groups as grouping
from core.stats.groups import Groups
from core.stats.rates import Rate
from core.steering.interventions import RowEdit
from core.transfer import truth_intervention
from core.transfer.alignment import ProbeReading, cosine
from core.transfer.steering_controls import CONTROL_KINDS, along, chunks, control_vectors, in_turn
from core.transfer.task import Sizes
from core.transfer.truth_intervention import Judged, Verdicts
from core.util.budget import Budget
from core.util.progress import Learning, Slices, finished
from core.util.resume import ResumeNotes

_Floats = NDArray[np.float64]
_Document = dict[str, Any]

#: Strengths that are tried, in gaps of the target's own direction.
_STRENGTHS = (0.5, 1.0, 1.5, 2.0)
#: The least part of P(TRUE) + P(FALSE) that a strength may leave.
MASS = 0.8
#: Strengths whose effect on validation is within this of the best do as well: the smallest of them is taken.
AS_GOOD = 0.03
#: Equal projection is not sought with a vector longer than so many times the target's own.
LONGEST = 5.0


@dataclass(frozen=True)
class Found:
    """The figures of one target, as a report's document holds them: its own, and those of the cell of every source.

    Where the time was up before all were measured (not ``whole``), those of the first sources, and perhaps no controls.
    """

    target: _Document
    cells: dict[str, _Document]
    whole: bool = True


@dataclass(frozen=True)
class SteeringSweep:
    """A target in memory, and what it is tried on."""

    loaded: Loaded
    about: str
    examples: ContrastSet
    own: Direction
    sizes: Sizes
    budget: Budget = field(default_factory=Budget)

    @property
    def layer(self) -> int:
        """Where everybody's vector acts."""
        return self.own.card.layer

    @property
    def name(self) -> str:
        """The target's checkpoint."""
        return self.loaded.checkpoint.name

    def part(self, split: Split, positive: bool, most: int) -> list[str]:
        """Examples of a class."""
        return self.examples.part(split, positive, most)

    def groups(self, items: Sequence[ContrastItem]) -> Groups:
        """Which of these examples belong together."""
        return grouping.numbered([each.belongs for each in items])


def expected_tokens(about: str, examples: ContrastSet, sizes: Sizes, sources: int) -> int:
    """About how many tokens one target takes."""
    mean = sum(len(each.text) for each in examples.items) // (4 * len(examples.items)) + 8
    if about == "truth":
        rows = 2 * sizes.choosing * (len(_STRENGTHS) + 1) + 4 * sizes.statements * sources
        compared = len(CONTROL_KINDS) * sizes.controls + sources
        return (rows + 2 * compared * sizes.control_statements) * 5 * mean
    replies = sizes.requests * (2 + 3 * sources)
    replies += 2 * (len(CONTROL_KINDS) * sizes.controls + sources) * sizes.control_requests
    return replies * (mean + sizes.reply // 2)


def steering_left(target: str, about: str, sizes: Sizes, sources: Sequence[str], notes: ResumeNotes) -> float:
    """How many statements are judged, or replies written, until a target is done; what is remembered counts no more."""
    pushes = {source: f"{target}.{source.replace('/', '.')}" for source in sources}
    if about == "truth":
        work = {
            f"strength.{target}": 2.0 * sizes.choosing * (1 + len(_STRENGTHS)),
            f"plain.{target}": 2 * sizes.statements,
        }
        work |= {f"push.{each}": 4 * sizes.statements for each in pushes.values()}
        trials: dict[str, float] = {"": 2 * sizes.control_statements}
    else:
        work = {f"plain.{target}.{what}": sizes.requests for what in ("harmless", "harmful")}
        work |= {f"push.{each}": 2 * sizes.requests for each in pushes.values()}
        work |= {f"ablate.{each}": sizes.requests for each in pushes.values()}
        trials = {f".{what}": sizes.control_requests for what in ("added", "ablated")}
    for what, each in trials.items():
        work[f"compared.{target}{what}"] = each * (1 + len(sources))
        work |= {
            f"control.{target}.{how}{what}.{piece.start}": each * (piece.stop - piece.start)
            for how in CONTROL_KINDS
            for piece in chunks(sizes.controls)
        }
    return sum(count for name, count in work.items() if notes.recall(name) is None)


def steering_trial(sweep: SteeringSweep) -> tuple[int, Callable[[], object]]:
    """A piece of the same work, and how many statements or replies it is."""
    own = sweep.own.vectors[sweep.layer].astype(np.float64)
    if sweep.about == "truth":
        asked = _asked(sweep, "validation", sweep.sizes.choosing)
        return 3 * len(asked.all), lambda: finished(_judge(sweep, asked, [None, own, 2 * own]))
    prompts = [each for label in (False, True) for each in _prompts(sweep, label, sweep.sizes.control_requests)]
    # As many at once as are answered at once, half of them as the model is and half steered.
    times = max(1, batch_rows(sweep.loaded) // (2 * len(prompts)))
    jobs = [(prompts, edits) for edits in ((), _add(sweep, own)) for _ in range(times)]
    return len(jobs) * len(prompts), lambda: finished(_replies(sweep, jobs))


def cross_steer(
    sweep: SteeringSweep,
    vectors: Mapping[str, _Floats],
    removed: Mapping[str, int],
    reading: ProbeReading,
    notes: ResumeNotes,
) -> Learning[Found]:
    """Every figure of a target.

    Args:
        vectors: each source's direction in the target's space [layers, width], the target's own first.
        removed: the layer whose vector is ablated, for each source: its own, as in a recipe.
        reading: what was read of the target, of which controls are made.
    """
    if sweep.about == "truth":
        found = yield from _truth(sweep, vectors, reading, notes)
    else:
        found = yield from _refusal(sweep, vectors, removed, reading, notes)
    return found


def scaled(vector: _Floats, own: _Floats, strength: float) -> dict[str, _Floats]:
    """A vector made as strong as ``strength`` times ``own``: of equal norm, and of equal projection on it where that can be reached."""
    norm = float(np.linalg.norm(vector))
    goal = strength * float(np.linalg.norm(own))
    if norm == 0:
        return {}
    found = {"norm": vector * (goal / norm)}
    along = float(cosine(vector, own))
    if along * LONGEST >= 1:
        found["projection"] = vector * (goal / (norm * along))
    return found


def _recipes(sweep: SteeringSweep, source: str, vector: _Floats, made: Mapping[str, _Floats]) -> dict[str, str]:
    """What a cell does, as a recipe, for those that a recipe can ask for. Truth is pushed down: the answer that shows it is a denial."""
    sign, gap = "-" if sweep.about == "truth" else "", float(np.linalg.norm(vector))
    strengths = {how: float(f"{float(np.linalg.norm(each)) / gap:.3g}") for how, each in made.items()}
    return {
        how: f"{sign}{strength:g}*{sweep.about}@{source}[{sweep.layer}]"
        for how, strength in strengths.items()
        if 0 < strength <= MAX_STRENGTH
    }


# ----------------------------------------------------------------------------------------------------------------- truth


@dataclass(frozen=True)
class _Asked:
    """Statements of a split: true ones, then false ones; ``plain`` is what the target says of them as it is."""

    true: list[Judged]
    false: list[Judged]
    #: Which of :attr:`all` belong together.
    groups: Groups

    @property
    def all(self) -> list[Judged]:
        return [*self.true, *self.false]


def _asked(sweep: SteeringSweep, split: Split, most: int) -> _Asked:
    trues, falses = sweep.part("train", True, 2), sweep.part("train", False, 2)
    shots = [(trues[0], True), (falses[0], False), (falses[1], False), (trues[1], True)]
    items = [sweep.examples.chosen(split, label, most) for label in (True, False)]
    true, false = (
        truth_intervention.few_shot_prompts(sweep.loaded, [each.text for each in part], shots) for part in items
    )
    return _Asked(true, false, sweep.groups([*items[0], *items[1]]))


def _judge(sweep: SteeringSweep, asked: _Asked, vectors: Sequence[_Floats | None]) -> Slices[list[list[list[float]]]]:
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


def _sides(asked: _Asked, said: Sequence[Sequence[float]]) -> tuple[Verdicts, Verdicts]:
    """Of the true statements, and of the false ones."""
    cut = len(asked.true)
    margin, mass = said
    return Verdicts(tuple(margin[:cut]), tuple(mass[:cut])), Verdicts(tuple(margin[cut:]), tuple(mass[cut:]))


def _turned(
    asked: _Asked, plain: Sequence[Sequence[float]], said: Sequence[Sequence[float]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which statements were judged against the push before, and which of these are judged by it afterwards."""
    sign = np.where(np.arange(len(asked.all)) < len(asked.true), -1.0, 1.0)
    before = sign * np.asarray(plain[0]) < 0
    return before, (sign * np.asarray(said[0]) > 0)[before]


def _told(
    asked: _Asked,
    plain: Sequence[Sequence[float]],
    said: Sequence[Sequence[float]],
    own: Sequence[Sequence[float]] | None = None,
) -> _Document:
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


def finite(found: Sequence[float]) -> list[float] | None:
    """A figure with its interval as a document has it, None where there is none."""
    return list(found) if np.isfinite(found).all() else None


def rate_told(found: Rate) -> list[float]:
    """A rate as a document has it."""
    return [found.hits, found.n] if found.worth is None else [found.hits, found.n, found.worth]


def _flipped(told: _Document) -> float:
    n = told["down"][1] + told["up"][1]
    return (told["down"][0] + told["up"][0]) / n if n else 0.0


def _truth(
    sweep: SteeringSweep, vectors: Mapping[str, _Floats], reading: ProbeReading, notes: ResumeNotes
) -> Learning[Found]:
    name, own = sweep.name, sweep.own.vectors[sweep.layer].astype(np.float64)
    choosing, asked = (
        _asked(sweep, "validation", sweep.sizes.choosing),
        _asked(sweep, "test", sweep.sizes.statements),
    )
    tried = yield from notes.once(
        f"strength.{name}",
        partial(_judge, sweep, choosing, [None, *(strength * own for strength in _STRENGTHS)]),
        f"Choosing a strength for {name}.",
    )
    strength = _truth_strength([_told(choosing, tried[0], said) for said in tried[1:]])
    work = partial(_judge, sweep, asked, [None])
    (plain,) = yield from notes.once(f"plain.{name}", work, f"Asking {name} as it is.")
    cells: dict[str, _Document] = {}
    best: Sequence[Sequence[float]] | None = None
    for source, every in vectors.items():
        if sweep.budget.over():
            break
        vector = every[sweep.layer]
        made = scaled(vector, own, strength)
        said = yield from notes.once(
            f"push.{name}.{source.replace('/', '.')}",
            partial(_judge, sweep, asked, list(made.values())),
            f"Pushing {name} by the direction of {source}.",
        )
        if source == name and made:
            best = said[0]
        beside = best if source != name else None
        told = {how: _told(asked, plain, each, beside) for how, each in zip(made, said, strict=True)}
        cells[source] = {"pushed": told, "recipes": _recipes(sweep, source, vector, made)}
    few = _asked(sweep, "test", sweep.sizes.control_statements)
    made_by = control_vectors(reading, own, sweep.layer, strength, sweep.sizes.controls)
    as_long = {
        source: made["norm"] for source in cells if (made := scaled(vectors[source][sweep.layer], own, strength))
    }
    compared: dict[str, float] = {}
    rates: dict[str, list[float]] = {}
    if not sweep.budget.over():
        work = partial(_judge, sweep, few, [None, *as_long.values()])
        before, *said = yield from notes.once(f"compared.{name}", work, f"Trying controls on {name}.")
        compared = {source: _flipped(_told(few, before, each)) for source, each in zip(as_long, said, strict=True)}
    for how, start, some in in_turn(made_by) if compared else ():
        if sweep.budget.over():
            break
        said = yield from notes.once(
            f"control.{name}.{how}.{start}", partial(_judge, sweep, few, some), f"Trying controls on {name}."
        )
        rates.setdefault(how, []).extend(_flipped(_told(few, before, each)) for each in said)
    sides = _sides(asked, plain)
    right = {
        "true": [sum(each > 0 for each in sides[0].margin), len(sides[0].margin)],
        "false": [sum(each < 0 for each in sides[1].margin), len(sides[1].margin)],
    }
    whole = len(cells) == len(vectors) and _all_tried(made_by, rates)
    target = {"layer": sweep.layer, "strength": strength, "own_accuracy": right, "plain": {}, "controls": rates}
    more = {"control_n": len(few.all), "compared": compared, "along": along(made_by, own)}
    return Found({**target, **more}, cells, whole)


def _all_tried(made: Mapping[str, _Floats], rates: Mapping[str, Sequence[float]]) -> bool:
    return all(len(rates.get(how, ())) == len(vectors) for how, vectors in made.items())


def _truth_strength(tried: Sequence[_Document]) -> float:
    """The smallest strength that turns about as many verdicts as the best one, among those that leave the mass."""
    allowed = [index for index, told in enumerate(tried) if min(told["mass"]) >= MASS] or [0]
    best = max(_flipped(tried[index]) for index in allowed)
    return _STRENGTHS[next(index for index in allowed if _flipped(tried[index]) >= best - AS_GOOD)]


# --------------------------------------------------------------------------------------------------------------- refusal


def _refusal(
    sweep: SteeringSweep,
    vectors: Mapping[str, _Floats],
    removed: Mapping[str, int],
    reading: ProbeReading,
    notes: ResumeNotes,
) -> Learning[Found]:
    name, own = sweep.name, sweep.own.vectors[sweep.layer].astype(np.float64)
    chances = yield from notes.once(
        f"strength.{name}", partial(_refusal_chances, sweep, own), f"Choosing a strength for {name}."
    )
    strength = _STRENGTHS[next(index for index, each in enumerate(chances) if each >= max(chances) - AS_GOOD)]
    harmless, harmful = (_prompts(sweep, label, sweep.sizes.requests) for label in (False, True))
    groups = [sweep.groups(sweep.examples.chosen("test", label, sweep.sizes.requests)) for label in (False, True)]
    plain: dict[str, _Document] = {}
    ends = True
    for what, prompts in (("harmless", harmless), ("harmful", harmful)):
        said = yield from notes.once(
            f"plain.{name}.{what}", partial(_replies, sweep, [(prompts, ())]), f"Asking {name} as it is."
        )
        ends = ends and mostly_end(said[0])
        plain[what] = counts(said[0], ends)
    cells: dict[str, _Document] = {}
    best: list[NDArray[np.bool_]] = []
    for source, every in vectors.items():
        if sweep.budget.over():
            break
        vector = every[sweep.layer]
        made = scaled(vector, own, strength)
        removal = _without(sweep, every[removed[source]])
        jobs = [(harmless, _add(sweep, each)) for each in made.values()]
        sentence = f"Steering {name} by the direction of {source}."
        label = source.replace("/", ".")
        said = yield from notes.once(f"push.{name}.{label}", partial(_replies, sweep, jobs), sentence)
        without = yield from notes.once(
            f"ablate.{name}.{label}", partial(_replies, sweep, [(harmful, removal)]), sentence
        )
        refused = {how: _refuses(each, ends) for how, each in zip(made, said, strict=True)}
        kept = _refuses(without[0], ends)
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
            "recipes": {**_recipes(sweep, source, vector, made), "ablated": f"!{sweep.about}@{source}"},
        }
    made_by = control_vectors(reading, own, sweep.layer, strength, sweep.sizes.controls)
    as_long = {
        source: made["norm"] for source in cells if (made := scaled(vectors[source][sweep.layer], own, strength))
    }
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
    sweep: SteeringSweep, made: Mapping[str, _Floats], sources: Mapping[str, _Floats], ends: bool, notes: ResumeNotes
) -> Learning[tuple[dict[str, float], dict[str, list[float]]]]:
    """The part that refuses, of harmless requests with a vector added and of harmful ones with it removed: by what the sources' vectors do
    (``added base``), and by what controls do (``added shuffled``)."""
    few = {what: _prompts(sweep, what == "ablated", sweep.sizes.control_requests) for what in ("added", "ablated")}
    compared: dict[str, float] = {}
    rates: dict[str, list[float]] = {}

    def tried(note: str, what: str, vectors: Sequence[_Floats]) -> Learning[list[float]]:
        edits = [_add(sweep, each) if what == "added" else _without(sweep, each) for each in vectors]
        work = partial(_replies, sweep, [(few[what], each) for each in edits])
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


def _refusal_chances(sweep: SteeringSweep, own: _Floats) -> Slices[list[float]]:
    """P(refusal) on validation's harmless requests at every strength of the target's own direction."""
    asked = metrics.chat_prompts(sweep.loaded, sweep.part("validation", False, sweep.sizes.choosing))
    found = []
    for strength in _STRENGTHS:
        chances = yield from metrics.refusal_probability(sweep.loaded, asked, _add(sweep, strength * own))
        found.append(float(chances.mean()))
    return found


def _prompts(sweep: SteeringSweep, harmful: bool, most: int) -> list[tuple[int, ...]]:
    return [each.ids for each in metrics.chat_prompts(sweep.loaded, sweep.part("test", harmful, most))]


def _add(sweep: SteeringSweep, vector: _Floats) -> tuple[RowEdit, ...]:
    return (RowEdit(("resid_post", sweep.layer), "add", "all", vector.astype(np.float32)),)


def _without(sweep: SteeringSweep, vector: _Floats) -> tuple[RowEdit, ...]:
    """The edits that remove a vector's direction from everything that is written."""
    vectors = np.zeros_like(sweep.own.vectors)
    vectors[sweep.layer] = vector
    return ablate(_with(sweep.own, vectors), sweep.loaded, sweep.layer)


def _with(direction: Direction, vectors: NDArray[np.float32]) -> Direction:
    return Direction(direction.card, vectors, direction.positive, direction.negative)


def _replies(
    sweep: SteeringSweep, jobs: Sequence[tuple[Sequence[tuple[int, ...]], tuple[RowEdit, ...]]]
) -> Slices[list[list[tuple[str, bool]]]]:
    return reply_texts(sweep.loaded, jobs, sweep.sizes.reply)
