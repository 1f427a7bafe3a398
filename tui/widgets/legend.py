"""What the colours mean: the lenses to choose from, and the present one's scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from core.display.lenses import Lens
from core.display.palette import glyph, ink, legend
from tui.messages import LensChosen

if TYPE_CHECKING:
    from textual.events import Click


class Legend(Widget):
    """One line; a click on a name chooses that lens."""

    DEFAULT_CSS = """
    Legend { height: 1; padding: 0 1; background: $panel; }
    Legend:ansi { background: ansi_default; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.lenses: Sequence[Lens] = ()
        self.chosen = 0
        self.middle = "#ffffff"
        self.glyphs = False
        self._spots: list[tuple[int, int]] = []

    def show(self, lenses: Sequence[Lens], chosen: int, middle: str, glyphs: bool) -> None:
        """Draw these lenses with one of them chosen."""
        new = (lenses, chosen, middle, glyphs)
        if new != (self.lenses, self.chosen, self.middle, self.glyphs):
            self.lenses, self.chosen, self.middle, self.glyphs = new
            self.tooltip = lenses[chosen].tooltip if lenses else None
            self.refresh()

    def render(self) -> Content:
        """The names on the left, the scale on the right."""
        if not self.lenses:
            return Content("")
        names = [("colour by ", "$quiet")]
        at, self._spots = len("colour by "), []
        for index, lens in enumerate(self.lenses):
            text = f" {lens.title} "
            names.append((text, "reverse bold" if index == self.chosen else ""))
            self._spots.append((at, at + len(text)))
            at += len(text)
        scale = self._scale(self.lenses[self.chosen])
        room = self.content_size.width - at - _length(scale)
        if room < 1:
            names, scale = names[1:], self._short_scale(self.lenses[self.chosen])
            self._spots = [(a - len("colour by "), b - len("colour by ")) for a, b in self._spots]
            if _length(names) + _length(scale) > self.content_size.width:
                scale = [(text.removesuffix(f" {self.lenses[self.chosen].unit}"), style) for text, style in scale]
            room = self.content_size.width - _length(names) - _length(scale)
        if room < 0:
            if self.lenses[self.chosen].kind == "stages":
                # The letters beneath the tokens say nothing without their stages.
                scale = self._scale(self.lenses[self.chosen])
            names = self._around_chosen(self.content_size.width - _length(scale))
            room = self.content_size.width - _length(names) - _length(scale)
        return Content.assemble(*names, " " * room, *scale) if room >= 0 else Content.assemble(*names)

    def _around_chosen(self, width: int) -> list[tuple[str, str]]:
        """The chosen name with as many of its neighbours as fit, a mark on either side where there are more."""
        texts = [f" {lens.title} " for lens in self.lenses]
        first = last = self.chosen
        while True:
            wider = [(first, last + 1)] if last + 1 < len(texts) else []
            wider += [(first - 1, last)] if first > 0 else []
            fits = [(a, b) for a, b in wider if sum(map(len, texts[a : b + 1])) + 2 <= width]
            if not fits:
                break
            first, last = fits[0]
        self._spots = [(-1, -1)] * len(texts)
        names = [("‹" if first else " ", "$quiet")]
        at = 1
        for index in range(first, last + 1):
            names.append((texts[index], "reverse bold" if index == self.chosen else ""))
            self._spots[index] = (at, at + len(texts[index]))
            at += len(texts[index])
        return [*names, ("›" if last + 1 < len(texts) else " ", "$quiet")]

    def _scale(self, lens: Lens) -> list[tuple[str, str]]:
        steps = legend(lens, self.middle)
        if lens.kind == "stages":
            return [(f" {label} ", "" if self.glyphs else f"{ink(tint)} on {tint}") for tint, label in steps]
        if self.glyphs:
            numbers = [lens.low + (lens.high - lens.low) * part / 4 for part in range(5)]
            return [
                (f"{glyph(lens, number)}{label} ", "") for number, (_, label) in zip(numbers, steps, strict=True)
            ] + [(lens.unit, "")]
        return [(f" {label} ", f"{ink(tint)} on {tint}") for tint, label in steps] + [(f" {lens.unit}", "$quiet")]

    def _short_scale(self, lens: Lens) -> list[tuple[str, str]]:
        """Only the ends have their numbers, and stages their letters."""
        steps = legend(lens, self.middle)
        if lens.kind == "stages":
            return [(f" {label[:1]} ", "" if self.glyphs else f"{ink(tint)} on {tint}") for tint, label in steps]
        if self.glyphs:
            marks = "".join(glyph(lens, lens.low + (lens.high - lens.low) * part / 4) for part in range(5))
            return [(f"{steps[0][1]} {marks} {steps[-1][1]} {lens.unit}", "")]
        blocks = [("  ", f"on {tint}") for tint, _ in steps]
        return [(f"{steps[0][1]} ", "$quiet"), *blocks, (f" {steps[-1][1]} {lens.unit}", "$quiet")]

    def on_click(self, event: Click) -> None:
        """Choose the lens under the mouse."""
        x = event.x - 1
        place = next((index for index, (a, b) in enumerate(self._spots) if a <= x < b), None)
        if place is not None:
            self.post_message(LensChosen(place))


def _length(parts: Sequence[tuple[str, str]]) -> int:
    return sum(len(text) for text, _ in parts)
