"""What folds out beneath a conclusion: figures, tables, whatever is to be had but need not be read first."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Collapsible, Static


class Fold(Collapsible):
    """A title that Enter or a click opens and closes; without anything in it, it is not there. It holds one text, or other widgets."""

    DEFAULT_CSS = """
    Fold {
        border: none; padding: 0; background: transparent;
        &:focus-within { background-tint: $foreground 0%; }
        & > CollapsibleTitle { padding: 0 1 0 0; color: $text-accent; }
        & > Contents { padding: 0 0 1 2; & > Static { height: auto; } }
        &:ansi { border: none; background: ansi_default; }
    }
    """

    def __init__(self, title: str, *inside: Widget, id: str | None = None) -> None:
        self.text = Static()
        super().__init__(*(inside or (self.text,)), title=title, id=id)
        self.display = bool(inside)

    def show(self, content: Content | None, title: str = "") -> None:
        """Put this text in; with ``None``, nothing is to be had."""
        self.display = content is not None
        self.text.update(content or "")
        self.title = title or self.title
