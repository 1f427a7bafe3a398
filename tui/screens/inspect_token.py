"""The third section of the Inspect screen: what every layer would have said where the chosen token of the chat was said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from core.errors import TillerError
from tui.screens.inspect_panel import Panel

if TYPE_CHECKING:
    from core.chat.settings import Settings
    from core.knowledge.maps import Words

#: At most so many words of a layer stand beside each other, each so wide, with its probability behind it.
_WORDS, _WIDTH = 3, 9
_WORD = _WIDTH + len(" 0.00 ")


class LensPanel(Panel):
    """Layers × likeliest words, plain and steered side by side."""

    HELP = (
        "What the model would have said if it had stopped at a layer, where a token of the chat's last answer was said: the token that is "
        "chosen in Chat, else the first. ← and → choose another one, v the next column, s saves the words as SVG and CSV."
    )
    ID, TITLE = "lens-words", "Logit lens"
    KEYS = "←→ Token  v Column  s Save"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Token before", show=False, id="lens.before"),
        Binding("right", "move(1)", "Next token", show=False, id="lens.next"),
        Binding("v", "column", "Next column", id="lens.column"),
        Binding("s", "save", "Save", id="lens.save"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.said, self.picture = Static(id="lens-said"), Static(id="lens-picture")
        self.shown = Static(id="lens-shown", classes="figures")
        self.column, self.index = 0, 0
        self.found: Words | None = None

    def compose(self) -> ComposeResult:
        """The answer with the token marked, which word is likeliest from layer to layer, and all words."""
        yield self.said
        yield self.picture
        yield self.shown

    def opened(self) -> None:
        """Look at the token that is chosen in Chat."""
        if self.engine is None:
            return
        column, index = self.place.chat.model.cursor
        self.column, self.index = column, index or 0
        self.look()

    def look(self) -> None:
        """Find the words of the chosen token."""
        tokens = self._tokens()
        if not tokens:
            self.said.update(Content("There is no answer in the chat yet; send a message there first."))
            self.picture.display = False
            self.shown.update("")
            return
        self.index = min(self.index, len(tokens) - 1)
        said = "".join(f"[{text.strip()}]" if place == self.index else text for place, (_, text) in enumerate(tokens))
        self.said.update(Content(f"{said}\nLooking …"))
        self._find(self.place.chat.session.settings, self.column, tuple(each for each, _ in tokens), self.index, said)

    @work(thread=True, exclusive=True, group="lens", exit_on_error=False)
    def _find(self, settings: Settings, column: int, reply: tuple[int, ...], index: int, said: str) -> None:
        engine = self.engine
        assert engine is not None
        try:
            found = engine.token_words(settings, column, reply, index)
        except TillerError as error:
            self.app.call_from_thread(self.said.update, Content(f"{said}\n✗ {error}"))
            return
        self.found = found
        self.app.call_from_thread(self._show, found, said)

    def _show(self, found: Words, said: str) -> None:
        from core.knowledge.conclusion import lens_conclusion

        self.said.update(Content.assemble(f"{said}\n", (lens_conclusion(found), "bold")))
        self.picture.display = True
        self.picture.update(_pictured(found))
        self.shown.update(self._drawn(found))
        if self.has_focus:
            # It was shorter while it looked, and what stands above it has moved down meanwhile.
            self.call_after_refresh(self.scroll_visible, animate=False)

    def _drawn(self, found: Words) -> Content:
        count = len(found.titles)
        words = min(_WORDS, max(1, (self.content_size.width - 6 - 3 * (count - 1)) // count // _WORD))
        head = "      " + "   ".join(title.ljust(words * _WORD) for title in found.titles)
        lines = [Content.styled(head, "bold")]
        for place in reversed(range(len(found.layers))):
            parts = ["".join(f"{_short(word)} {p:.2f} " for word, p in layers[place][:words]) for layers in found.rows]
            lines.append(Content(f"{found.layers[place]:>4}  " + "   ".join(parts)))
        lines += [Content(found.note)] if found.note else []
        return Content("\n").join(lines)

    def action_move(self, by: int) -> None:
        """Another token."""
        self.index = max(0, self.index + by)
        self.look()

    def action_column(self) -> None:
        """The next column of the chat."""
        self.column = (self.column + 1) % len(self.place.chat.session.settings.columns)
        self.index = 0
        self.look()

    def action_save(self) -> None:
        """Ask for a file and write the words there."""
        if self.found is not None:
            hint = "A folder: the words go there as logit-lens.svg and logit-lens.csv."
            self.ask_where("Save the words", "lens", hint, self._saved)

    def _saved(self, folder: str) -> str:
        from core.knowledge import map_export
        from core.util.files import write_bytes

        assert self.found is not None
        to = Path(folder).expanduser()
        write_bytes(to / "logit-lens.svg", map_export.words_svg(self.found).encode())
        write_bytes(to / "logit-lens.csv", map_export.words_csv(self.found).encode())
        return f"logit-lens.svg and logit-lens.csv written to {to}."

    def _tokens(self) -> list[tuple[int, str]]:
        answer = self.place.chat.session.answers.get(self.column)
        return [(each.id, each.text) for each in answer.tokens] if answer else []


def _pictured(found: Words) -> Content:
    """The likeliest word of every layer, those of several layers once: ``0–3 the · 4 a · 5 Paris``."""
    lines = []
    for title, layers in zip(found.titles, found.rows, strict=True):
        runs: list[tuple[int, int, str]] = []
        for layer, words in zip(found.layers, layers, strict=True):
            word = words[0][0].strip() or repr(words[0][0])
            runs = (
                [*runs[:-1], (runs[-1][0], layer, word)]
                if runs and runs[-1][2] == word
                else [*runs, (layer, layer, word)]
            )
        parts = [
            (
                (f"{first}–{last} " if last > first else f"{first} ", "$quiet"),
                (word, "bold" if word == found.said.strip() else ""),
            )
            for first, last, word in runs
        ]
        head = [(f"{title}: ", "$quiet")] if len(found.titles) > 1 else [("layer ", "$quiet")]
        gaps = [((" · ", "$quiet"),) * (place > 0) for place in range(len(parts))]
        lines.append(
            Content.assemble(*head, *(piece for gap, part in zip(gaps, parts, strict=True) for piece in (*gap, *part)))
        )
    return Content("\n").join(lines)


def _short(word: str) -> str:
    word = word.strip() or repr(word)
    return (word if len(word) <= _WIDTH else word[: _WIDTH - 1] + "…").ljust(_WIDTH)
