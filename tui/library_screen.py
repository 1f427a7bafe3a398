"""The Library screen: what has been learned."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.place import Place, how


class LibraryScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "library"

    def body(self) -> ComposeResult:
        """What the screen is for."""
        yield how(self.NAME)
