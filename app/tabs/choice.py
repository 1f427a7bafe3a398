"""A dropdown for pages that are older than their server. Alone in its file: Gradio writes a stub beside whatever holds a component."""

from __future__ import annotations

from typing import Any

import gradio as gr


class Choice(gr.Dropdown):
    """A dropdown of what there is by now, which a page that was left open over a restart may name otherwise: handlers look at what they
    get, and Gradio does not refuse it."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        """What was chosen; with ``type="index"`` its place, None where there is no such choice (any more)."""
        try:
            return super().preprocess(payload)
        except gr.Error:
            return payload if self.type == "value" and isinstance(payload, str) else None
