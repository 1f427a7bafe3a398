"""The list of kept chats, and the window in which a person writes the model's answer."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from core.chat.kept import KeptChats, KeptHead, chats_document, one_line, read_chats
from core.util.files import json_text, read_text, write_new
from core.util.text import clean
from tui.dialogs.dialogs import Dialog, LineDialog
from tui.text import clipped, shown

_HEAD = 42


class ChatsDialog(Dialog[str]):
    """Every chat that is kept, the latest first; gives the id of the one that is to be opened. ``present`` is the open one's, marked ●."""

    AUTO_FOCUS = "OptionList"
    HELP = (
        "Every chat is kept here with all its versions. Enter opens one; what is open now is kept, too. / searches titles and messages, "
        "r gives another title, Delete deletes (it asks once more), x writes all chats into one file, i reads such a file."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", id="chats.search"),
        Binding("r", "rename", "Rename", id="chats.rename"),
        Binding("delete", "delete", "Delete", id="chats.delete"),
        Binding("x", "export", "Export all", id="chats.export"),
        Binding("i", "import", "Import", id="chats.import"),
    ]
    DEFAULT_CSS = """
    ChatsDialog OptionList { height: auto; max-height: 14; border: none; background: transparent; padding: 0; }
    ChatsDialog OptionList:focus { border: none; }
    ChatsDialog .said { height: auto; color: $text-warning; }
    """

    def __init__(self, kept: KeptChats, present: str) -> None:
        super().__init__("Chats", "⏎ opens · / search · r rename · Del delete · x export all · i import")
        self.kept, self.present = kept, present
        self.found: tuple[KeptHead, ...] = ()
        self.doomed = ""
        self.search, self.list = Input(placeholder="Search titles and messages", compact=True), OptionList()
        self.said = Static("", classes="said")

    def compose(self) -> ComposeResult:
        """The search, the chats, and what was done with them."""
        with self.frame:
            yield self.search
            yield self.list
            yield self.said

    def on_mount(self) -> None:
        """Show all of them."""
        self.draw()

    def draw(self, said: str = "") -> None:
        """List the chats that are looked for, and say something beneath."""
        self.found = self.kept.list(self.search.value)
        at = self.list.highlighted or 0
        self.list.clear_options()
        self.list.add_options([Option(_row(each, each.id == self.present)) for each in self.found])
        if self.found:
            self.list.highlighted = min(at, len(self.found) - 1)
        none = "No chat has all of these words." if self.search.value else "Nothing is kept yet."
        self.said.update(Content(said or ("" if self.found else none)))

    @property
    def chosen(self) -> KeptHead | None:
        """The chat under the cursor."""
        at = self.list.highlighted
        return self.found[at] if at is not None and at < len(self.found) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it; the one that is open stays."""
        event.stop()
        name = self.found[event.option_index].id
        self.dismiss(None if name == self.present else name)

    def on_option_list_option_highlighted(self) -> None:
        """Another one is under the cursor: nothing is about to be deleted."""
        if self.doomed and (self.chosen is None or self.chosen.id != self.doomed):
            self.doomed = ""
            self.said.update(Content(""))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for something else."""
        event.stop()
        self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """On to what was found."""
        event.stop()
        self.list.focus()

    def action_search(self) -> None:
        """To the search."""
        self.search.focus()

    def action_delete(self) -> None:
        """Delete the chat under the cursor, when it is pressed twice; the open one stays."""
        chosen = self.chosen
        if chosen is None:
            return
        if chosen.id == self.present:
            self.said.update(Content("This chat is open; begin a new one (Ctrl+N) before you delete it."))
        elif self.doomed != chosen.id:
            self.doomed = chosen.id
            self.said.update(Content(f"Delete “{shown(chosen.title)}” for good? Delete once more does it."))
        else:
            self.doomed = ""
            self.kept.delete(chosen.id)
            self.draw(f"“{shown(chosen.title)}” is deleted.")

    def action_rename(self) -> None:
        """Ask for another title."""
        if (chosen := self.chosen) is not None:
            dialog = LineDialog(
                "Title of the chat",
                chosen.title,
                "What the list calls it.",
                partial(self._rename, chosen.id),
            )
            self.app.push_screen(dialog, lambda _: self.draw())

    def _rename(self, name: str, title: str) -> str:
        self.kept.put({**self.kept.document(name), "title": one_line(title)})
        return title

    def action_export(self) -> None:
        """Ask for a file and write all chats into it."""
        path = Path.cwd() / f"tiller-chats-{datetime.now():%Y%m%d-%H%M%S}.json"
        dialog = LineDialog(
            "Export all chats", str(path), "Where to? All chats with all their versions in one JSON file.", self._export
        )
        self.app.push_screen(dialog, lambda done: self.draw(f"Written to {done}." if done else ""))

    def _export(self, path: str) -> str:
        target = Path(clean(path).strip()).expanduser()
        write_new(target, json_text(chats_document(self.kept.documents()), ensure_ascii=False))
        return str(target)

    def action_import(self) -> None:
        """Ask for a file of chats and keep what is in it."""
        hint = "The path of chats that were exported as JSON, from here, the command line or the browser."
        self.app.push_screen(LineDialog("Import chats", "", hint, self._import), lambda done: self.draw(done or ""))

    def _import(self, path: str) -> str:
        documents = read_chats(read_text(Path(clean(path).strip()), "check the path"))
        for document in documents:
            self.kept.put(document)
        return f"{len(documents)} {'chat' if len(documents) == 1 else 'chats'} imported."


def _row(kept: KeptHead, present: bool) -> Content:
    about = f"{datetime.fromtimestamp(kept.time):%d %b %H:%M} · {clipped(kept.family, 10)}"
    title = f"{clipped(shown(kept.title), _HEAD):<{_HEAD}}"
    return Content.assemble(
        ("● " if present else "  ", "$text-accent"), (title, "bold"), (f"  {shown(about)}", "$quiet")
    )


class RewriteDialog(Dialog[tuple[str, bool]]):
    """Takes a text in the place of the model's answer; gives it, and whether it is the whole answer."""

    AUTO_FOCUS = "TextArea"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "take(True)", "Keep as it is", priority=True, id="rewrite.keep"),
        Binding("ctrl+g", "take(False)", "Go on from this", priority=True, id="rewrite.go_on"),
    ]
    DEFAULT_CSS = "RewriteDialog TextArea { height: 10; border: none; background: $field; }"

    def __init__(self, text: str) -> None:
        super().__init__("The model's answer", "Ctrl+G lets the model go on from this · Ctrl+S keeps it as it is · Esc")
        self.text = text

    def compose(self) -> ComposeResult:
        """The text."""
        with self.frame:
            yield Static(Content("What is there stays as a version."), classes="hint")
            yield TextArea(self.text, compact=True, highlight_cursor_line=False)

    def action_take(self, alone: bool) -> None:
        """Hand the text back."""
        self.dismiss((self.query_one(TextArea).text, alone))
