"""What was measured at the token under the cursor; on a narrow screen, while it is on none, what is known of the chosen slider."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from core.chat.events import Token
from core.display.lenses import describe
from tui.text import clipped, one_line
from tui.widgets.alternatives import Alternatives
from tui.widgets.words import Words

_EMPTY = "Ctrl+G, then ← → : each token of an answer explains itself here."


class TokenPanel(Vertical):
    """The readings, plain → steered, and the alternatives."""

    SCOPED_CSS: ClassVar[bool] = False  # The rules look at the screen's width class, which is above the widget.
    DEFAULT_CSS = """
    TokenPanel {
        height: auto;
        & > #token-head { height: 1; }
        & > #token-readings { height: auto; color: $text; margin: 0 0 1 0; }
    }
    .-narrow TokenPanel {
        & > #token-head { display: none; }
        /* As high with one row as with two: what is above would jump while one works with it. */
        & > #token-readings { height: 2; margin: 0; }
        &.-empty > #token-readings { height: 3; }
        &.-empty > Alternatives { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.head = Words(id="token-head")
        self.readings = Words(id="token-readings")
        self.alternatives = Alternatives()
        self.token: Token | None = None
        self._title = self._known = ""

    def compose(self) -> ComposeResult:
        """Head, readings, alternatives."""
        yield self.head
        yield self.readings
        yield self.alternatives

    def show(self, title: str, token: Token | None) -> None:
        """Explain this token; ``title`` says of which column it is."""
        self._title, self.token = title, token
        self.set_class(token is None, "-empty")
        self.alternatives.show(token)
        self.draw()

    def know(self, direction: str, words: str) -> None:
        """What is known of the chosen slider; on a wide screen it stands at the slider itself."""
        self._known = f"{direction} · {words}" if words else ""
        self.draw()

    def draw(self) -> None:
        """Draw anew, in the form the screen's width asks for."""
        self.head.update(self._head())
        self.readings.update(self._line() if self.screen.has_class("-narrow") else self._table())

    def _head(self) -> Content:
        if self.token is None:
            return Content.styled("TOKEN", "$quiet")
        word = clipped(one_line(self.token.text), 16)
        return Content.assemble(("TOKEN ", "$quiet"), (f"“{word}”", "bold"), (f"  {self._title}", "$quiet"))

    def _table(self) -> Content:
        if self.token is None:
            return Content.styled(_EMPTY, "$quiet")
        rows = [Content.assemble((f"{label:<12}", "$quiet"), text) for label, text in describe(self.token)]
        if self.token.forced:
            rows.append(Content.styled("given, not chosen by the model", "$quiet"))
        return Content("\n").join(rows)

    def _line(self) -> Content:
        if self.token is None:
            known = Content(f"{self._known}\n") if self._known else Content("")
            return Content.assemble(known, (_EMPTY, "$quiet"))
        short = {"probability": "p"}
        parts = [Content.styled(f"“{clipped(one_line(self.token.text).strip(), 12)}”", "bold")]
        for label, text in describe(self.token):
            parts.append(Content.assemble((f"  {short.get(label, label)}\u00a0", "$quiet"), _tight(text)))
        return Content("").join(parts)


def _tight(text: str) -> str:
    """A reading without its unit, and said once where the recipe changed nothing."""
    plain, _, steered = text.removesuffix(" nats").partition(" → ")
    return plain if steered in ("", plain) else f"{plain}→{steered}"
