"""The one decode loop: rows in, a stream of events out.

A :class:`BatchDecoder` answers in one or several columns of one checkpoint at once. Each column is a row of a batch; where a recipe is
not empty a *shadow* row goes with it, which has no recipe and is forced onto the same tokens, so that the two can be compared
token by token. Regenerating, comparing, scrubbing, the command line and evaluation are all this loop.

One call of :meth:`BatchDecoder.step` is one forward pass; to the first token of a long prompt it takes several. A recipe changed between
two steps acts from the next token on; keys and values of earlier tokens stay as they were computed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers.generation.logits_process import LogitsProcessorList

from core.chat.drawing import TokenDrawing
from core.chat.events import Done, Event, Started
from core.chat.settings import Sampling
from core.inference.batch import PaddedBatch, batch_rows, check_finite, pad_batch, read_gates
from core.inference.detokenizer import Detokenizer
from core.inference.key_values import KeyValues, RowsTogether, forward_rows
from core.inference.shared_prefix import can_branch
from core.inference.token_choice import logits_processors, read_logits, sayable
from core.models.cache import new_cache
from core.models.loading import Loaded
from core.steering.interventions import ONE_TOKEN, BatchEdits, EditError, Masks, RowEdit
from core.steering.readings import GateProbe, Opened, Projection, read_projections

#: An answer that goes on passes over the random numbers of so many of its tokens at a time.
_DRAWS = 64
#: Prompts are read so many tokens a pass, times the rows that a pass takes: thousands of a small model, a hundred of a large one on a CPU.
PART = 16


@dataclass(frozen=True)
class DecodingRow:
    """One column's row: its prompt, what is done to it, how it samples.

    ``forced`` are token ids the reply must start with; ``said`` those that it has already, behind which it goes on; ``shadow`` asks for
    a shadow row (only useful with edits, and needed beforehand for a recipe that may be given while the reply runs).
    """

    column: int
    prompt: tuple[int, ...]
    edits: tuple[RowEdit, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    shadow: bool = False
    forced: tuple[int, ...] = ()
    note: str = ""
    said: tuple[int, ...] = ()
    drawing: TokenDrawing = field(default_factory=TokenDrawing)


@dataclass
class _Row:
    """A row of the batch. ``leader`` is the row a shadow is forced onto, None for a speaker's own row."""

    speaker: DecodingRow
    edits: tuple[RowEdit, ...]
    leader: _Row | None
    ids: list[int]
    forced: deque[int]
    processors: LogitsProcessorList
    generator: torch.Generator
    #: Tokens that were drawn before this run, whose random numbers have not been passed over yet.
    unpassed: int = 0

    @property
    def edits_gated(self) -> bool:
        """Whether a gate says where it is steered, for which prompts are read once more."""
        return any(edit.gate for edit in self.edits)


class BatchDecoder:
    """Replies of one checkpoint to several prompts, streaming together.

    Args:
        gauges: what to read the projection of at every token, see :mod:`core.steering.readings`.
    """

    def __init__(self, loaded: Loaded, speakers: Sequence[DecodingRow], gauges: Sequence[Projection] = ()) -> None:
        self.loaded = loaded
        self.gauges = tuple(gauges)
        self.steps = 0
        self._started = time.perf_counter()
        self._rows: list[_Row] = []
        for speaker in speakers:
            own = _row(speaker, speaker.edits, None)
            self._rows.append(own)
            # A gate is opened by what the unsteered model reads, token by token.
            if speaker.shadow or own.edits_gated:
                self._rows.append(_row(speaker, (), own))
        self._replies = {s.column: Detokenizer(loaded, s.column, s.sampling, s.prompt, s.said) for s in speakers}
        self._speakers = {s.column: s for s in speakers}
        self._kept = KeyValues(new_cache(loaded.model))
        #: Where its rows are while they step together with those of others, and what was computed there for the next step.
        self.shared: RowsTogether | None = None
        self._foreseen: tuple[Tensor, list[Mapping[str, float]]] | None = None
        self._edits = BatchEdits([row.edits for row in self._rows], loaded.device)
        #: Where each gate is open for the next token: a number a row [rows, 1, 1].
        self._opened: dict[GateProbe, Tensor] = {}
        self._next: Tensor | None = None
        #: The prompts while they are being read, how many positions of them were, and where their gates are open.
        self._padded: PaddedBatch | None = None
        self._read = 0
        self._begun = False
        self._gated: Opened = {}

    @property
    def done(self) -> bool:
        """Whether every column has finished."""
        return not self._rows

    @property
    def rows(self) -> int:
        """Rows still in the batch, shadows included."""
        return len(self._rows)

    def set_edits(self, column: int, edits: tuple[RowEdit, ...]) -> int | None:
        """Steer ``column`` in another way from the next token on; the index of that token, None when it has finished.

        The token about to be chosen next is predicted by a forward pass that has yet to run, so it is the first that is affected. A gate
        that comes now is closed for that token: what it reads of the one before was not kept.

        Raises:
            EditError: a gate, in a column that has had no shadow since its start.
        """
        for row in self._rows:
            if row.leader is None and row.speaker.column == column:
                if any(edit.gate for edit in edits) and not any(each.leader is row for each in self._rows):
                    raise EditError("A gate cannot begin while this column is being written; stop it and press Retry.")
                row.edits = edits
                self._edits = BatchEdits([each.edits for each in self._rows], self.loaded.device)
                if self.shared is not None:
                    self.shared.changed()
                return len(row.ids) - len(row.speaker.prompt)
        return None

    def stop(self, column: int | None = None) -> list[Event]:
        """End one column, or all, with what they have said so far."""
        events: list[Event] = []
        for each in [column] if column is not None else list(self._replies):
            reply = self._replies[each]
            if reply.reason is None and any(row.speaker.column == each for row in self._rows):
                events += [*reply.finish("stopped"), self._done(reply)]
        self._drop_finished()
        return events

    # ---------------------------------------------------------------------------------- for core.inference.shared_batch

    @property
    def joinable(self) -> bool:
        """Whether its next step is one token a row, which may be computed together with the rows of others."""
        return bool(self._rows) and self._next is not None and self._foreseen is None and self._kept.mergeable

    @property
    def beginning(self) -> bool:
        """Whether its next step is the first pass over its prompts, which may be read together with those of others."""
        unread = self._next is None and not self._read and self._foreseen is None
        return (
            unread
            and bool(self._rows)
            and not any(row.unpassed or row.edits_gated for row in self._rows)
            and self._kept.mergeable
        )

    @property
    def prompts(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """The prompt of each row, and what is said already behind it."""
        return [(row.speaker.prompt, row.speaker.said) for row in self._rows]

    def begun(self, kept: KeyValues, logits: Tensor, projections: list[Mapping[str, float]]) -> None:
        """Its prompts were read: what was kept of them, and what was computed for the first step."""
        self._kept, self._foreseen = kept, (logits, projections)
        self._read = max(len(prompt) + len(said) for prompt, said in self.prompts)

    @property
    def edits(self) -> list[tuple[RowEdit, ...]]:
        """What is done to each of its rows."""
        return [row.edits for row in self._rows]

    def upcoming(self) -> tuple[Tensor, Tensor]:
        """The tokens that are read next, and their positions: [rows, 1] each."""
        assert self._next is not None
        return self._next, torch.tensor([[len(row.ids) - 1] for row in self._rows], device=self.loaded.device)

    def opened(self, gate: GateProbe) -> Tensor:
        """Where a gate is open for the next token, or those that are read next: [rows, 1 or positions, 1]; one that is new is closed."""
        closed = torch.zeros(len(self._rows), 1, 1, device=self.loaded.device)
        return self._opened.get(gate, closed)

    @property
    def kept(self) -> KeyValues:
        """What its rows have kept while they are by themselves."""
        return self._kept

    @property
    def lengths(self) -> list[int]:
        """How many tokens each of its rows has."""
        return [len(row.ids) for row in self._rows]

    def give_up(self, shared: RowsTogether) -> None:
        """Its rows are in a batch with others from now on, which has what they kept."""
        self.shared, self._kept = shared, KeyValues({})

    def taken_back(self, kept: KeyValues) -> None:
        """Its rows are by themselves again."""
        self.shared, self._kept = None, kept

    def foresee(self, logits: Tensor, projections: list[Mapping[str, float]], caught: Mapping[int, Tensor]) -> None:
        """What was computed for the next step: logits [rows, vocabulary] in float32, readings, and residuals for the gates."""
        self._foreseen = logits, projections
        self._open(caught)

    # ------------------------------------------------------------------------------------------------------------ steps

    @torch.inference_mode()
    def step(self) -> list[Event]:
        """One forward pass and one token for every column that has not finished; of long prompts it takes several to come to the first.

        Between two passes whoever steps can see to others, and stop.
        """
        events: list[Event] = []
        if self._next is None:
            if not self._begun:
                self._begun = True
                events += [
                    Started(s.column, len(s.prompt), s.note, len(s.said), self.loaded.context)
                    for s in self._speakers.values()
                ]
            if any(row.unpassed for row in self._rows):
                self._pass_over()
                return events
            logits, projections = self._taken() or self._prefill()
            if self._padded is not None:
                return events
        else:
            logits, projections = self._taken() or self._decode()
        self.steps += 1
        chosen, forced = self._choose(logits)
        named = max(each.drawing.alternatives for each in self._speakers.values())
        readings = read_logits(self.loaded, logits, chosen, projections, named)
        by_leader = {id(row.leader): reading for row, reading in zip(self._rows, readings, strict=True) if row.leader}
        for row, token, reading, given in zip(self._rows, chosen, readings, forced, strict=True):
            row.ids.append(token)
            if row.leader is not None:
                continue
            reply = self._replies[row.speaker.column]
            events += reply.push(token, reading, by_leader.get(id(row)), given)
            if reply.reason is not None:
                events.append(self._done(reply))
        self._next = torch.tensor([[token] for token in chosen], device=self.loaded.device)
        self._drop_finished()
        return events

    def _taken(self) -> tuple[Tensor, list[Mapping[str, float]]] | None:
        """What was computed for this step beforehand, if it was."""
        found, self._foreseen = self._foreseen, None
        return found

    def _pass_over(self) -> None:
        """Draw what was drawn for tokens that an answer has already, so that it goes on as if it had not been cut off.

        How many random numbers a draw takes depends on the size of the vocabulary alone.
        """
        even = torch.ones(int(self.loaded.model.config.get_text_config().vocab_size))
        for row in self._rows:
            draws = min(row.unpassed, _DRAWS)
            for _ in range(draws):
                torch.multinomial(even, 1, generator=row.generator)
            row.unpassed -= draws

    def _prefill(self) -> tuple[Tensor, list[Mapping[str, float]]]:
        """Read the next part of the prompts; when they are read, there is no padded batch any more."""
        if self._padded is None:
            said = [row.speaker.said for row in self._rows]
            self._padded = pad_batch(self.loaded, [row.speaker.prompt for row in self._rows], said)
            self._gated = read_gates(self.loaded, self._padded, self._edits.gates, [len(each) for each in said])
        padded, width = self._padded, self._padded.ids.shape[1]
        part = max(1, PART * batch_rows(self.loaded) // len(self._rows)) if can_branch(self.loaded, width) else width
        begin, end = self._read, min(width, self._read + part)
        self._kept.attention = padded.attention[:, :end] if padded.attention is not None else None
        self._opened = {gate: opened[:, begin:end] for gate, opened in self._gated.items()}
        masks = {scope: mask[:, begin:end] for scope, mask in padded.masks.items() if mask is not None}
        found = self._forward(padded.ids[:, begin:end], padded.positions[:, begin:end], masks)
        self._read = end
        if end == width:
            self._padded, self._gated = None, {}
        return found

    def _decode(self) -> tuple[Tensor, list[Mapping[str, float]]]:
        kept = self._kept
        if kept.attention is not None:
            kept.attention = torch.cat([kept.attention, kept.attention.new_ones(len(self._rows), 1)], dim=1)
        return self._forward(*self.upcoming(), ONE_TOKEN)

    def _forward(self, ids: Tensor, positions: Tensor, masks: Masks) -> tuple[Tensor, list[Mapping[str, float]]]:
        """Logits [rows, vocabulary] in float32 and projections at the last position."""
        wanted = self._edits.gates
        actions = self._edits.actions(masks, {gate: self.opened(gate) for gate in wanted})
        layers = {*(each.layer for each in self.gauges), *(each.layer for each in wanted)}
        logits, caught = forward_rows(self.loaded, self._kept, ids, positions, actions, layers, begins=not self._read)
        self._open(caught)
        return logits, read_projections(self.gauges, caught, len(self._rows))

    def _open(self, caught: Mapping[int, Tensor]) -> None:
        """Where gates are open for the next token, by the residuals [rows, width] of a pass."""
        self._opened = {gate: self._unsteered(gate.opened(caught[gate.layer])) for gate in self._edits.gates}

    def _unsteered(self, opened: Tensor) -> Tensor:
        """What was read of every row [rows], each row's own put by that of its shadow: [rows, 1, 1]."""
        shadows = {id(row.leader): index for index, row in enumerate(self._rows) if row.leader is not None}
        places = [shadows.get(id(row), index) for index, row in enumerate(self._rows)]
        return opened[torch.tensor(places, device=opened.device)][:, None, None]

    def _choose(self, logits: Tensor) -> tuple[list[int], list[bool]]:
        """The next token of every row, and whether it was given instead of chosen."""
        logits = sayable(self.loaded, logits)
        best = logits.max(-1)
        check_finite(self.loaded, best.values, [bool(row.edits) for row in self._rows])
        greedy = best.indices.tolist()
        chosen: dict[int, tuple[int, bool]] = {}
        for index, row in enumerate(self._rows):
            if row.leader is None:
                given = bool(row.forced)
                token = row.forced.popleft() if given else _sample(row, logits[index], greedy[index])
                chosen[id(row)] = (token, given)
        both = [chosen[id(row.leader or row)] for row in self._rows]
        return [token for token, _ in both], [given for _, given in both]

    def _done(self, reply: Detokenizer) -> Done:
        assert reply.reason is not None
        return Done(reply.column, reply.reason, reply.count, time.perf_counter() - self._started)

    def _drop_finished(self) -> None:
        """Take finished columns and their shadows out of the batch, so that they cost nothing more."""
        keep = [index for index, row in enumerate(self._rows) if self._replies[row.speaker.column].reason is None]
        if len(keep) == len(self._rows):
            return
        before, self._rows = len(self._rows), [self._rows[index] for index in keep]
        if self.shared is not None:
            self.shared.drop(self, before, keep)
        if not keep:
            return
        if self._next is None:
            # Those that go on read their prompts anew: what was read was padded for all.
            self._padded, self._read, self._kept = None, 0, KeyValues(new_cache(self.loaded.model))
            self._foreseen = None
        else:
            kept = torch.tensor(keep, device=self.loaded.device)
            self._next = self._next[kept]
            if self.shared is None:
                self._kept.keep(keep)
            if self._foreseen is not None:
                logits, projections = self._foreseen
                self._foreseen = logits[kept], [projections[index] for index in keep]
            self._opened = {gate: opened[kept.to(opened.device)] for gate, opened in self._opened.items()}
        self._edits = BatchEdits([row.edits for row in self._rows], self.loaded.device)


def _row(speaker: DecodingRow, edits: tuple[RowEdit, ...], leader: _Row | None) -> _Row:
    # The random numbers are drawn on the CPU, so that a seed gives the same reply wherever the model runs.
    generator = torch.Generator().manual_seed(speaker.sampling.seed)
    return _Row(
        speaker,
        edits,
        leader,
        [*speaker.prompt, *speaker.said],
        deque(speaker.forced),
        logits_processors(speaker.sampling, speaker.drawing, len(speaker.prompt)),
        generator,
        len(speaker.said) if leader is None and speaker.sampling.temperature > 0 else 0,
    )


def _sample(row: _Row, logits: Tensor, greedy: int) -> int:
    if not row.processors:
        return greedy
    scores = row.processors(torch.tensor([row.ids], device=logits.device), logits[None].clone())  # type: ignore[arg-type]
    if row.speaker.sampling.temperature == 0:
        return int(scores[0].argmax())
    chances = scores[0].softmax(-1).cpu()
    return int(torch.multinomial(chances, 1, generator=row.generator))
