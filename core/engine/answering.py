"""The runs that are being answered, on the engine's thread: begun, given one step in turn, steered on the way, and ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from core.artefacts.direction import Direction
from core.chat.beginnings import NO_ROOM_TO_GO_ON, AlreadySaid, WrittenText
from core.chat.events import Done, Event, Failed, RecipeChanged, Scores
from core.chat.settings import Sampling
from core.engine.active_run import Active
from core.engine.attribution import Attribution
from core.engine.run import Run
from core.errors import TillerError
from core.families.checkpoint import Family
from core.inference import prompts
from core.inference.batch import check_tokens
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.shared_batch import SharedBatch, beginnings, share
from core.inference.teacher_forcing import score_replies
from core.models.files import LoadingCancelled
from core.models.loading import Loaded, seen_by
from core.models.pool import NoRoomNow
from core.recipes.language import Recipe
from core.steering.interventions import compile_recipe
from core.steering.readings import Projection
from core.util.faults import fault
from core.util.limits import MAX_TOKENS


class Answering:
    """The runs of one engine.

    ``load`` gives a checkpoint as long as it is wanted, ``direction`` and ``gauges`` what recipes and readings need, and ``make_room``
    takes memory from what goes on in the background: whether there was any to take.
    """

    def __init__(
        self,
        load: Callable[[str, Callable[[], bool]], Loaded],
        direction: Callable[[Family, str, str], Direction],
        gauges: Callable[[Loaded], tuple[tuple[Projection, ...], str]],
        blamer: Attribution,
        make_room: Callable[[], bool],
    ) -> None:
        self._load, self._direction, self._gauges = load, direction, gauges
        self._blamer, self._make_room = blamer, make_room
        self.runs: list[Active] = []
        #: What answers several runs of one model together.
        self._batches: list[SharedBatch] = []
        #: Tokens a second of the last answer.
        self.speed: float | None = None

    @property
    def busy(self) -> set[str]:
        """The checkpoints that a run is computing with, which must not be given up."""
        answering = {name for active in self.runs for name in active.streams}
        return answering | {name for active in self.runs for each in active.blaming.values() for name in each.names}

    def start(self, run: Run) -> None:
        """Begin a run; what stands in the way becomes its Failed event."""
        if run.cancelled.is_set():
            # Nobody wants it any more: no checkpoint is loaded for it.
            for column in run.columns:
                run.publish(Done(column, "stopped", 0, 0.0))
            run.end()
            return
        active = Active(run)
        self.runs.append(active)
        self._tried(active, lambda: self._activate(active))

    def steppable(self) -> list[Active]:
        """The runs whose turn it is: those that somebody reads, chats before scrubbing; a cancelled one always, to be freed."""
        held = frozenset(name for each in self.runs for name in each.streams)
        alive = [
            active
            for active in self.runs
            if active.run.cancelled.is_set()
            or not (active.run.crowded or (not active.streams and active.blocked == held))
        ]
        first = [active for active in alive if not active.run.patient or active.run.cancelled.is_set()]
        return first or alive

    def foresee(self, actives: Sequence[Active]) -> None:
        """Before these runs take their step: compute together what comes next of all that one model is writing."""
        for active in actives:
            if not active.run.cancelled.is_set():
                self._tried(active, partial(self._change_recipes, active))
        streams = {
            stream: active
            for active in actives
            if active in self.runs and not active.run.cancelled.is_set()
            for stream in active.streams.values()
        }
        shared = share(self._batches, streams)
        self._batches = [batch for batch, _ in shared]
        together: list[tuple[list[BatchDecoder], Callable[[], None]]] = [
            (members, partial(batch.step, members)) for batch, members in shared
        ]
        for members, work in [*together, *beginnings(streams)]:
            try:
                work()
            except Exception as error:
                # What was begun to be kept of each is of no use any more.
                for active in dict.fromkeys(streams[each] for each in members):
                    self._forget(active)
                    self._broken(active.run, error)

    def step(self, active: Active) -> None:
        """One forward pass of each checkpoint that a run needs; a run that is complete, or cannot go on, is none of :attr:`runs` then."""
        self._tried(active, lambda: self._advance(active))

    def close(self) -> None:
        """End every run because the engine closes."""
        for active in self.runs:
            self._end_early(active)

    def _tried(self, active: Active, work: Callable[[], object]) -> None:
        """Do a part of a run; what stands in its way becomes its Failed event."""
        run = active.run
        try:
            work()
        except LoadingCancelled as error:
            self._forget(active)
            if run.cancelled.is_set():
                self._end_early(active)
            else:
                run.publish(Failed(str(error)))
                run.end()
        except TillerError as error:
            self._forget(active)
            run.publish(Failed(str(error)))
            run.end()
        except Exception as error:
            self._forget(active)
            self._broken(run, error)

    def _activate(self, active: Active) -> None:
        settings = active.run.settings
        if active.run.given is not None:
            for note in self._blamer.give(active):
                active.run.publish(note)
            return
        active.waiting = list(dict.fromkeys(settings.columns[column].checkpoint for column in active.run.columns))
        self._fill(active)

    def _fill(self, active: Active) -> None:
        """Start the streams of a run's checkpoints: of all that there is room for, and of the next ones when these are done."""
        run = active.run
        # Whoever has left meanwhile is not answered; the next step ends the run.
        while active.waiting and not run.cancelled.is_set():
            checkpoint = active.waiting[0]
            try:
                loaded = self._load(checkpoint, lambda: not run.cancelled.is_set())
            except NoRoomNow:
                if self._make_room():
                    continue
                others = [each for each in self.runs if each is not active and each.streams]
                if not active.streams and not others:
                    raise
                active.blocked = frozenset(name for each in self.runs for name in each.streams)
                active.note = "There is no room for all checkpoints at once, so that they answer in turn."
                return
            active.blocked = None
            self._begin(active, checkpoint, seen_by(run.family, loaded))
            active.waiting.pop(0)

    def _begin(self, active: Active, checkpoint: str, loaded: Loaded) -> None:
        run = active.run
        gauges, refused = self._gauges(loaded)
        notes = " ".join(part for part in (active.note, refused) if part)
        speakers = [
            self._speaker(run, column, loaded, notes)
            for column in run.columns
            if run.settings.columns[column].checkpoint == checkpoint
        ]
        active.streams[checkpoint] = BatchDecoder(loaded, speakers, gauges)
        active.prompts |= {speaker.column: speaker.prompt for speaker in speakers}

    def _speaker(self, run: Run, column: int, loaded: Loaded, refused: str) -> DecodingRow:
        recipe = run.settings.columns[column].recipe
        built = prompts.build(loaded, run.settings, column)
        # The selected column may be steered while it runs, so its shadow starts with it; scrubbed answers get theirs afterwards.
        shadow = run.shadows and not run.scrub and (bool(recipe) or column == run.settings.selected)
        edits = compile_recipe(recipe, loaded, partial(self._direction, run.family))
        check_tokens(loaded, [token for token, _ in run.drawing.logit_bias])
        forced, said, sampling = _begun(run, column, loaded, loaded.context - len(built.ids))
        note = " ".join(part for part in (built.note, refused) if part)
        return DecodingRow(column, built.ids, edits, sampling, shadow, forced, note, said, run.drawing)

    def _advance(self, active: Active) -> None:
        if active.run.cancelled.is_set():
            active.publish(active.stopped())
            active.waiting.clear()
        else:
            self._change_recipes(active)
            events, active.changed = active.changed or [], None
            events += [event for stream in active.streams.values() if not stream.done for event in stream.step()]
            events = [_own_words(active.run, event) for event in events]
            active.publish(events)
            for event in (*self._blamer.hear(active, events), *self._blamer.step(active)):
                active.run.publish(event)
        if all(stream.done for stream in active.streams.values()):
            if active.waiting:
                # Their memory goes to the checkpoints that have waited for it.
                active.streams.clear()
                self._fill(active)
            elif not self._blamer.pending(active):
                self._finish(active)

    def _forget(self, active: Active) -> None:
        self.runs = [each for each in self.runs if each is not active]
        # A batch that nobody is in any more would keep its model in memory.
        for batch in self._batches:
            batch.forget(active.streams.values())
        self._batches = [each for each in self._batches if each.members]

    def _end_early(self, active: Active) -> None:
        """Stop a run because the engine closes or nobody waits for it: what was said stays, every unfinished column is done."""
        active.publish(active.stopped())
        for event in active.held:
            active.run.publish(event)
        active.run.end()

    def _change_recipes(self, active: Active) -> None:
        """Take the recipes that a person gave, once before a step: none comes between a step and what was computed for it."""
        if active.changed is not None:
            return
        active.changed = []
        while active.run.changes:
            column, recipe = active.run.changes.popleft()
            active.changed += self._change_recipe(active, column, recipe)

    def _change_recipe(self, active: Active, column: int, recipe: Recipe) -> list[Event]:
        stream = active.streams.get(active.run.settings.columns[column].checkpoint)
        if stream is None:
            # Its checkpoint waits for its turn, and will start with this recipe; or has had it.
            settings = active.run.settings
            active.run.settings = settings.with_column(replace(settings.columns[column], recipe=recipe), column)
            return (
                [RecipeChanged(column, 0, str(recipe))] if settings.columns[column].checkpoint in active.waiting else []
            )
        index = stream.set_edits(
            column, compile_recipe(recipe, stream.loaded, partial(self._direction, active.run.family))
        )
        return [] if index is None else [RecipeChanged(column, index, str(recipe))]

    def _finish(self, active: Active) -> None:
        self._forget(active)
        if active.run.scrub:
            self._score_shadows(active)
        seconds = active.answered - active.started
        if active.tokens and not active.run.scrub:
            self.speed = active.tokens / seconds
        for column, blaming in active.blaming.items():
            if not blaming.over:
                # It was stopped: nothing more is to be waited for.
                active.run.publish(Scores(column, "blame"))
        active.run.end()

    def _score_shadows(self, active: Active) -> None:
        """The unsteered checkpoint's readings of every scrubbed answer, in one forward pass, then the events held back.

        Answers that were stopped are not scored: nobody will look at them.
        """
        for stream in active.streams.values() if not active.run.cancelled.is_set() else ():
            columns = sorted(active.said)
            replies = [[token.id for token in active.said[column]] for column in columns]
            asked = [active.prompts[column] for column in columns]
            readings = score_replies(stream.loaded, asked, replies, gauges=stream.gauges)
            for column, own in zip(columns, readings, strict=True):
                active.run.publish(Scores(column, "shadow", own))
        for event in active.held:
            active.run.publish(event)

    def _broken(self, run: Run, error: Exception) -> None:
        """A fault of ours or of a library's: written down whole, and said in one sentence."""
        run.publish(Failed(fault("The model", error, "the chat is kept"), fault=True))
        run.end()


def _own_words(run: Run, event: Event) -> Event:
    """An event; that a reply ends which a person wrote alone, is no limit's doing."""
    if not isinstance(event, Done) or event.reason != "length":
        return event
    begins = run.prefixes.get(event.column)
    return replace(event, reason="written") if isinstance(begins, WrittenText) and begins.alone else event


def _begun(run: Run, column: int, loaded: Loaded, room: int) -> tuple[tuple[int, ...], tuple[int, ...], Sampling]:
    """How a column's reply begins: the token ids that are given, those that stand already, and the sampling with as long an answer as
    is then allowed. ``room`` is what the context holds beside the prompt."""
    begins, sampling = run.prefixes.get(column, ()), run.settings.sampling
    if isinstance(begins, WrittenText):
        # As in a message, what is written like a control token is text.
        written = loaded.tokenized(begins.text, add_special_tokens=False, split_special_tokens=True)
        ids = tuple(written["input_ids"])
        # Said before its tokens are read one by one, for nothing.
        if len(ids) + (not begins.alone) > min(MAX_TOKENS, room):
            raise TillerError(NO_ROOM_TO_GO_ON)
        more = 0 if begins.alone else sampling.max_new_tokens
        return ids, (), replace(sampling, max_new_tokens=min(MAX_TOKENS, max(1, len(ids) + more)))
    ids = begins.ids if isinstance(begins, AlreadySaid) else begins
    if not all(0 <= token < int(loaded.model.config.get_text_config().vocab_size) for token in ids):
        raise TillerError(
            f"{loaded.checkpoint.name} does not know this answer's tokens; retry it instead of continuing it."
        )
    if not isinstance(begins, AlreadySaid):
        return ids, (), sampling
    if len(ids) >= MAX_TOKENS:
        raise TillerError(f"An answer has at most {MAX_TOKENS:,} tokens; ask for the rest in a new message.")
    return (), ids, replace(sampling, max_new_tokens=min(MAX_TOKENS, len(ids) + sampling.max_new_tokens))
