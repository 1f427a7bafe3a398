"""The Library tab: every direction that is here with its card, and learning a new one from two boxes of examples."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from app.tabs import library_files, library_learn
from app.tabs.library_list import Shelf
from app.tabs.tab import Pane, told

#: A handler that answers at once, and is no part of the API.
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(pane: Pane) -> None:
    """Build the tab's blocks: the list, the chosen entry's card, the form that learns."""
    told(f"<p>{html.escape(pane.place.about)}</p>")
    shelf = _shelf(pane)
    library_files.take(pane, shelf)
    library_learn.build(pane, shelf.listed, shelf.again)
    library_files.bring(pane, shelf)
    shelf.chosen.input(shelf.show, shelf.chosen, shelf.shown, **AT_ONCE)
    pane.tab.select(shelf.again, shelf.chosen, shelf.listed, **AT_ONCE)


def _shelf(pane: Pane) -> Shelf:
    listed = told("")
    chosen = gr.Dropdown([], label="Show the card of", elem_id="t-library-chosen")
    shown = gr.HTML("", apply_default_css=False, elem_classes=["t-told", "t-card"])
    curves = gr.HTML("", apply_default_css=False, elem_classes=["t-told"])
    return Shelf(pane, listed, chosen, shown, curves)
