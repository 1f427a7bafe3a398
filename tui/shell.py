"""What screens and widgets ask of the app that runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from textual.dom import DOMNode


class Shell(Protocol):
    """The app, as far as its screens and widgets know it."""

    @property
    def glyphs(self) -> bool:
        """Whether lenses are drawn as glyphs instead of colours."""

    @property
    def text(self) -> bool:
        """Whether answers are drawn as text with headings, lists and code instead of tokens."""

    def show_jobs(self) -> None:
        """List what goes on."""

    def go(self, name: str) -> None:
        """Put the screen of that name on top."""


def shell(node: DOMNode) -> Shell:
    """The app that a screen or a widget belongs to."""
    return cast("Shell", node.app)
