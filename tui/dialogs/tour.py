"""A short tour of the Chat screen: one thing after the other is pointed at. It can be left at any time, and called again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static


@dataclass(frozen=True)
class Step:
    """Where it points to on the Chat screen (the first of these that is to be seen there), and what it says."""

    where: tuple[str, ...]
    title: str
    text: str


STEPS = (
    Step(("Chips",), "Begin here",
         "Each of these asks a question and shows in a sentence what came of it. Tab goes there from the prompt, Enter shows one."),
    Step(("Transcript",), "The same question, more than once",
         "Every column answers the same message; ● is the chosen one. F8 chooses the next, F10 changes its checkpoint, F7 adds another."),
    Step(("#sliders", "LearnLine"), "Push it",
         "Ctrl+↑ and Ctrl+↓ push the chosen column along the direction at ▸, and its answer turns. Ctrl+← and Ctrl+→ choose another one."),
    Step(("TokenPanel",), "Every word can be asked",
         "Ctrl+G, then ← and →: how likely a word was, and what else the model might have said. Choose one of those with Enter, and the "
         "answer goes on from it."),
    Step(("Legend",), "What the colours mean",
         "“changed” shows which words the push made likelier, “blame” to which stage of the training each is owed. Ctrl+T: the next one."),
    Step(("#ask",), "Ask it yourself",
         "Write a message, and all columns answer. At the right stands how full the context is. Ctrl+O has the temperature, Ctrl+L a link "
         "for a friend, Ctrl+K every chat that is kept."),
    Step(("Header",), "And then",
         "F3 to F6 measure what you see here, and learn new directions. Ctrl+P has every command; F1 explains every word, and begins this "
         "tour again with t."),
)  # fmt: skip


class Tour(ModalScreen[None]):
    """A box beside what it points at; everything else is to be seen as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right,space,down", "go(1)", "Next", key_display="⏎", id="tour.next"),
        Binding("left,up", "go(-1)", "Back", id="tour.back"),
        Binding("escape,q", "leave", "Leave", key_display="Esc", id="tour.leave"),
    ]
    DEFAULT_CSS = """
    Tour {
        background: transparent;
        & > Static { position: absolute; }
        & > #tour-sign { width: 1; height: 1; color: $text-accent; text-style: bold; }
        & > #tour-box {
            width: 66; max-width: 100%; height: 7; padding: 0 1; background: $surface; border: round $accent;
            border-title-color: $text-accent; border-title-style: bold; border-subtitle-color: $quiet;
        }
        &:ansi { background: transparent; & > #tour-box { background: ansi_default; border: round ansi_cyan; } }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.at = 0
        self.sign, self.box = Static("▶", id="tour-sign"), Static(id="tour-box")

    def compose(self) -> ComposeResult:
        """The sign at what is meant, and the box."""
        yield self.sign
        yield self.box

    def on_mount(self) -> None:
        """Begin."""
        self._draw()

    def on_resize(self) -> None:
        """What is pointed at stands elsewhere now."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        step = STEPS[self.at]
        self.box.border_title = Content(f"{step.title} · {self.at + 1} of {len(STEPS)}")
        ends = "Enter ends it" if self.at == len(STEPS) - 1 else "Enter goes on · ← back · Esc leaves the tour"
        self.box.border_subtitle = Content(ends)
        self.box.update(Content(step.text))
        target = self._target(step)
        self.sign.display = target is not None
        spot = target.region if target is not None else self.region
        high, room = 7, self.size.height
        below, above = spot.bottom, spot.y - high
        # Beneath it, else above it, else in it at its lower edge.
        y = below if below + high <= room else above if above >= 0 else min(room, spot.bottom) - high
        x = max(0, min(spot.x + 2, self.size.width - 66))
        self.box.styles.offset = (x, max(0, y))
        self.sign.styles.offset = (spot.x, spot.y)

    def _target(self, step: Step) -> Widget | None:
        beneath = self.app.screen_stack[-2]
        found = (widget for where in step.where for widget in beneath.query(where).results(Widget))
        return next((each for each in found if each.display and each.region), None)

    def action_go(self, by: int) -> None:
        """On, or back; beyond the last one, the end."""
        self.at = max(0, self.at + by)
        if self.at == len(STEPS):
            self.dismiss(None)
        else:
            self._draw()

    def action_leave(self) -> None:
        """The end."""
        self.dismiss(None)
