"""The rows of several decoders of one model in one batch, so that a forward pass computes the next tokens of all of them.

People who chat with one checkpoint at the same time wait for one pass instead of one each. A decoder joins when its prompts are read, with
what it has kept of them, and leaves when nobody waits for it at the moment, or when only it is left; whatever else it does, choosing its
tokens above all, it does by itself. Rows of other lengths make other paddings, and with them sums of another order: readings differ by
rounding from those of one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import accumulate, pairwise

import torch

from core.inference.batch import batch_rows, pad_batch
from core.inference.decoding import PART, BatchDecoder
from core.inference.key_values import KeyValues, forward_rows, merged
from core.models.cache import new_cache
from core.models.loading import Loaded
from core.steering.interventions import ONE_TOKEN, BatchEdits
from core.steering.readings import gate_layers, read_projections

#: Positions of a batch that may be padded as they like, and how many times what is real it may come to beyond.
_LITTLE, _PADDED = 4_096, 2


class SharedBatch:
    """Decoders that step together."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.members: list[BatchDecoder] = []
        self._kept: KeyValues | None = None
        self._edits: BatchEdits | None = None

    @property
    def rows(self) -> int:
        """Rows in the batch."""
        return sum(each.rows for each in self.members)

    def drop(self, member: BatchDecoder, before: int, keep: Sequence[int]) -> None:
        """Of the rows that a member had before, only these go on."""
        assert self._kept is not None
        others = []
        begin = 0
        for each in self.members:
            count = before if each is member else each.rows
            others += [begin + row for row in (keep if each is member else range(count))]
            begin += count
        self._edits = None
        if not keep:
            self.members.remove(member)
            member.shared = None
        if others:
            self._kept.keep(others)
            self._kept.trim()
        else:
            self._kept = None

    def changed(self) -> None:
        """A member is steered in another way."""
        self._edits = None

    def forget(self, decoders: Iterable[BatchDecoder]) -> None:
        """These are wanted no more, whatever has become of them."""
        for each in [each for each in decoders if each in self.members]:
            self.drop(each, each.rows, ())

    def step(self, decoders: Sequence[BatchDecoder]) -> None:
        """Have exactly these in it, and compute what comes next of each."""
        self.arrange(decoders)
        self.foresee()

    @torch.inference_mode()
    def arrange(self, decoders: Sequence[BatchDecoder]) -> None:
        """Let exactly these be in it; one alone needs it no more than none."""
        wanted = list(decoders) if len(decoders) > 1 else []
        for each in [each for each in self.members if each not in wanted]:
            self._release(each)
        new = [each for each in wanted if each.shared is not self]
        if new:
            there = [(self._kept, self.rows)] if self._kept is not None else []
            # Handed over when it is put together: whatever stands in the way of that leaves each with what it has.
            self._kept = merged([*there, *((each.kept, each.rows) for each in new)])
            for each in new:
                each.give_up(self)
            self.members += new
            self._edits = None

    def _release(self, member: BatchDecoder) -> None:
        assert self._kept is not None
        begin, end = self._spans()[self.members.index(member)]
        own = self._kept.part(range(begin, end))
        self.drop(member, end - begin, ())
        member.taken_back(own)

    def _spans(self) -> list[tuple[int, int]]:
        return list(pairwise(accumulate((each.rows for each in self.members), initial=0)))

    @torch.inference_mode()
    def foresee(self) -> None:
        """Compute what comes next of every member: it is there when the member steps."""
        if not self.members:
            return
        kept, device = self._kept, self.loaded.device
        assert kept is not None
        assert kept.attention is not None
        if self._edits is None:
            self._edits = BatchEdits([edits for each in self.members for edits in each.edits], device)
        wanted = self._edits.gates
        opened = {gate: torch.cat([each.opened(gate) for each in self.members]) for gate in wanted}
        kept.attention = torch.cat([kept.attention, kept.attention.new_ones(self.rows, 1)], dim=1)
        layers = {*gate_layers(wanted), *(gauge.layer for each in self.members for gauge in each.gauges)}
        ids, positions = (torch.cat(parts) for parts in zip(*(each.upcoming() for each in self.members), strict=True))
        logits, caught = forward_rows(self.loaded, kept, ids, positions, self._edits.actions(ONE_TOKEN, opened), layers)
        for each, (begin, end) in zip(self.members, self._spans(), strict=True):
            own = {layer: states[begin:end] for layer, states in caught.items()}
            each.foresee(logits[begin:end], read_projections(each.gauges, own, end - begin), own)


def share(batches: list[SharedBatch], decoders: Iterable[BatchDecoder]) -> list[tuple[SharedBatch, list[BatchDecoder]]]:
    """Which decoders that are to step now are to be in which batch (:meth:`SharedBatch.step`), each as far as may be in the one that it is
    in. Decoders of models that keep more than keys and values step alone, and so does one beside which the others would be padding."""
    able = [each for each in decoders if each.joinable]
    groups: list[tuple[SharedBatch, list[BatchDecoder]]] = [
        (batch, [each for each in able if each.shared is batch]) for batch in batches
    ]
    for new in [each for each in able if each.shared is None]:
        for batch, members in groups:
            if batch.loaded.model is new.loaded.model and _fits([*members, new]):
                members.append(new)
                break
        else:
            groups.append((SharedBatch(new.loaded), [new]))
    # One alone needs no batch; what is in one that nobody else is in any more comes out of it.
    return [(batch, members) for batch, members in groups if batch.members or len(members) > 1]


def _fits(members: Sequence[BatchDecoder]) -> bool:
    """Whether so many rows are one pass, and no more of their keys and values is padding than is not, beyond what is little."""
    lengths = [length for each in members for length in each.lengths]
    padded = len(lengths) * max(lengths)
    return len(lengths) <= batch_rows(members[0].loaded) and padded <= max(_LITTLE, _PADDED * sum(lengths))


def beginnings(decoders: Iterable[BatchDecoder]) -> list[tuple[list[BatchDecoder], Callable[[], None]]]:
    """Which decoders may read their prompts in one pass, and the work that does it: as many as one pass takes tokens of."""
    groups: list[list[BatchDecoder]] = []
    for each in (each for each in decoders if each.beginning):
        for group in groups:
            rows = [prompt for one in (*group, each) for prompt in one.prompts]
            tokens = len(rows) * max(len(prompt) + len(said) for prompt, said in rows)
            if group[0].loaded.model is each.loaded.model and tokens <= PART * batch_rows(each.loaded):
                group.append(each)
                break
        else:
            groups.append([each])
    return [(group, partial(_begin, group)) for group in groups if len(group) > 1]


@torch.inference_mode()
def _begin(decoders: Sequence[BatchDecoder]) -> None:
    loaded = decoders[0].loaded
    rows = [row for each in decoders for row in each.prompts]
    padded = pad_batch(loaded, [prompt for prompt, _ in rows], [said for _, said in rows])
    kept = KeyValues(new_cache(loaded.model), padded.attention)
    edits = BatchEdits([own for each in decoders for own in each.edits], loaded.device)
    layers = {gauge.layer for each in decoders for gauge in each.gauges}
    actions = edits.actions(padded.masks)
    logits, caught = forward_rows(loaded, kept, padded.ids, padded.positions, actions, layers, begins=True)
    for each, (begin, end) in zip(
        decoders, pairwise(accumulate((each.rows for each in decoders), initial=0)), strict=True
    ):
        own = {layer: states[begin:end] for layer, states in caught.items()}
        readings = read_projections(each.gauges, own, end - begin)
        each.begun(kept.part(range(begin, end)), logits[begin:end], readings)
