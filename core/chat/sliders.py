"""The sliders of a chat: which term of a column's recipe each one moves, also while it stands at 0, and by which steps. No torch.

A recipe forgets a term whose slider stands at 0; the bank remembers its source, layers and scope until it is moved again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from core.chat.session import Session
from core.chat.settings import Settings
from core.chat.slider_cache import ScrubKey, Scrubs, scrub_key
from core.errors import TillerError
from core.recipes.language import MAX_STRENGTH, Recipe, Term, parse
from core.util.limits import MAX_TERMS

#: The strengths of a slider whose answers are computed beforehand, in gaps. A slider runs from the first to the last.
SLIDER_STRENGTHS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
SPAN = SLIDER_STRENGTHS[-1]
#: A step lands on those strengths; a fine one lies between them.
STEP, FINE = 0.5, 0.1


class Directions(Protocol):
    """What a bank asks about a family's directions (:class:`core.engine.catalogue.Catalogue`)."""

    def sources(self, direction: str) -> Sequence[str]:
        """The checkpoints that a direction was learnt on, in the family's order; none for a name that is no direction."""

    def own(self, checkpoint: str) -> str:
        """The checkpoint whose directions a recipe on ``checkpoint`` means by their bare names."""

    def explain(self, recipe: Recipe, checkpoint: str) -> str:
        """What a recipe does to a checkpoint. Raises TillerError for one that does not fit."""


class SliderBank:
    """The sliders of every column of one chat. What changes a recipe gives the new one, of the selected column, and checks it.

    Nothing is remembered of a change that is refused. The front end puts the recipe into the session.
    """

    def __init__(self, directions: Directions) -> None:
        self._directions = directions
        self._resting: dict[tuple[int, str], Term] = {}

    # -------------------------------------------------------------------------------------------------------- what holds

    def term(self, settings: Settings, direction: str) -> Term:
        """What a slider moves along: the recipe's term, else the one that it rests with, else the direction of the column's own
        checkpoint, else that of the last checkpoint that it was learnt on.

        Raises:
            TillerError: there is no such direction, and neither a term of it.
        """
        column = settings.column
        there = column.recipe.slider(direction) or self._resting.get((settings.selected, direction))
        if there is not None:
            return there
        sources = self._directions.sources(direction)
        if not sources:
            raise TillerError(f"This family has no direction {direction!r}.")
        return Term("add", direction, 1.0, None if self._directions.own(column.checkpoint) in sources else sources[-1])

    def source(self, settings: Settings, direction: str) -> str:
        """The checkpoint that a slider takes its direction from, by its name. Raises TillerError as :meth:`term` does."""
        return self.term(settings, direction).source or self._directions.own(settings.column.checkpoint)

    def ablated(self, settings: Settings, direction: str) -> bool:
        """Whether the recipe takes the direction out."""
        return any(term.kind == "ablate" and term.direction == direction for term in settings.column.recipe.terms)

    # ----------------------------------------------------------------------------------------------------------- changes

    def move(self, settings: Settings, direction: str, strength: float) -> Recipe:
        """The recipe after a slider was moved; a term that stood at 0 comes back as it was.

        Raises:
            TillerError: a strength beyond :data:`core.recipes.language.MAX_STRENGTH`, or no such direction.
        """
        return self._along(settings, self.term(settings, direction), strength)

    def set_source(self, settings: Settings, direction: str, source: str) -> Recipe:
        """The recipe with a slider's direction taken from another checkpoint, also for when it will be moved away from 0.

        Raises:
            TillerError: the direction was not learnt there.
        """
        if source not in self._directions.sources(direction):
            raise TillerError(f"No direction {direction} was learnt on {source!r}; choose another checkpoint.")
        own = source == self._directions.own(settings.column.checkpoint)
        term = replace(self.term(settings, direction), source=None if own else source)
        return self._along(settings, term, settings.column.recipe.strength(direction))

    def next_source(self, settings: Settings, direction: str) -> Recipe:
        """:meth:`set_source` with the next checkpoint that has the direction: the column's own first, then the family's order."""
        own = self._directions.own(settings.column.checkpoint)
        sources = sorted(self._directions.sources(direction), key=lambda name: name != own)
        present = self.source(settings, direction)
        at = sources.index(present) + 1 if present in sources else 0
        return self.set_source(settings, direction, sources[at % len(sources)])

    def ablate(self, settings: Settings, direction: str, on: bool) -> Recipe:
        """The recipe with the direction taken out everywhere, or with that let be. Raises TillerError."""
        recipe = settings.column.recipe
        kept = tuple(term for term in recipe.terms if term.kind != "ablate" or term.direction != direction)
        added = (Term("ablate", direction, source=self.term(settings, direction).source),) if on else ()
        return self._checked(settings, Recipe((*kept, *added)))

    def reset(self, settings: Settings, direction: str) -> Recipe:
        """The recipe without anything that is done along the direction: no push, no removal, no hold. Raises TillerError."""
        kept = tuple(
            each for each in settings.column.recipe.terms if each.direction != direction or each.kind == "neurons"
        )
        self._resting.pop((settings.selected, direction), None)
        return self._checked(settings, Recipe(kept))

    def write(self, settings: Settings, text: str) -> Recipe:
        """The recipe of a typed line; the column's sliders that stand at 0 rest as new ones do. Raises TillerError."""
        recipe = self._checked(settings, parse(text))
        self.forget(settings.selected)
        return recipe

    def forget(self, column: int | None = None) -> None:
        """Let the sliders of a column (of all, without one) rest as new ones do: it shows another chat, or there are other columns."""
        self._resting = {key: term for key, term in self._resting.items() if column is not None and key[0] != column}

    def _along(self, settings: Settings, term: Term, strength: float) -> Recipe:
        recipe = self._checked(settings, _moved(settings.column.recipe, term, strength))
        # The slider may only be passing 0, where the recipe forgets the term.
        self._resting[settings.selected, term.direction] = term
        return recipe

    def _checked(self, settings: Settings, recipe: Recipe) -> Recipe:
        self._directions.explain(recipe, settings.column.checkpoint)
        return recipe

    # ------------------------------------------------------------------------------------------- answers at its strengths

    def moves(self, settings: Settings, direction: str) -> bool:
        """Whether the recipe has the slider's term, or room for it."""
        recipe = settings.column.recipe
        return recipe.slider(direction) is not None or len(recipe.terms) < MAX_TERMS

    def along(self, settings: Settings, direction: str) -> Settings:
        """The settings whose selected column moves along the slider's term, also where it stands at 0: for ``Engine.scrub``.

        Raises:
            TillerError: the recipe has no room for the term.
        """
        moved = _moved(settings.column.recipe, self.term(settings, direction), 1.0)
        return settings.with_recipe(moved)

    def key(self, settings: Settings, direction: str) -> ScrubKey:
        """The key of the answers at the slider's strengths; also of one that a full recipe has no room for."""
        return scrub_key(settings, settings.selected, direction, self.term(settings, direction))

    def show_computed(self, session: Session, scrubs: Scrubs, direction: str) -> bool:
        """Put the answer that was computed at exactly the slider's strength into the selected column; whether there was one."""
        settings = session.settings
        strength = settings.column.recipe.strength(direction)
        found = scrubs.find(self.key(settings, direction), strength)
        if found is not None:
            session.swap(settings.selected, found)
        return found is not None


def _moved(recipe: Recipe, term: Term, strength: float) -> Recipe:
    if recipe.slider(term.direction) is not None:
        return recipe.with_strength(term.direction, strength, term.source)
    return Recipe((*recipe.terms, replace(term, value=strength))) if strength else recipe


# ---------------------------------------------------------------------------------------------------------------- strengths


def stepped(strength: float, amount: float) -> float:
    """A strength moved by ``amount`` to the next multiple of it, at most to :data:`core.recipes.language.MAX_STRENGTH`."""
    size = abs(amount)
    steps = strength / size
    nearest = round(steps)
    if abs(steps - nearest) > 1e-6:
        # From between two marks, one step goes to the nearer mark in that direction.
        target = (int(steps // 1) + (1 if amount > 0 else 0)) * size
    else:
        target = (nearest + (1 if amount > 0 else -1)) * size
    return min(MAX_STRENGTH, max(-MAX_STRENGTH, round(target, 6)))


def snapped(strength: float) -> float:
    """The nearest strength that a step lands on."""
    return round(strength / STEP) * STEP
