"""Truth probes of every method, learnt on one checkpoint and tried on another, set by set: each on the set that it did not learn from.

The table that *How Post-Training Reshapes LLMs* has of its probes (§4; after Marks & Tegmark and Bürger et al.). A set is a category of the
family's truth contrast, or a file of labelled statements. A set and its negations (``cities`` and ``neg_cities``) are left out together.

A statement h is judged by v · h against the middle of the class means that v was learnt from (``own``). Their code takes the mean of every
set away first, also of the one that is judged (``centred``): that asks nothing of where zero lies, and takes the labels of a balanced set
as known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.directions.contrast import ContrastItem
from core.directions.learn_truth import paired
from core.directions.methods import METHODS, PAIRED, fit_direction
from core.errors import TillerError
from core.inference.batch import batch_rows
from core.inference.prompts import encode_text
from core.models.loading import Loaded
from core.stats import groups as grouping
from core.stats.rates import Rate
from core.transfer.alignment import alignment_batches
from core.util.budget import Budget, TimedPart, spread
from core.util.decode import Decoder
from core.util.progress import Learning, Slices, Step, finished
from core.util.resume import ResumeNotes

_Array = NDArray[np.float64]

#: Directions drawn at random instead of learnt, turned by the class means as a learnt one is: what no learning at all gives.
RANDOM = "random"
_DRAWS = 100
_DECODER = Decoder({str: str})
_NEGATED = "neg_"


class ProbeError(TillerError):
    """Sets that no probe can be learnt from or tried on; what to change."""


@dataclass(frozen=True)
class LeftOutCell:
    """A method's probe of ``source`` on the states that ``target`` has of the set ``left_out``; two ways to judge.

    ``own`` and ``centred`` count statements that are judged rightly; of :data:`RANDOM` they are means over the draws.
    """

    method: str
    source: str
    target: str
    left_out: str
    own: Rate
    centred: Rate


def left_out_table(
    items: Sequence[ContrastItem],
    pairs: Sequence[tuple[str, str]],
    load: Callable[[str], Loaded],
    layer: int,
    methods: Sequence[str] = (*METHODS, RANDOM),
    budget: Budget | None = None,
    notes: ResumeNotes | None = None,
) -> Learning[tuple[LeftOutCell, ...]]:
    """Every method's probe of every (source, target), on every set; those that need negations are left out where a set gives none.

    Args:
        layer: the block whose output is read at a statement's last token, the same in all checkpoints.
        budget: when to end: the sets are left out one after the other, and those that there is no time for are in no cell.
        notes: what an earlier run has done of the same.

    Raises:
        ProbeError: fewer than two sets that are not each other's negation, or a set of one class; no such layer; or the budget was spent
            before any set was left out.
    """
    budget, notes = budget or Budget(), notes or ResumeNotes()
    work = _Table(items, pairs, methods)
    for place, name in enumerate(work.names):
        if budget.over():
            raise ProbeError(
                f"The time was up when the statements were read on {place} of {len(work.names)} checkpoints, before there was anything to "
                "tell; the same command goes on from there."
            )
        if work.recalled(name, notes) is None:
            states = yield from _read(load(name), work.texts, layer)
            notes.keep_arrays(f"read.{name}", {"states": np.stack([states[text] for text in work.texts])})
            work.read[name] = states
    cells: list[LeftOutCell] = []
    for topic in work.topics:
        found: list[LeftOutCell] = []
        for source in work.sources:
            # A set that not every source was tried on is in no table.
            if cells and budget.over():
                return work.in_order(cells)
            note = yield from notes.once(
                work.note(topic, source),
                partial(work.left_out, topic, source),
                f"Learning probes on {source} without {topic}.",
            )
            found += [_DECODER.decode(LeftOutCell, each) for each in note]
        cells += found
    return work.in_order(cells)


def left_out_phases(
    items: Sequence[ContrastItem],
    pairs: Sequence[tuple[str, str]],
    load: Callable[[str], Loaded],
    layer: int,
    notes: ResumeNotes,
    methods: Sequence[str] = (*METHODS, RANDOM),
) -> list[TimedPart]:
    """The parts of :func:`left_out_table` that an earlier run has not done, for an estimate: reading, and leaving a set out."""
    work = _Table(items, pairs, methods)
    unread = [name for name in work.names if work.recalled(name, notes) is None]
    left = sum(notes.recall(work.note(topic, source)) is None for topic in work.topics for source in work.sources)
    loaded = load(work.names[0])
    some = [work.texts[place] for place in spread(len(work.texts))[: 2 * batch_rows(loaded)]]
    # Learning takes as long on any numbers of which the classes are told apart.
    true = {item.text for item in work.items if item.positive}
    drawn = np.random.default_rng(0).standard_normal((len(work.texts), loaded.width))
    drawn[[place for place, text in enumerate(work.texts) if text in true]] += 1.0
    work.read = {name: dict(zip(work.texts, drawn, strict=True)) for name in work.names}
    return [
        TimedPart(len(unread) * len(work.texts) / len(some), lambda: finished(_read(loaded, some, layer))),
        TimedPart(left, lambda: finished(work.left_out(work.topics[0], work.sources[0]))),
    ]


class _Table:
    """What is learnt from what and tried on what: ``read`` gets the states of every checkpoint by text."""

    def __init__(self, items: Sequence[ContrastItem], pairs: Sequence[tuple[str, str]], methods: Sequence[str]) -> None:
        self.items, self.pairs, self.methods = tuple(dict.fromkeys(items)), pairs, methods
        _check(self.items)
        self.topics = tuple(dict.fromkeys(_topic(item) for item in self.items))
        self._lessons = {topic: _lesson(self.items, topic) for topic in self.topics}
        every = [item.text for item in self.items]
        self.texts = tuple(dict.fromkeys([*every, *(text for each in self._lessons.values() for text in each.texts)]))
        self.names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
        self.sources = tuple(dict.fromkeys(source for source, _ in pairs))
        self.read: dict[str, Mapping[str, _Array]] = {}

    def recalled(self, name: str, notes: ResumeNotes) -> Mapping[str, _Array] | None:
        """The states of a checkpoint that an earlier run has read, from now on in :attr:`read`; None where there are none."""
        kept = notes.recall_arrays(f"read.{name}")
        if kept is None or len(kept["states"]) != len(self.texts):
            return None
        self.read[name] = dict(zip(self.texts, kept["states"], strict=True))
        return self.read[name]

    def note(self, topic: str, source: str) -> str:
        """What the note of a set that was left out on a source is called."""
        return f"set.{self.topics.index(topic)}.{self.sources.index(source)}"

    def left_out(self, topic: str, source: str) -> Slices[list[dict[str, Any]]]:
        """The cells, as JSON holds them, of the probes that a source gives of all sets but one, tried on that one."""
        lesson, own = self._lessons[topic], [item for item in self.items if _topic(item) == topic]
        targets = [target for start, target in self.pairs if start == source]
        found: list[LeftOutCell] = []
        for method in self.methods:
            if method in PAIRED and not lesson.negates:
                continue
            probes = [_fitted(method, lesson, self.read[source], centred) for centred in (False, True)]
            found += _tried(method, source, targets, own, probes, self.read)
            yield 0
        return [asdict(cell) for cell in found]

    def in_order(self, cells: list[LeftOutCell]) -> tuple[LeftOutCell, ...]:
        """Cells by their source."""
        return tuple(sorted(cells, key=lambda cell: self.sources.index(cell.source)))


def _check(items: Sequence[ContrastItem]) -> None:
    """Raises ProbeError for sets of which a probe would be tried on what it learnt from, or on one class."""
    sets = tuple(dict.fromkeys(item.category for item in items))
    if len({_topic(item) for item in items}) < 2:
        raise ProbeError(
            "A probe is tried on a set that it did not learn from, nor from its negations, and there is only "
            f"{' and '.join(sets) or 'none'}; name a second one."
        )
    seen: dict[str, str] = {}
    for item in items:
        if (other := seen.setdefault(item.text, item.category)) != item.category:
            raise ProbeError(
                f"{item.text[:80]!r} stands in {other} and in {item.category}, so that a probe would be tried on what it learnt from; take "
                "it out of one."
            )
    for name in sets:
        if len({item.positive for item in items if item.category == name}) < 2:
            raise ProbeError(f"The set {name} has statements of one class only; a probe is tried on both.")


@dataclass(frozen=True)
class _Lesson:
    """What is learnt from when a topic is left out: statements, and affirmed ones with their negations and polarity."""

    items: tuple[ContrastItem, ...]
    true: tuple[ContrastItem, ...]
    false: tuple[ContrastItem, ...]
    polarity: tuple[int, ...]

    @property
    def texts(self) -> Iterator[str]:
        return (item.text for item in (*self.items, *self.true, *self.false))

    @property
    def negates(self) -> bool:
        return len(set(self.polarity)) > 1

    def of(self, method: str) -> tuple[tuple[ContrastItem, ...], tuple[ContrastItem, ...], _Array | None]:
        """The true and the false statements that a method learns from, with their polarity if it needs one."""
        if method in PAIRED:
            return self.true, self.false, np.array(self.polarity, dtype=np.float64)
        true, false = (tuple(item for item in self.items if item.positive is label) for label in (True, False))
        return true, false, None


def _topic(item: ContrastItem) -> str:
    return item.category.removeprefix(_NEGATED)


def _lesson(items: Sequence[ContrastItem], topic: str) -> _Lesson:
    kept = tuple(item for item in items if _topic(item) != topic)
    true: list[ContrastItem] = []
    false: list[ContrastItem] = []
    polarity: list[int] = []
    for category in dict.fromkeys(item.category for item in kept):
        own = {
            label: [item for item in kept if item.category == category and item.positive is label]
            for label in (True, False)
        }
        ones, others, signs = paired(*([item.text for item in own[label]] for label in (True, False)))
        example = own[True][0]
        true += [replace(example, text=text, positive=True) for text in ones]
        false += [replace(example, text=text, positive=False) for text in others]
        polarity += signs
    return _Lesson(kept, tuple(true), tuple(false), tuple(polarity))


def _read(loaded: Loaded, texts: Sequence[str], layer: int) -> Learning[dict[str, _Array]]:
    """The residual [width] leaving a layer at the last token of every text."""
    if layer >= loaded.anatomy.layers:
        raise ProbeError(
            f"{loaded.checkpoint.name} has {loaded.anatomy.layers} layers, counted from 0; there is no layer {layer}."
        )
    prompts = [encode_text(loaded, text) for text in texts]
    found: dict[str, _Array] = {}
    for tokens, chosen, states in alignment_batches(loaded, prompts, -1, batch_rows(loaded)):
        for index, state in zip(chosen, states[:, layer].double().numpy(), strict=True):
            found[texts[index]] = state
        yield Step(tokens, f"Reading statements on {loaded.checkpoint.name}.")
    return found


@dataclass(frozen=True)
class _Probe:
    """Directions [count, width] and the middle between the class means along each [count]; whether sets lose their mean first."""

    vectors: _Array
    middle: _Array
    centred: bool


def _fitted(method: str, lesson: _Lesson, states: Mapping[str, _Array], centred: bool) -> _Probe:
    true, false, polarity = lesson.of(method)
    rows = [_states(part, states) for part in (true, false)]
    if centred:
        names = np.array([item.category for part in (true, false) for item in part])
        both = _without_means(np.concatenate(rows), names)
        rows = [both[: len(true)], both[len(true) :]]
    if method == RANDOM:
        means = [part.mean(0) for part in rows]
        lines = np.random.default_rng(0).standard_normal((_DRAWS, means[0].size))
        vectors = lines * np.sign(lines @ (means[0] - means[1]))[:, None]
        return _Probe(vectors, vectors @ (means[0] + means[1]) / 2, centred)
    learnt = fit_direction(method, rows[0][:, None], rows[1][:, None], polarity)
    vector = learnt.vectors[0]
    return _Probe(vector[None], np.array([vector @ (learnt.positive[0] + learnt.negative[0]) / 2]), centred)


def _tried(
    method: str,
    source: str,
    targets: Sequence[str],
    items: Sequence[ContrastItem],
    probes: Sequence[_Probe],
    read: Mapping[str, Mapping[str, _Array]],
) -> Iterator[LeftOutCell]:
    for target in targets:
        for name in dict.fromkeys(item.category for item in items):
            own = [item for item in items if item.category == name]
            labels, groups = (
                np.array([item.positive for item in own]),
                grouping.numbered([item.belongs for item in own]),
            )
            rates = [_rate(_judged(probe, _states(own, read[target])) == labels, groups) for probe in probes]
            yield LeftOutCell(method, source, target, name, rates[0], rates[1])


def _judged(probe: _Probe, states: _Array) -> NDArray[np.bool_]:
    """Which statements each of a probe's directions finds true [count, statements]."""
    if probe.centred:
        states = states - states.mean(0)
    found: NDArray[np.bool_] = probe.vectors @ states.T > probe.middle[:, None]
    return found


def _rate(right: NDArray[np.bool_], groups: grouping.Groups) -> Rate:
    """How many are right: of one direction, or in the mean of many."""
    if len(right) == 1:
        return grouping.rate(right[0], groups)
    count = right.shape[1]
    return Rate(round(float(right.mean()) * count), count)


def _states(items: Sequence[ContrastItem], states: Mapping[str, _Array]) -> _Array:
    return np.stack([states[item.text] for item in items])


def _without_means(rows: _Array, names: NDArray[np.str_]) -> _Array:
    """Every row less the mean of its set."""
    found = rows.copy()
    for name in np.unique(names):
        found[names == name] -= rows[names == name].mean(0)
    return found
