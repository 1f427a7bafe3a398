"""The columns: selected, added, given another checkpoint, closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.widgets.alternatives import Alternatives
from tui.widgets.token_strip import AnswerStrip

if TYPE_CHECKING:
    from tui.chat.model import ChatModel
    from tui.chat.runs import RunController
    from tui.chat.view import ChatView


class ColumnController:
    """Changes which models answer side by side."""

    def __init__(self, model: ChatModel, view: ChatView, runs: RunController) -> None:
        self.model, self.view, self.runs = model, view, runs

    def select(self, column: int) -> None:
        """The sliders and the recipe line act on this column now."""
        model, settings = self.model, self.model.settings
        if column != settings.selected and column < len(settings.columns):
            model.session.settings = replace(settings, selected=column)
            model.typed = None
            self.view.draw()
            self.runs.ahead_soon()

    def select_next(self) -> None:
        """Select the next column; a focus that stood on an answer goes along."""
        settings = self.model.settings
        column = (settings.selected + 1) % len(settings.columns)
        self.select(column)
        strip = self.view.transcript.strip(column)
        if isinstance(self.view.screen.focused, AnswerStrip | Alternatives) and strip is not None:
            strip.focus()

    def checkpoints(self) -> list[tuple[str, str, str]]:
        """Everything that can answer: its name, the stage that made it or what it is, and under which heading it stands."""
        # It reads artefacts, with numpy, which the first paint does not wait for.
        from core.families.edited import menu_group

        family = self.model.engine.family
        plain = family.checkpoints
        return [
            (
                each.name,
                family.why_absent(each.name)
                or ((each.notes or f"after {each.stage}") if each in plain else each.title),
                menu_group(family, each),
            )
            for each in family.choices
        ]

    def change_checkpoint(self, column: int, checkpoint: str) -> None:
        """Let another checkpoint answer in a column."""
        self.model.session.set_checkpoint(column, checkpoint)
        self.model.typed = None
        self.model.bank.forget(column)
        self.view.draw()
        self._answer(column)

    def add(self, checkpoint: str, asks: str = "") -> None:
        """One more column without a recipe, perhaps one that asks in words, answered at once."""
        with self.view.notice.refusing():
            column = self.model.session.add_column(checkpoint, asks)
            self.model.typed = None
            self.view.draw()
            self._answer(column)

    def add_in_words(self) -> None:
        """One more column: the selected one's checkpoint without its recipe, asked in words for what that does."""
        if self.runs.refuse():
            return
        chosen = self.model.settings.column
        with self.view.notice.refusing():
            asks = self.model.engine.wish(chosen)
            self.view.notice.say(f"Each message is put so in the new column: {asks}")
            self.add(chosen.checkpoint, asks)

    def close(self, column: int) -> None:
        """Close a column; undo brings it back."""
        if self.runs.refuse():
            return
        with self.view.notice.refusing():
            self.model.session.drop_column(column)
            self.model.start_over()
            self.view.notice.say("Column closed. F9 brings it back.")
            self.view.draw()

    def _answer(self, column: int) -> None:
        """Answer the last message in one column, where there is one."""
        settings = self.model.settings
        if settings.turns:
            with self.view.notice.refusing():
                self.model.engine.explain(settings.columns[column].recipe, settings.columns[column].checkpoint)
                self.runs.answer([column])
