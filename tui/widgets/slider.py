"""A slider: how strongly a direction acts, over what it was measured to do at each strength."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from core.chat.sliders import FINE, STEP, snapped, stepped
from core.directions.dose_response import Dose
from tui.messages import AblationToggled, SliderChosen, SliderMoved, SourceWanted
from tui.text import clipped
from tui.widgets.dose_text import bars, even, line, strength_at

if TYPE_CHECKING:
    from textual.events import Click, MouseDown, MouseMove, MouseUp
    from textual.geometry import Size

#: The lines that the words of the chosen slider have at least.
_WORDS = 4


@dataclass(frozen=True)
class SliderFace:
    """All that a slider draws. ``state`` says what the recipe does to the direction besides adding: "ablated", "held at 0"; ``extent``
    how far it was measured, ``words`` what is known at its strength."""

    value: float = 0.0
    source: str = ""
    active: bool = False
    state: str = ""
    dose: Dose | None = None
    ready: tuple[float, ...] = ()
    missing: bool = False
    extent: str = ""
    words: str = ""


class Slider(Widget, can_focus=True):
    """One direction's strength in the selected column."""

    HELP = (
        "How strongly this direction steers the selected column. 1 is the distance between the two kinds of text it was learnt "
        "from. The bars show its measured effect at each strength, the shading of the line how much unrelated answers change, and the "
        "heavy part of the line the strengths of use: beyond them text breaks, or nothing more is gained. "
        "After an answer, marked strengths (┴) are computed ahead: moving there changes the answer at once."
    )
    #: How one gets there, in the help of what is elsewhere on the screen.
    WHERE: ClassVar[str] = "On a slider (Tab, or a click)"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", f"by({-STEP})", "Weaker", show=False, id="slider.left"),
        Binding("right", f"by({STEP})", "Stronger", show=False, id="slider.right"),
        Binding("shift+left,minus", f"by({-FINE})", "A little weaker", show=False, id="slider.fine_left"),
        Binding("shift+right,plus", f"by({FINE})", "A little stronger", show=False, id="slider.fine_right"),
        Binding("up", "screen.slider(-1)", "Slider above", show=False, id="slider.up"),
        Binding("down", "screen.slider(1)", "Slider below", show=False, id="slider.down"),
        Binding("0,home", "zero", "Off", key_display="0", id="slider.zero"),
        # No letters: whoever pulls a slider and then writes is writing to the model.
        Binding("ctrl+x", "ablate", "Ablate", key_display="^x", id="slider.ablate"),
        Binding("ctrl+e", "source", "Learned on", key_display="^e", id="slider.source"),
    ]
    SCOPED_CSS: ClassVar[bool] = False  # The rules look at the screen's width class, which is above the widget.
    DEFAULT_CSS = """
    Slider { height: auto; min-height: 4; width: 1fr; }
    Slider:focus { background: $field; }
    .-narrow Slider { height: 1; min-height: 1; margin: 0 1 0 0; }
    """

    def __init__(self, direction: str) -> None:
        super().__init__()
        self.direction = direction
        self.face = SliderFace()
        self._dragging = False

    def show(self, face: SliderFace) -> None:
        """Draw this from now on."""
        if face != self.face:
            width = self.content_size.width
            before = len(self._words(width))
            self.face = face
            self.refresh(layout=not width or len(self._words(width)) != before)

    # --------------------------------------------------------------------------------------------------------- drawing

    def render(self) -> Content:
        """Four lines, in the chosen slider as many more as its words take, or one on a narrow screen."""
        return self._one_line() if self.content_size.height < 4 else self._lines()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The lines of a slider on a wide screen."""
        return 3 + len(self._words(width))

    def _mark(self) -> tuple[str, str]:
        return ("▸ ", "bold $text-accent") if self.face.active or self.has_focus else ("  ", "")

    def _number(self) -> str:
        return self.face.state or (
            "no direction" if self.face.missing else f"{self.face.value:+.4g}".replace("+0", "0")
        )

    def _one_line(self) -> Content:
        head, number = f"{self.direction:<8}", self._narrow_number()
        width = even(self.content_size.width - 2 - len(head) - max(7, len(number)))
        return Content.assemble(self._mark(), (head, self._name_style()), *self._track(width), (number, "bold"))

    def _narrow_number(self) -> str:
        """The number, and how far it was measured where that is not whole: "quick" or "in part"."""
        word = self.face.extent.partition(":")[0].partition(";")[0].removeprefix("measured ")
        return f" {self._number()}" + (f" {word}" if word and not self.face.missing else "")

    def _words(self, width: int) -> list[str]:
        """What is known at the strength: all of it in the chosen slider, one line in the others."""
        words, room = self.face.words, even(width - 2)
        if not self.face.active:
            return [clipped(words, room)]
        # As high at every strength: what stands beneath would jump while one pulls it.
        lines = wrap(words, room)
        return [*lines, *[""] * (_WORDS - len(lines))]

    def _lines(self) -> Content:
        width = even(self.content_size.width - 2)
        source = f"learnt on {self.face.source}" if self.face.source else ""
        head = f"{self.direction:<8} {self._number():>6}  "
        lines = [
            Content.assemble(self._mark(), (head, self._name_style()), (clipped(source, width - len(head)), "$quiet")),
            Content.assemble("  ", (bars(self.face.dose, width) if self.face.dose is not None else "", "$quiet")),
            Content.assemble("  ", *self._track(width)),
            *(Content.assemble("  ", (line, "$quiet")) for line in self._words(self.content_size.width)),
        ]
        return Content("\n").join(lines)

    def _track(self, width: int) -> list[tuple[str, str]]:
        """The line with its thumb, and ticks where answers are ready."""
        return line(self.face.dose, width, self.face.value, self.face.ready)

    def _name_style(self) -> str:
        return "bold" if self.face.active or self.has_focus else ""

    # --------------------------------------------------------------------------------------------------------- moving

    def action_by(self, amount: float) -> None:
        """Move by an amount, in gaps; half steps land on the strengths that are computed ahead."""
        self.post_message(SliderMoved(self.direction, stepped(self.face.value, amount)))

    def action_zero(self) -> None:
        """Take the direction out of the recipe."""
        self.post_message(SliderMoved(self.direction, 0.0))

    def action_ablate(self) -> None:
        """Ablate the direction, or stop that."""
        self.post_message(AblationToggled(self.direction))

    def action_source(self) -> None:
        """Take the direction from the next checkpoint."""
        self.post_message(SourceWanted(self.direction))

    def on_focus(self) -> None:
        """The focused slider is the active one."""
        self.post_message(SliderChosen(self.direction))

    def on_blur(self) -> None:
        """Draw without the mark."""
        self.refresh()

    def _place(self, x: int) -> tuple[int, int]:
        """The cell of the track that is at ``x`` of the widget (below 0, or past its end, beside it), and how many there are."""
        narrow = self.content_size.height < 4
        start = 2 + (len(f"{self.direction:<8}") if narrow else 0)
        return x - start, even(self.content_size.width - start - (max(7, len(self._narrow_number())) if narrow else 0))

    def _drag_to(self, x: int) -> None:
        """Put the thumb where the mouse is; beside the track, at its end."""
        cell, width = self._place(x)
        strength = strength_at(min(width - 1, max(0, cell)), width)
        self.post_message(SliderMoved(self.direction, snapped(strength)))

    def on_mouse_down(self, event: MouseDown) -> None:
        """Pull the thumb with the mouse, by its first button: the others paste and open menus in many terminals."""
        cell, width = self._place(event.x)
        if event.button == 1 and -1 <= cell <= width:
            self._dragging = True
            self.capture_mouse()
            self._drag_to(event.x)

    def on_mouse_move(self, event: MouseMove) -> None:
        """Follow the mouse, past the ends of the track too."""
        if self._dragging:
            self._drag_to(event.x)

    def on_mouse_up(self, event: MouseUp) -> None:
        """Let go of the thumb."""
        self._dragging = False
        self.release_mouse()

    def on_click(self, event: Click) -> None:
        """A click chooses the slider."""
        if event.button == 1:
            self.post_message(SliderChosen(self.direction))
