"""The command palette: everything that can be done, in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Protocol

from textual.app import SystemCommand
from textual.markup import escape

from core.chat.screens import TABS
from tui.screens.screen import Place
from tui.shell import Shell
from tui.themes import CHOICES

if TYPE_CHECKING:
    from textual.screen import Screen

    from tui.chat.screen import ChatScreen


class CommandedApp(Shell, Protocol):
    """What the commands of the program itself need of the app."""

    chat: ChatScreen

    @property
    def screen(self) -> Screen[object]:
        """The screen on top."""

    def wear(self, theme: str) -> None:
        """Change the colours."""

    def toggle_glyphs(self) -> None:
        """Draw lenses as glyphs, or as colours."""

    def toggle_text(self) -> None:
        """Draw answers as text, or as tokens."""

    def action_families(self) -> None:
        """Ask for another family."""

    def tour(self) -> None:
        """Point at one thing after the other."""

    def action_help(self) -> None:
        """Help for what has the focus."""

    def action_leave(self) -> None:
        """Leave the program."""


def commands(app: CommandedApp) -> Iterator[SystemCommand]:
    """Name, explanation and callback of every command."""
    for each in TABS:
        yield SystemCommand(each.title, f"{each.about} ({each.key.upper()})", partial(app.go, each.name))
    another = "a family, a folder, a .gguf file, or owner/model of the Hub (Ctrl+F)"
    yield SystemCommand("Open another model", another, app.action_families)
    if isinstance(app.screen, Place):
        yield from app.screen.commands()
    elif app.chat.opened:
        yield from _chat_commands(app.chat)
        yield SystemCommand("Text or tokens", "headings, lists and code, or every word as a token", app.toggle_text)
        yield SystemCommand("Glyphs or colours", "how a lens is drawn", app.toggle_glyphs)
    yield from _library_commands(app)
    for name, theme in CHOICES.items():
        yield SystemCommand(f"Theme: {name}", "change the colours", partial(app.wear, theme))
    yield SystemCommand("Jobs", "what goes on, how long yet, what waits; each can be cancelled (Alt+J)", app.show_jobs)
    yield SystemCommand("Tour", "of the Chat screen in seven steps; it can be left at any time", app.tour)
    yield SystemCommand("Help", "for what has the focus (F1)", app.action_help)
    yield SystemCommand("Quit", "keeps this chat for the next time (Ctrl+Q, Ctrl+C)", app.action_leave)


def _library_commands(app: CommandedApp) -> Iterator[SystemCommand]:
    """What can be begun in the Library, offered on every other screen, too."""
    from tui.screens.library import OFFERED, LibraryScreen

    def begin(action: str) -> None:
        app.go(LibraryScreen.NAME)
        app.screen.call_after_refresh(getattr(app.screen, f"action_{action}"))

    if not isinstance(app.screen, LibraryScreen):
        for title, about, action in OFFERED:
            yield SystemCommand(title, about, partial(begin, action))


def _chat_commands(chat: ChatScreen) -> Iterator[SystemCommand]:
    """What can be done on the Chat screen."""
    yield SystemCommand("Retry", "answer the last message again (Ctrl+R)", chat.conversation.retry)
    yield SystemCommand("Undo", "one step back (F9)", chat.conversation.undo)
    yield SystemCommand("Edit the last message", "and send it again (↑ in the empty prompt)", chat.conversation.edit)
    yield SystemCommand(
        "Chats", "every chat that is kept: open, search, rename, delete, export, import (Ctrl+K)", chat.versions.chats
    )
    yield SystemCommand(
        "Version before", "of what was answered again or edited (Shift+← on an answer)", partial(chat.versions.page, -1)
    )
    yield SystemCommand(
        "Version after", "of what was answered again or edited (Shift+→ on an answer)", partial(chat.versions.page, 1)
    )
    yield SystemCommand(
        "Continue", "the selected column's answer where it was cut off (Ctrl+W on it)", chat.versions.go_on
    )
    yield SystemCommand(
        "Write the answer", "in the model's place, or how it begins (Ctrl+U on it)", chat.versions.rewrite
    )
    yield SystemCommand(
        "Write the recipe", "of the selected column, such as 1.5*refusal (Tab)", chat.recipe_line.input.focus
    )
    yield SystemCommand("Copy the recipe", "of the selected column", chat.versions.copy_recipe)
    yield SystemCommand("New chat", "same columns, no messages (Ctrl+N)", chat.conversation.new)
    yield SystemCommand("Stop", "the answer that is being written (Esc)", chat.conversation.stop)
    yield SystemCommand("Add a column", "compare with another checkpoint (F7)", chat.dialogs.add_column)
    asking = "a column that asks in words for what the recipe does (F12)"
    yield SystemCommand("The same by asking for it", asking, chat.columns.add_in_words)
    yield SystemCommand(
        "Close the column",
        "that is selected (Ctrl+X on its answer)",
        partial(chat.columns.close, chat.model.settings.selected),
    )
    yield SystemCommand("Checkpoint", "of the selected column (F10)", chat.action_checkpoint)
    yield SystemCommand("Next column", "select it (F8)", chat.columns.select_next)
    sampling = "temperature, seed, longest answer … (Ctrl+O)"
    yield SystemCommand("System prompt and sampling", sampling, chat.dialogs.sampling)
    yield SystemCommand("Exact prompt", "the text and the tokens the model gets", chat.dialogs.prompt)
    yield SystemCommand("Export", "the chat as Markdown or JSON (Ctrl+S)", chat.dialogs.export)
    yield SystemCommand("Link", "that opens this state elsewhere (Ctrl+L)", chat.dialogs.link)
    yield SystemCommand("Open a link or a chat", "from the browser, the terminal or a file", chat.dialogs.open)
    yield SystemCommand("Learn", "the directions that the selected column's checkpoint lacks", chat.learning.begin)
    yield SystemCommand("Cancel learning", "what was found out so far is kept", chat.learning.cancel)
    yield SystemCommand("Copy the answer", "of the selected column (Ctrl+Y on it)", chat.dialogs.copy)
    yield SystemCommand("Tokens", "go through the answer token by token (Ctrl+G)", chat.action_tokens)
    for example in chat.model.engine.family.examples:
        # The palette reads its texts as markup, and what a family's file says is only text.
        title, message = escape(f"Example: {example.title}"), escape(example.message)
        yield SystemCommand(title, message, partial(chat.conversation.open_example, example))
    for question in chat.model.engine.family.questions:
        yield SystemCommand(
            escape(f"Ask: {question}"),
            "a question that this model can answer",
            partial(chat.conversation.send, question, typed=False),
        )
    for index, lens in enumerate(chat.model.lens_choice()[0]):
        yield SystemCommand(f"Colour by {lens.title}", lens.tooltip, partial(chat.colouring.choose, index))
