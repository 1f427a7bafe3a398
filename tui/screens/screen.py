"""A screen beside Chat: what Blame, Transfer, Inspect and Library have in common. Each is in a file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from core.chat.screens import tab
from tui.widgets.header import Header
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from tui.chat.screen import ChatScreen


class Place(Screen[None]):
    """Header, body, notice, keys. A subclass sets ``NAME``, yields its widgets in :meth:`body`, and fills them in :meth:`opened`.

    The screen is made when it is opened for the first time and kept: what stands on it is there when it is opened again.
    """

    NAME: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "chat", "Chat", key_display="Esc", id="place.chat"),
    ]
    DEFAULT_CSS = """
    Place {
        layout: vertical; background: $background;
        & > #place { height: 1fr; padding: 1 2; scrollbar-size-vertical: 1; }
        & > #place > Static { height: auto; }
        & > #notice { height: auto; max-height: 3; padding: 0 1; display: none; color: $text-success; background: $panel; }
        & > #notice.-wrong { color: $text-error; }
        &:ansi { background: ansi_default; & > #notice { background: ansi_default; } }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.header = Header(self.NAME)
        self.notice = Static(id="notice")

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield self.header
        with VerticalScroll(id="place", can_focus=False):
            yield from self.body()
        yield self.notice
        yield KeyLine()

    def body(self) -> ComposeResult:
        """The widgets of this screen."""
        raise NotImplementedError

    def opened(self) -> None:
        """The screen is on top now, for the first time or again; what it shows may have to be drawn anew."""

    def commands(self) -> Iterator[SystemCommand]:
        """What the command palette offers on this screen beside what it offers everywhere."""
        yield from ()

    # ------------------------------------------------------------------------------------------------------ looking up

    @property
    def board(self) -> ChatScreen:
        """The Chat screen: its ``chat`` is the session (settings, answers), its ``select`` and ``set_recipe`` change it."""
        return self.app.board  # type: ignore[attr-defined,no-any-return]

    @property
    def engine(self) -> Engine | None:
        """The engine; ``None`` while the family is being read."""
        return self.board.engine

    # ---------------------------------------------------------------------------------------------------------- doing

    def say(self, sentence: str, wrong: bool = False) -> None:
        """Show one sentence above the keys until the next one; an empty one clears the line."""
        self.notice.update(Content(sentence))
        self.notice.set_class(wrong, "-wrong")
        self.notice.display = bool(sentence)

    def on_screen_resume(self) -> None:
        """On top again."""
        self.opened()

    def action_chat(self) -> None:
        """Back to Chat; what runs here goes on."""
        self.board.app.go("chat")  # type: ignore[attr-defined]


def how(name: str) -> Static:
    """What a place is for, and the command that does the same."""
    place = tab(name)
    return Static(
        Content.assemble(
            (f"{place.about}\n\n", ""), ("Ask for it on the command line:\n\n", "$quiet"), (f"python launch.py {place.command}", "bold")
        )
    )  # fmt: skip
