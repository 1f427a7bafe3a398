"""Where a model keeps what it knows: causal tracing by activation patching, of a pair of sentences or averaged over a set.

[methods.md §3; Du et al., "How Post-Training Reshapes LLMs", §3; Meng et al., "Locating and Editing Factual Associations in GPT"]
Everything is a generator that yields the maps as far as they are: it ends a slice after every few forward passes and can be closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.directions import contrast
from core.families.checkpoint import Family
from core.inference.detokenizer import token_text
from core.knowledge import facts, map_statistics
from core.knowledge.averages import Average
from core.knowledge.facts import Fact
from core.knowledge.logit_lens import words
from core.knowledge.map_statistics import cells
from core.knowledge.maps import Map, MapError, MapRequest, Traced, Words, minus
from core.knowledge.pairs import Pairing, StatementPair, where
from core.knowledge.patching import Trail
from core.knowledge.tracer import LEAST_GAP, Load, Tracer, Tracing, ways
from core.util.budget import Budget
from core.util.figures import change_text, figure_text
from core.util.progress import Step, finished

#: Samples of noise that a single sentence is averaged over.
SAMPLES = 8


def trace(family: Family, order: MapRequest, load: Load, budget: Budget | None = None) -> Tracing:
    """Compute what ``order`` asks for; of a set, until the budget is spent: then fewer pairs, and the next time it goes on from there.

    Raises:
        MapError, PairError, FactsError: what cannot be traced, in one sentence each.
        LoadError: a checkpoint that cannot be loaded.
    """
    for name in order.checkpoints:
        family.checkpoint(name)
    known, _ = facts.load_facts(family)
    if order.set:
        result = yield from Average(family, order, load, known, budget or Budget()).run()
    else:
        result = yield from _Single(family, order, load, known).run()
    return replace(result, part=1.0, sentence="Done.", left=None)


def trace_seconds(family: Family, order: MapRequest, load: Load) -> float:
    """How long tracing a set takes from here on, by a trial. Raises what :func:`trace` does."""
    known, _ = facts.load_facts(family)
    return finished(Average(family, order, load, known).seconds())


@dataclass
class _Single:
    """The maps of one pair of sentences, or of one sentence under noise."""

    family: Family
    order: MapRequest
    load: Load
    known: Sequence[Fact]

    def run(self) -> Tracing:
        found = Traced(self.order)
        every = ways(self.order)
        contrasted = contrast.load_contrast(self.family, "truth")
        first: StatementPair | None = None
        for at, (source, target) in enumerate(every):
            loaded = self.load(target)
            pair = self._pair(Pairing(loaded, contrasted, self.order.asks))
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

    def _pair(self, pairing: Pairing) -> StatementPair:
        order = self.order
        if order.corruption == "noise":
            return pairing.alone(order.true, where(order.true, order.subject, self.known))
        subject = where(order.true, order.subject, self.known) if order.subject else None
        return pairing.pair(order.true, order.false, self.known, subject)

    def _rows(self, tracer: Tracer, given: Tracer | None, pair: StatementPair) -> Iterator[tuple[int, Map]]:
        """The map after every layer, and how many rows of it are there."""
        name = tracer.loaded.checkpoint.name
        trails, source, whole, first = self._runs(tracer, given, pair)
        nothing = float(np.mean([tracer.metric(pair, each) for each in trails]))
        note = ""
        if whole - nothing < LEAST_GAP:
            raise MapError(
                f"{name} does not tell the two apart: logit(TRUE) − logit(FALSE) is {figure_text(whole)} behind the true one and "
                f"{figure_text(nothing)} behind the other; choose sentences that it answers."
            )
        if self.order.corruption == "false" and not (whole > 0 > nothing):
            wrong = "true" if whole <= 0 else "false"
            logits = f"{change_text(whole)} and {change_text(nothing)} logits"
            note = f"{name} judges the {wrong} sentence wrongly ({logits}), so its map says little."
        shown = np.full((tracer.loaded.anatomy.layers, len(pair.positions)), np.nan)
        columns = tuple(pair.texts)
        yield 0, Map(name, name, columns, cells(shown), note=note)
        rows = [tracer.effects(pair, source, each, whole, first) for each in trails]
        for layer, samples in enumerate(zip(*rows, strict=True)):
            shown[layer] = np.mean([finished(each) for each in samples], axis=0)
            yield layer + 1, Map(name, name, columns, cells(shown), note=note)

    def _runs(self, tracer: Tracer, given: Tracer | None, pair: StatementPair) -> tuple[list[Trail], Trail, float, int]:
        """What is patched into, what from, the metric that counts as 1, and the first token at which the two differ."""
        if self.order.corruption == "noise":
            clean, noisy = tracer.noisy(pair, SAMPLES, seed=0)
            return noisy, clean, tracer.metric(pair, clean), pair.first
        true, false = tracer.runs(pair)
        if given is None:
            return [false], true, tracer.metric(pair, true), pair.first
        return [false], given.runs(pair)[0], tracer.metric(pair, true), pair.shared


def _with_difference(found: Traced) -> Traced:
    """The maps of two checkpoints with their difference behind them."""
    if len(found.order.checkpoints) != 2:
        return found
    one, other = found.maps[:2]
    maps = (one, other, minus(other, one), *found.maps[2:])
    return replace(found, maps=maps, comparison=map_statistics.compared_pair(one, other))


def cell(family: Family, traced: Traced, shown: Map, layer: int, column: int, load: Load) -> Words:
    """The logit lens on a cell: what the residual that was put in would say, and the one that stood there.

    For an average it is that of its first example, at the last token of the role. Raises MapError where there is nothing to look at.
    """
    if not (traced.examples and 0 <= layer < shown.layers and 0 <= column < len(shown.columns)):
        raise MapError("There is no such cell yet; wait until the map is there.")
    order = traced.order
    known, _ = facts.load_facts(family)
    true, false = traced.examples[0]
    into, source = load(shown.target), load(shown.source)
    pairing = Pairing(into, contrast.load_contrast(family, "truth"), order.asks)
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
