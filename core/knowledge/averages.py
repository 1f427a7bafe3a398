"""Knowledge maps averaged over the pairs of a category that every checkpoint judges rightly (methods.md §3)."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from core.directions import contrast
from core.families.checkpoint import Family
from core.inference.batch import batch_rows
from core.inference.teacher_forcing import reply_logits
from core.knowledge import facts, map_statistics
from core.knowledge.facts import Fact
from core.knowledge.map_statistics import Totals, cells
from core.knowledge.maps import MapError, MapRequest, Traced, minus
from core.knowledge.pairs import PairError, Pairing, StatementPair
from core.knowledge.tracer import LEAST_GAP, Effects, Load, Tracer, Tracing, row_at_once, ways
from core.models.loading import Loaded
from core.util.progress import Step

#: So many candidates for every pair that is wanted are asked about, at most.
_CANDIDATES = 4
#: Pairs that are kept as examples.
EXAMPLES = 5
#: Pairs that are asked about in one slice.
_ROWS = 16


@dataclass
class Average:
    """Averages over the pairs of a category that every checkpoint judges rightly."""

    family: Family
    order: MapRequest
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
        pairs, asked, right = yield from self._right(order.set, found)
        found = replace(
            found,
            notes=(
                f"{len(pairs)} pairs of {order.set}; of {asked} that were asked about, {right} were judged rightly.",
            ),
            examples=tuple(pair.sentences for pair in pairs[:EXAMPLES]),
            asked=asked,
            right=right,
        )
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
            other_pairs, _, _ = yield from self._right(nulls, found)
            if other_pairs:
                first = yield from self._averaged(other_pairs, (names[0], names[0]), found, show=False)
                second = yield from self._averaged(other_pairs, (names[1], names[1]), found, show=False)
                found = self._compared(found, one, other, (first, second), nulls)
        return found

    def _compared(
        self, found: Traced, one: Totals, other: Totals, nulls: tuple[Totals, Totals] | None, null_set: str
    ) -> Traced:
        comparison = map_statistics.compared(one, other, nulls, null_set)
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
        facts.facts_of(self.known, self.order.set)
        at = every.index(self.order.set)
        return every[(at + 1) % len(every)] if len(every) > 1 else ""

    def _right(
        self, category: str, found: Traced
    ) -> Generator[tuple[Step, Traced], None, tuple[list[StatementPair], int, int]]:
        """Pairs that every checkpoint judges rightly, as many as are wanted; how many were asked about, and how many judged rightly."""
        order = self.order
        contrasted = contrast.load_contrast(self.family, "truth")
        every = [Pairing(self.load(name), contrasted, order.question) for name in order.checkpoints]
        right: list[StatementPair] = []
        asked = 0
        for some in _batches(self._candidates(every[0], category), _ROWS):
            for pairing in every:
                if any(pairing.length(pair.sentences[0]) != len(pair.true) for pair in some):
                    raise MapError(
                        f"{' and '.join(order.checkpoints)} read the sentences as different tokens, so that their maps cannot be compared; "
                        "choose one of them."
                    )
            asked, kept = asked + len(some), some
            for pairing in every:
                good = _judges(pairing.loaded, kept, order.corruption == "noise") if kept else []
                kept = [pair for pair, known in zip(kept, good, strict=True) if known]
                yield self._step(0, found, f"Asking {pairing.loaded.checkpoint.name} about {category}.")
            right += kept
            if len(right) >= order.pairs:
                break
        if not right and category == order.set:
            raise MapError(
                f"{' and '.join(order.checkpoints)} judge{'s' * (len(order.checkpoints) == 1)} none of {asked} pairs of {category} "
                "rightly, so that there is nothing to trace; choose another set."
            )
        return right[: order.pairs], asked, len(right)

    def _candidates(self, pairing: Pairing, category: str) -> Iterator[StatementPair]:
        """Pairs of a category that line up, at most :data:`_CANDIDATES` for each that is wanted."""
        order, own = self.order, facts.facts_of(self.known, category)
        most = _CANDIDATES * order.pairs
        if order.corruption == "noise":
            yield from (pairing.alone(fact.text, *fact.spans()) for fact in own[:most])
            return
        lined = 0
        for true, false in facts.fact_pairs(own, order.differ, lambda fact: pairing.length(fact.text)):
            try:
                pair = pairing.of_facts(true, false)
            except PairError:
                # As many tokens, but not the same token by token.
                continue
            yield pair
            lined += 1
            if lined == most:
                return

    def _averaged(
        self, pairs: Sequence[StatementPair], way: tuple[str, str], found: Traced, show: bool
    ) -> Generator[tuple[Step, Traced], None, Totals]:
        source, target = way
        tracer = Tracer(self.load(target))
        given = Tracer(self.load(source)) if source != target else None
        totals = Totals(tracer.loaded.anatomy.layers)
        shown = found
        for number, pair in enumerate(pairs):
            sentence = f"{target}, pair {number + 1} of {len(pairs)}."
            for effect in self._effects(tracer, given, pair, number):
                if effect is None:
                    yield self._step(0, shown, sentence)
                else:
                    totals.add(effect, pair.roles)
            if show and totals.n:
                shown = replace(found, maps=(*found.maps, totals.map(*way)))
            yield self._step(1, shown, sentence)
        if not totals.n:
            raise MapError(
                f"Noise on the subject leaves {target}'s answers about {self.order.set} as they are, so that there is nothing to bring "
                "back; choose a false sentence instead, or another set."
            )
        return totals

    def _effects(
        self, tracer: Tracer, given: Tracer | None, pair: StatementPair, number: int
    ) -> Iterator[Effects | None]:
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
            rows.append(row_at_once(slices))
            yield None
        yield np.stack(rows)

    def _step(self, units: int, found: Traced, sentence: str) -> tuple[Step, Traced]:
        self.done += units
        part = min(0.999, self.done / max(1, self.total))
        return Step(units, sentence), replace(found, part=part, sentence=sentence)


def _batches(pairs: Iterator[StatementPair], size: int) -> Iterator[list[StatementPair]]:
    while some := list(itertools.islice(pairs, size)):
        yield some


@torch.inference_mode()
def _judges(loaded: Loaded, pairs: Sequence[StatementPair], alone: bool) -> list[bool]:
    """Whether a checkpoint finds the true sentence true and (unless it stands ``alone``) the false one false, by enough."""
    prompts = list(itertools.chain.from_iterable((pair.true, pair.false) for pair in pairs))
    labels = [pair.labels for pair in pairs for _ in range(2)]
    values: list[float] = []
    size = batch_rows(loaded)
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
