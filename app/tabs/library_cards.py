"""The directions of the Library as cards: what each does in a sentence, a small curve, and a button that opens Chat with it."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.chat.conversation import Told
from app.tabs.clicks import button, clicks, picked
from app.tabs.tab import Pane
from core.artefacts.store import Card
from core.chat.presets import steered_beside
from core.directions import dose_response
from core.directions.conclusion import direction_conclusion, first_recipe
from core.directions.plots import small_curve
from core.engine.engine import Engine

PLACE = "t-library-cards"
_STREAM: dict[str, Any] = {"concurrency_limit": 32, "show_progress": "hidden", "api_visibility": "private"}


def cards(engine: Engine) -> str:
    """Every direction that a recipe can name, by checkpoint, the final one first."""
    parts = []
    for checkpoint in reversed(engine.family.checkpoints):
        found = engine.catalogue.cards(checkpoint.name)
        if engine.catalogue.own(checkpoint.name) == checkpoint.name and found:
            drawn = "".join(_card(checkpoint.name, card) for card in found.values())
            parts.append(f'<h4>On {html.escape(checkpoint.title)}</h4><div class="t-cards">{drawn}</div>')
    return "".join(parts)


def wire(pane: Pane) -> None:
    """What a press on a card's button does."""

    def used(event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        said = picked(event)
        checkpoint, name = said.get("of", ""), said.get("use", "")
        card = pane.engine_of(request).catalogue.cards(checkpoint).get(name)
        if card is None:
            gr.Warning("That direction is not there any more.")
            yield gr.skip(), gr.skip()
            return
        yield from pane.ask_in_chat(steered_beside(pane.settings(request), checkpoint, first_recipe(card)), request)

    clicks(PLACE).pick(used, None, pane.told, **_STREAM)


def _card(checkpoint: str, card: Card) -> str:
    known = dose_response.stored_dose_response(card.details)
    curve = small_curve(known) if known is not None else '<p class="t-quiet">not measured yet</p>'
    use = button("Use in Chat", {"use": card.name, "of": checkpoint})
    return (
        f'<article class="t-direction"><h5>{html.escape(card.name)}</h5>{curve}<p>{html.escape(direction_conclusion(card))}</p>'
        f"{use}</article>"
    )
