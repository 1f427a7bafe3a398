"""The two kinds of component that the page consists of. Both are fixed shells; the scripts in ``assets`` draw into them.

What a model or a person wrote reaches the page as JSON in a wire and becomes text nodes there, so that it can never become markup.
"""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

ASSETS = Path(__file__).parent / "assets"
#: In the order in which they are loaded: the store first, the parts after what they draw with.
SCRIPTS = ("store", "draw", "tokens", "dialogs", "header", "columns", "lens", "steering", "reading", "composer")
STYLES = ("base", "chat", "steering")


class Part(gr.HTML):
    """A part of the screen, drawn by the script of its name. It can trigger ``events`` (names between spaces), each with data."""

    def __init__(self, name: str, events: str, label: str) -> None:
        # Gradio knows a custom event by its quoted name in the script.
        script = f"Tiller.mount({json.dumps(name)}, element, trigger, {json.dumps(events.split())})"
        super().__init__(
            html_template=f'<section class="t-part t-{name}" aria-label="{label}"></section>', js_on_load=script,
            apply_default_css=False, elem_id=f"t-{name}", elem_classes=["t-shell"],
        )  # fmt: skip

    def get_block_name(self) -> str:
        """Gradio draws it as what it is."""
        return "html"


class Wire(gr.HTML):
    """Carries one text to the page, where the script of its name reads it. Nothing of it is shown as it is."""

    def __init__(self, name: str) -> None:
        script = f"Tiller.wire({json.dumps(name)}, props, watch)"
        super().__init__("", html_template="<i></i>", js_on_load=script, apply_default_css=False, elem_classes=["t-wire"])

    def get_block_name(self) -> str:
        """Gradio draws it as what it is."""
        return "html"


def script() -> str:
    """Every script of the page, as one element for its head."""
    return "<script>" + "\n".join((ASSETS / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS) + "</script>"


def style() -> str:
    """Every style of the page."""
    return "\n".join((ASSETS / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)
