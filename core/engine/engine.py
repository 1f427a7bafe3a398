"""What the front ends talk to. No torch here: the engine's thread imports it, behind the first paint.

One thread owns every model (:mod:`core.engine.thread`). :meth:`Engine.submit` gives a :class:`core.engine.run.Run`, a stream of events that
can be steered and cancelled while it runs; the thread gives each active run one step in turn, so that several people and several
columns stream together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.attribution.chance import Noise
from core.attribution.report import BlameReport, BlameRequest
from core.chat.answers import Answer
from core.chat.beginnings import Beginning
from core.chat.drawing import TokenDrawing
from core.chat.events import Failed, PromptView
from core.chat.kept import KeptChats
from core.chat.settings import Settings, Turn
from core.chat.sliders import SLIDER_STRENGTHS
from core.directions.request import LearnRequest
from core.directions.written_pairs import WrittenPair
from core.engine.allowance import Allowance, allowed
from core.engine.catalogue import Catalogue
from core.engine.chats import kept_chats
from core.engine.family_desk import FamilyDesk
from core.engine.job_list import Errands, JobLine, end_job, job_lines
from core.engine.jobs import Job, JobView, MapJob, Offer, Watched, half_measured, learnable
from core.engine.raw_prompts import RawPrompts
from core.engine.run import Run
from core.engine.thread import EngineCommand, EngineThread
from core.engine.transfer_jobs import TransferJobs
from core.engine.undo import StageUndo
from core.errors import TillerError
from core.families.checkpoint import FamilyRef, TemplateVars
from core.knowledge.maps import Map, MapRequest, Traced, Words
from core.models.account import MemoryAccount
from core.models.at_hand import open_family
from core.models.memory import MemoryUse, free_cpu, release
from core.models.placement import Placing
from core.util.program import DEFAULT_FAMILY
from core.util.progress import Step

if TYPE_CHECKING:
    from core.engine.worker import Worker

#: Two jobs on one checkpoint stand beside each other where they are not both for directions.
DIRECTIONS, CONFIDENCE = "", "confidence"
#: So many maps are kept, the latest, to be shown again without being computed again.
MAX_MAPS = 16


class Engine(FamilyDesk, EngineThread["Worker"]):
    """A family of checkpoints that can be talked to.

    Raises:
        TillerError: when there is no such family; the sentence names those there are.
    """

    SCRUB_STRENGTHS = SLIDER_STRENGTHS

    def __init__(
        self,
        family: str = DEFAULT_FAMILY,
        *,
        device: str = "auto",
        dtype: str = "auto",
        threads: int = 0,
        quantize: str = "none",
        max_memory: str = "",
        template_vars: TemplateVars = (),
        account: MemoryAccount | None = None,
    ) -> None:
        super().__init__()
        #: What its models take, and those of other engines that were given the same one.
        self.account = account or MemoryAccount(max_memory)
        self.placing = Placing(device, dtype, quantize, max_memory, template_vars)
        self.threads = threads
        self._seconds: dict[str, float] = {}
        self._noise: dict[str, Noise] = {}
        self._serve(FamilyRef(open_family(family)), Allowance())

    def _serve(self, families: FamilyRef, allowance: Allowance) -> None:
        """Whom it serves: by his family, and by how much he may begin at a time. What is begun is begun for him alone."""
        self._families, self.allowance = families, allowance
        #: What the family's checkpoints have learnt.
        self.catalogue = Catalogue(families)
        self._jobs: dict[tuple[str, str], Job] = {}
        self._errands = Errands()
        self._maps: OrderedDict[MapRequest, MapJob] = OrderedDict()
        #: The transfer reports that are being made.
        self.transfers = TransferJobs(self, families, self.placing, allowance)
        #: Prompts without a chat.
        self.raw = RawPrompts(self, families)
        #: Removing a stage's part.
        self.undo = StageUndo(self, families, allowance, self._errands)

    @property
    def chats(self) -> KeptChats:
        """The chats that the terminal and the command line keep, of whatever family."""
        return kept_chats()

    def close(self) -> None:
        """End every run at its next step, refuse what waits, end the thread, and give the memory of its models back."""
        super().close()
        release()

    def make_worker(self) -> Worker:
        """What the engine's thread does, and with what; torch is imported here, on that thread."""
        from core.engine.worker import Worker

        return Worker(
            self._families, self.placing, self.threads, self._publish, self._cancel_loading, self._seconds.__setitem__,
            self._noise.__setitem__, self.account,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------------------ runs

    def submit(
        self,
        settings: Settings,
        columns: Sequence[int] | None = None,
        prefixes: Mapping[int, Beginning] | None = None,
        drawing: TokenDrawing | None = None,
        shadows: bool = True,
    ) -> Run:
        """Answer the last turn in all, or the given, columns.

        ``prefixes`` gives for a column how its reply begins, ``drawing`` how its tokens are drawn beyond the sampling; without ``shadows``
        no unsteered model reads along, and tokens come without its reading. What cannot be done comes as a ``Failed`` event.
        """
        chosen = tuple(columns) if columns is not None else tuple(range(len(settings.columns)))
        return self._enqueue(
            Run(
                self.family,
                settings,
                chosen,
                prefixes or {},
                scrub=False,
                drawing=drawing or TokenDrawing(),
                shadows=shadows,
            )
        )

    def scrub(self, settings: Settings, column: int, direction: str) -> Run:
        """Answer the last turn at each of :data:`core.chat.sliders.SLIDER_STRENGTHS` of the slider of ``direction`` in ``column``.

        The events' column is the index of the strength. Each answer gets its ``Scores("shadow")`` before its ``Done``. Chats go first.
        """
        base = settings.columns[column]
        term = base.recipe.slider(direction)
        source = term.source if term else None
        recipes = [base.recipe.with_strength(direction, value, source) for value in SLIDER_STRENGTHS]
        turns = tuple(Turn(t.user, tuple(t.replies[column : column + 1]) * len(recipes)) for t in settings.turns)
        columns = tuple(replace(base, recipe=recipe) for recipe in recipes)
        wide = replace(settings, columns=columns, selected=0, turns=turns)
        return self._enqueue(Run(self.family, wide, tuple(range(len(recipes))), {}, scrub=True))

    def blame(self, settings: Settings, answers: Mapping[int, Answer]) -> Run:
        """Say of every token of answers to the last turn which training stage it is owed to, as ``Scores``. Chats go first.

        The models that are asked are unsteered, whatever recipe an answer was written with.
        """
        given = {
            column: tuple(token.id for token in answer.tokens) for column, answer in answers.items() if answer.tokens
        }
        return self._enqueue(Run(self.family, settings, tuple(given), {}, scrub=False, given=given))

    def noise(self, checkpoint: str) -> Noise:
        """How far chance alone goes in the probabilities of a final checkpoint; uncalibrated while that is not known."""
        return self._noise.get(checkpoint, Noise())

    def _enqueue(self, run: Run) -> Run:
        def refuse(sentence: str) -> None:
            run.publish(Failed(sentence))
            run.end()

        self._send(EngineCommand(lambda worker: worker.start(run), refuse))
        return run

    # --------------------------------------------------------------------------------------------- in the background

    def learn(self, checkpoint: str, kinds: Sequence[str] = ()) -> Job:
        """Learn what a checkpoint lacks, or ``kinds``, while nobody chats. One that learns already gives its present job.

        Confidence is a job beside that of directions, and waits for its end or the other way round.

        What is learnt goes into the user's data folder, and is there for the next answer. What goes wrong is in the job's view.

        Raises:
            FamilyError: there is no such checkpoint.
            TillerError: a visitor has begun something else, which is not over.
        """
        own = self.family.directions_of(checkpoint)
        with self._gate:
            slot = own, _slot(kinds)
            present = self._jobs.get(slot)
            if present is not None and not present.view.over:
                return present
            doing = "measuring" if slot[1] else "learning"
            job = Job(own, tuple(kinds) or learnable(self.family, own) or half_measured(self.family, own), doing=doing)
            self._begin(job)
            self._jobs[slot] = job
        return self._learn(job)

    def _learn(self, job: Job) -> Job:
        family = self.family
        self._send(
            EngineCommand(lambda worker: worker.learn(job, family), lambda sentence: job.publish("failed", sentence))
        )
        return job

    def _begin(self, job: Watched[Any]) -> None:
        """Something long begins. Raises TillerError when it may not."""
        self.allowance.begin(lambda: not job.view.over)
        job.budget, job.whose = self.allowance.budget(), self.allowance

    def learn_requested(self, checkpoint: str, wish: LearnRequest) -> Job:
        """Learn what a person wishes for, from their own examples or by another method, while nobody chats.

        Raises:
            FamilyError: there is no such checkpoint.
            TillerError: the name is taken, or the checkpoint is being learnt on already; nothing has begun then.
        """
        own = self.family.directions_of(checkpoint)
        wish.check_free(self.family, own)
        with self._gate:
            present = self._jobs.get((own, DIRECTIONS))
            if present is not None and not present.view.over:
                raise TillerError(f"{own} learns {present.called} now; wait for its end, or cancel it.")
            job = Job(own, (wish.kind,), wish)
            self._begin(job)
            self._jobs[own, DIRECTIONS] = job
        return self._learn(job)

    def learning(self, checkpoint: str, kind: str = DIRECTIONS) -> JobView | None:
        """How far learning directions (or confidence) on a checkpoint is, or how the last one ended; None when none was begun."""
        job = self._jobs.get((self.family.directions_of(checkpoint), _slot([kind])))
        return job.view if job is not None else None

    def cancel_learning(self, checkpoint: str, kind: str = DIRECTIONS) -> None:
        """End learning directions (or confidence) on a checkpoint at its next slice."""
        if (job := self._jobs.get((self.family.directions_of(checkpoint), _slot([kind])))) is not None:
            job.cancel()

    def jobs(self) -> tuple[JobLine, ...]:
        """Everything that goes on now, for whichever chat or tab: what runs, then what waits and for what."""
        return job_lines(self.status.runs, self._begun())

    def end_job(self, key: str) -> bool:
        """End one of :meth:`jobs` by its key at its next slice; False where it is none of those begun here, or over."""
        return end_job(self._begun(), key)

    def _begun(self) -> list[Watched[Any]]:
        begun: list[Watched[Any]] = [*self._errands.all(), *self._jobs.copy().values(), *self._maps.copy().values()]
        return [*begun, *self.transfers.all()]

    def trace(self, order: MapRequest) -> MapJob:
        """Compute knowledge maps while nobody chats. What is being computed, or was, is given as it is.

        What goes wrong is in the job's view.

        Raises:
            FamilyError: there is no such checkpoint.
            TillerError: a visitor has begun something else, which is not over.
        """
        for name in order.checkpoints:
            self.family.checkpoint(name)
        with self._gate:
            present = self._maps.get(order)
            if present is not None and present.view.state not in ("cancelled", "failed"):
                self._maps.move_to_end(order)
                return present
            job = MapJob(order)
            self._begin(job)
            self._maps[order] = job
            self._maps.move_to_end(order)
            while len(self._maps) > MAX_MAPS:
                self._maps.popitem(last=False)[1].cancel()
        self._send(EngineCommand(lambda worker: worker.trace(job), lambda sentence: job.publish("failed", sentence)))
        return job

    def traced(self, order: MapRequest) -> MapJob | None:
        """The maps of an order that was given before, while they are kept."""
        return self._maps.get(order)

    def last_traced(self) -> MapJob | None:
        """The maps that were asked for last, while they are kept."""
        return next(reversed(self._maps.copy().values()), None)

    def cell_words(self, traced: Traced, shown: Map, layer: int, column: int) -> Words:
        """The words that a cell's residuals would say. Raises TillerError."""
        return self.call(lambda worker: worker.cell(traced, shown, layer, column)).result()

    def token_words(self, settings: Settings, column: int, reply: Sequence[int], index: int) -> Words:
        """The words that every layer would say where token ``index`` of a column's answer was said. Raises TillerError."""
        family = self.family
        return self.call(lambda worker: worker.lens(family, settings, column, tuple(reply), index)).result()

    @property
    def memory_use(self) -> MemoryUse | None:
        """What the models that are loaded take of the memory that holds them, with those of other families in the same account; None while
        there are none. How much of a GPU's is free is not asked: that would load torch into the front ends."""
        held = self.account.size - self.account.unread
        return MemoryUse(held, free_cpu() if self.status.device == "cpu" else None) if held else None

    def offer(self, checkpoint: str) -> Offer | None:
        """What could be learnt on a checkpoint, and how long it would take; None where nothing is lacking."""
        own = self.family.directions_of(checkpoint)
        kinds = learnable(self.family, own)
        if not kinds:
            rest = half_measured(self.family, own)
            return Offer(own, rest, there=True) if rest else None
        # The checkpoints of a family have one shape: what was measured on one holds for the others.
        return Offer(own, kinds, self._seconds.get(own, next(iter(self._seconds.values()), None)))

    def prompt(self, settings: Settings, column: int) -> PromptView:
        """The exact prompt of a column. Raises TillerError when there is none or the model cannot be loaded."""
        return self.call(lambda worker: worker.prompt(settings, column)).result()

    def study(self, ask: BlameRequest) -> Generator[Step, None, BlameReport]:
        """Find out which stages some answers are owed to, a slice at a time between the steps of chats; closing it ends the work.

        Raises:
            TillerError: what is asked cannot be, or there is no model.
        """
        about = f"finding out which stage {ask.checkpoint or self.family.final.name} owes its answers to"
        work = allowed(self.allowance, lambda: self.slices(lambda worker: worker.study(ask)), line=False)
        return self._errands.run(about, work)

    def write_pairs(self, checkpoint: str, wish: LearnRequest) -> Generator[Step, None, tuple[WrittenPair, ...]]:
        """Have a checkpoint write pairs of replies under a wish's system prompts, for a person to read; closing it ends the work.

        Raises:
            TillerError: there is no model, or it answers the same under either prompt.
        """
        assert wish.prompts is not None, "only a wish with system prompts can be written for"
        wish.check_follows(self.family)
        prompts = wish.prompts
        return self.slices(lambda worker: worker.write_pairs(checkpoint, prompts))


def _slot(kinds: Sequence[str]) -> str:
    return CONFIDENCE if tuple(kinds) == (CONFIDENCE,) else DIRECTIONS
