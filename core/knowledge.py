"""Where a model keeps what it knows: causal tracing by activation patching, of a pair of sentences or averaged over a set.

[methods.md §3; Du et al., "How Post-Training Reshapes LLMs", §3; Meng et al., "Locating and Editing Factual Associations in GPT"]
Everything is a generator that yields the maps as far as they are: it ends a slice after every few forward passes and can be closed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core import contrast, effects, facts, map_totals, patching
from core.facts import Fact
from core.families import Family
from core.loading import Loaded
from core.map_totals import Totals, cells
from core.logit_lens import words
from core.maps import Map, MapError, MapOrder, Traced, Words, minus
from core.pairing import Pair, PairError, Pairing, where
from core.patching import Prefix, Trail
from core.replies import token_text
from core.scoring import reply_logits
from core.steps import Slices, Step

#: Gives a checkpoint, which stays in memory while the generator goes on.
Load = Callable[[str], Loaded]
Tracing = Generator[tuple[Step, Traced], None, Traced]

#: Noise on what enters the first block, in its standard deviations [ROME §2.1], and how many samples of it a single sentence gets.
NOISE, SAMPLES = 3.0, 8
#: True and false runs whose metrics are closer than this many logits are not told apart: dividing by it would say nothing.
LEAST_GAP = 0.5
#: So many candidates for every pair that is wanted are asked about, at most.
CANDIDATES = 4
#: Pairs that are kept as examples.
EXAMPLES = 5

Effects = NDArray[np.float64]


@dataclass
class Tracer:
    """One checkpoint's part: its pairs' runs, with the judged examples read once."""

    loaded: Loaded
    _before: dict[tuple[int, ...], Prefix] = field(default_factory=dict)

    def before(self, pair: Pair) -> Prefix:
        """The judged examples before a pair's sentences."""
        ids = pair.true[: pair.shared]
        if ids not in self._before:
            self._before = {ids: patching.prefix(self.loaded, ids)}
        return self._before[ids]

    def runs(self, pair: Pair) -> tuple[Trail, Trail]:
        """The runs of the true and the false sentence."""
        true, false = patching.trails(self.loaded, self.before(pair), [pair.true, pair.false])
        return true, false

    def noisy(self, pair: Pair, samples: int, seed: int) -> tuple[Trail, list[Trail]]:
        """The run of the true sentence, and runs of it with noise on what enters at its subject."""
        before = self.before(pair)
        (clean,) = patching.trails(self.loaded, before, [pair.true])
        spread = NOISE * float(clean.entered.float().std())
        made = torch.Generator().manual_seed(seed)
        at = [position - pair.shared for position in pair.subject]
        noises = []
        for _ in range(samples):
            noise = torch.zeros(clean.entered.shape)
            noise[at] = spread * torch.randn(len(at), clean.entered.shape[-1], generator=made)
            noises.append(noise)
        return clean, patching.trails(self.loaded, before, [pair.true] * samples, noises)

    def effects(self, pair: Pair, source: Trail, trail: Trail, whole: float, first: int) -> Iterator[Slices[Effects]]:
        """The rows of a map, the first layer first: effects of the tokens after the examples; before ``first`` nothing changes.

        ``whole`` is the metric that counts as 1: that of the checkpoint's own true run.
        """
        nothing = float(_read(pair)(trail.logits[None])[0])
        for layer in range(self.loaded.anatomy.layers):
            yield self._row(pair, source, trail, layer, (nothing, whole), first)

    def _row(
        self, pair: Pair, source: Trail, trail: Trail, layer: int, ends: tuple[float, float], first: int
    ) -> Slices[Effects]:
        changed = list(range(first, len(trail.ids)))
        values = yield from patching.layer_of(self.loaded, trail, source, layer, changed, _read(pair))
        nothing, whole = ends
        row = np.zeros(len(pair.positions))
        row[first - pair.shared :] = (values.numpy() - nothing) / (whole - nothing)
        return row

    def metric(self, pair: Pair, trail: Trail) -> float:
        """logit(TRUE) − logit(FALSE) behind a run."""
        return float(_read(pair)(trail.logits[None])[0])


def _read(pair: Pair) -> Callable[[Tensor], Tensor]:
    true, false = pair.labels

    def read(logits: Tensor) -> Tensor:
        return logits[:, true] - logits[:, false]

    return read


def trace(family: Family, order: MapOrder, load: Load) -> Tracing:
    """Compute what ``order`` asks for.

    Raises:
        MapError, PairError, FactsError: what cannot be traced, in one sentence each.
        LoadError: a checkpoint that cannot be loaded.
    """
    for name in order.checkpoints:
        family.checkpoint(name)
    known, _ = facts.load(family)
    if order.set:
        result = yield from _Set(family, order, load, known).run()
    else:
        result = yield from _Single(family, order, load, known).run()
    return replace(result, part=1.0, sentence="Done.", left=None)


def ways(order: MapOrder) -> list[tuple[str, str]]:
    """(source, target) of every map that is computed: each checkpoint in itself, then across."""
    within = [(name, name) for name in order.checkpoints]
    one, *others = order.checkpoints
    return within + ([(one, others[0]), (others[0], one)] if order.across else [])


# ----------------------------------------------------------------------------------------------------------- one pair


@dataclass
class _Single:
    """The maps of one pair of sentences, or of one sentence under noise."""

    family: Family
    order: MapOrder
    load: Load
    known: Sequence[Fact]

    def run(self) -> Tracing:
        found = Traced(self.order)
        every = ways(self.order)
        contrasted = contrast.load(self.family, "truth")
        first: Pair | None = None
        for at, (source, target) in enumerate(every):
            loaded = self.load(target)
            pair = self._pair(Pairing(loaded, contrasted, self.order.question))
            if first is not None and first.true != pair.true:
                raise MapError(
                    f"{source} and {target} read the sentence as different tokens, so that their maps cannot be compared; choose one."
                )
            first = first or pair
            given = Tracer(self.load(source)) if source != target else None
            for row, shown in self._rows(Tracer(loaded), given, pair):
                maps = (*found.maps[:at], replace(shown, source=source, target=target))
                part = (at + row / shown.layers) / len(every)
                partial = replace(found, maps=maps, part=part, sentence=f"{maps[-1].title}, layer {max(0, row - 1)}.")
                yield Step(1, partial.sentence), partial
            notes = (*found.notes, *([shown.note] if shown.note else []))
            found = replace(found, maps=maps, notes=notes, examples=(pair.sentences,))
        return _with_difference(found)

    def _pair(self, pairing: Pairing) -> Pair:
        order = self.order
        if order.corruption == "noise":
            return pairing.alone(order.true, where(order.true, order.subject, self.known))
        subject = where(order.true, order.subject, self.known) if order.subject else None
        return pairing.pair(order.true, order.false, self.known, subject)

    def _rows(self, tracer: Tracer, given: Tracer | None, pair: Pair) -> Iterator[tuple[int, Map]]:
        """The map after every layer, and how many rows of it are there."""
        name = tracer.loaded.checkpoint.name
        trails, source, whole, first = self._runs(tracer, given, pair)
        nothing = float(np.mean([tracer.metric(pair, each) for each in trails]))
        note = ""
        if whole - nothing < LEAST_GAP:
            raise MapError(
                f"{name} does not tell the two apart: logit(TRUE) − logit(FALSE) is {whole:.2f} behind the true one and {nothing:.2f} behind "
                "the other; choose sentences that it answers."
            )
        if self.order.corruption == "false" and not (whole > 0 > nothing):
            wrong = "true" if whole <= 0 else "false"
            note = f"{name} judges the {wrong} sentence wrongly ({whole:+.2f} and {nothing:+.2f} logits), so its map says little."
        shown = np.full((tracer.loaded.anatomy.layers, len(pair.positions)), np.nan)
        columns = tuple(pair.texts)
        yield 0, Map(name, name, columns, cells(shown), note=note)
        rows = [tracer.effects(pair, source, each, whole, first) for each in trails]
        for layer, samples in enumerate(zip(*rows, strict=True)):
            shown[layer] = np.mean([_finished(each) for each in samples], axis=0)
            yield layer + 1, Map(name, name, columns, cells(shown), note=note)

    def _runs(self, tracer: Tracer, given: Tracer | None, pair: Pair) -> tuple[list[Trail], Trail, float, int]:
        """What is patched into, what from, the metric that counts as 1, and the first token at which the two differ."""
        if self.order.corruption == "noise":
            clean, noisy = tracer.noisy(pair, SAMPLES, seed=0)
            return noisy, clean, tracer.metric(pair, clean), pair.first
        true, false = tracer.runs(pair)
        if given is None:
            return [false], true, tracer.metric(pair, true), pair.first
        return [false], given.runs(pair)[0], tracer.metric(pair, true), pair.shared


def _finished(slices: Slices[Effects]) -> Effects:
    while True:
        try:
            next(slices)
        except StopIteration as stop:
            found: Effects = stop.value
            return found


def _with_difference(found: Traced) -> Traced:
    """The maps of two checkpoints with their difference behind them."""
    if len(found.order.checkpoints) != 2:
        return found
    one, other = found.maps[:2]
    maps = (one, other, minus(other, one), *found.maps[2:])
    return replace(found, maps=maps, comparison=map_totals.compared_pair(one, other))


# ------------------------------------------------------------------------------------------------------------- a set


@dataclass
class _Set:
    """Averages over the pairs of a category that every checkpoint judges rightly."""

    family: Family
    order: MapOrder
    load: Load
    known: Sequence[Fact]
    #: Units of work that are done, and how many there are.
    done: int = 0
    total: int = 1

    def run(self) -> Tracing:
        order, names = self.order, self.order.checkpoints
        every, nulls = ways(order), self._null_set()
        self.total = order.pairs * (len(every) + (len(names) if nulls else 0))
        found = Traced(order)
        pairs, told = yield from self._right(order.set, found)
        found = replace(found, notes=(told,), examples=tuple(pair.sentences for pair in pairs[:EXAMPLES]))
        self.total = len(pairs) * (len(every) + (len(names) if nulls else 0))
        totals: dict[tuple[str, str], Totals] = {}
        for way in every:
            totals[way] = yield from self._averaged(pairs, way, found, show=True)
            found = replace(found, maps=(*found.maps, totals[way].map(*way)))
        if len(names) == 1:
            return found
        one, other = (totals[name, name] for name in names)
        found = self._compared(found, one, other, None, "")
        if nulls:
            other_pairs, _ = yield from self._right(nulls, found)
            if other_pairs:
                first = yield from self._averaged(other_pairs, (names[0], names[0]), found, show=False)
                second = yield from self._averaged(other_pairs, (names[1], names[1]), found, show=False)
                found = self._compared(found, one, other, (first, second), nulls)
        return found

    def _compared(
        self, found: Traced, one: Totals, other: Totals, nulls: tuple[Totals, Totals] | None, null_set: str
    ) -> Traced:
        comparison = map_totals.compared(one, other, nulls, null_set)
        within = [each for each in found.maps if each.source == each.target and not each.minus]
        across = [each for each in found.maps if each.source != each.target]
        columns = [place for place in one.present if place in other.present]
        difference = replace(minus(within[1], within[0]), half=cells(other.half(one)[:, columns]))
        return replace(found, maps=(*within, difference, *across), comparison=comparison)

    def _null_set(self) -> str:
        """The category whose maps say how alike unrelated maps are; the next one of the file."""
        if len(self.order.checkpoints) != 2:
            return ""
        every = facts.categories(self.known)
        facts.of(self.known, self.order.set)
        at = every.index(self.order.set)
        return every[(at + 1) % len(every)] if len(every) > 1 else ""

    def _right(self, category: str, found: Traced) -> Generator[tuple[Step, Traced], None, tuple[list[Pair], str]]:
        """Pairs that every checkpoint judges rightly, as many as are wanted, and a sentence on how many were asked about."""
        order = self.order
        contrasted = contrast.load(self.family, "truth")
        candidates: list[Pair] | None = None
        for name in order.checkpoints:
            loaded = self.load(name)
            own = self._candidates(Pairing(loaded, contrasted, order.question), category)
            if candidates is not None and [each.true for each in own] != [each.true for each in candidates]:
                raise MapError(
                    f"{name} reads the sentences as other tokens than {order.checkpoints[0]}, so that maps cannot be compared; choose one."
                )
            candidates = own if candidates is None else candidates
        assert candidates is not None
        asked, right = len(candidates), candidates
        for name in order.checkpoints:
            kept = []
            loaded = self.load(name)
            for start in range(0, len(right), _ROWS):
                some = right[start : start + _ROWS]
                kept += [
                    pair
                    for pair, good in zip(some, _judges(loaded, some, order.corruption == "noise"), strict=True)
                    if good
                ]
                yield self._step(0, found, f"Asking {name} about {category}.")
            right = kept
        if not right and category == order.set:
            raise MapError(
                f"{' and '.join(order.checkpoints)} judge{'s' * (len(order.checkpoints) == 1)} none of {asked} pairs of {category} rightly, "
                "so that there is nothing to trace; choose another set."
            )
        n = min(len(right), order.pairs)
        return right[
            : order.pairs
        ], f"{n} pairs of {category}, of {asked} asked about, {len(right)} of them judged rightly."

    def _candidates(self, pairing: Pairing, category: str) -> list[Pair]:
        """Pairs of a category that line up, more than are wanted."""
        order, own = self.order, facts.of(self.known, category)
        most = CANDIDATES * order.pairs
        if order.corruption == "noise":
            return [pairing.alone(fact.text, *fact.spans()) for fact in own[:most]]
        lined: list[Pair] = []
        for true, false in facts.pairs(own, order.differ, lambda fact: pairing.length(fact.text)):
            try:
                lined.append(pairing.of_facts(true, false))
            except PairError:
                # As many tokens, but not the same token by token.
                continue
            if len(lined) == most:
                break
        return lined

    def _averaged(
        self, pairs: Sequence[Pair], way: tuple[str, str], found: Traced, show: bool
    ) -> Generator[tuple[Step, Traced], None, Totals]:
        source, target = way
        tracer = Tracer(self.load(target))
        given = Tracer(self.load(source)) if source != target else None
        totals = Totals(tracer.loaded.anatomy.layers)
        for number, pair in enumerate(pairs):
            for effect in self._effects(tracer, given, pair, number):
                if effect is None:
                    yield self._step(0, found, f"{target}, pair {number + 1} of {len(pairs)}.")
                else:
                    totals.add(effect, pair.roles)
            shown = replace(found, maps=(*found.maps, totals.map(*way))) if show else found
            yield self._step(1, shown, f"{target}, pair {number + 1} of {len(pairs)}.")
        return totals

    def _effects(self, tracer: Tracer, given: Tracer | None, pair: Pair, number: int) -> Iterator[Effects | None]:
        """None after every row, then the pair's map [layers, tokens]."""
        if self.order.corruption == "noise":
            source, (trail,) = tracer.noisy(pair, 1, seed=number)
            whole, first = tracer.metric(pair, source), pair.first
        else:
            own, trail = tracer.runs(pair)
            whole, first = tracer.metric(pair, own), pair.first
            source = own
            if given is not None:
                source, first = given.runs(pair)[0], pair.shared
        if whole - tracer.metric(pair, trail) < LEAST_GAP:
            # Noise may leave the answer as it was: then there is nothing to bring back.
            return
        rows = []
        for slices in tracer.effects(pair, source, trail, whole, first):
            rows.append(_finished(slices))
            yield None
        yield np.stack(rows)

    def _step(self, units: int, found: Traced, sentence: str) -> tuple[Step, Traced]:
        self.done += units
        part = min(0.999, self.done / max(1, self.total))
        return Step(units, sentence), replace(found, part=part, sentence=sentence)


#: Pairs that are asked about in one forward pass.
_ROWS = 32


@torch.inference_mode()
def _judges(loaded: Loaded, pairs: Sequence[Pair], alone: bool) -> list[bool]:
    """Whether a checkpoint finds the true sentence true and (unless it stands ``alone``) the false one false, by enough."""
    prompts = list(itertools.chain.from_iterable((pair.true, pair.false) for pair in pairs))
    labels = [pair.labels for pair in pairs for _ in range(2)]
    values: list[float] = []
    size = effects.rows_of(loaded)
    for start in range(0, len(prompts), size):
        some = prompts[start : start + size]
        for logits, (true, false) in zip(
            reply_logits(loaded, some, [(loaded.pad,)] * len(some)), labels[start:], strict=False
        ):
            values.append(float(logits[0, true] - logits[0, false]))
    trues, falses = values[::2], values[1::2]
    if alone:
        return [value > 0 for value in trues]
    return [one > 0 > other and one - other >= LEAST_GAP for one, other in zip(trues, falses, strict=True)]


def cell(family: Family, traced: Traced, shown: Map, layer: int, column: int, load: Load) -> Words:
    """The logit lens on a cell: what the residual that was put in would say, and the one that stood there.

    For an average it is that of its first example, at the last token of the role. Raises MapError where there is nothing to look at.
    """
    if not (traced.examples and 0 <= layer < shown.layers and 0 <= column < len(shown.columns)):
        raise MapError("There is no such cell yet; wait until the map is there.")
    order = traced.order
    known, _ = facts.load(family)
    true, false = traced.examples[0]
    into, source = load(shown.target), load(shown.source)
    pairing = Pairing(into, contrast.load(family, "truth"), order.question)
    fact = next((each for each in known if each.text == true), None) if order.set else None
    subject, object_ = fact.spans() if fact else (None, None)
    if order.corruption == "noise":
        pair = pairing.alone(true, subject or where(true, order.subject, known), object_)
        clean, noisy = Tracer(into).noisy(pair, 1, seed=0)
        trails, titles = (clean, noisy[0]), ("as it is", "under noise")
    else:
        pair = pairing.pair(true, false, known, subject, object_)
        trails = (Tracer(source).runs(pair)[0], Tracer(into).runs(pair)[1])
        titles = ("true sentence", "false sentence")
    places = (
        [place for place, role in enumerate(pair.roles) if role == shown.columns[column]] if order.set else [column]
    )
    position = pair.shared + places[-1] if places else pair.shared
    states = (trails[0].residual(layer, position), trails[1].residual(layer, position))
    rows = tuple(words(loaded, state[None]) for loaded, state in zip((source, into), states, strict=True))
    note = f"Of {true!r}{'' if true == false else f' and {false!r}'}, one of {shown.n} pairs." if order.set else ""
    return Words(titles, rows, (layer,), token_text(into, pair.true[position]), note)
