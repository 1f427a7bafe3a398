"""The form of the Library that learns a direction: two boxes of examples, a method, how far it is, cancel."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from app.tabs.tab import Pane, told
from core.directions.methods import METHODS
from core.directions.request import FEWEST, KINDS, learn_request, parse_layer
from core.engine.engine import Engine
from core.engine.jobs import JobView
from core.errors import TillerError

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_STREAM: dict[str, Any] = {"concurrency_limit": 32, "show_progress": "hidden", "api_visibility": "private"}
_OWN = "something of my own"
#: A page is told how far a learning is this often, in seconds.
_BEAT = 0.3

Told = tuple[Any, ...]


def build(pane: Pane, listed: Sequence[Any], again: Callable[[str | None, gr.Request], Told]) -> None:
    """Build the form. ``again`` draws the library's ``listed`` parts anew, with the entry of a key chosen."""
    family = pane.engine.family
    names = [each.name for each in family.present]
    told(
        "<p>Examples of it in the left box, of its opposite in the right one, one a line; with as many lines "
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
        replies = gr.Checkbox(
            False,
            label="the boxes hold system prompts for and against a trait: learn from what is said under them",
            scale=4,
        )
        replace = gr.Checkbox(False, label="may take the place of my own direction of that name", scale=3)
        begin = gr.Button("Learn", variant="primary")
        cancel = gr.Button("Cancel")
    went = gr.HTML("", apply_default_css=False, elem_classes=["t-told", "t-went"])

    def learn(
        where: str, what: str, called: str, how: str, at: str, ones: str, others: str, may: bool, under: bool, request: gr.Request
    ) -> Iterator[Told]:  # fmt: skip
        engine = pane.engine_of(request)
        own = called if what == _OWN else what
        try:
            wish = learn_request(
                own or "",
                ones or "",
                others or "",
                called or "",
                how,
                parse_layer(at or ""),
                may,
                replies=bool(under),
            )
            engine.learn_requested(where, wish)
        except TillerError as error:
            yield learn_line(str(error), wrong=True), *unchanged(listed)
            return
        yield from follow(engine, where, listed, lambda: again(f"own/{where}/direction.{wish.name}", request))

    def opened(where: str, request: gr.Request) -> Iterator[Told]:
        """A learning that began before the tab was opened, here or in Chat, is followed, too."""
        # A generator that ends without having yielded empties its outputs, the choice of an entry among them.
        yield gr.skip(), *unchanged(listed)
        engine = pane.engine_of(request)
        view = engine.learning(where)
        if view is not None and not view.over:
            yield from follow(engine, where, listed, lambda: again(None, request))

    def cancelled(where: str, request: gr.Request) -> None:
        pane.engine_of(request).cancel_learning(where)

    fields = [checkpoint, kind, name, method, layer, positive, negative, replace, replies]
    begin.click(learn, fields, [went, *listed], **_STREAM)
    cancel.click(cancelled, checkpoint, None, **_AT_ONCE)
    pane.tab.select(opened, checkpoint, [went, *listed], **_STREAM)


def follow(engine: Engine, where: str, listed: Sequence[Any], again: Callable[[], Told]) -> Iterator[Told]:
    """How far the learning on a checkpoint is, until its end; then what there is."""
    seen = 0
    while (view := engine.learning(where)) is not None and not view.over:
        more, seen = view.written != seen, view.written
        yield _far(view), *(again() if more else unchanged(listed))
        time.sleep(_BEAT)
    if view is None:
        return
    news = again() if view.state == "done" else unchanged(listed)
    yield learn_line(view.sentence, wrong=view.state == "failed"), *news


def unchanged(listed: Sequence[Any]) -> Told:
    """What leaves outputs as they are."""
    return tuple(gr.skip() for _ in listed)


def _far(view: JobView) -> str:
    return (
        f'<progress max="1" value="{view.part:.3f}" aria-label="How much is learnt"></progress> {learn_line(view.said)}'
    )


def learn_line(sentence: str, wrong: bool = False) -> str:
    """A sentence on what is being learnt."""
    return f'<p role="status"{" class=wrong" if wrong else ""}>{html.escape(sentence)}</p>'
