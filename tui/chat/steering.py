"""Recipe line and sliders on the Chat screen, kept in step both ways."""

from __future__ import annotations

from core.chat.settings import SettingsError
from core.errors import TillerError
from core.recipes.language import Recipe, RecipeError, Term, parse
from tui.chat.learning import Learning
from tui.messages import AblationToggled, ColumnChosen, RecipeTyped, SliderChosen, SliderMoved, SourceWanted
from tui.widgets.slider import STEP, Slider, stepped


class Steering(Learning):
    """Changing the selected column's recipe."""

    # -------------------------------------------------------------------------------------------------------- recipe

    def check(self, text: str) -> Recipe:
        """The recipe of a line, checked against what the family has. Raises TillerError."""
        assert self.engine is not None
        recipe = parse(text)
        self.engine.explain(recipe, self.chat.settings.column.checkpoint)
        return recipe

    def judge(self) -> None:
        """Say beneath the recipe line what it does, or what is wrong with it."""
        if self.session is None or self.engine is None:
            return
        text = self.typed if self.typed is not None else str(self.chat.settings.column.recipe)
        try:
            recipe = self.check(text)
        except TillerError as error:
            self.recipe_line.judge(
                str(error), wrong=True, column=error.column if isinstance(error, RecipeError) else None
            )
            return
        said = self.engine.explain(recipe, self.chat.settings.column.checkpoint) if recipe else "the model as it is"
        self.recipe_line.judge(said, wrong=False)

    def draw_panel(self) -> None:
        """The panel and the verdict."""
        super().draw_panel()
        self.judge()

    def on_recipe_typed(self, message: RecipeTyped) -> None:
        """A line that can be read steers at once; one that cannot stays as it is, with the reason."""
        if self.session is None:
            return
        self.typed = message.text
        try:
            recipe = self.check(message.text)
        except TillerError as error:
            self.judge()
            if message.run:
                self.say(f"✗ {error}", wrong=True)
            return
        if recipe.terms and recipe.slider(self.slider_chosen) is None:
            self.slider_chosen = recipe.terms[0].direction
        self.use(recipe)
        if message.run:
            self.typed = None
            self.answer_again()

    def use(self, recipe: Recipe) -> None:
        """Steer the selected column by this from now on: at the next token of a run, or at once where it was computed ahead."""
        chat = self.chat
        column = chat.settings.selected
        if recipe != chat.settings.column.recipe:
            chat.set_recipe(recipe)
            if self.run_now is not None and column in self.run_now.columns:
                self.run_now.set_recipe(column, recipe)
        self.swap()
        self.draw()
        self.scrub_soon()

    def answer_again(self) -> None:
        """Answer in the selected column with its recipe, where there is something to answer."""
        chat = self.chat
        if chat.settings.turns and self.run_now is None and (chat.stale(chat.settings.selected) or chat.recorded):
            chat.remember()
            self.answer([chat.settings.selected])

    # -------------------------------------------------------------------------------------------------------- sliders

    def set_strength(self, direction: str, value: float) -> None:
        """Move a slider of the selected column."""
        if self.session is None:
            return
        self.slider_chosen, self.typed = direction, None
        self.sources[direction] = self.source(direction)
        try:
            recipe = self.chat.settings.column.recipe.with_strength(direction, value, self.source(direction))
            self.check(str(recipe))
        except TillerError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.say("")
        self.use(recipe)

    def on_slider_moved(self, message: SliderMoved) -> None:
        """A slider was pulled."""
        self.set_strength(message.direction, message.value)

    def on_slider_chosen(self, message: SliderChosen) -> None:
        """Strength keys act on this one now."""
        if self.session is not None and message.direction != self.slider_chosen:
            self.slider_chosen = message.direction
            self.draw_panel()
            self.scrub_soon()

    def on_source_wanted(self, message: SourceWanted) -> None:
        """Take the direction from the next checkpoint that has it."""
        assert self.engine is not None
        name, column = message.direction, self.chat.settings.column
        having = [each.name for each in self.engine.family.checkpoints if name in self.cards(each.name)]
        own = self.engine.family.directions_of(column.checkpoint)
        choices: list[str | None] = [None, *(each for each in having if each != own)]
        present = self.source(name)
        following = choices[(choices.index(present) + 1) % len(choices)] if present in choices else None
        self.sources[name] = following
        strength = column.recipe.strength(name)
        if strength:
            self.typed = None
            self.use(column.recipe.with_strength(name, strength, following))
        else:
            self.draw_panel()
            self.scrub_soon()

    def on_ablation_toggled(self, message: AblationToggled) -> None:
        """Take the direction out everywhere, or let it be again."""
        name, recipe = message.direction, self.chat.settings.column.recipe
        kept = tuple(term for term in recipe.terms if not (term.kind == "ablate" and term.direction == name))
        if len(kept) == len(recipe.terms):
            kept = (*kept, Term("ablate", name, source=self.source(name)))
        self.typed = None
        try:
            self.check(str(Recipe(kept)))
        except TillerError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.use(Recipe(kept))

    def action_strength(self, by: int) -> None:
        """A half step up or down on the active slider."""
        if self.session is not None and self.slider_chosen:
            self.set_strength(
                self.slider_chosen, stepped(self.chat.settings.column.recipe.strength(self.slider_chosen), by * STEP)
            )

    def action_slider(self, by: int) -> None:
        """The slider before or after becomes the active one."""
        if self.session is None:
            return
        names = self.direction_names()
        if names:
            at = names.index(self.slider_chosen) if self.slider_chosen in names else 0
            self.slider_chosen = names[(at + by) % len(names)]
            if isinstance(self.focused, Slider):
                next(slider for slider in self.sliders.query(Slider) if slider.direction == self.slider_chosen).focus()
            self.draw_panel()
            self.scrub_soon()

    # -------------------------------------------------------------------------------------------------------- columns

    def action_ask_for_it(self) -> None:
        """One more column: the selected one's checkpoint without its recipe, asked in words for what that does."""
        if self.session is None or self.engine is None or self.refuse_while_running():
            return
        chosen = self.chat.settings.column
        try:
            asks = self.engine.wish(chosen)
        except TillerError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.say(f"Each message is put so in the new column: {asks}")
        self.add_column(chosen.checkpoint, asks)

    def select(self, column: int) -> None:
        """The sliders and the recipe line act on this column now."""
        from dataclasses import replace

        settings = self.chat.settings
        if column != settings.selected and column < len(settings.columns):
            self.chat.settings = replace(settings, selected=column)
            self.typed, self.sources = None, {}
            self.draw()
            self.scrub_soon()

    def on_column_chosen(self, message: ColumnChosen) -> None:
        """A column got the focus."""
        if self.session is not None:
            self.select(message.column)

    def refuse_while_running(self) -> bool:
        """Say so where something has to wait for the end of a run."""
        if self.run_now is not None:
            self.say("✗ An answer is being written; wait for it or stop it with Esc first.", wrong=True)
        return self.run_now is not None

    def change_checkpoint(self, column: int, checkpoint: str) -> None:
        """Let another checkpoint answer in a column."""
        self.chat.set_checkpoint(column, checkpoint)
        self.typed = None
        self.sources = {}
        self.draw()
        self.answer_column(column)

    def answer_column(self, column: int) -> None:
        """Answer the last message in one column, where there is one."""
        if self.chat.settings.turns:
            try:
                self.check(str(self.chat.settings.columns[column].recipe))
            except TillerError as error:
                self.say(f"✗ {error}", wrong=True)
                return
            self.answer([column])

    def add_column(self, checkpoint: str, asks: str = "") -> None:
        """One more column without a recipe, perhaps one that asks in words, answered at once."""
        try:
            column = self.chat.add_column(checkpoint, asks)
        except SettingsError as error:
            self.say(f"✗ {error}", wrong=True)
            return
        self.typed = None
        self.draw()
        self.answer_column(column)
