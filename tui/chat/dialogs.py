"""The dialogs that the Chat screen opens: sampling, link, export, opening a chat, the exact prompt, a column's checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

from core.chat.settings import MAX_COLUMNS, Sampling, Settings
from core.errors import TillerError
from tui.messages import PromptShown

if TYPE_CHECKING:
    from core.chat.events import PromptView
    from core.chat.session import Session
    from tui.chat.columns import ColumnController
    from tui.chat.conversation import ConversationController
    from tui.chat.model import ChatModel
    from tui.chat.view import ChatView


def _dialogs() -> ModuleType:
    """The module of the dialogs, imported when the first one opens: the first paint does not wait for it."""
    from tui.dialogs import export

    return export


class DialogController:
    """Asks for something, and hands the answer to whom it concerns."""

    def __init__(
        self, model: ChatModel, view: ChatView, columns: ColumnController, conversation: ConversationController
    ) -> None:
        self.model, self.columns, self.conversation = model, columns, conversation
        self.runs, self.view, self.notice, self.screen = columns.runs, view, view.notice, view.screen

    def sampling(self) -> None:
        """System prompt and sampling."""
        settings = self.model.settings
        dialog = _dialogs().SamplingDialog(settings.system, settings.sampling)
        self.screen.app.push_screen(dialog, self._take_sampling)

    def _take_sampling(self, result: tuple[str, Sampling] | None) -> None:
        settings = self.model.settings
        if result is not None and result != (settings.system, settings.sampling):
            self.model.session.settings = replace(settings, system=result[0], sampling=result[1])
            self.notice.say(
                f"Taken; the next answer uses it. Ctrl+R answers again. {' '.join(result[1].hints.values())}".rstrip()
            )
            self.view.draw()
            self.runs.ahead_soon()

    def link(self) -> None:
        """Show the link that opens this state."""
        self.screen.app.push_screen(_dialogs().link_dialog(self.model.settings))

    def export(self) -> None:
        """Ask for a file and write the chat into it."""
        session = self.model.session
        if not session.settings.turns:
            self.notice.refuse("There is nothing to export yet; write a message first.")
            return
        hint = "Where to? A name that ends in .md becomes Markdown, .json keeps every token with its readings."
        take = partial(_dialogs().export, session)
        dialog = _dialogs().LineDialog("Export the chat", _dialogs().proposed_path(), hint, take)
        self.screen.app.push_screen(dialog, lambda path: self.notice.say(f"Written to {path}") if path else None)

    def open(self) -> None:
        """Ask for a link or an exported file and open it."""
        if self.runs.refuse():
            return
        found: list[Session] = []
        take = partial(_dialogs().read_source, self.model.engine.family, found)
        hint = "A link from Share (the browser's or the terminal's), or the path of a chat exported as JSON."

        def opened(_text: str | None) -> None:
            if found:
                self.conversation.open(found[-1])

        self.screen.app.push_screen(_dialogs().LineDialog("Open a link or a chat", "", hint, take), opened)

    # ---------------------------------------------------------------------------------------------------------- columns

    def checkpoint(self, column: int) -> None:
        """Choose a column's checkpoint."""
        if self.runs.refuse():
            return
        present = self.model.settings.columns[column].checkpoint

        def take(name: str | None) -> None:
            if name is not None and name != present:
                self.columns.change_checkpoint(column, name)

        self._pick(f"Checkpoint of column {column + 1}", present, take)

    def add_column(self) -> None:
        """One more column: choose its checkpoint."""
        if self.runs.refuse():
            return
        if len(self.model.settings.columns) >= MAX_COLUMNS:
            self.notice.refuse(f"A chat has at most {MAX_COLUMNS} columns; close one first (Ctrl+X on its answer).")
            return
        self._pick("Compare with another column: whose?", "", lambda name: self.columns.add(name) if name else None)

    def choices(self) -> None:
        """Every example and every question, whole."""
        family = self.model.engine.family
        rows = [
            *((each.title, each.note or each.message) for each in family.examples),
            *((each, "") for each in family.questions),
        ]
        heads = [
            *["examples"] * len(family.examples),
            *["questions that this model can answer"] * len(family.questions),
        ]

        def take(title: str | None) -> None:
            example = next((each for each in family.examples if each.title == title), None)
            if example is not None:
                self.conversation.open_example(example)
            elif title is not None:
                self.conversation.send(title, typed=False)

        self.screen.app.push_screen(_dialogs().PickDialog("Try, or ask", rows, heads=heads), take)

    def _pick(self, title: str, present: str, take: Callable[[str | None], None]) -> None:
        absent, there = dict(self.model.engine.family.absent), self.columns.checkpoints()
        names, heads = [(name, about) for name, about, _ in there], [head for _, _, head in there]
        self.screen.app.push_screen(_dialogs().PickDialog(title, names, present, absent, heads), take)

    # ------------------------------------------------------------------------------------------------- the exact prompt

    def prompt(self) -> None:
        """Show the exact prompt of the selected column, once the engine has made it."""
        settings = self.model.settings
        if not settings.turns:
            self.notice.refuse("Write a message first; then its exact prompt can be shown.")
        elif not self.model.ready:
            self.notice.refuse("The model is still loading; its tokenizer is needed for that.")
        else:
            fetch = partial(self._fetch_prompt, settings, settings.selected)
            self.screen.run_worker(fetch, thread=True, exclusive=True, group="prompt", exit_on_error=False)

    def _fetch_prompt(self, settings: Settings, column: int) -> None:
        try:
            self.screen.post_message(PromptShown(column, self.model.engine.prompt(settings, column)))
        except TillerError as error:
            self.screen.app.call_from_thread(self.notice.refuse, error)

    def show_prompt(self, column: int, view: PromptView) -> None:
        """The exact prompt is there."""
        self.screen.app.push_screen(_dialogs().prompt_dialog(column, view))

    def copy(self) -> None:
        """Put the selected column's answer on the clipboard, through the terminal."""
        answer = self.model.session.answers.get(self.model.settings.selected)
        self.screen.app.copy_to_clipboard(answer.text if answer else "")
        self.notice.say("The answer is on the clipboard, where the terminal allows it.")
