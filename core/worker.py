"""What the engine's thread does: it owns the models and gives every active run one step in turn."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from core import knowledge, lessons, loading, logit_lens, prompts, stages, store
from core.active import Active
from core.background import Background
from core.blame_report import Ask, Report
from core.blame_study import study
from core.blamer import Blamer
from core.edits import check_fit, compile_recipe
from core.engine import Command, Run
from core.errors import TillerError
from core.events import Done, Event, Failed, PromptView, RecipeChanged, Scores, Status
from core.families import Family
from core.gauges import Gauge, gauge
from core.generation import Speaker, Stream
from core.jobs import Job, offered
from core.lessons import Lesson
from core.lineup import shelved
from core.loading import Loaded
from core.map_jobs import MapJob
from core.map_work import MapWork
from core.maps import Map, Traced, Words
from core.plan import Placing
from core.recipes import Recipe
from core.scoring import score
from core.shelf import NoRoomNow, Shelf
from core.sources import LoadingCancelled
from core.stages import Noise
from core.steps import Learning
from core.store import Direction
from core.threads import choose
from core.values import Settings

_log = logging.getLogger(__name__)


class Worker:
    """Models, directions and active runs. Everything here happens on the engine's thread."""

    def __init__(
        self,
        family: Family,
        placing: Placing,
        threads: int,
        publish: Callable[[Status], None],
        cancel_loading: threading.Event,
        measured: Callable[[str, float], None] = lambda _checkpoint, _seconds: None,
        calibrated: Callable[[str, Noise], None] = lambda _checkpoint, _noise: None,
    ) -> None:
        self.family = family
        self.device = str(loading.pick_device(placing.device))
        self.threads = threads or loading.threads()
        self._measure_threads = threads == 0
        torch.set_num_threads(self.threads)
        self._publish = publish
        self.shelf = Shelf(
            family,
            placing,
            busy=self._busy,
            say=lambda sentence, part: self._say("loading", sentence, part),
            cancel=cancel_loading,
        )
        self.blamer = Blamer(family, self.shelf, calibrated)
        self._plan = self._said = ""
        self._directions: dict[Path, tuple[float, Direction]] = {}
        self._runs: list[Active] = []
        self._speed: float | None = None
        self._lessons: deque[Background[Any]] = deque()
        self._measured = measured
        self._measuring: dict[str, Iterator[float | None]] = {}

    # ------------------------------------------------------------------------------------------------------- resources

    def open(self, wanted: Callable[[], bool]) -> None:
        """Say what the family takes and load its final checkpoint, unless that is cancelled. Raises LoadError."""
        plan = self.shelf.plan()
        self._plan = str(plan) if plan.large else ""
        try:
            self.load(self.family.final.name, wanted)
        except LoadingCancelled as error:
            self._say("ready", str(error))
        else:
            self.blamer.expect()
            self._say_now()

    def load(self, name: str, wanted: Callable[[], bool] = lambda: True) -> Loaded:
        """A checkpoint, from memory or from disk, as long as it is ``wanted``. Raises LoadError."""
        new = name not in self.shelf.names
        loaded = self.shelf.get(name, wanted)
        if self._measure_threads:
            self._measure_threads = False
            self.threads = choose(loaded)
        if new and (kinds := offered(self.family, name)):
            self._measuring[name] = lessons.estimate(self.family, loaded, kinds)
        return loaded

    def _busy(self) -> set[str]:
        """The checkpoints that something is computing with."""
        answering = {name for active in self._runs for name in active.streams}
        answering |= {name for active in self._runs for each in active.blaming.values() for name in each.names}
        return answering.union(*(lesson.busy for lesson in self._lessons))

    def direction(self, name: str, checkpoint: str) -> Direction:
        """A direction learnt on a checkpoint of the family, read again when its file has changed. Raises TillerError."""
        if "/" not in checkpoint:
            self.family.checkpoint(checkpoint)
        path = store.find(self.family.name, checkpoint, "direction", name, self.family.folder)
        if path is None and "/" in checkpoint:
            raise store.not_mapped(self.family.name, name, *checkpoint.split(">"))
        if path is None:
            raise TillerError(f"{checkpoint} has no direction {name!r}; launch.py precompute learns refusal and truth.")
        changed = path.stat().st_mtime
        if self._directions.get(path, (None, None))[0] != changed:
            self._directions[path] = (changed, store.load_direction(path))
        return self._directions[path][1]

    def gauges(self, loaded: Loaded) -> tuple[tuple[Gauge, ...], str]:
        """A gauge for every direction of a checkpoint, and sentences on those that cannot be read: a chat goes on without them."""
        found: list[Gauge] = []
        refused: list[str] = []
        learnt_on = self.family.directions_of(loaded.checkpoint.name)
        for card in store.cards(self.family.name, learnt_on, folder=self.family.folder):
            try:
                direction = self.direction(card.name, learnt_on)
                check_fit(direction, loaded)
            except TillerError as error:
                refused.append(f"No readings of {card.name}: {error}")
            else:
                found.append(gauge(direction, device=loaded.device))
        return tuple(found), " ".join(refused)

    def prompt(self, settings: Settings, column: int) -> PromptView:
        """The exact prompt of a column. Raises TillerError."""
        loaded = self.load(settings.columns[column].checkpoint)
        return prompts.build(loaded, settings, column).view(loaded)

    # ------------------------------------------------------------------------------------------------------------ loop

    def serve(self, commands: queue.Queue[Command | None], closed: threading.Event) -> None:
        """Take commands and step runs until the engine is closed."""
        while not closed.is_set():
            steppable = self._steppable()
            idle = not (steppable or self._lesson() or self._measuring or self.blamer.waiting)
            for command in _waiting(commands, wait=idle, paused=bool(self._runs)):
                if command is None:
                    continue
                if closed.is_set():
                    command.refuse("Tiller is closing; start it again to go on.")
                else:
                    command.act(self)
            chats = self._steppable()
            for active in chats:
                if not closed.is_set():
                    self._step(active)
            if not chats and not closed.is_set():
                self._learn()
            self._settle()
        for active in self._runs:
            self._end_early(active)
        for lesson in self._lessons:
            lesson.end("cancelled", "Tiller was closed; what was found out is kept for the next time.")

    # ------------------------------------------------------------------------------------------------------- learning

    def learn(self, job: Job) -> None:
        """Begin a job behind those that have begun before; chats go first."""
        self._lessons.append(Lesson(job, self.family, self.load))

    def trace(self, job: MapJob) -> None:
        """Begin knowledge maps behind what has begun before; chats go first."""
        self._lessons.append(MapWork(job, self.family, self.shelf, self.load))

    def cell(self, traced: Traced, shown: Map, layer: int, column: int) -> Words:
        """The logit lens on a cell of a map. Raises TillerError."""
        return knowledge.cell(self.family, traced, shown, layer, column, self.load)

    def lens(self, settings: Settings, column: int, reply: tuple[int, ...], index: int) -> Words:
        """The logit lens on a token of a column's answer, plain and steered. Raises TillerError."""
        chosen = settings.columns[column]
        loaded = self.load(chosen.checkpoint)
        edits = compile_recipe(chosen.recipe, loaded, self.direction)
        found = logit_lens.of_token(loaded, prompts.build(loaded, settings, column).ids, reply, index, edits)
        return found if edits else replace(found, note="The column has no recipe, so there is only the plain model.")

    def _learn(self) -> None:
        """A slice of what is learnt, else of measuring how long it would take."""
        lesson = self._lesson()
        if lesson is not None:
            lesson.step()
            if lesson.over:
                self._lessons.remove(lesson)
                self._say_now()
        elif self._measuring:
            self._measure(next(iter(self._measuring)))
        elif self.blamer.waiting:
            self.blamer.measure()

    def _lesson(self) -> Background[Any] | None:
        """Whose turn it is: one that was cancelled, else the first, unless it waits for the memory of a chat."""
        cancelled = (each for each in self._lessons if each.cancelled)
        found = next(cancelled, next(iter(self._lessons), None))
        waits = found is not None and found.blocked and self._runs and not found.cancelled
        return None if waits else found

    def _measure(self, name: str) -> None:
        slices = self._measuring[name]
        try:
            seconds = next(slices)
        except Exception as error:
            # Whatever is wrong with the examples or the model is said to whoever asks to learn from them.
            _log.info("How long learning on %s takes could not be measured: %s", name, error)
            del self._measuring[name]
            return
        if seconds is not None:
            self._measured(name, seconds)
            del self._measuring[name]

    def study(self, ask: Ask) -> Learning[Report]:
        """Find out which stages some answers are owed to, in slices between which chats go on. Raises TillerError."""
        final = stages.path(self.family, ask.checkpoint, ask.path).final
        return study(self.family, ask, shelved(self.shelf, final))

    def start(self, run: Run) -> None:
        """Begin a run; what stands in the way becomes its Failed event."""
        if run.cancelled.is_set():
            # Nobody wants it any more: no checkpoint is loaded for it.
            for column in run.columns:
                run.publish(Done(column, "stopped", 0, 0.0))
            run.end()
            return
        active = Active(run)
        self._runs.append(active)
        self._tried(active, lambda: self._activate(active))
        self._say_now()

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
            for note in self.blamer.give(active):
                active.run.publish(note)
            return
        active.waiting = list(dict.fromkeys(settings.columns[column].checkpoint for column in active.run.columns))
        self._fill(active)

    def _fill(self, active: Active) -> None:
        """Start the streams of a run's checkpoints: of all that there is room for, and of the next ones when these are done."""
        run = active.run
        while active.waiting:
            checkpoint = active.waiting[0]
            try:
                loaded = self.load(checkpoint, lambda: not run.cancelled.is_set())
            except NoRoomNow:
                if any(lesson.suspend("Waiting for memory that a chat uses now.") for lesson in self._lessons):
                    continue
                others = [each for each in self._runs if each is not active and each.streams]
                if not active.streams and not others:
                    raise
                active.blocked = frozenset(name for each in self._runs for name in each.streams)
                active.note = "There is no room for all checkpoints at once, so that they answer in turn."
                return
            active.blocked = None
            self._begin(active, checkpoint, loaded)
            active.waiting.pop(0)

    def _begin(self, active: Active, checkpoint: str, loaded: Loaded) -> None:
        run = active.run
        gauges, refused = self.gauges(loaded)
        notes = " ".join(part for part in (active.note, refused) if part)
        speakers = [
            self._speaker(run, column, loaded, notes)
            for column in run.columns
            if run.settings.columns[column].checkpoint == checkpoint
        ]
        active.streams[checkpoint] = Stream(loaded, speakers, gauges)
        active.prompts |= {speaker.column: speaker.prompt for speaker in speakers}

    def _speaker(self, run: Run, column: int, loaded: Loaded, refused: str) -> Speaker:
        recipe = run.settings.columns[column].recipe
        built = prompts.build(loaded, run.settings, column)
        # The selected column may be steered while it runs, so its shadow starts with it; scrubbed answers get theirs afterwards.
        shadow = not run.scrub and (bool(recipe) or column == run.settings.selected)
        edits = compile_recipe(recipe, loaded, self.direction)
        prefix = run.prefixes.get(column, ())
        if not all(0 <= token < int(loaded.model.config.get_text_config().vocab_size) for token in prefix):
            raise TillerError(
                f"{loaded.checkpoint.name} does not know this answer's tokens; retry it instead of continuing it."
            )
        note = " ".join(part for part in (built.note, refused) if part)
        return Speaker(column, built.ids, edits, run.settings.sampling, shadow, prefix, note)

    def _steppable(self) -> list[Active]:
        """The runs whose turn it is: those that somebody reads, chats before scrubbing; a cancelled one always, to be freed."""
        held = frozenset(name for each in self._runs for name in each.streams)
        alive = [
            active
            for active in self._runs
            if active.run.cancelled.is_set()
            or not (active.run.crowded or (not active.streams and active.blocked == held))
        ]
        first = [active for active in alive if not active.run.patient or active.run.cancelled.is_set()]
        return first or alive

    def _step(self, active: Active) -> None:
        self._tried(active, lambda: self._advance(active))
        if active not in self._runs:
            self._say_now()

    def _advance(self, active: Active) -> None:
        if active.run.cancelled.is_set():
            active.publish(active.stopped())
            active.waiting.clear()
        else:
            events = self._change_recipes(active)
            events += [event for stream in active.streams.values() if not stream.done for event in stream.step()]
            active.publish(events)
            for event in (*self.blamer.hear(active, events), *self.blamer.step(active)):
                active.run.publish(event)
        if all(stream.done for stream in active.streams.values()):
            if active.waiting:
                # Their memory goes to the checkpoints that have waited for it.
                active.streams.clear()
                self._fill(active)
            elif not self.blamer.pending(active):
                self._finish(active)

    def _forget(self, active: Active) -> None:
        self._runs = [each for each in self._runs if each is not active]

    def _end_early(self, active: Active) -> None:
        """Stop a run because the engine closes or nobody waits for it: what was said stays, every unfinished column is done."""
        active.publish(active.stopped())
        for event in active.held:
            active.run.publish(event)
        active.run.end()

    def _change_recipes(self, active: Active) -> list[Event]:
        events: list[Event] = []
        while active.run.changes:
            column, recipe = active.run.changes.popleft()
            events += self._change_recipe(active, column, recipe)
        return events

    def _change_recipe(self, active: Active, column: int, recipe: Recipe) -> list[Event]:
        stream = active.streams.get(active.run.settings.columns[column].checkpoint)
        if stream is None:
            # Its checkpoint waits for its turn, and will start with this recipe; or has had it.
            settings = active.run.settings
            active.run.settings = settings.with_column(replace(settings.columns[column], recipe=recipe), column)
            return (
                [RecipeChanged(column, 0, str(recipe))] if settings.columns[column].checkpoint in active.waiting else []
            )
        index = stream.set_edits(column, compile_recipe(recipe, stream.loaded, self.direction))
        return [] if index is None else [RecipeChanged(column, index, str(recipe))]

    def _finish(self, active: Active) -> None:
        self._forget(active)
        if active.run.scrub:
            self._score_shadows(active)
        seconds = active.answered - active.started
        if active.tokens and not active.run.scrub:
            self._speed = active.tokens / seconds
        active.run.end()
        self._say_now()

    def _score_shadows(self, active: Active) -> None:
        """The unsteered checkpoint's readings of every scrubbed answer, in one forward pass, then the events held back.

        Answers that were stopped are not scored: nobody will look at them.
        """
        for stream in active.streams.values() if not active.run.cancelled.is_set() else ():
            columns = sorted(active.said)
            replies = [[token.id for token in active.said[column]] for column in columns]
            asked = [active.prompts[column] for column in columns]
            readings = score(stream.loaded, asked, replies, gauges=stream.gauges)
            for column, own in zip(columns, readings, strict=True):
                active.run.publish(Scores(column, "shadow", own))
        for event in active.held:
            active.run.publish(event)

    def _broken(self, run: Run, error: Exception) -> None:
        """A fault of ours or of a library's: logged whole, and said in one sentence."""
        _log.error("A run failed.", exc_info=error)
        reason = " ".join(str(error).split())[:200]
        run.publish(
            Failed(
                f"The model stopped with an error ({type(error).__name__}: {reason}); the chat is kept, try again or restart Tiller."
            )
        )
        run.end()

    def _say_now(self) -> None:
        self._say("busy" if self._runs else "ready", "Answering." if self._runs else "Ready.")

    def _settle(self) -> None:
        """What was loaded in this turn is there, for whatever it was: nothing is loading between turns."""
        if self._said == "loading":
            self._say_now()

    def _say(self, state: str, detail: str, progress: float | None = None) -> None:
        assert state in ("loading", "ready", "busy")
        self._said = state
        self._publish(Status(state, detail, progress, self._speed, self.device, self.threads, self._plan))  # type: ignore[arg-type]


def _waiting(commands: queue.Queue[Command | None], wait: bool, paused: bool) -> list[Command | None]:
    """The commands that are there; waits for one when there is nothing else to do, shortly when runs wait for their readers."""
    found: list[Command | None] = []
    try:
        if wait:
            found.append(commands.get(timeout=0.02 if paused else None))
        while True:
            found.append(commands.get_nowait())
    except queue.Empty:
        return found
