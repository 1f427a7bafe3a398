"""The bottom line: the keys that do something here, as many as there is room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.events import Click
    from textual.screen import Screen


_ALWAYS = ("f2", "ctrl+p", "f1", "ctrl+c")


class KeyLine(Widget):
    """Keys of the focused widget first, then the screen's, then the program's; each can be clicked."""

    DEFAULT_CSS = """
    KeyLine { height: 1; padding: 0 1; background: $panel; }
    KeyLine:ansi { background: ansi_default; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._spots: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Draw anew whenever other keys apply."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, _screen: Screen[object]) -> None:
        self.refresh()

    def keys(self) -> list[tuple[str, str, str]]:
        """(key, as shown, what it does) of every binding that wants to be shown, an action only once."""
        found: dict[str, tuple[str, str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.description:
                found.setdefault(binding.action, (binding.key, self.app.get_key_display(binding), binding.description))
        return list(found.values())

    def render(self) -> Content:
        """Keys and words; those of the program itself come last and always have their room."""
        keys = self.keys()
        own = [each for each in keys if each[0] not in _ALWAYS]
        always = sorted((each for each in keys if each[0] in _ALWAYS), key=lambda each: _ALWAYS.index(each[0]))
        # What leads out of here is the last to go.
        own.sort(key=lambda each: each[0] != "escape")
        gap = 2 if _length(own + always, 2) <= self.content_size.width else 1
        while len(own) > 1 and _length(own + always, gap) > self.content_size.width:
            own.pop()
        while own and len(always) > 1 and _length(own + always, gap) > self.content_size.width:
            always.pop(0)
        parts: list[tuple[str, str]] = []
        at, self._spots = 0, []
        for key, display, words in own + always:
            parts += [(display, "bold $text-accent"), (f" {words}{' ' * gap}", "")]
            self._spots.append((at, at + len(display) + 1 + len(words), key))
            at += len(display) + 1 + len(words) + gap
        return Content.assemble(*parts)

    def on_click(self, event: Click) -> None:
        """As if the key had been pressed."""
        x = event.x - 1
        key = next((key for a, b, key in self._spots if a <= x < b), None)
        if key is not None:
            self.app.simulate_key(key)


def _length(keys: list[tuple[str, str, str]], gap: int) -> int:
    return sum(len(display) + 1 + len(words) + gap for _, display, words in keys) - gap
