"""A box to tick that says by its sign, and not by a colour alone, whether it is ticked."""

from __future__ import annotations

from textual.widgets import Checkbox


class Tick(Checkbox):
    """Empty, or with a cross."""

    BUTTON_INNER = " "

    def watch_value(self) -> None:
        """Draw the other sign, and tell."""
        self.BUTTON_INNER = "X" if self.value else " "
        super().watch_value()
