"""How a model knows, and how sure it is: the tab that shows it, in three sections, the one about the chat's own answer first."""

from __future__ import annotations

from app.tabs import inspect_confidence, inspect_knowledge, inspect_token
from app.tabs.tab import Pane


def build(pane: Pane) -> None:
    """Build the tab's blocks."""
    inspect_token.build(pane)
    inspect_confidence.build(pane)
    inspect_knowledge.build(pane)
