"""The Library tab: learning on top (a shelf, one word), directions as cards, and beneath, folded up, everything else that is here."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from app.tabs import library_cards, library_files, library_learn, library_presets, library_shelf, library_strengths
from app.tabs.choice import Choice
from app.tabs.library_list import Shelf
from app.tabs.tab import Pane, told

#: A handler that answers at once, and is no part of the API.
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(pane: Pane) -> None:
    """Build the tab's blocks. What is listed is made first and placed where it belongs, since everything that learns draws it anew."""
    told(f"<p>{html.escape(pane.place.about)}</p>")
    top = told("")
    # Places that are filled below: a handler can only name components that have been made.
    learning = gr.Column()
    cards = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id=library_cards.PLACE)
    library_cards.wire(pane)
    with gr.Accordion("Nine strengths of a prompt, side by side", open=False, elem_id="t-library-strengths"):
        strengths = library_strengths.build(pane)
    with gr.Accordion("Presets: recipes that you keep", open=False, elem_id="t-library-presets"):
        presets = library_presets.build(pane)
    with gr.Accordion(
        "Everything that is here, with its card, to take elsewhere or delete", open=False, elem_id="t-library-all"
    ):
        shelf = _shelf(pane, top, cards, strengths)
        library_files.take(pane, shelf)
    with gr.Accordion("Import a vector of another program", open=False, elem_id="t-library-import"):
        library_files.bring(pane, shelf)
    with learning:
        boxes = library_shelf.build(pane, shelf)
        with boxes:
            library_learn.build(pane, shelf.listed, shelf.again)

    def listed_presets(request: gr.Request) -> str:
        return library_presets.drawn(pane.engine_of(request).family)

    shelf.chosen.input(shelf.show, shelf.chosen, shelf.shown, **AT_ONCE)
    pane.tab.select(shelf.again, shelf.chosen, shelf.listed, **AT_ONCE)
    pane.tab.select(listed_presets, None, presets, **AT_ONCE)


def _shelf(pane: Pane, top: gr.HTML, cards: gr.HTML, strengths: gr.Dropdown) -> Shelf:
    listed = told("")
    chosen = Choice([], label="Show the card of", elem_id="t-library-chosen")
    shown = gr.HTML("", apply_default_css=False, elem_classes=["t-told", "t-card"])
    curves = gr.HTML("", apply_default_css=False, elem_classes=["t-told"])
    return Shelf(pane, top, cards, strengths, listed, chosen, shown, curves)
