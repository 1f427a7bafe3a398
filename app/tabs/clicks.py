"""Buttons that stand in a tab's own HTML: a click on one is an event with what the button carries."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

#: Listens to clicks on whatever carries data-pick inside the element of an id; what is drawn there later counts, too.
_LISTEN = """
document.addEventListener("click", (event) => {
  const button = event.target.closest("#PLACE [data-pick]");
  if (button) trigger("pick", JSON.parse(button.dataset.pick));
});
"""


def clicks(place: str) -> gr.HTML:
    """What has an event ``pick`` for every click on a :func:`button` inside the element of the id ``place``."""
    made = _LISTEN.replace("PLACE", place)
    return gr.HTML("", html_template="<i></i>", js_on_load=made, apply_default_css=False, elem_classes=["t-wire"])


def button(
    said: str, carries: Mapping[str, object], note: str = "", primary: bool = False, pressed: bool | None = None
) -> str:
    """A button as HTML; everything is escaped. ``note`` stands beneath its words; one of several to choose from is ``pressed`` or not."""
    small = f"<small>{html.escape(note)}</small>" if note else ""
    kind = "t-press primary" if primary else "t-press"
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    return f'<button type="button" class="{kind}"{state} data-pick="{html.escape(json.dumps(carries))}">{html.escape(said)}{small}</button>'


def picked(event: gr.EventData) -> dict[str, Any]:
    """What the button carried; a page may send anything, and what is no text is left out."""
    data = event._data if isinstance(event._data, dict) else {}
    return {str(key): value for key, value in data.items() if isinstance(value, str)}
