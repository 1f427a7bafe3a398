"""Models by name: ``FAMILY/CHECKPOINT``, with a recipe behind a colon. So any program can steer that can choose a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from app.v1.errors import ApiError
from core.chat.presets import presets
from core.chat.settings import Settings
from core.directions.conclusion import first_recipe, moves_nothing
from core.engine.engine import Engine
from core.recipes.language import Recipe, parse

#: What may stand between a checkpoint and its recipe.
_BETWEEN = (":", " ")


@dataclass(frozen=True)
class Model:
    """What a name means: a checkpoint of an engine's family, a recipe, and the system prompt of a preset. ``name`` is as it was asked."""

    name: str
    engine: Engine
    checkpoint: str
    recipe: Recipe
    system: str = ""


class Models:
    """The models of some engines, the first one's checkpoints also without their family."""

    def __init__(self, engines: Callable[[], Sequence[Engine]]) -> None:
        self.engines = engines

    def listed(self) -> Iterator[Model]:
        """Every checkpoint plain, steered by each direction that does not move nothing, and as each preset has it."""
        for engine in self.engines():
            for checkpoint, name in self._checkpoints(engine):
                yield Model(name, engine, checkpoint, Recipe())
                for card in engine.catalogue.cards(checkpoint).values():
                    if not moves_nothing(card):
                        recipe = first_recipe(card)
                        yield Model(f"{name}:{recipe}", engine, checkpoint, recipe)
                for each in presets(engine.family):
                    if each.checkpoint == checkpoint:
                        yield Model(f"{name}:{each.name}", engine, checkpoint, parse(each.recipe), each.system)

    def find(self, name: str, steering: str | None = None) -> Model:
        """The model of a name; ``steering``, where it is given, takes the place of the name's recipe.

        Raises:
            ApiError: there is no such checkpoint.
            RecipeError: a recipe that is none.
        """
        first = self.engines()[0]
        known = [(own, engine, each) for engine in self.engines() for each, own in self._checkpoints(engine)]
        known += [(each, first, each) for each, _ in self._checkpoints(first)]
        for own, engine, checkpoint in sorted(known, key=lambda each: -len(each[0])):
            if name == own or name.startswith(tuple(f"{own}{each}" for each in _BETWEEN)):
                said = unquote(name[len(own) + 1 :]).strip()
                preset = next((each for each in presets(engine.family) if each.name == said), None)
                recipe = steering if steering is not None else preset.recipe if preset else said
                # Compiled against what there is, so that a recipe that cannot be is refused before anything runs.
                column = engine.settings(checkpoint, recipe).column
                return Model(name, engine, checkpoint, column.recipe, preset.system if preset else "")
        raise ApiError(
            f"There is no model {name[:100]!r}; /v1/models lists them. A recipe stands behind a colon: {known[0][0]}:1.5*NAME.",
            404,
            "model_not_found",
            "model",
        )

    def _checkpoints(self, engine: Engine) -> Iterator[tuple[str, str]]:
        for each in (*engine.family.present, *engine.family.counterfactuals):
            yield each.name, f"{engine.family.name}/{each.name}"


def alone(engine: Engine, checkpoint: str, recipe: str) -> Settings:
    """A fresh chat with a checkpoint and a recipe in one column, whether or not a plain one would stand beside it. Raises TillerError."""
    fresh = engine.settings(checkpoint, recipe)
    return replace(fresh, columns=(fresh.column,), selected=0)
