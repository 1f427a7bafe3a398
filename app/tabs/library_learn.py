"""The form of the Library that learns a direction: two boxes of examples, a method, how far it is, cancel."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from app.tabs.tab import Pane, told
from core.directions import request
from core.directions.methods import METHODS
from core.directions.request import FEWEST, KINDS
from core.engine.jobs import JobView
from core.errors import TillerError

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_STREAM: dict[str, Any] = {"concurrency_limit": 32, "show_progress": "hidden", "api_visibility": "private"}
_OWN = "something of my own"
#: A page is told how far a learning is this often, in seconds.
_BEAT = 0.3

Told = tuple[Any, ...]


def build(pane: Pane, listed: Sequence[Any], again: Callable[[str | None], Told]) -> None:
    """Build the form. ``again`` draws the library's ``listed`` parts anew, with the entry of a key chosen."""
    family = pane.engine.family
    names = [each.name for each in family.checkpoints]
    told(
        "<h3>Learn a direction</h3><p>Examples of it in the left box, of its opposite in the right one, one a line; with as many lines "
        "in both they are taken for pairs. Truth and refusal bring their own examples: leave the boxes empty for those.</p>"
    )
    with gr.Row():
        checkpoint = gr.Dropdown(names, value=family.final.name, label="on the checkpoint")
        kind = gr.Dropdown([*KINDS, _OWN], value=_OWN, label="what")
        name = gr.Textbox(label="name, for recipes", placeholder="politeness", max_lines=1)
        method = gr.Dropdown(list(METHODS), value="mean_difference", label="method")
        layer = gr.Textbox(label="layer", placeholder="the best one", max_lines=1)
    with gr.Row():
        positive, negative = (
            gr.Textbox(label=f"{side} examples, one a line", lines=6, max_lines=14, placeholder=f"at least {FEWEST}")
            for side in ("positive", "negative")
        )
    with gr.Row():
        replace = gr.Checkbox(False, label="may take the place of my own direction of that name", scale=3)
        begin = gr.Button("Learn", variant="primary")
        cancel = gr.Button("Cancel")
    went = gr.HTML("", apply_default_css=False, elem_classes=["t-told", "t-went"])

    def learn(*said: Any) -> Iterator[Told]:
        where, what, called, how, at, ones, others, may = said
        own = called if what == _OWN else what
        try:
            wish = request.learn_request(
                own or "", ones or "", others or "", called or "", how, request.parse_layer(at or ""), may
            )
            pane.engine.learn_wish(where, wish)
        except TillerError as error:
            yield _line(str(error), wrong=True), *_same(listed)
            return
        yield from _follow(pane, where, listed, lambda: again(f"own/{where}/direction.{wish.name}"))

    def opened(where: str) -> Iterator[Told]:
        """A learning that began before the tab was opened, here or in Chat, is followed, too."""
        view = pane.engine.learning(where)
        if view is not None and not view.over:
            yield from _follow(pane, where, listed, lambda: again(None))

    fields = [checkpoint, kind, name, method, layer, positive, negative, replace]
    begin.click(learn, fields, [went, *listed], **_STREAM)
    cancel.click(pane.engine.cancel_learning, checkpoint, None, **_AT_ONCE)
    pane.tab.select(opened, checkpoint, [went, *listed], **_STREAM)


def _follow(pane: Pane, where: str, listed: Sequence[Any], again: Callable[[], Told]) -> Iterator[Told]:
    """How far the learning on a checkpoint is, until its end; then what there is."""
    while (view := pane.engine.learning(where)) is not None and not view.over:
        yield _far(view), *_same(listed)
        time.sleep(_BEAT)
    if view is None:
        return
    news = again() if view.state == "done" else _same(listed)
    yield _line(view.sentence, wrong=view.state == "failed"), *news


def _same(listed: Sequence[Any]) -> Told:
    return tuple(gr.skip() for _ in listed)


def _far(view: JobView) -> str:
    return f'<progress max="1" value="{view.part:.3f}" aria-label="How much is learnt"></progress> {_line(view.said)}'


def _line(sentence: str, wrong: bool = False) -> str:
    return f'<p role="status"{" class=wrong" if wrong else ""}>{html.escape(sentence)}</p>'
