"""What the engine's thread does: it owns the models and gives every active run one step in turn."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from core import loading, prompts, store
from core.edits import check_fit, compile_recipe
from core.engine import Command, Run
from core.errors import TillerError
from core.events import Done, Event, Failed, PromptView, RecipeChanged, Scores, Status, Token
from core.families import Family
from core.gauges import Gauge, gauge
from core.generation import Speaker, Stream
from core.loading import Loaded
from core.recipes import Recipe
from core.scoring import score
from core.store import Direction
from core.threads import choose
from core.values import Settings

_log = logging.getLogger(__name__)


class Worker:
    """Models, directions and active runs. Everything here happens on the engine's thread."""

    def __init__(
        self, family: Family, device: str, dtype: str, threads: int, publish: Callable[[Status], None]
    ) -> None:
        self.family = family
        self.device = str(loading.pick_device(device))
        self.dtype = dtype
        self.threads = threads or loading.threads()
        self._measure_threads = threads == 0
        torch.set_num_threads(self.threads)
        self._publish = publish
        self._loaded: dict[str, Loaded] = {}
        self._directions: dict[Path, tuple[float, Direction]] = {}
        self._runs: list[_Active] = []
        self._speed: float | None = None

    # ------------------------------------------------------------------------------------------------------- resources

    def load(self, name: str) -> Loaded:
        """A checkpoint, from memory or from disk. Raises LoadError."""
        if name not in self._loaded:
            self._say("loading", f"Loading {self.family.title} {self.family.checkpoint(name).name}.")
            self._loaded[name] = loading.load(self.family, name, device=self.device, dtype=self.dtype)
            if self._measure_threads:
                self._measure_threads = False
                self.threads = choose(self._loaded[name])
        return self._loaded[name]

    def direction(self, name: str, checkpoint: str) -> Direction:
        """A direction learnt on a checkpoint of the family, read again when its file has changed. Raises TillerError."""
        self.family.checkpoint(checkpoint)
        path = store.find(self.family.name, checkpoint, "direction", name, self.family.folder)
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
        self._say("ready", "Ready.")
        while not closed.is_set():
            steppable = self._steppable()
            for command in _waiting(commands, wait=not steppable, paused=bool(self._runs)):
                if command is None:
                    continue
                if closed.is_set():
                    command.refuse("Tiller is closing; start it again to go on.")
                else:
                    command.act(self)
            for active in self._steppable():
                if not closed.is_set():
                    self._step(active)
        for active in self._runs:
            self._end_early(active)

    def start(self, run: Run) -> None:
        """Begin a run; what stands in the way becomes its Failed event."""
        if run.cancelled.is_set():
            # Nobody wants it any more: no checkpoint is loaded for it.
            for column in run.columns:
                run.publish(Done(column, "stopped", 0, 0.0))
            run.end()
            return
        try:
            self._runs.append(self._activate(run))
        except TillerError as error:
            run.publish(Failed(str(error)))
            run.end()
        except Exception as error:
            self._broken(run, error)
        self._say_now()

    def _activate(self, run: Run) -> _Active:
        active = _Active(run)
        for checkpoint in dict.fromkeys(run.settings.columns[column].checkpoint for column in run.columns):
            loaded = self.load(checkpoint)
            gauges, refused = self.gauges(loaded)
            speakers = [
                self._speaker(run, column, loaded, refused)
                for column in run.columns
                if run.settings.columns[column].checkpoint == checkpoint
            ]
            active.streams[checkpoint] = Stream(loaded, speakers, gauges)
            active.prompts |= {speaker.column: speaker.prompt for speaker in speakers}
        return active

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

    def _steppable(self) -> list[_Active]:
        """The runs whose turn it is: those that somebody reads, chats before scrubbing; a cancelled one always, to be freed."""
        alive = [active for active in self._runs if not active.run.crowded or active.run.cancelled.is_set()]
        first = [active for active in alive if not active.run.scrub or active.run.cancelled.is_set()]
        return first or alive

    def _step(self, active: _Active) -> None:
        run = active.run
        try:
            if run.cancelled.is_set():
                events = [event for stream in active.streams.values() for event in stream.stop()]
            else:
                events = self._change_recipes(active)
                events += [event for stream in active.streams.values() if not stream.done for event in stream.step()]
            active.publish(events)
            if all(stream.done for stream in active.streams.values()):
                self._finish(active)
        except TillerError as error:
            self._forget(active)
            run.publish(Failed(str(error)))
            run.end()
            self._say_now()
        except Exception as error:
            self._forget(active)
            self._broken(run, error)
            self._say_now()

    def _forget(self, active: _Active) -> None:
        self._runs = [each for each in self._runs if each is not active]

    def _end_early(self, active: _Active) -> None:
        """Stop a run because the engine closes: what was said stays, every unfinished column is done."""
        active.publish([event for stream in active.streams.values() for event in stream.stop()])
        for event in active.held:
            active.run.publish(event)
        active.run.end()

    def _change_recipes(self, active: _Active) -> list[Event]:
        events: list[Event] = []
        while active.run.changes:
            column, recipe = active.run.changes.popleft()
            events += self._change_recipe(active, column, recipe)
        return events

    def _change_recipe(self, active: _Active, column: int, recipe: Recipe) -> list[Event]:
        stream = active.streams[active.run.settings.columns[column].checkpoint]
        index = stream.set_edits(column, compile_recipe(recipe, stream.loaded, self.direction))
        return [] if index is None else [RecipeChanged(column, index, str(recipe))]

    def _finish(self, active: _Active) -> None:
        self._forget(active)
        if active.run.scrub:
            self._score_shadows(active)
        seconds = time.perf_counter() - active.started
        if active.tokens and not active.run.scrub:
            self._speed = active.tokens / seconds
        active.run.end()
        self._say_now()

    def _score_shadows(self, active: _Active) -> None:
        """The unsteered checkpoint's readings of every scrubbed answer, in one forward pass, then the events held back.

        Answers that were stopped are not scored: nobody will look at them.
        """
        stream = next(iter(active.streams.values()))
        columns = sorted(active.said) if not active.run.cancelled.is_set() else []
        replies = [[token.id for token in active.said[column]] for column in columns]
        readings = score(stream.loaded, [active.prompts[column] for column in columns], replies, gauges=stream.gauges)
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

    def _say(self, state: str, detail: str) -> None:
        assert state in ("loading", "ready", "busy")
        self._publish(Status(state, detail, None, self._speed, self.device, self.threads))  # type: ignore[arg-type]


@dataclass(eq=False)
class _Active:
    """A run in progress: a stream for each checkpoint, and what has been said so far."""

    run: Run
    streams: dict[str, Stream] = field(default_factory=dict)
    prompts: dict[int, tuple[int, ...]] = field(default_factory=dict)
    said: dict[int, list[Token]] = field(default_factory=dict)
    held: list[Event] = field(default_factory=list)
    tokens: int = 0
    started: float = field(default_factory=time.perf_counter)

    def publish(self, events: list[Event]) -> None:
        """Pass events on; a scrub's Done waits for the scores that come before it."""
        for event in events:
            if isinstance(event, Token):
                self.tokens += 1
                if self.run.scrub:
                    self.said.setdefault(event.column, []).append(event)
            if isinstance(event, Done) and self.run.scrub:
                self.said.setdefault(event.column, [])
                self.held.append(event)
            else:
                self.run.publish(event)


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
