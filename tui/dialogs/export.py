"""What the chat's windows show and take: links, exports, the exact prompt, help."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.content import Content

from core.chat.answers import to_markdown
from core.chat.events import PromptView
from core.chat.kept import kept_document, read_chats, read_kept
from core.chat.opening import check_family
from core.chat.session import Session
from core.chat.settings import Settings
from core.display.words import WORDS
from core.errors import TillerError
from core.util.files import json_text, read_text, write_new
from core.util.program import program
from core.util.text import clean
from tui.dialogs.dialogs import LineDialog, PickDialog, TextDialog
from tui.dialogs.sampling import SamplingDialog
from tui.text import one_line, shown

__all__ = ["LineDialog", "PickDialog", "SamplingDialog", "TextDialog"]

if TYPE_CHECKING:
    from textual.screen import Screen

    from core.families.checkpoint import Family


def link_dialog(settings: Settings) -> TextDialog:
    """The link that opens this state, here and in the browser."""
    link = settings.to_link()
    command = f"{program()} tui '{link}'"
    text = Content.assemble(
        ("In a terminal\n", "bold"), command, ("\n\nIn the browser, behind the address of its page\n", "bold"), f"/?{link}",
        ("\n\nA link carries the whole conversation, the columns and their recipes. Nothing is uploaded anywhere.", "$quiet"),
    )  # fmt: skip
    return TextDialog("A link to this state", text, copy=command)


def proposed_path() -> str:
    """A file that is not there yet, in the present folder or, where that cannot be written, in the person's own."""
    folder = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path.home()
    return str(folder / f"tiller-chat-{datetime.now():%Y%m%d-%H%M%S}.md")


def export(session: Session, path: str) -> str:
    """Write the chat; returns the path. Raises TillerError when it cannot, or when a file of that name is there."""
    target = Path(clean(path).strip()).expanduser()
    if target.suffix not in (".md", ".json"):
        raise TillerError("The name ends in .md (Markdown) or .json (every token with its readings).")
    text = (
        to_markdown(session.settings, session.answers)
        if target.suffix == ".md"
        else json_text(kept_document(session, time.time()), ensure_ascii=False, indent=1)
    )
    write_new(target, text)
    return str(target.resolve())


def read_source(family: Family, found: list[Session], text: str) -> str:
    """A chat out of a link or an exported file, put into ``found``. Raises TillerError when it cannot be opened here."""
    text = clean(text).strip()
    if text.endswith(".json"):
        opened = read_kept(read_chats(read_text(Path(text), "check the path"))[0])
    else:
        opened = Session(Settings.from_link(text))
    check_family(opened.settings, family)
    found.append(opened)
    return text


def prompt_dialog(column: int, view: PromptView) -> TextDialog:
    """The exact prompt of a column, as text and as tokens."""
    note = [Content.styled(f"{view.note}\n\n", "$text-warning")] if view.note else []
    tokens: list[Content] = []
    for number, text in view.tokens:
        tokens.append(Content.assemble((f"{one_line(text) or '·'}", "reverse"), (f"{number} ", "$quiet")))
    body = Content.assemble(
        *note, Content.styled(f"{len(view.tokens)} tokens, as the model gets them\n", "bold"), shown(view.text).rstrip("\n"),
        Content.styled("\n\nToken by token, each with its number\n", "bold"), *tokens,
    )  # fmt: skip
    return TextDialog(f"The exact prompt of column {column + 1}", body, copy=view.text)


def _keys(screen: Screen[object], title: str, bindings: Iterable[Binding]) -> list[Content | tuple[str, str]]:
    """Keys that do the same on one line, with what they do."""
    rows: dict[str, list[str]] = {}
    for binding in bindings:
        if binding.description and binding.id:
            rows.setdefault(binding.description, []).append(screen.app.get_key_display(binding))
    lines: list[Content | tuple[str, str]] = [(f"\n{title}\n", "bold")]
    for description, keys in rows.items():
        lines += [(f"{' '.join(dict.fromkeys(keys)):<12}", "bold $text-accent"), (f" {description}\n", "")]
    return lines


def help_text(screen: Screen[object]) -> Content:
    """The help of the focused widget (else of the nearest one around it that has some), and the keys that work there."""
    node = screen.focused
    while node is not None and not getattr(node, "HELP", None):
        node = node.parent  # type: ignore[assignment]
    said = (getattr(node, "HELP", None) or screen.HELP or "").strip()
    parts: list[Content | tuple[str, str]] = [(f"{said}\n", "")]
    parts += _keys(screen, "Keys", (each.binding for each in screen.active_bindings.values() if each.enabled))
    # What else there is, nobody would find who never had the focus there.
    for kind in dict.fromkeys(type(each) for each in screen.query("*") if hasattr(each, "WHERE")):
        if not isinstance(node, kind):
            parts += _keys(screen, kind.WHERE, Binding.make_bindings(kind.BINDINGS))
    parts.append(("\nWords\n", "bold"))
    for group in WORDS.values():
        for word, meaning in group:
            parts += [(word, "bold $text-accent"), (f"  {meaning}\n", "")]
    parts.append(("\nEvery action, also those without a key, is in the commands (Ctrl+P).", "$quiet"))
    return Content.assemble(*parts)
