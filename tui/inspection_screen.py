"""The Inspect screen: how a model knows, and how sure it is."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.place import Place, how


class InspectScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "inspect"

    def body(self) -> ComposeResult:
        """What the screen is for."""
        yield how(self.NAME)
