"""What a tab of the page is built from, and with. The tabs beside Chat are plain Gradio blocks; each has a file of its own."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.chat.screens import Tab

if TYPE_CHECKING:
    from app.chat.conversation import Chat, Told
    from app.visits import Visit
    from core.chat.settings import Settings
    from core.engine.engine import Engine


@dataclass(frozen=True)
class Pane:
    """A tab while it is built: ``place`` says which, ``tab`` is its Gradio tab, ``told`` are the wires by which Chat is told.

    Gradio makes a tab's components when the tab is opened for the first time, so that they cost the page's first paint nothing.
    What has to be computed for them belongs into a handler of ``tab.select``, and whatever imports torch into the handler itself.
    """

    place: Tab
    tab: gr.Tab
    chat: Chat
    told: list[gr.HTML]

    @property
    def engine(self) -> Engine:
        """The engine and, as ``engine.family``, the family, for what is built for everybody; a handler takes :meth:`engine_of`."""
        return self.chat.engine

    def visit(self, request: gr.Request) -> Visit:
        """The visit of the page that asks."""
        return self.chat.visits.of(request)

    def engine_of(self, request: gr.Request) -> Engine:
        """The engine as the page that asks sees it: with what its visitor has learnt, and with his own work alone."""
        return self.visit(request).engine

    def settings(self, request: gr.Request) -> Settings:
        """The settings of the page that asks: its columns, its selected column, its conversation."""
        return self.visit(request).settings

    def new_folder(self) -> Path:
        """A folder of its own for files to take away, so that they have the names that a person expects."""
        return self.chat.visits.access.new_folder()

    def use_in_chat(self, settings: Settings, request: gr.Request) -> Told:
        """Put settings into the chat of the page that asks and open Chat; for the outputs ``told``. Undo brings the old ones back."""
        visit = self.visit(request)
        self.chat.end(visit)
        visit.session.remember()
        visit.session.settings = replace(settings, tab="chat")
        # What stands there was written by other columns.
        visit.relive = True
        return self.chat.view(visit), self.chat.everything(visit)

    def ask_in_chat(self, settings: Settings, request: gr.Request) -> Iterator[Told]:
        """:meth:`use_in_chat`, and answer its last message where it has one."""
        visit = self.visit(request)
        if settings.turns:
            yield from self.chat.change(visit, lambda: visit.session.open(settings))
        else:
            yield self.use_in_chat(settings, request)


def seen(presses: Sequence[Any], place: str) -> None:
    """After any of these presses the element of the id ``place``, where what comes of it is said, is in sight."""
    gr.on(presses, None, js=f"() => Tiller.inSight('{place}')", queue=False, api_visibility="private")


def plots(*drawn: str) -> str:
    """Drawings, each with what it comes to above it, beside each other, or below each other where there is no room."""
    return f'<div class="t-plots">{"".join(f"<section>{each}</section>" for each in drawn)}</div>'


def folded(title: str, inner: str) -> str:
    """A part of a page that folds out, of HTML that is escaped already."""
    return f'<details class="t-fold"><summary>{html.escape(title)}</summary>{inner}</details>'


def wide(inner: str) -> str:
    """What may be wider than the page, of HTML that is escaped already: it scrolls in itself."""
    return f'<div class="t-wide" tabindex="0">{inner}</div>'


def concluded(sentence: str) -> str:
    """The sentence that a tab opens with; nothing where there is none."""
    return f'<h3 class="t-headline">{html.escape(sentence)}</h3>' if sentence else ""


def told(*parts: str, name: str | None = None) -> gr.HTML:
    """Text of a tab, as HTML whose every text that is not ours has been escaped; ``name`` is its element's id."""
    return gr.HTML("".join(parts), apply_default_css=False, elem_id=name, elem_classes=["t-told"])
