"""What the front ends talk to. No torch here: the engine's thread imports it, behind the first paint.

One thread owns every model. :meth:`Engine.submit` gives a :class:`Run`, a stream of events that can be steered and cancelled while
it runs; the thread gives each active run one step in turn, so that several people and several columns stream together.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from core import answers, asking, families, lenses, neurons, store
from core.answers import Answer
from core.carrying import Carrying
from core.errors import TillerError
from core.events import Event, Failed, PromptView, Status
from core.examples import Wish
from core.families import Example, Family
from core.jobs import Job, JobView, Offer, offered
from core.lenses import Lens
from core.map_jobs import MapJob
from core.maps import Map, MapOrder, Traced, Words
from core.plan import Placing
from core.recipes import Recipe, Term, layers_text, parse
from core.stages import Noise, Path, path
from core.store import Card
from core.values import Column, Settings, Turn

if TYPE_CHECKING:
    from core.worker import Worker

T = TypeVar("T")
S = TypeVar("S")

#: The strengths of a slider that scrubbing computes beforehand, in gaps.
SCRUB_STRENGTHS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
#: A run that nobody reads stops computing when so many events wait; it goes on when they are read.
MAX_WAITING = 2_048

#: So many maps are kept, the latest, to be shown again without being computed again.
MAX_MAPS = 16

_CLOSING = "Tiller is closing; start it again to go on."
_log = logging.getLogger(__name__)
_SCOPE_WORDS = {"all": "all tokens", "prompt": "the prompt", "reply": "the reply", "last": "the prompt's last token"}


class Command(NamedTuple):
    """Something for the engine's thread: what to do, and what to do instead when there is no model (given the reason)."""

    act: Callable[[Worker], None]
    refuse: Callable[[str], None]


class Run:
    """A stream of events that can be steered and cancelled from any thread."""

    def __init__(
        self, settings: Settings, columns: tuple[int, ...], prefixes: Mapping[int, tuple[int, ...]], scrub: bool,
        given: Mapping[int, tuple[int, ...]] | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.columns = columns
        self.prefixes = dict(prefixes)
        self.scrub = scrub
        #: Token ids by column, when nothing is to be said and only the blame of what was said before is wanted.
        self.given = given
        #: Whether every token is to be told which training stage it is owed to; may be set while the run goes on.
        self.blame = given is not None or settings.lens.startswith(lenses.BLAME)
        self.cancelled = threading.Event()
        self.changes: deque[tuple[int, Recipe]] = deque()
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._ended = False

    def __iter__(self) -> Iterator[Event]:
        """Wait for the next event until the last one has come."""
        while not self._ended:
            event = self._events.get()
            if event is None:
                self._ended = True
            else:
                yield event

    def poll(self, timeout: float = 0.0) -> list[Event]:
        """The events that are there, after waiting up to ``timeout`` seconds for the first one."""
        found: list[Event] = []
        while not self._ended:
            try:
                event = self._events.get(timeout=timeout) if timeout and not found else self._events.get_nowait()
            except queue.Empty:
                break
            if event is None:
                self._ended = True
            else:
                found.append(event)
        return found

    @property
    def patient(self) -> bool:
        """Whether chats go first."""
        return self.scrub or self.given is not None

    @property
    def finished(self) -> bool:
        """Whether every event has been read and no more will come."""
        return self._ended

    def set_recipe(self, column: int, recipe: Recipe) -> None:
        """Steer ``column`` by another recipe from the next token on; a RecipeChanged or Failed event follows."""
        self.changes.append((column, recipe))

    def cancel(self) -> None:
        """End the run at its next step; every unfinished column gets ``Done("stopped")``."""
        self.cancelled.set()

    # The engine's thread alone calls what follows.

    def publish(self, event: Event) -> None:
        """Add an event for the readers."""
        self._events.put(event)

    def end(self) -> None:
        """Say that no more events come."""
        self._events.put(None)

    @property
    def crowded(self) -> bool:
        """Whether so many events wait unread that the run should pause."""
        return self._events.qsize() > MAX_WAITING


class Engine:
    """A family of checkpoints that can be talked to.

    Raises:
        TillerError: when there is no such family; the sentence names those there are.
    """

    SCRUB_STRENGTHS = SCRUB_STRENGTHS

    def __init__(
        self,
        family: str = "skiff",
        *,
        device: str = "auto",
        dtype: str = "auto",
        threads: int = 0,
        quantize: str = "none",
        max_memory: str = "",
    ) -> None:
        self.family: Family = families.load(family)
        self.placing = Placing(device, dtype, quantize, max_memory)
        self.threads = threads
        self._cancel_loading = threading.Event()
        self._jobs: dict[str, Job] = {}
        self._maps: OrderedDict[MapOrder, MapJob] = OrderedDict()
        self._seconds: dict[str, float] = {}
        #: The transfer reports that are being made.
        self.carrying = Carrying(self)
        self._noise: dict[str, Noise] = {}
        self._status = Status("starting", "Starting.")
        self._changed = threading.Condition()
        self._commands: queue.Queue[Command | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        # Held while a command is queued and while the queue is emptied for the last time: none is left without an answer.
        self._gate = threading.Lock()
        self._over = False

    # ------------------------------------------------------------------------------------------------------------ life

    def start(self) -> None:
        """Start the engine's thread, which imports torch and loads the final checkpoint. A second call does nothing."""
        with self._gate:
            if self._thread is not None or self._closed.is_set():
                return
            self._thread = threading.Thread(target=self._main, name="tiller-engine", daemon=True)
        self._thread.start()

    @property
    def status(self) -> Status:
        """What the engine is doing now."""
        return self._status

    def wait_ready(self, timeout: float | None = None) -> Status:
        """Wait until the final checkpoint is in memory, or cannot be."""
        with self._changed:
            self._changed.wait_for(lambda: self._status.state in ("ready", "busy", "failed"), timeout)
        return self._status

    def cancel_loading(self) -> None:
        """End what is being loaded or downloaded; its memory is free then. It is loaded after all when a message needs it."""
        if self._status.state == "loading":
            self._cancel_loading.set()

    def close(self) -> None:
        """End every run at its next step, refuse what waits, and end the thread. What is submitted later fails at once."""
        with self._gate:
            self._closed.set()
            thread = self._thread
        self._commands.put(None)
        if thread is None:
            self._refuse_rest()
        elif thread is not threading.current_thread():
            thread.join(timeout=10)

    def _main(self) -> None:
        try:
            self._work()
        finally:
            self._refuse_rest()

    def _work(self) -> None:
        self._publish(Status("loading", "Importing PyTorch."))
        try:
            from core.worker import Worker

            worker = Worker(
                self.family, self.placing, self.threads, self._publish, self._cancel_loading, self._seconds.__setitem__,
                self._noise.__setitem__,
            )  # fmt: skip
            if not self._closed.is_set():
                worker.open(lambda: not self._closed.is_set())
        except TillerError as error:
            self._refuse_all(str(error))
        except ImportError as error:
            self._refuse_all(
                f"PyTorch or transformers cannot be imported ({error}); start Tiller with launch.py, which installs them."
            )
        except Exception as error:
            # Whatever a library raises here, the front ends wait for a word: say it instead of loading for ever.
            _log.error("The engine could not start.", exc_info=error)
            self._refuse_all(
                f"The model could not be started ({type(error).__name__}: {' '.join(str(error).split())[:200]}); restart Tiller."
            )
        else:
            worker.serve(self._commands, self._closed)

    def _refuse_all(self, sentence: str) -> None:
        """Say why there is no model, and answer every command with it until the engine is closed."""
        self._publish(Status("failed", sentence))
        while (command := self._commands.get()) is not None:
            command.refuse(sentence)

    def _refuse_rest(self) -> None:
        """Answer what is still in the queue when nobody will ever take it out, and everything that comes later."""
        with self._gate:
            self._over = True
        while not self._commands.empty():
            if (command := self._commands.get()) is not None:
                command.refuse(_CLOSING)

    def _send(self, command: Command) -> None:
        with self._gate:
            if not self._over:
                self._commands.put(command)
                return
        command.refuse(_CLOSING)

    def _publish(self, status: Status) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()

    # ------------------------------------------------------------------------------------------------------------ runs

    def submit(
        self,
        settings: Settings,
        columns: Sequence[int] | None = None,
        prefixes: Mapping[int, tuple[int, ...]] | None = None,
    ) -> Run:
        """Answer the last turn in all, or the given, columns.

        ``prefixes`` gives for a column the token ids that its reply must start with. What cannot be done comes as a ``Failed`` event.
        """
        chosen = tuple(columns) if columns is not None else tuple(range(len(settings.columns)))
        return self._enqueue(Run(settings, chosen, prefixes or {}, scrub=False))

    def scrub(self, settings: Settings, column: int, direction: str) -> Run:
        """Answer the last turn at each of :data:`SCRUB_STRENGTHS` of the slider of ``direction`` in ``column``.

        The events' column is the index of the strength. Each answer gets its ``Scores("shadow")`` before its ``Done``. Chats go first.
        """
        base = settings.columns[column]
        recipes = [
            base.recipe.with_strength(direction, value, self._source(base, direction)) for value in SCRUB_STRENGTHS
        ]
        turns = tuple(Turn(t.user, tuple(t.replies[column : column + 1]) * len(recipes)) for t in settings.turns)
        columns = tuple(replace(base, recipe=recipe) for recipe in recipes)
        wide = replace(settings, columns=columns, selected=0, turns=turns)
        return self._enqueue(Run(wide, tuple(range(len(recipes))), {}, scrub=True))

    def blame(self, settings: Settings, answers: Mapping[int, Answer]) -> Run:
        """Say of every token of answers to the last turn which training stage it is owed to, as ``Scores``. Chats go first.

        The models that are asked are unsteered, whatever recipe an answer was written with.
        """
        given = {
            column: tuple(token.id for token in answer.tokens) for column, answer in answers.items() if answer.tokens
        }
        return self._enqueue(Run(settings, tuple(given), {}, scrub=False, given=given))

    def stages(self, checkpoint: str = "") -> Path:
        """The training stages that led to a checkpoint (the final one, without a name). Raises StageError when there is only one."""
        return path(self.family, checkpoint)

    def noise(self, checkpoint: str) -> Noise:
        """How far chance alone goes in the probabilities of a final checkpoint; uncalibrated while that is not known."""
        return self._noise.get(checkpoint, Noise())

    def slices(self, make: Callable[[Worker], Generator[S, None, T]]) -> Generator[S, None, T]:
        """Run a generator of the engine's thread slice by slice, between the steps of chats; closing it ends the work.

        Raises:
            TillerError: there is no model; and whatever the generator raises.
        """
        work = self.call(make).result()

        def step(_worker: Worker) -> tuple[bool, S | T]:
            try:
                return False, next(work)
            except StopIteration as stop:
                return True, stop.value

        try:
            while True:
                over, found = self.call(step).result()
                if over:
                    return found  # type: ignore[return-value]
                yield found  # type: ignore[misc]
        finally:
            # On the engine's thread, like everything that holds a model; nobody waits for it.
            self.call(lambda _worker: work.close())

    def _source(self, column: Column, direction: str) -> str | None:
        term = column.recipe.slider(direction)
        return term.source if term else None

    def _enqueue(self, run: Run) -> Run:
        def refuse(sentence: str) -> None:
            run.publish(Failed(sentence))
            run.end()

        self._send(Command(lambda worker: worker.start(run), refuse))
        return run

    def learn(self, checkpoint: str, kinds: Sequence[str] = ()) -> Job:
        """Learn what a checkpoint lacks, or ``kinds``, while nobody chats. One that learns already gives its present job.

        What is learnt goes into the user's data folder, and is there for the next answer. What goes wrong is in the job's view.

        Raises:
            FamilyError: there is no such checkpoint.
        """
        own = self.family.directions_of(checkpoint)
        with self._gate:
            present = self._jobs.get(own)
            if present is not None and not present.view.over:
                return present
            job = self._jobs[own] = Job(own, tuple(kinds) or offered(self.family, own))
        self._send(Command(lambda worker: worker.learn(job), lambda sentence: job.publish("failed", sentence)))
        return job

    def learn_wish(self, checkpoint: str, wish: Wish) -> Job:
        """Learn what a person wishes for, from their own examples or by another method, while nobody chats.

        Raises:
            FamilyError: there is no such checkpoint.
            TillerError: the name is taken, or the checkpoint is being learnt on already; nothing has begun then.
        """
        own = self.family.directions_of(checkpoint)
        wish.check_free(self.family, own)
        with self._gate:
            present = self._jobs.get(own)
            if present is not None and not present.view.over:
                raise TillerError(f"{own} learns {present.called} now; wait for its end, or cancel it.")
            job = self._jobs[own] = Job(own, (wish.kind,), wish)
        self._send(Command(lambda worker: worker.learn(job), lambda sentence: job.publish("failed", sentence)))
        return job

    def learning(self, checkpoint: str) -> JobView | None:
        """How far the learning on a checkpoint is, or how the last one ended; None when none was begun."""
        job = self._jobs.get(self.family.directions_of(checkpoint))
        return job.view if job is not None else None

    def cancel_learning(self, checkpoint: str) -> None:
        """End the learning on a checkpoint at its next slice."""
        if (job := self._jobs.get(self.family.directions_of(checkpoint))) is not None:
            job.cancel()

    def trace(self, order: MapOrder) -> MapJob:
        """Compute knowledge maps while nobody chats. What is being computed, or was, is given as it is.

        What goes wrong is in the job's view.

        Raises:
            FamilyError: there is no such checkpoint.
        """
        for name in order.checkpoints:
            self.family.checkpoint(name)
        with self._gate:
            present = self._maps.get(order)
            if present is not None and present.view.state not in ("cancelled", "failed"):
                self._maps.move_to_end(order)
                return present
            job = self._maps[order] = MapJob(order)
            self._maps.move_to_end(order)
            while len(self._maps) > MAX_MAPS:
                self._maps.popitem(last=False)[1].cancel()
        self._send(Command(lambda worker: worker.trace(job), lambda sentence: job.publish("failed", sentence)))
        return job

    def cell_words(self, traced: Traced, shown: Map, layer: int, column: int) -> Words:
        """The words that a cell's residuals would say. Raises TillerError."""
        return self.call(lambda worker: worker.cell(traced, shown, layer, column)).result()

    def token_words(self, settings: Settings, column: int, reply: Sequence[int], index: int) -> Words:
        """The words that every layer would say where token ``index`` of a column's answer was said. Raises TillerError."""
        return self.call(lambda worker: worker.lens(settings, column, tuple(reply), index)).result()

    def offer(self, checkpoint: str) -> Offer | None:
        """What could be learnt on a checkpoint, and how long it would take; None where nothing is lacking."""
        own = self.family.directions_of(checkpoint)
        kinds = offered(self.family, own)
        # The checkpoints of a family have one shape: what was measured on one holds for the others.
        measured = self._seconds.get(own, next(iter(self._seconds.values()), None))
        return Offer(own, kinds, measured) if kinds else None

    def call(self, function: Callable[[Worker], T]) -> Future[T]:
        """Run ``function`` on the engine's thread, between two steps; its result or its error comes in the future."""
        future: Future[T] = Future()

        def act(worker: Worker) -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(worker)
            except Exception as error:
                # Whatever it is belongs to the caller, who waits for it in another thread.
                future.set_exception(error)
            else:
                future.set_result(result)

        def refuse(sentence: str) -> None:
            if future.set_running_or_notify_cancel():
                future.set_exception(TillerError(sentence))

        self._send(Command(act, refuse))
        return future

    def prompt(self, settings: Settings, column: int) -> PromptView:
        """The exact prompt of a column. Raises TillerError when there is none or the model cannot be loaded."""
        return self.call(lambda worker: worker.prompt(settings, column)).result()

    # ------------------------------------------------------------------------------------------- what needs no model

    def settings(self, checkpoint: str = "", recipe: str = "") -> Settings:
        """A fresh chat: the checkpoint (else the family's final one) plain, and beside it with the recipe.

        Raises:
            TillerError: an unknown checkpoint, or a recipe that cannot be read or does not fit.
        """
        name = self.family.checkpoint(checkpoint).name if checkpoint else self.family.final.name
        steered = parse(recipe)
        self.explain(steered, name)
        return Settings(self.family.name, (Column(name), Column(name, steered)), selected=1)

    def example(self, example: Example) -> Settings:
        """The chat that a chip opens: its message asked, of the plain checkpoint and with its recipe.

        One about a stage asks the model without it beside the plain one, and colours by what is owed to which stage.
        """
        settings = self.settings(example.checkpoint, example.recipe)
        if example.without:
            beside = self.stages(example.checkpoint).counterfactual[self.stages(example.checkpoint).stage(example.without).name]
            columns = (settings.columns[0], replace(settings.columns[1], checkpoint=beside))
            settings = replace(settings, columns=columns, selected=0, lens=lenses.BLAME)
        return settings.ask(example.message)

    def recorded(self) -> tuple[Settings, dict[int, Answer]] | None:
        """The run that was recorded for this family, to be shown while the model loads."""
        for folder in (store.user_folder() / self.family.name, self.family.folder):
            path = folder / "recorded.json"
            if path.is_file():
                return answers.load(path.read_text(encoding="utf-8", errors="replace"))
        return None

    def wish(self, column: Column) -> str:
        """The words that ask for what a column's recipe does (:mod:`core.asking`). Raises TillerError when nothing can be asked for."""
        own = self.family.directions_of(column.checkpoint)

        def details(name: str, source: str | None) -> Mapping[str, Any]:
            return next((card.details for card in self._learnt_on(source or own) if card.name == name), {})

        return asking.wish(column.recipe, details)

    def directions(self, checkpoint: str) -> tuple[Card, ...]:
        """The directions that a recipe on a checkpoint means by their bare names; only headers are read."""
        return self._learnt_on(self.family.directions_of(checkpoint))

    def _learnt_on(self, checkpoint: str) -> tuple[Card, ...]:
        return store.cards(self.family.name, checkpoint, folder=self.family.folder)

    def lenses(self, settings: Settings) -> tuple[lenses.Lens, ...]:
        """The lenses for the selected column."""
        checkpoint = settings.column.checkpoint
        return (*lenses.for_cards(self.directions(checkpoint)), *self.stage_lenses(checkpoint))

    def stage_lenses(self, checkpoint: str = "") -> tuple[Lens, ...]:
        """The lenses for the training stages that led to a checkpoint (the final one, without a name); none where there is one stage."""
        try:
            return lenses.of_stages(self.stages(checkpoint))
        except TillerError:
            # One checkpoint alone, or one of another family: there is nothing to colour by.
            return ()

    def explain(self, recipe: Recipe, checkpoint: str) -> str:
        """What a recipe does to ``checkpoint``, in words: ``layer 3, all tokens``; empty for the empty recipe.

        Raises:
            TillerError: naming the direction, checkpoint or layer that is not there, and those that are.
        """
        self.family.checkpoint(checkpoint)
        return "; ".join(self._explain_term(term, checkpoint) for term in recipe.terms)

    def _explain_term(self, term: Term, checkpoint: str) -> str:
        if term.kind == "neurons":
            said = self._explain_neurons(term, checkpoint)
        else:
            card, borrowed = self._card(term.direction, term.source, checkpoint)
            _check_layers(term, checkpoint, int(card.details.get("layers", 0)))
            best = "every layer" if term.kind == "ablate" else f"layer {card.layer}"
            said = f"{_layers(term.layers) if term.layers else best}, {_SCOPE_WORDS[term.scope]}{borrowed}"
        if term.gate is None:
            return said
        _, borrowed = self._card(term.gate.direction, term.gate.source, checkpoint)
        side = "above" if term.gate.above else "below"
        return f"{said}, only after {term.gate.direction} read {side} {term.gate.threshold:g}{borrowed}"

    def _explain_neurons(self, term: Term, checkpoint: str) -> str:
        source, borrowed = self._learnt_where(term.source, checkpoint)
        path = store.find(self.family.name, source, neurons.KIND, term.direction, self.family.folder)
        if path is None:
            there = ", ".join(self.neuron_sets(source)) or "none"
            raise TillerError(
                f"{source} has no set of neurons {term.direction!r}; it has {there}. "
                "launch.py precompute --what confidence finds entropy neurons."
            )
        found = neurons.load_set(path)
        layers = tuple(each for each in found.layers if term.layers is None or each in term.layers)
        if not layers:
            raise TillerError(
                f"{term.place} names no layer with a neuron of this set; it has them in {_layers(found.layers)}."
            )
        count = sum(len(found.at(layer)[0]) for layer in layers)
        return f"{count} neuron{'s' * (count != 1)} of {_layers(layers)} at their means, {_SCOPE_WORDS[term.scope]}{borrowed}"

    def neuron_sets(self, checkpoint: str) -> tuple[str, ...]:
        """The names of the sets of neurons that were found on a checkpoint."""
        own = self.family.directions_of(checkpoint)
        return tuple(card.name for card in store.cards(self.family.name, own, neurons.KIND, self.family.folder))

    def _learnt_where(self, named: str | None, checkpoint: str) -> tuple[str, str]:
        """The checkpoint that a term means, and what is said of it where the term does not name it and it is another one."""
        source = self.family.checkpoint(named or self.family.directions_of(checkpoint)).name
        return source, "" if named or source == checkpoint else f", the direction of {source}"

    def _card(self, name: str, named: str | None, checkpoint: str) -> tuple[Card, str]:
        """A direction's card, and what is said of where it was learnt. Raises TillerError naming those that are there."""
        if named and "/" in named:
            return self._mapped(name, named, checkpoint), f", mapped from {named}"
        source, borrowed = self._learnt_where(named, checkpoint)
        card = next((each for each in self._learnt_on(source) if each.name == name), None)
        if card is not None:
            return card, borrowed
        path = store.find(self.family.name, source, "direction", name, self.family.folder)
        if path is not None:
            # It is there but left out of the list: reading it says what is wrong with it.
            store.read_card(path)
        there = ", ".join(each.name for each in self._learnt_on(source)) or "none"
        raise TillerError(
            f"{source} has no direction {name!r}; it has {there}. launch.py precompute learns refusal and truth."
        )

    def _mapped(self, name: str, source: str, checkpoint: str) -> Card:
        """The card of another family's direction that was mapped into a checkpoint of this one. Raises TillerError."""
        own = self.family.directions_of(checkpoint)
        path = store.find_mapped(self.family.name, name, source, own, self.family.folder)
        if path is None:
            raise store.not_mapped(self.family.name, name, source, own)
        return store.read_card(path)


def _layers(layers: tuple[int, ...]) -> str:
    return f"layer{'s' if len(layers) > 1 else ''} {layers_text(layers)}"


def _check_layers(term: Term, checkpoint: str, layers: int) -> None:
    if layers and term.layers and term.layers[-1] >= layers:
        raise TillerError(f"{term.place} names layer {term.layers[-1]}; {checkpoint} has layers 0 to {layers - 1}.")
