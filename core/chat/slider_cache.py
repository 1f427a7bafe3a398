"""Answers at nine strengths of a slider, computed in the background, and which of them may be shown when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.chat.answers import Answer, fold
from core.chat.events import Event, Started
from core.chat.settings import Settings
from core.recipes.language import Term

_MAX_KEPT = 8


@dataclass(frozen=True)
class ScrubKey:
    """What the nine answers depend on: one column without its slider, the conversation up to it, the sampling; and the slider's
    term at strength 1, which says along which direction, at which layers and where it pushes."""

    settings: Settings
    term: Term


def scrub_key(settings: Settings, column: int, direction: str, resting: Term | None = None) -> ScrubKey:
    """The key under which answers of ``column`` at the strengths of ``direction`` are kept; ``resting`` is what the slider moves along
    where the recipe has no term of it.

    Two settings that differ only in that strength, in the lens, in other columns or in the last replies have the same key.
    """
    chosen = settings.columns[column]
    term = chosen.recipe.slider(direction) or resting
    bare = replace(chosen, recipe=chosen.recipe.with_strength(direction, 0.0))
    turns = tuple(replace(turn, replies=turn.replies[column : column + 1]) for turn in settings.turns)
    turns = (*turns[:-1], replace(turns[-1], replies=())) if turns else ()
    alone = replace(settings, columns=(bare,), selected=0, lens="changed", turns=turns)
    return ScrubKey(alone, replace(term, value=1.0) if term else Term("add", direction))


@dataclass
class Scrubs:
    """The answers that are at hand, by key and place among the strengths; the oldest keys are forgotten first."""

    strengths: Sequence[float]
    kept: dict[ScrubKey, dict[int, Answer]] = field(default_factory=dict)

    def start(self, key: ScrubKey) -> None:
        """Make room for a run's answers."""
        self.kept.pop(key, None)
        self.kept[key] = {}
        while len(self.kept) > _MAX_KEPT:
            del self.kept[next(iter(self.kept))]

    def apply(self, key: ScrubKey, events: Sequence[Event]) -> None:
        """Fold a scrub run's events in; an event's column is its place among the strengths.

        What ends an answer that has not begun here is an earlier run's: it would pass for an answer without a word.
        """
        answers = self.kept.get(key, {})
        for event in events:
            if event.column is None or event.column in answers or isinstance(event, Started):
                answers = fold(answers, event)
        self.kept[key] = answers

    def ready(self, key: ScrubKey) -> tuple[float, ...]:
        """The strengths whose answers are finished."""
        answers = self.kept.get(key, {})
        return tuple(strength for index, strength in enumerate(self.strengths) if _whole(answers.get(index)))

    def complete(self, key: ScrubKey) -> bool:
        """Whether every strength's answer is at hand."""
        return len(self.ready(key)) == len(self.strengths)

    def find(self, key: ScrubKey, strength: float) -> Answer | None:
        """The finished answer at a strength, if it is one of those computed."""
        for index, each in enumerate(self.strengths):
            if abs(each - strength) < 1e-9:
                answer = self.kept.get(key, {}).get(index)
                return answer if _whole(answer) else None
        return None


def _whole(answer: Answer | None) -> bool:
    return answer is not None and answer.finished and not answer.error and answer.reason != "stopped"
