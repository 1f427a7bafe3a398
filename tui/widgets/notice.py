"""The one sentence above the prompt, or above the keys: what was done, or why not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from textual.content import Content

from core.errors import TillerError
from tui.widgets.words import Words


class Notice(Words):
    """Hidden while there is nothing to say."""

    DEFAULT_CSS = """
    Notice {
        height: auto; max-height: 3; padding: 0 1; display: none; color: $text-success; background: $panel;
        &.-wrong { color: $text-error; }
        &:ansi { background: ansi_default; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="notice")

    def say(self, sentence: str, wrong: bool = False) -> None:
        """Show one sentence until the next one; an empty one clears the line."""
        self.update(Content(sentence))
        self.set_class(wrong, "-wrong")
        self.display = bool(sentence)

    def refuse(self, sentence: object) -> None:
        """Say why something is not done."""
        self.say(f"✗ {sentence}", wrong=True)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Do what stands below, as far as it goes; the TillerError that ends it is said."""
        try:
            yield
        except TillerError as error:
            self.refuse(error)
