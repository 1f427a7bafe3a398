"""What a tab of the page is built from, and with. The tabs beside Chat are plain Gradio blocks; each has a file of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import gradio as gr

from core.chat.screens import Tab

if TYPE_CHECKING:
    from app.chat.conversation import Chat, Told
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
        """The engine and, as ``engine.family``, the family."""
        return self.chat.engine

    def settings(self, request: gr.Request) -> Settings:
        """The settings of the page that asks: its columns, its selected column, its conversation."""
        return self.chat.visits.get(str(request.session_hash)).settings

    def use_in_chat(self, settings: Settings, request: gr.Request) -> Told:
        """Put settings into the chat of the page that asks and open Chat; for the outputs ``told``. Undo brings the old ones back."""
        visit = self.chat.visits.get(str(request.session_hash))
        self.chat.end(visit)
        visit.session.remember()
        visit.session.settings = replace(settings, tab="chat")
        return self.chat.view(visit), self.chat.everything(visit)


def plots(*drawn: str) -> str:
    """Drawings beside each other, or below each other where there is no room."""
    return f'<div class="t-plots">{"".join(drawn)}</div>'


def told(*parts: str) -> gr.HTML:
    """Text of a tab, as HTML whose every text that is not ours has been escaped."""
    return gr.HTML("".join(parts), apply_default_css=False, elem_classes=["t-told"])
