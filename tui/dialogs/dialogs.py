"""Windows over the chat: one that shows a text, one that asks for a line, one that asks to pick."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from core.errors import TillerError

Result = TypeVar("Result")


class Dialog(ModalScreen[Result], Generic[Result]):
    """A framed window in the middle; Esc closes it and changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close", key_display="Esc", id="dialog.leave")]
    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > Vertical {
            width: 76; max-width: 96%; height: auto; max-height: 92%; padding: 0 1; background: $surface; border: round $accent;
            border-title-color: $text-accent; border-title-style: bold; border-subtitle-color: $quiet;
        }
        & .wrong { color: $text-error; height: auto; }
        & .hint { color: $quiet; height: auto; }
        & Input { background: $field; }
        & Input:nocolor { border-left: wide $foreground !important; }
        & > Vertical:ansi { background: ansi_default; border: round ansi_cyan; }
        & .wrong:ansi { color: ansi_red; }
        & .hint:ansi { color: ansi_default; text-style: dim; }
    }
    """

    def __init__(self, title: str, subtitle: str) -> None:
        super().__init__()
        self.frame = Vertical()
        self.frame.border_title = Content(title)
        self.frame.border_subtitle = Content(subtitle)

    def action_leave(self) -> None:
        """Close, with no result."""
        self.dismiss(None)


class TextDialog(Dialog[None]):
    """A text to read; with ``copy`` given, c puts that on the clipboard."""

    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy", id="text.copy"),
        Binding("enter,q", "leave", "Close", show=False, id="text.leave"),
    ]
    DEFAULT_CSS = """
    TextDialog > Vertical > VerticalScroll { height: auto; max-height: 100%; scrollbar-size-vertical: 1; & > Static { height: auto; } }
    """

    def __init__(self, title: str, text: Content, copy: str = "") -> None:
        super().__init__(title, "Esc closes" + (" · c copies" if copy else "") + " · ↑↓ scroll")
        self.text, self.copy = text, copy

    def compose(self) -> ComposeResult:
        """The text, scrollable."""
        with self.frame, VerticalScroll():
            yield Static(self.text)

    def action_copy(self) -> None:
        """Put the text on the clipboard, through the terminal."""
        if self.copy:
            self.app.copy_to_clipboard(self.copy)
            self.frame.border_subtitle = Content("copied (where the terminal allows it) · Esc closes")


class HelpDialog(TextDialog):
    """The help; t begins the tour."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("t", "tour", "Tour", id="help.tour")]

    def __init__(self, text: Content, tour: Callable[[], None]) -> None:
        super().__init__("Help", text)
        self.tour = tour
        self.frame.border_subtitle = Content("t begins a short tour · Esc closes · ↑↓ scroll")

    def action_tour(self) -> None:
        """Close the help and begin."""
        self.dismiss(None)
        self.tour()


class LineDialog(Dialog[str]):
    """Asks for one line. ``take`` does what is to be done with it; its TillerError is shown and the line stays."""

    AUTO_FOCUS = "Input"

    def __init__(self, title: str, value: str, hint: str, take: Callable[[str], str]) -> None:
        super().__init__(title, "Enter takes it · Esc closes")
        self.value, self.hint, self.take = value, hint, take

    def compose(self) -> ComposeResult:
        """Hint, line, and what is wrong with it."""
        with self.frame:
            yield Static(Content(self.hint), classes="hint")
            yield Input(self.value, compact=True, select_on_focus=False)
            yield Static("", classes="wrong")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the line, or say what is wrong with it."""
        event.stop()
        try:
            self.dismiss(self.take(event.value))
        except TillerError as error:
            self.query_one(".wrong", Static).update(Content(f"✗ {error}"))


class PickDialog(Dialog[str]):
    """Asks to pick one of several names, each with a word about it, perhaps under headings."""

    AUTO_FOCUS = "OptionList"
    DEFAULT_CSS = """
    PickDialog OptionList { height: auto; max-height: 17; border: none; background: transparent; padding: 0; }
    PickDialog OptionList:focus { border: none; }
    """

    def __init__(
        self,
        title: str,
        names: Sequence[tuple[str, str]],
        chosen: str = "",
        absent: Collection[str] = (),
        heads: Sequence[str] = (),
    ) -> None:
        super().__init__(title, "Enter picks · Esc closes")
        #: Those that are ``absent`` are grey, and cannot be picked.
        self.names, self.chosen, self.absent = names, chosen, absent
        #: The name on each line of the list; None on a line that is a heading.
        self.lines: list[str | None] = []
        self.heads = heads if len(set(heads)) > 1 else ()

    def compose(self) -> ComposeResult:
        """The names."""
        with self.frame:
            yield OptionList(*self._options())

    def _options(self) -> Iterator[Option]:
        before = None
        for place, (name, about) in enumerate(self.names):
            head = self.heads[place] if self.heads else None
            if head != before:
                before = head
                self.lines.append(None)
                yield Option(Content.styled(f"{head}", "$text-accent"), disabled=True)
            self.lines.append(name)
            indent, bold = "  " if self.heads else "", "" if name in self.absent else "bold"
            words = (f"{indent}{name:<16}", bold), (f"  {about}" if about else "", "$quiet")
            yield Option(Content.assemble(*words), disabled=name in self.absent)

    def on_mount(self) -> None:
        """Start at the present one."""
        there = [place for place, name in enumerate(self.lines) if name is not None and name not in self.absent]
        present = [place for place in there if self.lines[place] == self.chosen]
        self.query_one(OptionList).highlighted = next(iter([*present, *there]), None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand the name back."""
        event.stop()
        self.dismiss(self.lines[event.option_index])
