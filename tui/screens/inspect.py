"""The Inspect screen: how a model knows, and how sure it is, in three sections."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from core.chat.screens import tab
from tui.screens.inspect_confidence import ConfidencePanel
from tui.screens.inspect_knowledge import KnowledgePanel
from tui.screens.inspect_token import LensPanel
from tui.screens.screen import Place


class InspectScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "inspect"
    AUTO_FOCUS = "KnowledgePanel"

    def body(self) -> ComposeResult:
        """What the screen is for, and its sections."""
        yield Static(
            Content.assemble(f"{tab(self.NAME).about} ", ("Tab goes to the next section, which unfolds.", "$quiet"))
        )
        yield KnowledgePanel()
        yield ConfidencePanel()
        yield LensPanel()

    def opened(self) -> None:
        """Draw what is known now."""
        self.query_one(KnowledgePanel).draw()
        self.query_one(ConfidencePanel).draw()
        self.query_one(LensPanel).opened()
        if isinstance(self.focused, KnowledgePanel):
            # The focus brings its own section into view; what the screen is for stands above it.
            self.call_after_refresh(self.query_one("#place").scroll_home, animate=False)
