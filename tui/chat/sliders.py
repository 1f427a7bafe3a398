"""Steering: the sliders, the recipe line and the recipe of the selected column, kept in step both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.chat.settings import Settings
from core.chat.sliders import STEP, stepped
from core.errors import TillerError
from core.recipes.language import Recipe
from tui.widgets.alternatives import Alternatives
from tui.widgets.slider import Slider
from tui.widgets.token_strip import AnswerStrip

if TYPE_CHECKING:
    from tui.chat.model import ChatModel
    from tui.chat.runs import RunController
    from tui.chat.view import ChatView


class SliderController:
    """Changes the selected column's recipe."""

    def __init__(self, model: ChatModel, view: ChatView, runs: RunController) -> None:
        self.model, self.view, self.runs = model, view, runs

    def use(self, recipe: Recipe) -> None:
        """Steer the selected column by this from now on: at the next token of a run, or at once where it was computed ahead."""
        settings, run = self.model.settings, self.model.run
        if recipe != settings.column.recipe:
            self.model.session.set_recipe(recipe)
            if run is not None and settings.selected in run.columns:
                run.set_recipe(settings.selected, recipe)
        self.runs.ahead.show()
        self._look_at_slider()
        self.view.draw()
        self.runs.ahead_soon()

    def typed(self, text: str, run: bool) -> None:
        """A line that can be read steers at once; one that cannot stays as it is, with the reason."""
        model = self.model
        model.typed = text
        try:
            recipe = model.bank.write(model.settings, text)
        except TillerError as error:
            self.view.draw()
            if run:
                self.view.notice.refuse(error)
            return
        if recipe.terms and recipe.slider(model.slider) is None:
            model.slider = recipe.terms[0].direction
        self.use(recipe)
        if run:
            model.typed = None
            self._answer_again()

    def _answer_again(self) -> None:
        """Answer in the selected column with its recipe, where there is something to answer."""
        session = self.model.session
        column = session.settings.selected
        if session.settings.turns and self.runs.run is None and (session.stale(column) or session.recorded):
            session.remember()
            self.runs.answer([column])

    def _look_at_slider(self) -> None:
        """On a narrow screen what is known of the slider takes the place of the token, unless somebody goes through the tokens."""
        narrow = self.view.screen.has_class("-narrow")
        if narrow and not isinstance(self.view.screen.focused, AnswerStrip | Alternatives):
            self.model.cursor = (self.model.cursor[0], None)

    # -------------------------------------------------------------------------------------------------------- sliders

    def set_strength(self, direction: str, value: float) -> None:
        """Move a slider."""
        self.model.slider = direction
        self._change(lambda settings: self.model.bank.move(settings, direction, value))

    def step(self, by: int) -> None:
        """Half steps up or down on the active slider."""
        name = self.model.slider
        if name:
            self.set_strength(name, stepped(self.model.settings.column.recipe.strength(name), by * STEP))

    def next_source(self, direction: str) -> None:
        """Take the direction from the next checkpoint that has it."""
        self._change(lambda settings: self.model.bank.next_source(settings, direction))

    def toggle_ablation(self, direction: str) -> None:
        """Take the direction out everywhere, or let it be again."""
        bank = self.model.bank
        self._change(lambda settings: bank.ablate(settings, direction, not bank.ablated(settings, direction)))

    def _change(self, change: Callable[[Settings], Recipe]) -> None:
        """Steer by what a slider asks for, or say why not."""
        self.model.typed = None
        with self.view.notice.refusing():
            recipe = change(self.model.settings)
            self.view.notice.say("")
            self.use(recipe)

    def choose(self, direction: str) -> None:
        """Strength keys act on this one now."""
        self._look_at_slider()
        if direction != self.model.slider:
            self.model.slider = direction
            self.view.draw()
            self.runs.ahead_soon()
        else:
            self.view.draw_token()

    def choose_next(self, by: int) -> None:
        """The slider before or after becomes the active one."""
        names = list(self.model.engine.catalogue.directions())
        if names:
            at = names.index(self.model.slider) if self.model.slider in names else 0
            chosen = names[(at + by) % len(names)]
            if isinstance(self.view.screen.focused, Slider):
                self.view.panel.sliders[chosen].focus()
            self.choose(chosen)
