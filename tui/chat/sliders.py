"""Steering: the sliders, the recipe line and the recipe of the selected column, kept in step both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import TillerError
from core.recipes.language import Recipe, Term, parse
from tui.widgets.slider import STEP, Slider, stepped

if TYPE_CHECKING:
    from tui.chat.model import ChatModel
    from tui.chat.runs import RunController
    from tui.chat.view import ChatView


class SliderController:
    """Changes the selected column's recipe."""

    def __init__(self, model: ChatModel, view: ChatView, runs: RunController) -> None:
        self.model, self.view, self.runs = model, view, runs

    # -------------------------------------------------------------------------------------------------------- recipe

    def check(self, text: str) -> Recipe:
        """The recipe of a line, checked against what the family has. Raises TillerError."""
        recipe = parse(text)
        self.model.engine.explain(recipe, self.model.settings.column.checkpoint)
        return recipe

    def typed(self, text: str, run: bool) -> None:
        """A line that can be read steers at once; one that cannot stays as it is, with the reason."""
        model = self.model
        model.typed = text
        try:
            recipe = self.check(text)
        except TillerError as error:
            self.view.panel.draw_verdict()
            if run:
                self.view.notice.refuse(error)
            return
        if recipe.terms and recipe.slider(model.slider) is None:
            model.slider = recipe.terms[0].direction
        self.use(recipe)
        if run:
            model.typed = None
            self._answer_again()

    def use(self, recipe: Recipe) -> None:
        """Steer the selected column by this from now on: at the next token of a run, or at once where it was computed ahead."""
        settings, run = self.model.settings, self.model.run
        if recipe != settings.column.recipe:
            self.model.session.set_recipe(recipe)
            if run is not None and settings.selected in run.columns:
                run.set_recipe(settings.selected, recipe)
        self.runs.ahead.swap()
        self.view.draw()
        self.runs.ahead_soon()

    def _use_checked(self, recipe: Recipe) -> None:
        """Steer by what a slider asks for, or say why not."""
        self.model.typed = None
        with self.view.notice.refusing():
            self.check(str(recipe))
            self.view.notice.say("")
            self.use(recipe)

    def _answer_again(self) -> None:
        """Answer in the selected column with its recipe, where there is something to answer."""
        session = self.model.session
        column = session.settings.selected
        if session.settings.turns and self.runs.run is None and (session.stale(column) or session.recorded):
            session.remember()
            self.runs.answer([column])

    # -------------------------------------------------------------------------------------------------------- sliders

    def set_strength(self, direction: str, value: float) -> None:
        """Move a slider."""
        model = self.model
        model.slider, source = direction, model.source(direction)
        model.sources[direction] = source
        with self.view.notice.refusing():
            self._use_checked(model.settings.column.recipe.with_strength(direction, value, source))

    def step(self, by: int) -> None:
        """Half steps up or down on the active slider."""
        name = self.model.slider
        if name:
            self.set_strength(name, stepped(self.model.settings.column.recipe.strength(name), by * STEP))

    def choose(self, direction: str) -> None:
        """Strength keys act on this one now."""
        if direction != self.model.slider:
            self.model.slider = direction
            self.view.draw_panel()
            self.runs.ahead_soon()

    def choose_next(self, by: int) -> None:
        """The slider before or after becomes the active one."""
        names = self.model.direction_names()
        if names:
            at = names.index(self.model.slider) if self.model.slider in names else 0
            chosen = names[(at + by) % len(names)]
            if isinstance(self.view.screen.focused, Slider):
                self.view.panel.sliders[chosen].focus()
            self.choose(chosen)

    def next_source(self, direction: str) -> None:
        """Take the direction from the next checkpoint that has it."""
        model, column = self.model, self.model.settings.column
        having = [each.name for each in model.engine.family.checkpoints if direction in model.cards(each.name)]
        own = model.engine.family.directions_of(column.checkpoint)
        choices: list[str | None] = [None, *(each for each in having if each != own)]
        present = model.source(direction)
        following = choices[(choices.index(present) + 1) % len(choices)] if present in choices else None
        model.sources[direction] = following
        strength = column.recipe.strength(direction)
        if strength:
            model.typed = None
            self.use(column.recipe.with_strength(direction, strength, following))
        else:
            self.view.draw_panel()
            self.runs.ahead_soon()

    def toggle_ablation(self, direction: str) -> None:
        """Take the direction out everywhere, or let it be again."""
        recipe = self.model.settings.column.recipe
        kept = tuple(term for term in recipe.terms if not (term.kind == "ablate" and term.direction == direction))
        if len(kept) == len(recipe.terms):
            kept = (*kept, Term("ablate", direction, source=self.model.source(direction)))
        self._use_checked(Recipe(kept))
