"""A section of the Inspect screen: what its panels have in common. Each is in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.content import Content

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from tui.screens.screen import Place
    from tui.widgets.notice import Notice


class Panel(Vertical, can_focus=True):
    """A frame with a title above and its keys below; they act while it has the focus. A subclass says both, and its ``ID``.

    What it comes to is always to be read; pictures and figures, of the class ``figures``, fold out while it has the focus.
    """

    ID: ClassVar[str]
    TITLE: ClassVar[str]
    KEYS: ClassVar[str]
    DEFAULT_CSS = """
    Panel {
        height: auto; border: round $quiet; border-title-color: $text-accent; padding: 0 1; margin: 1 0 0 0;
        & > Static { height: auto; }
        & > .figures { display: none; }
        &:focus { border: round $accent; & > .figures { display: block; } }
        &:ansi { border: round ansi_white; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id=self.ID)
        self.border_title = Content(self.TITLE)
        self.border_subtitle = Content(self.KEYS)

    def on_focus(self) -> None:
        """It is longer now, and what stands above it shorter."""
        self.call_after_refresh(self.scroll_visible, animate=False, top=True)

    @property
    def place(self) -> Place:
        """The screen that it stands on."""
        from tui.screens.screen import Place

        assert isinstance(self.screen, Place)
        return self.screen

    @property
    def engine(self) -> Engine | None:
        """The engine; ``None`` while the family is being read."""
        return self.place.engine

    @property
    def notice(self) -> Notice:
        """Where the screen says what was done, or why not."""
        return self.place.notice

    def say(self, sentence: str, wrong: bool = False) -> None:
        """Show one sentence above the keys; an empty one clears the line."""
        self.notice.say(sentence, wrong)

    def ask_where(self, title: str, name: str, hint: str, save: Callable[[str], str]) -> None:
        """Ask where to write to, first ``name`` in the present folder, and say what ``save`` has written there."""
        from tui.dialogs.dialogs import LineDialog

        self.app.push_screen(LineDialog(title, str(Path.cwd() / name), hint, save), self.told)

    def told(self, sentence: str | None) -> None:
        """Say what a window has done, unless it was closed."""
        if sentence:
            self.say(sentence)
