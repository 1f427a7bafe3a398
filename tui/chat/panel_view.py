"""The panel beside the conversation: the selected column's recipe, its sliders, and the offer to learn what is lacking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.directions import effort
from core.errors import TillerError
from core.recipes.language import parse
from core.recipes.scanner import RecipeError
from tui.widgets.slider import Slider, SliderFace

if TYPE_CHECKING:
    from textual.containers import Vertical

    from core.artefacts.store import Card
    from tui.chat.model import ChatModel
    from tui.widgets.learn_line import LearnLine
    from tui.widgets.recipe_line import RecipeLine
    from tui.widgets.token_panel import TokenPanel


class PanelView:
    """Draws the selected column on the panel's widgets."""

    def __init__(
        self, model: ChatModel, recipe_line: RecipeLine, learn_line: LearnLine, rows: Vertical, below: TokenPanel
    ) -> None:
        self.model, self.recipe_line, self.learn_line = model, recipe_line, learn_line
        self.rows, self.below = rows, below

    def draw(self) -> None:
        """Recipe line, sliders, what can be learnt, and what the recipe does."""
        directions = self.model.engine.catalogue.directions()
        self._draw_recipe(list(directions))
        self._draw_sliders(directions)
        self.draw_learning()
        self._draw_verdict()

    def _draw_recipe(self, names: list[str]) -> None:
        engine, settings = self.model.engine, self.model.settings
        narrow = self.recipe_line.screen.has_class("-narrow")
        number, checkpoint = settings.selected + 1, settings.column.checkpoint
        label = f"recipe {number}·{checkpoint}" if narrow else f"RECIPE of column {number} · {checkpoint}"
        text = str(settings.column.recipe) if self.model.typed is None else None
        checkpoints = [each.name for each in engine.family.checkpoints]
        self.recipe_line.show(label, text, names, checkpoints, engine.catalogue.neuron_sets())

    def _draw_verdict(self) -> None:
        """Say beneath the recipe line what it does, or what is wrong with it."""
        column = self.model.settings.column
        try:
            recipe = parse(self.model.typed) if self.model.typed is not None else column.recipe
            said = self.model.engine.explain(recipe, column.checkpoint)
        except TillerError as error:
            at = error.column if isinstance(error, RecipeError) else None
            meant = self.model.engine.catalogue.corrected(self.model.typed or "", column.checkpoint)
            words = f"{error} Did you mean {meant}?" if meant else str(error)
            self.recipe_line.judge(words, wrong=True, column=at)
        else:
            self.recipe_line.judge(said if recipe else "the model as it is", wrong=False)

    def draw_learning(self) -> None:
        """What can be learnt, or how far it is."""
        engine, checkpoint = self.model.engine, self.model.own_checkpoint
        known = any(each.name == checkpoint for each in engine.family.choices)
        offer, job = (engine.offer(checkpoint), engine.learning(checkpoint)) if known else (None, None)
        self.learn_line.show(offer, job)

    # --------------------------------------------------------------------------------------------------------- sliders

    @property
    def sliders(self) -> dict[str, Slider]:
        """The sliders that are there, by direction."""
        return {slider.direction: slider for slider in self.rows.query(Slider)}

    def _draw_sliders(self, directions: Mapping[str, Mapping[str, Card]]) -> None:
        present = self.sliders
        if list(present) != list(directions):
            self.rows.remove_children()
            present = {name: Slider(name) for name in directions}
            self.rows.mount_all(present.values())
        if self.model.slider not in directions:
            self.model.slider = next(iter(directions), "")
        for name, slider in present.items():
            face = self._face(name, directions[name])
            slider.show(face)
            if face.active:
                # A slider of one line has no room for what is known of it.
                self.below.know(name, face.words)

    def _face(self, name: str, cards: Mapping[str, Card]) -> SliderFace:
        model, settings = self.model, self.model.settings
        recipe, source = settings.column.recipe, model.bank.source(settings, name)
        card = cards.get(source)
        held = next((term.value for term in recipe.terms if term.kind == "hold" and term.direction == name), None)
        state = "ablated" if model.bank.ablated(settings, name) else "" if held is None else f"held at {held:g}"
        # It reads artefacts, with numpy, which the first paint does not wait for.
        from core.directions.slider_figures import slider_figures

        known = slider_figures(card, model.bank.term(settings, name), settings.column)
        ready = model.scrubs.ready(model.bank.key(settings, name)) if settings.turns else ()
        strength, extent = recipe.strength(name), effort.extent(card.details) if card else ""
        return SliderFace(
            strength, source, name == model.slider, state, known.dose, ready, card is None, extent, known.words
        )
