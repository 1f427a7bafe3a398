"""The Blame screen: which stage made it say that."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.place import Place, how


class BlameScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "blame"

    def body(self) -> ComposeResult:
        """What the screen is for."""
        yield how(self.NAME)
