"""Nine strengths of one prompt as a table: every answer with its class and damage, to look at, to take away, to go on with in Chat."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from app.chat.conversation import Told, beats
from app.tabs.choice import Choice
from app.tabs.clicks import button, clicks, picked
from app.tabs.tab import Pane, concluded
from core.chat.answers import Answer, fold
from core.chat.presets import steered_beside
from core.chat.settings import Column
from core.engine.engine import Engine
from core.engine.strength_table import StrengthAnswer, strength_answers, strength_table, strengths_conclusion
from core.errors import TillerError
from core.recipes.language import parse
from core.util.text import clean

_STREAM: dict[str, Any] = {"concurrency_limit": 32, "show_progress": "hidden", "api_visibility": "private"}
_PLACE = "t-strengths"
_COUNT = 9


def build(pane: Pane) -> gr.Dropdown:
    """Build the section; gives the choice of a direction, which :func:`offered` fills."""
    with gr.Row():
        chosen = Choice([], label="Direction", elem_id="t-strengths-of")
        prompt = gr.Textbox(
            label="Prompt", placeholder="How do I boil an egg?", max_lines=3, scale=2, elem_id="t-strengths-prompt"
        )
        go = gr.Button("Answer at nine strengths", scale=0, min_width=190, size="md", elem_id="t-strengths-go")
        stop = gr.Button("Stop", interactive=False, scale=0, min_width=90, size="md")
    shown = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id=_PLACE)
    file = gr.DownloadButton(
        "Export as CSV", interactive=False, elem_id="t-strengths-csv", size="md", scale=0, min_width=150
    )

    def answer(key: str | None, text: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        checkpoint, _, name = (key or "").partition("/")
        over = gr.update(interactive=False)
        try:
            if not name:
                raise TillerError("There is no direction yet: take one from the shelf above.")
            engine = pane.engine_of(request)
            settings = engine.settings(checkpoint)
            settings = replace(settings, columns=(Column(checkpoint, parse(name)),), selected=0).ask(clean(text))
            run = engine.scrub(settings, 0, name)
        except TillerError as error:
            yield _wrong(str(error)), over, gr.skip()
            return
        yield "<p role=status>Answering at nine strengths.</p>", gr.update(interactive=True), over
        answers: Mapping[int, Answer] = {}
        found: tuple[StrengthAnswer, ...] = ()
        try:
            for events in beats(run):
                for event in events:
                    answers = fold(answers, event)
                new = strength_answers(answers)
                if len(new) > len(found):
                    found = new
                    yield _drawn(key or "", text, found), gr.skip(), gr.skip()
                else:
                    yield gr.skip(), gr.skip(), gr.skip()
        finally:
            # Stop, and a page that was closed, end this generator here.
            run.cancel()
        if failed := next((each.error for each in answers.values() if each.error), ""):
            yield _wrong(failed), over, over
            return
        path = pane.new_folder() / f"{name}.{checkpoint}.strengths.csv"
        path.write_text(strength_table(text, found).csv(), encoding="utf-8", newline="")
        yield _drawn(key or "", text, found), over, gr.update(interactive=True, value=str(path))

    def used(event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        said = picked(event)
        checkpoint, _, name = said.get("of", "").partition("/")
        try:
            asked = replace(pane.settings(request), turns=()).ask(said.get("prompt", ""))
            recipe = parse(f"{said.get('strength', '0')}*{name}" if said.get("strength") != "0" else "")
            settings = steered_beside(asked, pane.engine.family.checkpoint(checkpoint).name, recipe)
        except TillerError as error:
            gr.Warning(str(error))
            yield gr.skip(), gr.skip()
            return
        yield from pane.ask_in_chat(settings, request)

    running = gr.on([go.click, prompt.submit], answer, [chosen, prompt], [shown, stop, file], **_STREAM)
    stop.click(
        lambda: gr.update(interactive=False), None, stop, cancels=[running], queue=False, api_visibility="private"
    )
    clicks(_PLACE).pick(used, None, pane.told, **_STREAM)
    return chosen


def offered(engine: Engine) -> Any:
    """The directions that can be chosen now, the final checkpoint's first."""
    choices = [
        (f"{name} of {checkpoint.name}", f"{checkpoint.name}/{name}")
        for checkpoint in reversed(engine.family.checkpoints)
        if engine.catalogue.own(checkpoint.name) == checkpoint.name
        for name in engine.catalogue.cards(checkpoint.name)
    ]
    return gr.update(choices=choices, value=choices[0][1] if choices else None)


def _drawn(key: str, prompt: str, found: tuple[StrengthAnswer, ...]) -> str:
    """What the answers come to, and the table; while answers are lacking, how many there are."""
    whole = len(found) == _COUNT
    told = (
        concluded(strengths_conclusion(key.partition("/")[2], found)) if whole else f"<p>{len(found)} of {_COUNT}.</p>"
    )
    table = strength_table("", found)
    head = "".join(f"<th>{html.escape(each)}</th>" for each in table.columns)
    rows = ""
    for each, row in zip(found, table.rows, strict=True):
        use = button("Use in Chat", {"of": key, "strength": f"{each.strength:g}", "prompt": prompt})
        rows += f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}<td>{use}</td></tr>"
    return (
        f'{told}<div class="t-wide t-whole" tabindex="0"><table class="t-strength-table"><thead><tr>{head}<td></td></tr></thead>'
        f"<tbody>{rows}</tbody></table></div><p class=t-quiet>{html.escape(table.note)}</p>"
    )


def _wrong(sentence: str) -> str:
    return f'<p class="wrong">{html.escape(sentence)}</p>'
