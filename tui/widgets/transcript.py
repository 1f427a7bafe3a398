"""The conversation: what the person said and, beneath, every column's answer; the last ones are strips of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content

from core.chat.settings import Turn
from tui.text import shown
from tui.widgets.face import Face
from tui.widgets.token_strip import AnswerStrip
from tui.widgets.words import Words


class TurnView(Vertical):
    """One turn: the message and an answer strip a column."""

    SCOPED_CSS: ClassVar[bool] = False  # The rules look at the screen's width class, which is above the widget.
    DEFAULT_CSS = """
    TurnView {
        height: auto;
        & > .said { padding: 0 1; margin: 0 0 1 0; color: $text; height: auto; }
        & > .answers { height: auto; layout: vertical; }
        &:ansi > .said { color: ansi_default; }
    }
    .-wide TurnView > .answers { layout: horizontal; }
    .-narrow TurnView { margin: 0 0 1 0; & > .said { margin: 0; } & AnswerStrip { margin: 0; } }
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.said = Words(classes="said")
        self.strips = [AnswerStrip(column) for column in range(columns)]
        self.answers = Container(*self.strips, classes="answers")

    def compose(self) -> ComposeResult:
        """The message, then the answers."""
        yield self.said
        yield self.answers

    def show(self, user: str, faces: Sequence[Face], version: str) -> None:
        """Draw the turn, and which version it is; the number of strips follows the number of faces."""
        beside = (f"  ‹{version}›", "$quiet") if version else ""
        self.said.update(Content.assemble(("you  ", "bold $text-success"), shown(user), beside))
        while len(self.strips) < len(faces):
            strip = AnswerStrip(len(self.strips))
            self.strips.append(strip)
            self.answers.mount(strip)
        while len(self.strips) > len(faces):
            self.strips.pop().remove()
        for strip, face in zip(self.strips, faces, strict=True):
            strip.show(face)


class Transcript(VerticalScroll, can_focus=False):
    """All turns; stays at the end while answers stream in."""

    DEFAULT_CSS = """
    Transcript {
        width: 1fr; height: 1fr; padding: 1 1 0 1; scrollbar-size-vertical: 1;
        & > #empty { color: $quiet; padding: 1 2; height: auto; }
        &:ansi > #empty { color: ansi_default; text-style: dim; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.views: list[TurnView] = []
        self.empty = Words(id="empty")
        self.following = True

    def compose(self) -> ComposeResult:
        """What stands here before the first message."""
        yield self.empty

    def show(self, turns: Sequence[Turn], faces: Sequence[Sequence[Face]], empty: str, versions: Sequence[str]) -> None:
        """Draw the turns; ``faces`` holds a face a column for each of them, ``versions`` says which version each is, ``empty`` is what is
        said when there is none.
        """
        self.empty.display = not turns
        self.empty.update(Content(empty))
        while len(self.views) > len(turns):
            self.views.pop().remove()
        while len(self.views) < len(turns):
            view = TurnView(len(faces[len(self.views)]))
            self.views.append(view)
            self.mount(view)
        for view, turn, row, version in zip(self.views, turns, faces, versions, strict=True):
            view.show(turn.user, row, version)

    def follow(self) -> None:
        """Go to the end and stay there as it grows."""
        self.following = True
        self.scroll_end(animate=False)

    def watch_virtual_size(self) -> None:
        """More was said: a reader at the end stays at the end, one who has scrolled up stays there."""
        if self.following:
            self.scroll_end(animate=False)

    def on_resize(self) -> None:
        """A notice below took a line, or gave it back: what stands at the end is still seen."""
        self.watch_virtual_size()

    def page(self, by: int) -> None:
        """A page up or down."""
        if by < 0:
            self.following = False
            self.scroll_page_up(animate=False)
        else:
            self.scroll_page_down(animate=False)
            self.call_after_refresh(self._at_end)

    def _at_end(self) -> None:
        self.following = self.scroll_y >= self.max_scroll_y

    def on_mouse_scroll_up(self) -> None:
        """The reader wants to stay there."""
        self.following = False

    def on_mouse_scroll_down(self) -> None:
        """Back at the end, the reader follows again."""
        self.call_after_refresh(self._at_end)

    @property
    def last(self) -> list[AnswerStrip]:
        """The strips of the last turn, a column each."""
        return self.views[-1].strips if self.views else []
