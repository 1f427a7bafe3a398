"""The blame of the answers that the engine writes: which runs want it, what it takes, and the noise level it is measured against.

Everything here happens on the engine's thread, a slice at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable

from core.attribution import noise
from core.attribution.chance import Noise
from core.attribution.model_sequence import Vocabularies, pooled
from core.attribution.streaming import TokenAttribution
from core.chat.beginnings import AlreadySaid
from core.chat.events import Done, Event, Scores, Token
from core.engine.active_run import Active
from core.errors import TillerError
from core.families import stages
from core.families.checkpoint import FamilyRef
from core.families.stages import Path
from core.inference import prompts
from core.models.pool import ModelPool, NoRoomNow
from core.util.faults import fault
from core.util.progress import Step

_log = logging.getLogger(__name__)


class Attribution:
    """Blame for the runs of one engine. ``measured`` is told of a noise level by the final checkpoint's name, once it is known."""

    def __init__(self, families: FamilyRef, pool: ModelPool, measured: Callable[[str, Noise], None]) -> None:
        self._families, self.pool = families, pool
        self._measured = measured
        self._noise: dict[str, Noise] = {}
        self._wanted: list[Path] = []
        self._measuring: Generator[Step, None, Noise] | None = None

    # -------------------------------------------------------------------------------------------------------------- runs

    def hear(self, active: Active, events: Iterable[Event]) -> list[Event]:
        """Tell the blame of a run what has been said; gives a note for a column that cannot have any."""
        if active.run.scrub or not active.run.blame:
            return []
        notes: list[Event] = []
        for column, prompt in active.prompts.items():
            if column not in active.blaming and column not in active.unblamed:
                notes += self._begin(active, column, prompt)
        for event in events:
            blaming = active.blaming.get(event.column) if event.column is not None else None
            if blaming is not None and isinstance(event, Token) and event.index == len(blaming.tokens):
                blaming.tokens.append(event.id)
            elif blaming is not None and isinstance(event, Done):
                blaming.ended = True
        return notes

    def give(self, active: Active) -> list[Event]:
        """Begin the blame of answers that were written before; gives a note for each that cannot have any."""
        notes: list[Event] = []
        for column, tokens in (active.run.given or {}).items():
            checkpoint = active.run.settings.columns[column].checkpoint
            try:
                stages.stage_path(self._families.family, checkpoint)
                with self.pool.held(checkpoint) as loaded:
                    prompt = prompts.build(loaded, active.run.settings, column).ids
            except TillerError as error:
                notes.append(Scores(column, "blame", note=str(error)))
                continue
            active.prompts[column] = prompt
            notes += self._begin(active, column, prompt)
            if column in active.blaming:
                active.blaming[column].tokens += tokens
                active.blaming[column].ended = True
        return notes

    def _begin(self, active: Active, column: int, prompt: tuple[int, ...]) -> list[Event]:
        try:
            path = stages.stage_path(self._families.family, active.run.settings.columns[column].checkpoint)
        except TillerError as error:
            active.unblamed.add(column)
            return [Scores(column, "blame", note=str(error))]
        vocabularies = Vocabularies(self._families.family, path)
        live = self.pool.placing.quantize == "none" and self.pool.together(path.models())
        made = active.blaming[column] = TokenAttribution(
            column, path, lambda: self.noise(path), prompt, vocabularies.unknown,
            self.pool.get if live else None, pooled(self.pool, path.final),
        )  # fmt: skip
        begins = active.run.prefixes.get(column)
        before = begins.ids if isinstance(begins, AlreadySaid) else ()
        made.tokens = [*before, *(token.id for token in active.said.get(column, []))]
        made.ended = column in active.ended
        return []

    def step(self, active: Active) -> list[Event]:
        """One slice of one column's blame."""
        for column, blaming in active.blaming.items():
            try:
                events = blaming.step()
            except NoRoomNow as error:
                events, blaming.over = [Scores(column, "blame", note=str(error))], True
            except Exception as error:
                # A fault of ours or of a library's: the answer itself is not to suffer from it.
                events, blaming.over = [Scores(column, "blame", note=fault("Telling the stages apart", error))], True
            if events is not None:
                return events
        return []

    def pending(self, active: Active) -> bool:
        """Whether something of a run's blame is left to do now that its answers are complete."""
        return not active.run.cancelled.is_set() and any(not each.over for each in active.blaming.values())

    # ------------------------------------------------------------------------------------------------------------- noise

    def noise(self, path: Path) -> Noise:
        """The noise level of a path's final checkpoint; unknown until it is measured, which begins now while nobody chats."""
        found = self._noise.get(path.final)
        if found is None:
            try:
                found = noise.kept_noise(self._families.family, path, self.pool.placing.quantize)
            except TillerError as error:
                # A retraining that is not there, or belongs to other weights: uncalibrated, and said so.
                _log.info("No noise level of %s: %s", path.final, error)
                found = Noise()
            if found is not None:
                self._know(path, found)
            elif path not in self._wanted:
                self._wanted.append(path)
        return found or Noise()

    def expect(self) -> None:
        """Measure the final checkpoint's noise level beforehand, where all that it takes is small."""
        try:
            path = stages.stage_path(self._families.family)
        except TillerError:
            # One checkpoint only: there are no stages to tell apart, and nobody can ask.
            return
        if self.pool.placing.quantize == "none" and self.pool.together((path.final, *path.nulls)):
            self.noise(path)

    @property
    def waiting(self) -> bool:
        """Whether a noise level is still to be measured."""
        return bool(self._wanted)

    def measure(self) -> None:
        """One slice of measuring a noise level."""
        path = self._wanted[0]
        if self._measuring is None:
            self._measuring = noise.measure_noise(
                self._families.family, path, pooled(self.pool, path.final), self.pool.placing.quantize
            )
        try:
            next(self._measuring)
        except StopIteration as stop:
            self._know(path, stop.value)
        except Exception as error:
            # Whatever is wrong with a retraining, effects are shown without a noise level then.
            _log.info("The noise level of %s could not be measured: %s", path.final, error)
            self._know(path, Noise())
        else:
            return
        self._wanted.pop(0)
        self._measuring = None

    def _know(self, path: Path, found: Noise) -> None:
        self._noise[path.final] = found
        self._measured(path.final, found)
