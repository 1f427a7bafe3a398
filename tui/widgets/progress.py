"""How far work is that goes on while one chats."""

from __future__ import annotations

from textual.content import Content

_BAR = 10


def progress(part: float, said: str) -> Content:
    """A bar, what is being done, and the key that ends it."""
    full = round(part * _BAR)
    bar = "█" * full + "░" * (_BAR - full)
    return Content.assemble((bar, "$text-accent"), f" {said} ", ("x cancels", "$quiet"))
