"""What the engine's thread does: it owns the models and gives every active run one step in turn."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.attribution.chance import Noise
from core.attribution.model_sequence import pooled
from core.attribution.report import BlameReport, BlameRequest
from core.attribution.study import study
from core.chat.events import PromptView, Status
from core.chat.raw import RawAnswer, RawRequest, TokenizerTold
from core.chat.settings import Settings
from core.directions import learn_replies
from core.directions.written_pairs import WrittenPair
from core.engine import background
from core.engine.active_run import Active
from core.engine.answering import Answering
from core.engine.attribution import Attribution
from core.engine.background import BackgroundTask, LearningTask, MapTask
from core.engine.jobs import Job, MapJob, learnable
from core.engine.run import ANSWERING, Run
from core.engine.thread import CLOSING, EngineCommand
from core.engine.thread_count import choose
from core.errors import TillerError
from core.families import stages
from core.families.checkpoint import Family, FamilyRef
from core.families.commands import how_to_learn, not_mapped
from core.inference import prompts
from core.inference.raw_completion import continue_prompts
from core.knowledge import logit_lens, tracing
from core.knowledge.maps import Map, Traced, Words
from core.models import loading
from core.models.account import MemoryAccount
from core.models.files import LoadingCancelled
from core.models.loading import Loaded, seen_by
from core.models.placement import Placing
from core.models.pool import ModelPool
from core.steering.interventions import check_fit, compile_recipe
from core.steering.readings import Projection, projection
from core.util.files import read_when_changed
from core.util.progress import Learning, Slices

_log = logging.getLogger(__name__)


class Worker:
    """Models, directions and active runs. Everything here happens on the engine's thread."""

    def __init__(
        self,
        families: FamilyRef,
        placing: Placing,
        threads: int,
        publish: Callable[[Status], None],
        cancel_loading: threading.Event,
        measured: Callable[[str, float], None] = lambda _checkpoint, _seconds: None,
        calibrated: Callable[[str, Noise], None] = lambda _checkpoint, _noise: None,
        account: MemoryAccount | None = None,
    ) -> None:
        self._families = families
        self.device = str(loading.pick_device(placing.device))
        self.threads = threads or loading.threads()
        self._measure_threads = threads == 0
        torch.set_num_threads(self.threads)
        self._publish = publish
        self.pool = ModelPool(
            families,
            placing,
            busy=self._busy,
            say=lambda sentence, part: self._say("loading", sentence, part),
            cancel=cancel_loading,
            account=account,
        )
        self.blamer = Attribution(families, self.pool, calibrated)
        self._plan = self._said = ""
        self._read_direction = read_when_changed(load_direction)
        self.answering = Answering(self.load, self.direction, self.gauges, self.blamer, self._make_room)
        self._background: deque[BackgroundTask[Any]] = deque()
        self._measured = measured
        self._measuring: dict[str, Iterator[float | None]] = {}

    @property
    def family(self) -> Family:
        """The family as it is now."""
        return self._families.family

    # ------------------------------------------------------------------------------------------------------- resources

    def open(self, wanted: Callable[[], bool]) -> None:
        """Say what the family takes and load its final checkpoint, unless that is cancelled. Raises LoadError."""
        plan = self.pool.plan()
        self._plan = str(plan) if plan.large else ""
        try:
            self.load(self.family.final.name, wanted)
        except LoadingCancelled as error:
            self._say("ready", str(error))
        else:
            self.blamer.expect()
            self._say_now()
        self.pool.settle()

    def load(self, name: str, wanted: Callable[[], bool] = lambda: True) -> Loaded:
        """A checkpoint, from memory or from disk, as long as it is ``wanted``. Raises LoadError."""
        new = name not in self.pool.names
        loaded = self.pool.get(name, wanted)
        if self._measure_threads:
            self._measure_threads = False
            self.threads = choose(loaded)
        if new and (kinds := learnable(self.family, name)):
            self._measuring[name] = background.estimate_seconds(self.family, loaded, kinds)
        return loaded

    def _busy(self) -> set[str]:
        """The checkpoints that something is computing with."""
        return self.answering.busy.union(*(task.busy for task in self._background))

    def _make_room(self) -> bool:
        """Take memory from what goes on in the background, for a chat: whether there was any to take."""
        return any(task.suspend("Waiting for memory that a chat uses now.") for task in self._background)

    def direction(self, family: Family, name: str, checkpoint: str) -> Direction:
        """A direction learnt on a checkpoint of the family, read again when its file has changed. Raises TillerError."""
        if "/" not in checkpoint:
            family.checkpoint(checkpoint)
        path = store.find_artefact(family.places, checkpoint, "direction", name)
        if path is None and "/" in checkpoint:
            raise not_mapped(family, name, *checkpoint.split(">"))
        if path is None:
            raise TillerError(f"{checkpoint} has no direction {name!r}; {how_to_learn(family)}")
        return self._read_direction(path)

    def gauges(self, loaded: Loaded) -> tuple[tuple[Projection, ...], str]:
        """A gauge for every direction of a checkpoint, and what has to be said of them, such as which cannot be read, behind that of the
        checkpoint itself: a chat goes on without them."""
        found: list[Projection] = []
        said = [loaded.remark]
        family = loaded.family
        learnt_on = family.directions_of(loaded.checkpoint.name)
        for card in store.cards(family.places, learnt_on):
            try:
                direction = self.direction(family, card.name, learnt_on)
                said.append(check_fit(direction, loaded))
            except TillerError as error:
                said.append(f"No readings of {card.name}: {error}")
            else:
                found.append(projection(direction, device=loaded.device))
        return tuple(found), " ".join(filter(None, said))

    def prompt(self, settings: Settings, column: int) -> PromptView:
        """The exact prompt of a column. Raises TillerError."""
        loaded = self.load(settings.columns[column].checkpoint)
        return prompts.build(loaded, settings, column).view(loaded)

    # ------------------------------------------------------------------------------------------------------------ loop

    def serve(self, commands: queue.Queue[EngineCommand[Worker] | None], closed: threading.Event) -> None:
        """Take commands and step runs until the engine is closed."""
        while not closed.is_set():
            idle = not (
                self.answering.steppable() or self._next_in_background() or self._measuring or self.blamer.waiting
            )
            for command in _waiting(commands, wait=idle, paused=bool(self.answering.runs)):
                if command is None:
                    continue
                if closed.is_set():
                    command.refuse(CLOSING)
                else:
                    command.act(self)
            chats = self.answering.steppable()
            self.answering.foresee(chats)
            for active in chats:
                # What stood in the way of what is computed together has ended some.
                if not closed.is_set() and active in self.answering.runs:
                    self._step(active)
            if not chats and not closed.is_set():
                self._learn()
            self._settle()
        self.answering.close()
        for task in self._background:
            task.end("cancelled", "Tiller was closed; what was found out is kept for the next time.")

    def start(self, run: Run) -> None:
        """Begin a run; what stands in the way becomes its Failed event."""
        self.answering.start(run)
        self._say_now()

    def _step(self, active: Active) -> None:
        self.answering.step(active)
        if active not in self.answering.runs:
            self._say_now()
            # The loop remembers the run until its next turn; its checkpoints may be given up before.
            active.streams.clear()
            active.blaming.clear()

    # ------------------------------------------------------------------------------------------------- in the background

    def learn(self, job: Job, family: Family) -> None:
        """Begin a job for whoever sees the family so, behind those that have begun before; chats go first."""
        self._queue(LearningTask(job, family, self.load))

    def trace(self, job: MapJob) -> None:
        """Begin knowledge maps behind what has begun before; chats go first."""
        self._queue(MapTask(job, self.family, self.pool, self.load))

    def _queue(self, *new: BackgroundTask[Any]) -> None:
        """Put it behind the others; those that wait for their turn say for what, as far as it is their own."""
        self._background += new
        runs = self.answering.runs
        if runs and self._background and self._background[0].job.view.state == "waiting":
            self._background[0].job.publish("waiting", f"Waits for the end of {runs[0].run.doing}.")
        for count, (ahead, each) in enumerate(pairwise(self._background), 1):
            if ahead.job.whose is each.job.whose:
                each.job.publish("waiting", f"Waits for the end of {ahead.job.title}.")
            else:
                each.wait(count)

    def cell(self, traced: Traced, shown: Map, layer: int, column: int) -> Words:
        """The logit lens on a cell of a map. Raises TillerError."""
        return tracing.cell(self.family, traced, shown, layer, column, self.load)

    def lens(self, family: Family, settings: Settings, column: int, reply: tuple[int, ...], index: int) -> Words:
        """The logit lens on a token of a column's answer, plain and steered. Raises TillerError."""
        chosen = settings.columns[column]
        loaded = seen_by(family, self.load(chosen.checkpoint))
        edits = compile_recipe(chosen.recipe, loaded, partial(self.direction, family))
        found = logit_lens.of_token(loaded, prompts.build(loaded, settings, column).ids, reply, index, edits)
        return found if edits else replace(found, note="The column has no recipe, so there is only the plain model.")

    def _learn(self) -> None:
        """A slice of what is learnt, else of measuring how long it would take."""
        task = self._next_in_background()
        if task is not None:
            task.step()
            if task.over:
                self._background.remove(task)
                self._queue()
                self._say_now()
        elif self._measuring:
            self._measure(next(iter(self._measuring)))
        elif self.blamer.waiting:
            self.blamer.measure()

    def _next_in_background(self) -> BackgroundTask[Any] | None:
        """Whose turn it is: one that was cancelled, else the first, unless it waits for the memory of a chat."""
        cancelled = (each for each in self._background if each.cancelled)
        found = next(cancelled, next(iter(self._background), None))
        waits = found is not None and found.blocked and self.answering.runs and not found.cancelled
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

    def study(self, ask: BlameRequest) -> Learning[BlameReport]:
        """Find out which stages some answers are owed to, in slices between which chats go on. Raises TillerError."""
        final = stages.stage_path(self.family, ask.checkpoint, ask.path).final
        return study(self.family, ask, pooled(self.pool, final))

    def write_pairs(
        self, checkpoint: str, prompts: Mapping[bool, tuple[str, ...]]
    ) -> Learning[tuple[WrittenPair, ...]]:
        """Have a checkpoint answer under two kinds of system prompts, in slices between which chats go on. Raises TillerError."""
        with self.pool.held(self.family.checkpoint(checkpoint).name) as loaded:
            return (yield from learn_replies.write_pairs(loaded, self.family, prompts))

    def complete(self, family: Family, ask: RawRequest) -> Slices[list[RawAnswer]]:
        """Continue raw prompts, in slices between which chats go on. Raises TillerError."""
        with self.pool.held(family.checkpoint(ask.checkpoint).name) as loaded:
            edits = compile_recipe(ask.recipe, loaded, partial(self.direction, family))
            return (yield from continue_prompts(loaded, ask, edits))

    def tokens(self, checkpoint: str, text: str, begun: bool) -> tuple[int, ...]:
        """A text as token ids. Raises TillerError."""
        loaded = self.load(self.family.checkpoint(checkpoint).name)
        return prompts.encode_text(loaded, text) if begun else prompts.encode(loaded, text)

    def text(self, checkpoint: str, ids: Sequence[int]) -> str:
        """Token ids as text. Raises TillerError."""
        loaded = self.load(self.family.checkpoint(checkpoint).name)
        known = len(loaded.tokenizer)
        if (wrong := next((each for each in ids if not 0 <= each < known), None)) is not None:
            raise TillerError(f"{checkpoint} has no token {wrong}; its ids go from 0 to {known - 1}.")
        return str(loaded.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    def tokenizer(self, checkpoint: str) -> TokenizerTold:
        """What other programs want to know of a tokenizer. Raises TillerError."""
        loaded = self.load(self.family.checkpoint(checkpoint).name)
        tokenizer = loaded.tokenizer
        eos, bos, pad = (str(each or "") for each in (tokenizer.eos_token, loaded.start, tokenizer.pad_token))
        return TokenizerTold(eos, bos, pad, loaded.chat_template, loaded.context)

    def _say_now(self) -> None:
        # What a slider may want is computed ahead, and whose a token is found out later: nobody waits for either.
        answering = any(active.run.doing == ANSWERING for active in self.answering.runs)
        self._say("busy" if answering else "ready", "Answering." if answering else "Ready.")

    def _settle(self) -> None:
        """What was loaded in this turn is there, for whatever it was: nothing is loading between turns. What is not in use then may be
        taken for another family, and what was so is not measured any more."""
        if self._said == "loading":
            self._say_now()
        self.pool.settle()
        for name in self._measuring.keys() - self.pool.names:
            del self._measuring[name]

    def _say(self, state: str, detail: str, progress: float | None = None) -> None:
        assert state in ("loading", "ready", "busy")
        self._said = state
        runs = tuple(active.run.doing for active in self.answering.runs)
        where = (self.answering.speed, self.device, self.threads, self._plan, runs)
        self._publish(Status(state, detail, progress, *where))  # type: ignore[arg-type]


def _waiting(
    commands: queue.Queue[EngineCommand[Worker] | None], wait: bool, paused: bool
) -> list[EngineCommand[Worker] | None]:
    """The commands that are there; waits for one when there is nothing else to do, shortly when runs wait for their readers."""
    found: list[EngineCommand[Worker] | None] = []
    try:
        if wait:
            found.append(commands.get(timeout=0.02 if paused else None))
        while True:
            found.append(commands.get_nowait())
    except queue.Empty:
        return found
