"""How a model knows, and how sure it is: the tab that shows it."""

from __future__ import annotations

from app.pane import Pane


def build(pane: Pane) -> None:
    """Build the tab's blocks."""
    pane.say_how("Ask for it on the command line:")
