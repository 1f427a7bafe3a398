"""What a family's checkpoints have learnt, as both front ends list it. Only headers are read, and each again only when its file changes.

A new file, and one that is gone, is noticed at once: folders are listed anew each time. May be asked from any thread.
"""

from __future__ import annotations

from core.artefacts.store import Card
from core.display import lenses
from core.display.lenses import Lens
from core.errors import TillerError
from core.families.checkpoint import FamilyError, FamilyRef
from core.families.stages import stage_path
from core.recipes.corrections import corrected
from core.recipes.language import Recipe, parse
from core.steering import describe


class Catalogue:
    """The directions and sets of neurons of a family, and what recipes make of them."""

    def __init__(self, families: FamilyRef) -> None:
        self._families = families

    def own(self, checkpoint: str) -> str:
        """The checkpoint whose directions a recipe on ``checkpoint`` means by their bare names; the name itself where the family has no
        such checkpoint."""
        try:
            return self._families.family.directions_of(checkpoint)
        except FamilyError:
            return checkpoint

    def cards(self, checkpoint: str) -> dict[str, Card]:
        """The directions that a recipe on a checkpoint means by their bare names; none where the family has no such checkpoint."""
        return {card.name: card for card in describe.learnt_on(self._families.family, self.own(checkpoint))}

    def directions(self) -> dict[str, dict[str, Card]]:
        """Every direction of the family in the usual order: its card for each checkpoint that it was learnt on, in the family's order."""
        found: dict[str, dict[str, Card]] = {}
        for checkpoint in self._families.family.checkpoints:
            for name, card in self.cards(checkpoint.name).items():
                found.setdefault(name, {})[checkpoint.name] = card
        return {name: found[name] for name in lenses.usual(found)}

    def sources(self, direction: str) -> tuple[str, ...]:
        """The checkpoints that a direction was learnt on, in the family's order; none for a name that is no direction."""
        return tuple(each.name for each in self._families.family.checkpoints if direction in self.cards(each.name))

    def neuron_sets(self) -> tuple[str, ...]:
        """The name of every set of neurons of the family, each once."""
        family = self._families.family
        every = (name for each in family.checkpoints for name in describe.neuron_sets(family, each.name))
        return tuple(dict.fromkeys(every))

    def explain(self, recipe: Recipe, checkpoint: str) -> str:
        """What a recipe does to ``checkpoint``, in words. Raises TillerError as :func:`core.steering.describe.explain_recipe` does."""
        return describe.explain_recipe(self._families.family, recipe, checkpoint)

    def corrected(self, text: str, checkpoint: str) -> str:
        """A recipe that ``checkpoint`` can be given and that was probably meant by one that it cannot; empty where none comes to mind."""
        try:
            recipe = parse(corrected(text, self.cards(checkpoint) or self.directions()))
            self.explain(recipe, checkpoint)
        except TillerError:
            return ""
        return str(recipe)

    def lenses(self, checkpoint: str) -> tuple[Lens, ...]:
        """The lenses for a selected column of ``checkpoint``: the readings, every direction of the family, the stages.

        A direction is coloured over the range of readings that was measured on the column's own checkpoint, else on the last one that
        it was learnt on. A token without the reading of one stays uncoloured. The stages are those that led to the checkpoint, else
        to the family's final one.
        """
        own = self.own(checkpoint)
        cards = [learnt.get(own) or list(learnt.values())[-1] for learnt in self.directions().values()]
        return (*lenses.for_cards(cards), *(self.stage_lenses(checkpoint) or self.stage_lenses()))

    def stage_lenses(self, checkpoint: str = "") -> tuple[Lens, ...]:
        """The lenses for the training stages that led to a checkpoint (the final one, without a name); none where there is one stage."""
        try:
            return lenses.of_stages(stage_path(self._families.family, checkpoint))
        except TillerError:
            # One checkpoint alone, or one of another family: there is nothing to colour by.
            return ()
