"""The command palette: everything that can be done, in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.app import SystemCommand
from textual.markup import escape

from core.chat.screens import TABS
from tui.messages import ExampleChosen
from tui.screens.screen import Place
from tui.themes import CHOICES

if TYPE_CHECKING:
    from tui.app import TillerApp


def commands(app: TillerApp) -> Iterator[SystemCommand]:
    """Name, explanation and callback of every command."""
    for each in TABS:
        yield SystemCommand(each.title, f"{each.about} ({each.key.upper()})", partial(app.go, each.name))
    if isinstance(app.screen, Place):
        yield from app.screen.commands()
    else:
        yield from chat_commands(app)
    for name, theme in CHOICES.items():
        yield SystemCommand(f"Theme: {name}", "change the colours", partial(app.wear, theme))
    yield SystemCommand("Help", "for what has the focus (F1)", app.action_help)
    yield SystemCommand("Quit", "keeps this chat for the next time (Ctrl+Q, Ctrl+C)", app.action_leave)


def chat_commands(app: TillerApp) -> Iterator[SystemCommand]:
    """What can be done on the Chat screen."""
    board = app.board
    yield SystemCommand("Retry", "answer the last message again (Ctrl+R)", board.action_retry)
    yield SystemCommand("Undo", "one step back (F9)", board.action_undo)
    yield SystemCommand("Edit the last message", "and send it again (↑ in the empty prompt)", board.action_edit)
    yield SystemCommand("New chat", "same columns, no messages (Ctrl+N)", board.action_new)
    yield SystemCommand("Stop", "the answer that is being written (Esc)", board.action_stop)
    yield SystemCommand("Add a column", "compare with another checkpoint (F7)", board.action_add)
    yield SystemCommand(
        "The same by asking for it",
        "a column that asks in words for what the recipe does (F12)",
        board.action_ask_for_it,
    )
    yield SystemCommand("Close the column", "that is selected (x on its answer)", board.action_close)
    yield SystemCommand("Checkpoint", "of the selected column (F10)", board.action_checkpoint)
    yield SystemCommand("Next column", "select it (F8)", board.action_column)
    yield SystemCommand(
        "System prompt and sampling", "temperature, seed, longest answer … (Ctrl+O)", board.action_sampling
    )
    yield SystemCommand("Exact prompt", "the text and the tokens the model gets", board.action_prompt)
    yield SystemCommand("Export", "the chat as Markdown or JSON (Ctrl+S)", board.action_export)
    yield SystemCommand("Link", "that opens this state elsewhere (Ctrl+L)", board.action_link)
    yield SystemCommand("Open a link or a chat", "from the browser, the terminal or a file", board.action_open)
    yield SystemCommand("Learn", "the directions that the selected column's checkpoint lacks", board.action_learn)
    yield SystemCommand("Cancel learning", "what was found out so far is kept", board.action_cancel_learning)
    yield SystemCommand("Copy the answer", "of the selected column", board.action_copy)
    yield SystemCommand("Glyphs or colours", "how a lens is drawn", app.toggle_glyphs)
    yield SystemCommand("Tokens", "go through the answer token by token (Ctrl+G)", board.action_tokens)
    if board.engine is not None and board.session is not None:
        for example in board.engine.family.examples:
            # The palette reads its texts as markup, and what a family's file says is only text.
            title, message = escape(f"Example: {example.title}"), escape(example.message)
            yield SystemCommand(title, message, partial(board.post_message, ExampleChosen(example)))
        for index, lens in enumerate(board.lenses()):
            yield SystemCommand(f"Colour by {lens.title}", lens.tooltip, partial(board.choose_lens, index))
