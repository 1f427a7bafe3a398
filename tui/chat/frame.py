"""What stands on the Chat screen and where; what is written or pasted anywhere there goes to the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from core.util.text import clean
from tui.widgets.examples import Chips
from tui.widgets.gauge import Gauge
from tui.widgets.header import Header
from tui.widgets.key_line import KeyLine
from tui.widgets.learn_line import LearnLine
from tui.widgets.legend import Legend
from tui.widgets.notice import Notice
from tui.widgets.prompt import Prompt
from tui.widgets.recipe_line import RecipeLine
from tui.widgets.token_panel import TokenPanel
from tui.widgets.transcript import Transcript
from tui.widgets.words import Words

if TYPE_CHECKING:
    from textual.events import Key, Paste

#: Narrower than this, what a line holds beside the matter itself is left out.
_TINY = 60


class ChatFrame(Screen[None]):
    """The widgets, from top to bottom; the panel stands beside the transcript where there is room."""

    AUTO_FOCUS = "#prompt"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012  Textual declares it as it is.
        (0, "-narrow"),
        (100, "-normal"),
        (128, "-wide"),
    ]
    DEFAULT_CSS = """
    ChatFrame {
        layout: vertical; background: $background;
        & > #banner { height: auto; padding: 0 1; background: $warning-muted; color: $text-warning; display: none; }
        & > #point { height: auto; max-height: 4; padding: 0 1; background: $surface; display: none; }
        & > #body { height: 1fr; }
        & #left { width: 1fr; height: 1fr; }
        & #panel { width: 38; height: 1fr; padding: 1 1 0 1; background: $surface; scrollbar-size-vertical: 1; }
        & #sliders { height: auto; }
        & #ask { height: auto; max-height: 5; background: $surface; padding: 0 0 0 1; }
        & #ask > #sign { width: 2; color: $text-accent; text-style: bold; }
        &.-narrow {
            & > #body { layout: vertical; }
            & #panel { width: 1fr; height: auto; padding: 0 1; }
            & #sliders { layout: horizontal; height: auto; max-height: 2; }
            & Transcript { padding: 0 1; }
        }
        &.-tiny #sliders { layout: vertical; max-height: 3; }
        &:ansi {
            background: ansi_default;
            & > #banner { background: ansi_default; color: ansi_yellow; text-style: reverse; }
            & #panel, & #ask, & > #point { background: ansi_default; }
            & #panel { border-left: vkey ansi_bright_black; }
            &.-narrow #panel { border-left: none; }
        }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.header, self.chips, self.transcript, self.legend = Header(), Chips(), Transcript(), Legend()
        self.recipe_line, self.learn_line, self.slider_rows = RecipeLine(), LearnLine(), Vertical(id="sliders")
        self.token_panel, self.prompt, self.gauge = TokenPanel(), Prompt(), Gauge()
        self.banner, self.point, self.notice = Words(id="banner"), Words(id="point"), Notice()

    def compose(self) -> ComposeResult:
        """From top to bottom; the panel stands beside the transcript where there is room."""
        yield self.header
        yield self.chips
        yield self.banner
        yield self.point
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.transcript
                yield self.legend
            with VerticalScroll(id="panel", can_focus=False):
                yield self.recipe_line
                yield self.learn_line
                yield self.slider_rows
                yield self.token_panel
        yield self.notice
        with Horizontal(id="ask"):
            yield Static("›", id="sign")
            yield self.prompt
            yield self.gauge
        yield KeyLine()

    def on_resize(self) -> None:
        """A small terminal has room for less."""
        self.set_class(self.size.width < _TINY, "-tiny")

    def on_key(self, event: Key) -> None:
        """What is written anywhere goes to the prompt, unless it is a key of what has the focus."""
        written = event.character if event.is_printable else None
        if written is not None and event.key not in self.active_bindings:
            event.stop()
            self._write(written)

    def on_paste(self, event: Paste) -> None:
        """And so does what is pasted."""
        event.stop()
        self._write(clean(event.text))

    def _write(self, text: str) -> None:
        # At once, and not when there is time for it: the next key is on its way.
        self.set_focus(self.prompt)
        self.prompt.insert(text)
