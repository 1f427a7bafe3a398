"""The Transfer screen: whether what one checkpoint learned works on another."""

from __future__ import annotations

from textual.app import ComposeResult

from tui.place import Place, how


class TransferScreen(Place):
    """Reached with its function key, left with Esc."""

    NAME = "transfer"

    def body(self) -> ComposeResult:
        """What the screen is for."""
        yield how(self.NAME)
