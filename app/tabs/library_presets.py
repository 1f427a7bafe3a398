"""Named presets in the Library: keep the recipe of Chat's selected column, open Chat with one, take one away."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.chat.conversation import Told
from app.tabs.clicks import button, clicks, picked
from app.tabs.tab import Pane
from core.chat import presets
from core.errors import TillerError
from core.families.checkpoint import Family

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_STREAM: dict[str, Any] = {"concurrency_limit": 32, "show_progress": "hidden", "api_visibility": "private"}
_PLACE = "t-presets"


def build(pane: Pane) -> gr.HTML:
    """Build the section; gives its list, which :func:`drawn` fills."""
    listed = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id=_PLACE)
    with gr.Row():
        name = gr.Textbox(
            label="Keep the selected column of Chat as",
            placeholder="my sceptical model",
            max_lines=1,
            elem_id="t-preset-name",
        )
        keep = gr.Button("Keep", scale=0, min_width=100, size="md", elem_id="t-preset-keep")

    def kept(called: str, request: gr.Request) -> tuple[Any, Any]:
        family = pane.engine_of(request).family
        try:
            presets.keep_preset(family, called or "", pane.settings(request))
        except TillerError as error:
            return drawn(family, str(error)), gr.skip()
        return drawn(family), ""

    def used(event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        said, engine = picked(event), pane.engine_of(request)
        kept_view: Told = (gr.skip(), gr.skip())
        try:
            if forgotten := said.get("forget"):
                presets.forget_preset(engine.family, forgotten)
                yield drawn(engine.family), *kept_view
                return
            found = presets.find_preset(engine.family, said.get("preset", ""))
            chat = presets.preset_chat(pane.settings(request), found)
            engine.explain(chat.column.recipe, chat.column.checkpoint)
        except TillerError as error:
            yield drawn(engine.family, str(error)), *kept_view
            return
        for told in pane.ask_in_chat(chat, request):
            yield gr.skip(), *told

    gr.on([keep.click, name.submit], kept, name, [listed, name], **_AT_ONCE)
    clicks(_PLACE).pick(used, None, [listed, *pane.told], **_STREAM)
    return listed


def drawn(family: Family, wrong: str = "") -> str:
    """The list of presets, and what was wrong."""
    said = f'<p class="wrong" role="alert">{html.escape(wrong)}</p>' if wrong else ""
    try:
        found = presets.presets(family)
    except TillerError as error:
        return f'<p class="wrong" role="alert">{html.escape(str(error))}</p>'
    rows = "".join(
        f"<tr><td>{html.escape(each.title)}</td><td>{button('Use in Chat', {'preset': each.name})}</td>"
        f"<td>{button('Forget', {'forget': each.name})}</td></tr>"
        for each in found
    )
    none = (
        '<p class="t-quiet">None yet: a preset keeps a checkpoint, its recipe and the system prompt under a name.</p>'
    )
    return f"{said}<table>{rows}</table>" if found else said + none
