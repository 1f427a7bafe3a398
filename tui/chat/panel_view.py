"""The panel beside the conversation: the selected column's recipe, its sliders, and the offer to learn what is lacking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.chat.slider_cache import scrub_key
from core.directions import dose_response
from core.errors import TillerError
from core.recipes.language import RecipeError, parse
from tui.widgets.slider import Slider, SliderFace

if TYPE_CHECKING:
    from textual.containers import Vertical

    from tui.chat.model import ChatModel
    from tui.widgets.learn_line import LearnLine
    from tui.widgets.recipe_line import RecipeLine


class PanelView:
    """Draws the selected column on the panel's widgets."""

    def __init__(self, model: ChatModel, recipe_line: RecipeLine, learn_line: LearnLine, rows: Vertical) -> None:
        self.model, self.recipe_line, self.learn_line, self.rows = model, recipe_line, learn_line, rows

    def draw(self) -> None:
        """Recipe line, sliders, what can be learnt, and what the recipe does."""
        self._draw_recipe()
        self._draw_sliders()
        self.draw_learning()
        self.draw_verdict()

    def _draw_recipe(self) -> None:
        model, settings = self.model, self.model.settings
        narrow = self.recipe_line.screen.has_class("-narrow")
        number, checkpoint = settings.selected + 1, settings.column.checkpoint
        label = f"recipe {number}·{checkpoint}" if narrow else f"RECIPE of column {number} · {checkpoint}"
        text = str(settings.column.recipe) if model.typed is None else None
        checkpoints = [each.name for each in model.engine.family.checkpoints]
        self.recipe_line.show(label, text, model.direction_names(), checkpoints, model.neuron_sets())

    def draw_verdict(self) -> None:
        """Say beneath the recipe line what it does, or what is wrong with it."""
        column = self.model.settings.column
        try:
            recipe = parse(self.model.typed) if self.model.typed is not None else column.recipe
            said = self.model.engine.explain(recipe, column.checkpoint)
        except TillerError as error:
            at = error.column if isinstance(error, RecipeError) else None
            self.recipe_line.judge(str(error), wrong=True, column=at)
        else:
            self.recipe_line.judge(said if recipe else "the model as it is", wrong=False)

    def draw_learning(self) -> None:
        """What can be learnt, or how far it is."""
        engine, checkpoint = self.model.engine, self.model.own_source(self.model.settings.column.checkpoint)
        known = any(each.name == checkpoint for each in engine.family.choices)
        self.learn_line.show(
            engine.offer(checkpoint) if known else None, engine.learning(checkpoint) if known else None
        )

    # --------------------------------------------------------------------------------------------------------- sliders

    @property
    def sliders(self) -> dict[str, Slider]:
        """The sliders that are there, by direction."""
        return {slider.direction: slider for slider in self.rows.query(Slider)}

    def _draw_sliders(self) -> None:
        names, present = self.model.direction_names(), self.sliders
        if list(present) != names:
            self.rows.remove_children()
            present = {name: Slider(name) for name in names}
            self.rows.mount_all(present.values())
        if self.model.slider not in names:
            self.model.slider = names[0] if names else ""
        for name, slider in present.items():
            slider.show(self._face(name))

    def _face(self, name: str) -> SliderFace:
        model, settings = self.model, self.model.settings
        recipe, source = settings.column.recipe, model.source(name)
        card = model.cards(source or settings.column.checkpoint).get(name)
        kinds = ("ablate", "hold")
        other = next((term for term in recipe.terms if term.kind in kinds and term.direction == name), None)
        return SliderFace(
            value=recipe.strength(name),
            source=source or model.own_source(settings.column.checkpoint),
            active=name == model.slider,
            state="" if other is None else "ablated" if other.kind == "ablate" else f"held at {other.value:g}",
            dose=dose_response.stored_dose_response(card.details) if card else None,
            ready=model.scrubs.ready(scrub_key(settings, settings.selected, name, source)) if settings.turns else (),
            missing=card is None,
        )
