"""The two kinds of component that the page consists of. Both are fixed shells; the scripts in ``assets`` draw into them.

What a model or a person wrote reaches the page as JSON in a wire and becomes text nodes there, so that it can never become markup.
"""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

from core.display import words

ASSETS = Path(__file__).parent / "assets"
#: In the order in which they are loaded, after the store and the words: the parts after what they draw with.
SCRIPTS = (
    "draw",
    "tokens",
    "dialogs",
    "jobs",
    "trouble",
    "words",
    "explain",
    "looks",
    "header",
    "point",
    "families",
    "getting",
    "messages",
    "tour",
    "welcome",
    "columns",
    "lens",
    "learning",
    "steering",
    "reading",
    "composer",
    "kept",
)
STYLES = ("base", "steering", "chat", "trouble", "kept", "panes", "library", "first", "layout")


def part(name: str, events: str, label: str) -> gr.HTML:
    """A part of the screen, drawn by the script of its name. It can trigger ``events`` (names between spaces), each with data."""
    # Gradio knows a custom event by its quoted name in the script.
    made = f"Tiller.mount({json.dumps(name)}, element, trigger, {json.dumps(events.split())})"
    return gr.HTML(
        html_template=f'<section class="t-part t-{name}" aria-label="{label}"></section>', js_on_load=made,
        apply_default_css=False, elem_id=f"t-{name}", elem_classes=["t-shell"],
    )  # fmt: skip


def wire(name: str) -> gr.HTML:
    """Carries one text to the page, where the script of its name reads it. Nothing of it is shown as it is."""
    made = f"Tiller.wire({json.dumps(name)}, props, watch)"
    return gr.HTML("", html_template="<i></i>", js_on_load=made, apply_default_css=False, elem_classes=["t-wire"])


def head() -> str:
    """Every style and script of the page, for its head; what Gradio is given as css, it rewrites."""
    # Nested under a selector that outweighs Gradio's own rules for buttons and fields.
    styles = _text("theme.css") + "body:not(#outweigh) {" + "\n".join(_text(f"{name}.css") for name in STYLES) + "}"
    known = json.dumps([[group, list(pairs)] for group, pairs in words.WORDS.items()], ensure_ascii=False).replace(
        "<", "\\u003c"
    )
    scripts = "\n".join([_text("store.js"), f"Tiller.known = {known};", *(_text(f"{name}.js") for name in SCRIPTS)])
    return f"<style>{styles}</style><script>{scripts}</script>"


def early() -> str:
    """What has to be there before Gradio's own scripts."""
    return _text("frames.js")


def _text(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
