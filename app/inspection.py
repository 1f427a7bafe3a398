"""How a model knows, and how sure it is: the tab that shows it, in three sections."""

from __future__ import annotations

from app import confidence, knowledge, token_lens
from app.pane import Pane


def build(pane: Pane) -> None:
    """Build the tab's blocks."""
    knowledge.build(pane)
    confidence.build(pane)
    token_lens.build(pane)
