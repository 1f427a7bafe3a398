"""The tokens the model might have said at the cursor, likeliest first; Enter goes on from the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from core.chat.events import Alternative, Token
from tui.messages import AlternativeChosen
from tui.text import clipped, one_line

if TYPE_CHECKING:
    from textual.events import Click


class Alternatives(Widget, can_focus=True):
    """Five lines, or one on a narrow screen."""

    HELP = (
        "What the model might have said here, with the probability of each: without the recipe → with it. "
        "Choose with the arrow keys; Enter answers again from here with the chosen token, Esc goes back to the answer."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,left", "move(-1)", "Before", show=False, id="alternatives.before"),
        Binding("down,right", "move(1)", "After", show=False, id="alternatives.after"),
        Binding("enter", "choose", "Go on from this one", key_display="⏎", id="alternatives.choose"),
        Binding("escape", "screen.tokens", "Back", key_display="Esc", id="alternatives.back"),
    ]
    SCOPED_CSS: ClassVar[bool] = False  # The rules look at the screen's width class, which is above the widget.
    DEFAULT_CSS = """
    Alternatives { height: 5; width: 1fr; }
    .-narrow Alternatives { height: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.token: Token | None = None
        self.place = 0
        self._spots: list[tuple[int, int]] = []
        self.can_focus = False

    def show(self, token: Token | None) -> None:
        """The alternatives of this token."""
        if token is not self.token:
            self.token, self.place = token, 0
            self.can_focus = bool(self._top())
            self.refresh()

    def _top(self) -> tuple[Alternative, ...]:
        return self.token.reading.top if self.token is not None else ()

    def render(self) -> Content:
        """One alternative a line, or all in one."""
        return self._inline() if self.content_size.height < 5 else self._lines()

    def _style(self, place: int) -> str:
        if self.has_focus and place == self.place:
            return "reverse"
        return "bold" if self.token is not None and self._top()[place].id == self.token.id else ""

    def _lines(self) -> Content:
        lines = []
        for place, each in enumerate(self._top()):
            mark = "▸ " if self.has_focus and place == self.place else "  "
            word = f"{clipped(one_line(each.text) or '·', 11):<12}"
            bar = "▇" * round(each.probability * 6)
            numbers = f"{self._before(each.id)}{_number(each.probability)}"
            lines.append(Content.assemble((mark + word + numbers, self._style(place)), (f" {bar}", "$text-accent")))
        return Content("\n").join(lines)

    def _before(self, token: int) -> str:
        """What the same model gave the token without the recipe, where that is known."""
        if self.token is None or self.token.shadow is None:
            return ""
        plain = next((each.probability for each in self.token.shadow.top if each.id == token), None)
        return "  ·   → " if plain is None else f"{_number(plain)} → "

    def _inline(self) -> Content:
        parts: list[tuple[str, str]] = [("instead ", "$quiet")] if self._top() else []
        at, self._spots = len("instead "), []
        for place, each in enumerate(self._top()):
            text = f" {clipped(one_line(each.text).strip() or '·', 10)} {_number(each.probability).lstrip('0')} "
            parts.append((text, self._style(place)))
            self._spots.append((at, at + len(text)))
            at += len(text)
        return Content.assemble(*parts)

    def action_move(self, by: int) -> None:
        """Choose the one before or after."""
        if self._top():
            self.place = (self.place + by) % len(self._top())
            self.refresh()

    def action_choose(self) -> None:
        """Go on from the chosen one."""
        if self._top():
            self.post_message(AlternativeChosen(self._top()[self.place]))

    def on_focus(self) -> None:
        """Start at the first one that was not said."""
        said = self.token.id if self.token is not None else None
        self.place = next((place for place, each in enumerate(self._top()) if each.id != said), 0)
        self.refresh()

    def on_blur(self) -> None:
        """Draw without the mark."""
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Go on from the one under the mouse."""
        place = (
            next((n for n, (a, b) in enumerate(self._spots) if a <= event.x < b), None)
            if self.size.height < 5
            else event.y
        )
        if place is not None and place < len(self._top()):
            self.place = place
            self.action_choose()


def _number(probability: float) -> str:
    return f"{probability:.3f}"
