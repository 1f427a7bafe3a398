"""What a front end asks of a family without its models: the chat that is opened, what directions, recipes and lenses are. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.artefacts.store import Card
from core.chat import answers
from core.chat.answers import Answer
from core.chat.session import Session
from core.chat.settings import BLAME, STAGE_LENSES, Column, Sampling, Settings
from core.display.lenses import Lens
from core.engine.catalogue import Catalogue
from core.engine.conclusion import Conclusion, conclude
from core.families.checkpoint import Example, Family, FamilyRef
from core.families.registry import is_toy
from core.families.stages import Path, stage_path
from core.models.placement import Placing
from core.recipes import in_words
from core.recipes.language import Recipe, parse
from core.steering import describe
from core.util.files import read_text


class FamilyDesk:
    """The family as it is now, ``catalogue`` what its checkpoints have learnt, ``placing`` how they are loaded."""

    _families: FamilyRef
    catalogue: Catalogue
    placing: Placing

    @property
    def family(self) -> Family:
        """The family, with what a person has made of its checkpoints by now."""
        return self._families.family

    @property
    def toy(self) -> bool:
        """Whether the family is so small that what a stranger would ask first is worked out unasked."""
        return is_toy(self.family)

    def stages(self, checkpoint: str = "") -> Path:
        """The training stages that led to a checkpoint (the final one, without a name). Raises StageError when there is only one."""
        return stage_path(self.family, checkpoint)

    def settings(self, checkpoint: str = "", recipe: str = "") -> Settings:
        """A fresh chat: the checkpoint (else the family's final one) plain, and beside it with the recipe; one column alone where nothing
        has been learnt that a recipe could use.

        Raises:
            TillerError: an unknown checkpoint, or a recipe that cannot be read or does not fit.
        """
        name = self.family.checkpoint(checkpoint).name if checkpoint else self.family.final.name
        steered = parse(recipe)
        self.explain(steered, name)
        columns = (Column(name), Column(name, steered))[: None if steered or self.catalogue.directions() else 1]
        return Settings(
            self.family.name, columns, selected=len(columns) - 1, sampling=Sampling(max_new_tokens=self.family.longest_answer),
            template_vars=self.placing.template_vars,
        )  # fmt: skip

    def example(self, example: Example, lens: str = "") -> Settings:
        """The chat that a chip opens: its message asked, of the plain checkpoint and with its recipe.

        One about a stage asks the model without it beside the plain one, and colours by what is owed to which stage. Any other keeps the
        ``lens`` that was there, unless it is of stages.
        """
        settings = self.settings(example.checkpoint, example.recipe)
        if example.without:
            path = self.stages(example.checkpoint)
            stage = path.stage(example.without)
            columns = (settings.columns[0], replace(settings.column, checkpoint=path.counterfactual[stage.name]))
            # The colours answer what the columns do: without the stage, and not what came with it.
            settings = replace(settings, columns=columns, selected=0, lens=STAGE_LENSES[stage.best])
        elif lens and not lens.startswith(BLAME):
            settings = replace(settings, lens=lens)
        return settings.ask(example.message)

    def conclude(self, session: Session) -> Conclusion | None:
        """What the last answers show when they are compared, in a sentence; None while there is nothing to be said."""
        return conclude(self.family, session)

    def recorded(self) -> tuple[Settings, dict[int, Answer]] | None:
        """The run that was recorded for this family, to be shown while the model loads."""
        for folder in self.family.places:
            path = folder / "recorded.json"
            if path.is_file():
                return answers.load_chat(read_text(path, "leave it out, or export the chat again as JSON"))
        return None

    def wish(self, column: Column) -> str:
        """The words that ask for what a column's recipe does (:mod:`core.recipes.in_words`).

        Raises:
            TillerError: nothing can be asked for.
        """

        def details(name: str, source: str | None) -> Mapping[str, Any]:
            card = self.catalogue.cards(source or column.checkpoint).get(name)
            return card.details if card else {}

        return in_words.words_for(column.recipe, details)

    def directions(self, checkpoint: str) -> tuple[Card, ...]:
        """The directions that a recipe on a checkpoint means by their bare names; only headers are read."""
        return tuple(self.catalogue.cards(checkpoint).values())

    def lenses(self, settings: Settings) -> tuple[Lens, ...]:
        """The lenses that every column is coloured by while the selected column is this one."""
        return self.catalogue.lenses(settings.column.checkpoint)

    def stage_lenses(self, checkpoint: str = "") -> tuple[Lens, ...]:
        """The lenses for the training stages that led to a checkpoint (the final one, without a name); none where there is one stage."""
        return self.catalogue.stage_lenses(checkpoint)

    def explain(self, recipe: Recipe, checkpoint: str) -> str:
        """What a recipe does to ``checkpoint``, in words. Raises TillerError as :func:`core.steering.describe.explain_recipe` does."""
        return self.catalogue.explain(recipe, checkpoint)

    def neuron_sets(self, checkpoint: str) -> tuple[str, ...]:
        """The names of the sets of neurons that were found on a checkpoint."""
        return describe.neuron_sets(self.family, checkpoint)
