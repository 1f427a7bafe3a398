"""The top of the Library: a shelf of concepts that are learnt by one press, and a direction from one word, whose pairs a person sees."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.tabs.clicks import button, clicks, picked
from app.tabs.library_learn import follow, learn_line, unchanged
from app.tabs.library_list import Shelf
from app.tabs.tab import Pane, told
from core.directions.concepts import concept_of, concepts
from core.directions.request import LearnRequest, learn_request
from core.directions.written_pairs import pairs_request, pairs_text, read_pairs
from core.errors import TillerError

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_STREAM: dict[str, Any] = {"concurrency_limit": 32, "show_progress": "hidden", "api_visibility": "private"}
_SMALL: dict[str, Any] = {"scale": 0, "min_width": 150, "size": "md"}
_HEAD = "<h3>Learn a direction</h3>"
_ABOUT = (
    "<p>Take one from the shelf: the model answers a few questions under two system prompts, and the direction "
    "is what its answers differ by. It is ready in seconds, and measured in the background.</p>"
)
_UNTEACHABLE = (
    "<p>{} does not follow system prompts, so that ready concepts and single words teach it nothing: they are for larger "
    "models, such as SmolLM2. Examples of your own teach it.</p>"
)


def build(pane: Pane, shelf: Shelf) -> gr.Accordion:
    """Build the shelf and the word; gives the fold that holds what else learns, still to be filled."""
    family = pane.engine.family
    told(_HEAD + (_ABOUT if family.system_prompts else _UNTEACHABLE.format(html.escape(family.title))))
    chips = "".join(button(each.name, {"concept": each.name}, each.line) for each in concepts().values())
    # Where it teaches nothing it is not offered.
    with gr.Column(visible=family.system_prompts):
        gr.HTML(
            f'<div class="t-shelf">{chips}</div>', apply_default_css=False, elem_id="t-shelf", elem_classes=["t-told"]
        )
        shelf_clicks = clicks("t-shelf")
        with gr.Row():
            word = gr.Textbox(
                label="Or write one word, or a word and its opposite",
                placeholder="melancholic, or brave - timid",
                max_lines=1,
                min_width=300,
                elem_id="t-word",
            )
            where = gr.Dropdown([each.name for each in family.present], value=family.final.name, label="on")
            write = gr.Button("Write the pairs", elem_id="t-word-write", **_SMALL)
            cancel = gr.Button("Cancel", visible=False, elem_id="t-shelf-cancel", **_SMALL)
    went = gr.HTML("", apply_default_css=False, elem_classes=["t-told", "t-went"], elem_id="t-shelf-went")
    with gr.Column(visible=False) as pairs_part:
        with gr.Row():
            wanted = gr.Textbox(label="System prompt for it", lines=2)
            unwanted = gr.Textbox(label="System prompt against it", lines=2)
        pairs = gr.Textbox(
            label="What the model wrote under the two: change what you like, take pairs out, write more",
            lines=12,
            max_lines=24,
            elem_id="t-word-pairs",
        )
        with gr.Row():
            name = gr.Textbox(label="name, for recipes", max_lines=1)
            again = gr.Button("Write them again", **_SMALL)
            learn = gr.Button("Learn from these pairs", variant="primary", elem_id="t-word-learn", **_SMALL)
    boxes = gr.Accordion("From examples of your own, or by another method", open=False, elem_id="t-library-boxes")

    def begin(at: str, wish: LearnRequest, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Learn, and say how far it is; at the end there is one card more."""
        engine = pane.engine_of(request)
        try:
            engine.learn_requested(at, wish)
        except TillerError as error:
            yield learn_line(str(error), wrong=True), gr.skip(), gr.skip(), *unchanged(shelf.listed)
            return
        ended = False
        for line, *listed in follow(
            engine, at, shelf.listed, lambda: shelf.again(f"own/{at}/direction.{wish.name}", request)
        ):
            view = engine.learning(at)
            ended = view is None or view.over
            # Who cannot be taught by words is offered the boxes.
            lost = ended and view is not None and view.state == "failed"
            yield line, gr.update(visible=not ended), gr.update(open=True) if lost else gr.skip(), *listed
        if not ended:
            yield gr.skip(), gr.update(visible=False), gr.skip(), *unchanged(shelf.listed)

    def taken(event: gr.EventData, at: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """A concept of the shelf was pressed."""
        concept = concepts().get(picked(event).get("concept", ""))
        if concept is not None:
            yield from begin(at, concept.request(), request)

    def from_pairs(
        at: str, called: str, plus: str, minus: str, text: str, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        try:
            wish = pairs_request(called or "", plus or "", minus or "", read_pairs(text or ""))
        except TillerError as error:
            yield learn_line(str(error), wrong=True), gr.skip(), gr.skip(), *unchanged(shelf.listed)
            return
        yield from begin(at, wish, request)

    def from_word(said: str, at: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """The two system prompts of a word, then what the model says under them."""
        try:
            concept = concept_of(said or "")
        except TillerError as error:
            yield (learn_line(str(error), wrong=True), *[gr.skip()] * 6)
            return
        yield (
            learn_line(f"{at} writes."),
            gr.skip(),
            concept.wanted,
            concept.unwanted,
            gr.skip(),
            concept.name,
            gr.skip(),
        )
        yield from written(concept.name, concept.wanted, concept.unwanted, at, request)

    def written(called: str, plus: str, minus: str, at: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        kept = [gr.skip()] * 6
        try:
            wish = learn_request(called or "", plus or "", minus or "", replies=True)
            work, tokens = pane.engine_of(request).write_pairs(at, wish), 0
            try:
                while True:
                    step = next(work)
                    tokens += step.tokens
                    yield learn_line(f"{step.sentence} {tokens} tokens."), *kept
            except StopIteration as stop:
                found = stop.value
            finally:
                work.close()
        except TillerError as error:
            yield learn_line(str(error), wrong=True), *kept[:-1], gr.update(open=True)
            return
        said = learn_line(f"{len(found)} pairs. Read them, change what you like, then press Learn from these pairs.")
        yield said, gr.update(visible=True), *kept[:2], pairs_text(found), gr.skip(), gr.skip()
        # The last of a stream reaches the page a second time, when it ends: by then a person may have edited the pairs.
        yield (gr.skip(), *kept)

    def cancelled(at: str, request: gr.Request) -> None:
        pane.engine_of(request).cancel_learning(at)

    shown = [went, pairs_part, wanted, unwanted, pairs, name, boxes]
    learning = [went, cancel, boxes, *shelf.listed]
    shelf_clicks.pick(taken, where, learning, **_STREAM)
    gr.on([write.click, word.submit], from_word, [word, where], shown, **_STREAM)
    again.click(written, [name, wanted, unwanted, where], shown, **_STREAM)
    learn.click(from_pairs, [where, name, wanted, unwanted, pairs], learning, **_STREAM)
    cancel.click(cancelled, where, None, **_AT_ONCE)
    return boxes
