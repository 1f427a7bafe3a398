"""Where the person writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from core.util.text import clean
from tui.messages import EditWanted, Sent

if TYPE_CHECKING:
    from textual.events import Key, Paste


class Prompt(TextArea):
    """A few lines of text: Enter sends, Ctrl+J breaks the line, ↑ in the empty prompt fetches the last message."""

    HELP = (
        "Write a message and press Enter: every column answers it. Ctrl+J breaks the line. ↑ in the empty prompt fetches your last "
        "message to change it. What a message cannot be is said above the prompt, and the message stays."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", key_display="⏎", show=False, priority=False, id="prompt.send"),
        Binding("ctrl+j,shift+enter,alt+enter", "newline", "New line", show=False, id="prompt.newline"),
        Binding("up", "up", "Edit the last message", show=False, id="prompt.up"),
    ]
    DEFAULT_CSS = """
    Prompt {
        height: auto; min-height: 1; max-height: 5; border: none; padding: 0 1; background: $surface; scrollbar-size-vertical: 1;
        &:focus { border: none; }
        & .text-area--cursor-line { background: transparent; }
    }
    """

    def __init__(self) -> None:
        super().__init__(
            compact=True,
            highlight_cursor_line=False,
            show_line_numbers=False,
            tab_behavior="focus",
            id="prompt",
            placeholder="Write a message; Enter sends it",
        )

    async def _on_key(self, event: Key) -> None:
        """Enter sends; every other key goes on to the text area, whose handler comes after this one."""
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self.action_send()

    async def _on_paste(self, event: Paste) -> None:
        """A paste loses its control characters and keeps its lines; the text area's handler, which comes next, inserts it."""
        event.stop()
        event.text = clean(event.text)

    def action_send(self) -> None:
        """Send what is written."""
        self.post_message(Sent(self.text))

    def action_newline(self) -> None:
        """Break the line."""
        self.insert("\n")

    def action_up(self) -> None:
        """Up a line; in the empty prompt, fetch the last message."""
        if self.text:
            self.action_cursor_up()
        else:
            self.post_message(EditWanted())

    def put(self, text: str) -> None:
        """Replace what is written and go to its end."""
        self.load_text(text)
        self.move_cursor(self.document.end)
