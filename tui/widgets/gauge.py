"""How much of what the model can read at once is taken, and how much memory the models in hand take: beside the prompt."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content

from tui.widgets.words import Words

_BARS = "▁▂▃▄▅▆▇█"
#: From these parts of the context on it is coloured.
_MUCH, _FULL = 0.7, 0.9
#: From this width of the screen on there is room for words.
_WIDE = 100


class Gauge(Words):
    """One line; not there before anything is known. What is too long for the context loses its beginning, and that is said."""

    SCOPED_CSS: ClassVar[bool] = False  # The last rule looks at the screen's width class, which is above the widget.
    DEFAULT_CSS = """
    Gauge {
        width: auto; height: 1; padding: 0 1; color: $quiet;
        &:ansi { color: ansi_default; }
    }
    .-tiny Gauge { display: none; }
    """

    def on_mount(self) -> None:
        """Say what it shows when the mouse is on it."""
        self.tooltip = Content(
            "How many of the tokens that the model can read at once the selected column's chat takes, its answer included, and how much "
            "memory the models in hand take. What is too long loses its beginning, and that is said."
        )

    def show(self, taken: int, context: int, memory: str) -> None:
        """So many of the tokens that the selected column's model can read at once are taken (``context`` 0: not known), and so much of the
        memory, ``17 MB of 14.4 GB``, of which a narrow screen has room for the first alone."""
        words = self.screen.size.width >= _WIDE
        part = min(1.0, taken / context) if context else 0.0
        style = "$text-error" if part >= _FULL else "$text-warning" if part >= _MUCH else ""
        parts: list[Content] = []
        if context:
            bar = _BARS[min(len(_BARS) - 1, int(part * len(_BARS)))]
            said = f"context {bar} {taken} of {context}" if words else f"{bar} {taken}/{context}"
            parts.append(Content.styled(said, style))
        if memory:
            parts.append(
                Content(f"{'memory ' * (words or not context)}{memory if words else memory.partition(' of ')[0]}")
            )
        self.update(Content(" · ").join(parts))
