"""The chat that is on the screen: settings, answers, what they were made with, and the way back. No widget here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from core.chat.answers import Answer, fold, settled
from core.chat.events import Event, RecipeChanged
from core.chat.settings import MAX_SEED, Column, Settings, SettingsError
from core.recipes.language import Recipe

_MAX_PAST = 100


@dataclass(frozen=True)
class Snapshot:
    """All that an undo brings back. ``made`` holds, per column, the recipe its last answer was made with."""

    settings: Settings
    answers: dict[int, Answer]
    made: dict[int, str]
    recorded: bool


@dataclass
class Session:
    """The state of one chat and what may be done to it; every method leaves a whole state behind, also when it raises."""

    settings: Settings
    answers: dict[int, Answer] = field(default_factory=dict)
    made: dict[int, str] = field(default_factory=dict)
    recorded: bool = False
    past: list[Snapshot] = field(default_factory=list)

    @classmethod
    def of(cls, settings: Settings, answers: dict[int, Answer], recorded: bool = False) -> Session:
        """A session that shows finished answers, each made with its column's recipe."""
        made = {column: str(settings.columns[column].recipe) for column in answers if column < len(settings.columns)}
        return cls(settings, {column: answers[column] for column in made}, made, recorded)

    # ---------------------------------------------------------------------------------------------------- conversation

    def ask(self, message: str) -> None:
        """Add a turn that waits for its replies. A recorded run makes room for it. Raises SettingsError for a bad message."""
        base = replace(self.settings, turns=()) if self.recorded else self.settings
        self._begin_turn(base.ask(message))

    def ask_again(self, message: str, turn: int | None = None) -> None:
        """Put an edited message in a turn's place (the last one's); what came after it goes. Raises SettingsError for a bad message."""
        kept = self.settings.turns[:turn] if turn is not None else self.settings.turns[:-1]
        self._begin_turn(replace(self.settings, turns=kept).ask(message))

    def open(self, settings: Settings) -> None:
        """Put another chat in this one's place; undo brings this one back."""
        self.remember()
        self.settings, self.answers, self.made, self.recorded = settings, {}, {}, False

    def waiting(self, columns: Iterable[int]) -> None:
        """These columns' last replies are being made anew."""
        for column in columns:
            self.answers[column] = Answer()
            self.made[column] = str(self.settings.columns[column].recipe)
        self.recorded = False

    def remember(self) -> None:
        """Keep the present state for :meth:`undo`."""
        self.past = [*self.past, Snapshot(self.settings, dict(self.answers), dict(self.made), self.recorded)][
            -_MAX_PAST:
        ]

    def retry(self) -> None:
        """Prepare the last turn to be answered again: with the next seed where tokens are drawn by chance, so that it may come out
        otherwise. A recorded run is answered as it was. Raises SettingsError when there is nothing to answer.
        """
        if not self.settings.turns:
            raise SettingsError("There is nothing to answer yet; write a message first.")
        self.remember()
        sampling = self.settings.sampling
        if sampling.temperature > 0 and not self.recorded:
            self.settings = replace(self.settings, sampling=replace(sampling, seed=(sampling.seed + 1) % MAX_SEED))

    def undo(self) -> str:
        """Go back one step: before the last message, retry, continuation or new chat; where no step is remembered, take the last turn
        away. Gives the message that was taken back, if one was. Raises SettingsError where there is neither.
        """
        turns = self.settings.turns
        if self.past:
            last = self.past[-1]
            self.past = self.past[:-1]
            lens, tab = self.settings.lens, self.settings.tab
            self.settings = replace(last.settings, lens=lens, tab=tab)
            self.answers, self.made = dict(last.answers), dict(last.made)
            self.recorded = last.recorded
        elif turns:
            self.settings = replace(self.settings, turns=turns[:-1])
            self.answers, self.made, self.recorded = {}, {}, False
        else:
            raise SettingsError("There is nothing to undo yet.")
        return turns[-1].user if len(self.settings.turns) < len(turns) else ""

    def _begin_turn(self, settings: Settings) -> None:
        self.remember()
        self.settings, self.answers, self.made, self.recorded = settings, {}, {}, False

    # -------------------------------------------------------------------------------------------------------- a run

    def apply(self, events: Iterable[Event]) -> None:
        """Fold a run's events into the answers."""
        for event in events:
            self.answers = fold(self.answers, event)
            if isinstance(event, RecipeChanged):
                self.made[event.column] = event.recipe

    def settle(self) -> None:
        """Write the answers into the settings, once a run is over."""
        if self.settings.turns and self.answers:
            self.settings = settled(self.settings, self.answers)

    def swap(self, column: int, answer: Answer) -> None:
        """Show another finished answer in a column: one that was computed for its present recipe."""
        tokens = tuple(replace(token, column=column) for token in answer.tokens)
        self.answers = {**self.answers, column: replace(answer, tokens=tokens)}
        self.made[column] = str(self.settings.columns[column].recipe)
        self.settings = self.settings.answered(column, answer.text)

    # ------------------------------------------------------------------------------------------------------- columns

    def set_recipe(self, recipe: Recipe) -> None:
        """Give the selected column another recipe; its answer stays until it is made anew."""
        self.settings = self.settings.with_recipe(recipe)

    def set_checkpoint(self, column: int, checkpoint: str) -> None:
        """Give a column another checkpoint."""
        self.remember()
        self.settings = self.settings.with_column(replace(self.settings.columns[column], checkpoint=checkpoint), column)

    def add_column(self, checkpoint: str, asks: str = "") -> int:
        """Add a column without a recipe, perhaps one that asks in words; returns its index. Raises SettingsError when there are four."""
        wider = self.settings.add_column(Column(checkpoint, asks=asks))
        self.remember()
        self.settings = wider
        return wider.selected

    def drop_column(self, column: int) -> None:
        """Close a column with its answers. Raises SettingsError when it is the last one."""
        narrower = self.settings.drop_column(column)
        self.remember()
        self.settings = narrower
        self.answers = {c - (c > column): answer for c, answer in self.answers.items() if c != column}
        self.made = {c - (c > column): made for c, made in self.made.items() if c != column}

    def stale(self, column: int) -> bool:
        """Whether a column's answer was made with another recipe than the one the column has now."""
        return column in self.answers and self.made.get(column) != str(self.settings.columns[column].recipe)

    def may_precompute(self, running: bool) -> bool:
        """Whether the selected column's answer at other strengths of a slider may be computed beforehand, while nobody waits.

        ``running`` says whether an answer is being written. The answer that is there has to be whole and the model's own: not recorded,
        not stopped, without an error or a token that was given.
        """
        answer = self.answers.get(self.settings.selected)
        if running or self.recorded or not self.settings.turns or answer is None:
            return False
        whole = answer.finished and not answer.error and answer.reason != "stopped"
        return whole and not any(token.forced for token in answer.tokens)
