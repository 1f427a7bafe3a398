"""Knowledge maps averaged over the pairs of a category that every checkpoint judges rightly (methods.md §3)."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from core.directions import contrast, contrast_files
from core.families.checkpoint import Family
from core.inference.batch import batch_rows
from core.inference.teacher_forcing import reply_logits
from core.knowledge import facts, map_statistics, statements
from core.knowledge.facts import Fact
from core.knowledge.map_statistics import Totals, cells
from core.knowledge.maps import MapError, MapRequest, Traced, minus
from core.knowledge.pairs import PairError, Pairing, StatementPair
from core.knowledge.tracer import LEAST_GAP, Effects, Load, Tracer, Tracing, ways
from core.models.loading import Loaded
from core.util.budget import Budget, TimedPart, estimated
from core.util.progress import Step, finished
from core.util.resume import ResumeNotes

#: So many candidates for every pair that is wanted are asked about, at most.
_CANDIDATES = 4
#: Pairs that are kept as examples.
EXAMPLES = 5
#: Pairs that are asked about in one slice: one for so many rows of a batch, since each asks two prompts with examples before them.
_ROWS_A_PAIR = 8


@dataclass
class _Way:
    """Pairs that are traced from one checkpoint into another or within it, and what they have given so far."""

    way: tuple[str, str]
    pairs: Sequence[StatementPair]
    tracer: Tracer
    given: Tracer | None
    totals: Totals


#: What is asked, as notes have always called it.
_ASKED_AS: Mapping[str, bool] = {"question": True, "plain": False}


@dataclass
class Average:
    """Averages over the pairs of a category that every checkpoint judges rightly."""

    family: Family
    order: MapRequest
    load: Load
    known: Sequence[Fact]
    budget: Budget = field(default_factory=Budget)
    notes: ResumeNotes = field(default_factory=ResumeNotes)
    #: Units of work that are done, and how many there are.
    done: int = 0
    total: int = 1

    def run(self) -> Tracing:
        """Pair after pair, each in every way and beside one of the null set: whenever it stops, all maps rest on the same pairs."""
        order, nulls = self.order, self._null_set()
        found, jobs, null_jobs = yield from self._planned(nulls)
        pairs, asked, right = jobs[ways(order)[0]].pairs, found.asked, found.right
        note = f"{len(pairs)} pairs of {order.set}; of {asked} that were asked about, {right} were judged rightly."
        for number in range(max(len(job.pairs) for job in (*jobs.values(), *null_jobs.values()))):
            for job in (*jobs.values(), *null_jobs.values()):
                if number < len(job.pairs):
                    yield from self._traced(job, number, found)
            last = number + 1 >= len(pairs) or self.budget.over()
            # Halves are many: how two maps compare is worked out after 1, 2, 4, 8 … pairs, and says how many they were.
            found = self._so_far(found, jobs, null_jobs, nulls, last or not (number + 1) & number)
            yield self._step(0, found, f"{order.set}, pair {min(number + 1, len(pairs))} of {len(pairs)}.")
            if last and number + 1 < len(pairs):
                note = (
                    f"Unfinished: {number + 1} of {len(pairs)} pairs of {order.set}, traced again it goes on from there; of {asked} that "
                    f"were asked about, {right} were judged rightly."
                )
                return replace(found, notes=(note,))
        if empty := next((job for job in jobs.values() if not job.totals.n), None):
            raise MapError(
                f"Noise on the subject leaves {empty.way[1]}'s answers about {order.set} as they are, so that there is nothing to bring "
                "back; choose a false sentence instead, or another set."
            )
        # Its notes stay, for more pairs of the set, until nobody has asked for long.
        return replace(found, notes=(note,))

    def seconds(self) -> Generator[tuple[Step, Traced], None, float]:
        """How long what is left takes, by the map of one pair. Which pairs are known is asked for it, and remembered."""
        _, jobs, null_jobs = yield from self._planned(self._null_set())
        every = [*jobs.values(), *null_jobs.values()]
        left = [
            (job, number)
            for job in every
            for number in range(len(job.pairs))
            if self.notes.recall_arrays(self._name(job, number)) is None
        ]
        if not left:
            return 0.0
        job, number = left[0]

        def trial() -> None:
            for rows in self._effects(job.tracer, job.given, job.pairs[number], number):
                # What it takes to remember a map counts, where maps take little.
                if rows is not None:
                    self.notes.keep_arrays("trial", {"effects": rows})

        return estimated([TimedPart(len(left), trial)])

    def _planned(
        self, nulls: str
    ) -> Generator[tuple[Step, Traced], None, tuple[Traced, dict[tuple[str, str], _Way], dict[str, _Way]]]:
        """Which pairs are traced in which ways, of the set and of the null set."""
        order, names = self.order, self.order.checkpoints
        found, every = Traced(order), list[Loaded]()
        for name in names:
            # Reading one takes as long as much of the work; whoever chats has a turn before the next.
            every.append(self.load(name))
            yield self._step(0, found, f"{name} is loaded.")
        self.notes = _notebook(order, every)
        pairs, asked, right = yield from self._right(order.set, found)
        other_pairs: list[StatementPair] = []
        if nulls:
            other_pairs, _, _ = yield from self._right(nulls, found)
        jobs = {way: self._job(pairs, way) for way in ways(order)}
        null_jobs = {name: self._job(other_pairs, (name, name)) for name in names} if other_pairs else {}
        self.total = len(pairs) * len(jobs) + len(other_pairs) * len(null_jobs)
        examples = tuple(pair.sentences for pair in pairs[:EXAMPLES])
        return replace(found, examples=examples, asked=asked, right=right, wanted=len(pairs)), jobs, null_jobs

    def _job(self, pairs: Sequence[StatementPair], way: tuple[str, str]) -> _Way:
        source, target = way
        tracer = Tracer(self.load(target))
        given = Tracer(self.load(source)) if source != target else None
        return _Way(way, pairs, tracer, given, Totals(tracer.loaded.anatomy.layers))

    def _so_far(
        self,
        found: Traced,
        jobs: Mapping[tuple[str, str], _Way],
        null_jobs: Mapping[str, _Way],
        null_set: str,
        compare: bool,
    ) -> Traced:
        """The maps of all pairs so far, and, where that is to be worked out anew, how those of two checkpoints compare."""
        totals = {way: job.totals for way, job in jobs.items() if job.totals.n}
        maps = [each.map(*way) for way, each in totals.items()]
        within = [totals[name, name] for name in self.order.checkpoints if (name, name) in totals]
        if len(within) < 2:
            return replace(found, maps=tuple(maps))
        one, other = within
        columns = [place for place in one.present if place in other.present]
        difference = replace(minus(maps[1], maps[0]), half=cells(other.half(one)[:, columns]))
        found = replace(found, maps=(*maps[:2], difference, *maps[2:]))
        if not compare:
            return found
        beside = [each.totals for each in null_jobs.values() if each.totals.n]
        both = (beside[0], beside[1]) if len(beside) == 2 else None
        return replace(found, comparison=map_statistics.compared(one, other, both, null_set if both else ""))

    def _null_set(self) -> str:
        """The category whose maps say how alike unrelated maps are; the next one of the file."""
        if len(self.order.checkpoints) != 2:
            return ""
        every = facts.categories(self.known)
        if self.order.file:
            return every[0] if every else ""
        facts.facts_of(self.known, self.order.set)
        at = every.index(self.order.set)
        return every[(at + 1) % len(every)] if len(every) > 1 else ""

    def _right(
        self, category: str, found: Traced
    ) -> Generator[tuple[Step, Traced], None, tuple[list[StatementPair], int, int]]:
        """Pairs that every checkpoint judges rightly, as many as are wanted; how many were asked about, and how many judged rightly."""
        order = self.order
        contrasted = contrast.load_contrast(self.family, "truth")
        every = [Pairing(self.load(name), contrasted, order.asks) for name in order.checkpoints]
        right: list[StatementPair] = []
        asked = 0
        for some in _batches(self._candidates(every[0], category), max(1, batch_rows(every[0].loaded) // _ROWS_A_PAIR)):
            for pairing in every:
                if any(pairing.length(pair.sentences[0]) != len(pair.true) for pair in some):
                    raise MapError(
                        f"{' and '.join(order.checkpoints)} read the sentences as different tokens, so that their maps cannot be compared; "
                        "choose one of them."
                    )
            asked, kept = asked + len(some), some
            for pairing in every:
                good, remembered = self._known(pairing, kept) if kept else ([], True)
                kept = [pair for pair, known in zip(kept, good, strict=True) if known]
                step, shown = self._step(0, found, f"Asking {pairing.loaded.checkpoint.name} about {category}.")
                yield step._replace(remembered=remembered), shown
            right += kept
            if len(right) >= order.pairs:
                break
        if not asked and order.file and category == order.set:
            raise MapError(
                f"In {order.file} no true and false statement pair up: a pair ends in the same word, differs in one place before it, "
                "and has as many tokens."
            )
        if not right and category == order.set:
            raise MapError(
                f"{' and '.join(order.checkpoints)} judge{'s' * (len(order.checkpoints) == 1)} none of {asked} pairs of {category} "
                f"rightly, so that there is nothing to trace; choose another set, such as {', '.join(facts.categories(self.known))}."
            )
        return right[: order.pairs], asked, len(right)

    def _candidates(self, pairing: Pairing, category: str) -> Iterator[StatementPair]:
        """Pairs of a category that line up, at most :data:`_CANDIDATES` for each that is wanted."""
        order, most = self.order, _CANDIDATES * self.order.pairs
        if order.corruption == "noise":
            own = facts.facts_of(self.known, category)[:most]
            yield from (pairing.alone(fact.text, *fact.spans()) for fact in own)
            return
        lined = 0
        for true, false in self._made(pairing, category):
            try:
                pair = (pairing.recalled if order.asks == "recall" else pairing.of_facts)(true, false)
            except PairError:
                # As many tokens, but not the same token by token.
                continue
            yield pair
            lined += 1
            if lined == most:
                return

    def _made(self, pairing: Pairing, category: str) -> Iterator[tuple[Fact, Fact]]:
        """True and false statements of as many tokens: by their labels where the set is a file's, else by what may stand for what."""
        order = self.order
        if order.file and category == order.set:
            return statements.statement_pairs(contrast_files.read_set(Path(order.file)), pairing.length)
        own = facts.facts_of(self.known, category)
        if order.asks == "recall":
            return facts.recall_pairs(own, pairing.length)
        return facts.fact_pairs(own, order.differ, lambda fact: pairing.length(fact.text))

    def _traced(self, job: _Way, number: int, found: Traced) -> Generator[tuple[Step, Traced], None, None]:
        """Add a pair's map to a way's average: remembered, or computed row by row; no rows where there is nothing to bring back."""
        pair, sentence = job.pairs[number], f"{job.way[1]}, pair {number + 1} of {len(job.pairs)}."
        name = self._name(job, number)
        kept = self.notes.recall_arrays(name)
        if kept is None:
            effect = np.zeros((0, 0))
            for rows in self._effects(job.tracer, job.given, pair, number):
                if rows is None:
                    yield self._step(0, found, sentence)
                else:
                    effect = rows
            self.notes.keep_arrays(name, {"effects": effect})
        else:
            effect = kept["effects"]
        if effect.size:
            job.totals.add(effect, pair.roles, pair.sentences[0])
        step, shown = self._step(1, found, sentence)
        yield step._replace(remembered=kept is not None), shown

    def _name(self, job: _Way, number: int) -> str:
        """The note of a pair's map: by its sentences, so that more pairs go on from fewer."""
        # Noise is drawn anew for every pair; nothing else depends on which pair it is.
        drawn = (str(number),) if self.order.corruption == "noise" else ()
        return _hashed("pair", *job.way, *job.pairs[number].sentences, *drawn)

    def _known(self, pairing: Pairing, some: Sequence[StatementPair]) -> tuple[list[bool], bool]:
        """Which of some pairs a checkpoint judges rightly, and whether that was known from an earlier run."""
        name = _hashed("judged", pairing.loaded.checkpoint.name, *(text for pair in some for text in pair.sentences))
        kept = self.notes.recall(name)
        if kept is not None:
            return list(kept["value"]), True
        good = _judges(pairing.loaded, some, self.order.corruption == "noise")
        self.notes.keep(name, {"tokens": 0, "value": good})
        return good, False

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
            rows.append(finished(slices))
            yield None
        yield np.stack(rows)

    def _step(self, units: int, found: Traced, sentence: str) -> tuple[Step, Traced]:
        self.done += units
        part = min(0.999, self.done / max(1, self.total))
        return Step(units, sentence), replace(found, part=part, sentence=sentence)


def _notebook(order: MapRequest, every: Sequence[Loaded]) -> ResumeNotes:
    """What was traced before on these weights in this manner, however many pairs it was."""
    return ResumeNotes.of(
        kind="trace",
        fingerprints=[each.fingerprint for each in every],
        quantize=[each.quantize for each in every],
        asked=[order.set, order.corruption, order.differ, _ASKED_AS.get(order.asks, order.asks)],
        contrast=contrast.load_contrast(every[0].family, "truth").digest,
    )


def _hashed(kind: str, *texts: str) -> str:
    return f"{kind}.{hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:24]}"


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
