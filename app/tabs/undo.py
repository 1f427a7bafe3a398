"""Removing a stage's part: a section of the Blame tab. Draws; decides nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.tabs import blame_html
from app.tabs.tab import Pane, seen
from core.engine.undo import beside
from core.errors import TillerError

if TYPE_CHECKING:
    from core.undo.run import Undone

#: So many visitors' edits are remembered, the latest.
_MOST = 16
_HOW = (
    "Choose a stage, and write prompts whose behaviour is to be lost and kept, one a line, at least eight of each. A strength for every "
    "row of what the stage changed is fitted to three of four; the others judge it, beside the controls. The model in Chat stays as it is."
)


def section(pane: Pane) -> gr.Dropdown:
    """Build the section's blocks at the end of the tab; gives the stage's, which follows what is found out above."""
    desk = Desk(pane)
    with gr.Accordion("Remove this stage's part", open=False, elem_id="t-undo"):
        gr.HTML(f'<p class="t-quiet">{escape(_HOW)}</p>', apply_default_css=False)
        stages = pane.engine.undo.stages()
        stage = gr.Dropdown(list(stages), value=pane.engine.undo.likely or None, label="Stage", elem_id="t-undo-stage")
        with gr.Row():
            lose = gr.Textbox(
                label="Behaviour to lose: prompts, one a line", lines=6, max_lines=6, elem_id="t-undo-lose"
            )
            keep = gr.Textbox(
                label="Behaviour to keep: prompts, one a line", lines=6, max_lines=6, elem_id="t-undo-keep"
            )
        controls = gr.Checkbox(
            True, label="Beside controls: another stage's difference, a LoRA, retrainings (takes longer)"
        )
        with gr.Row():
            offer = gr.Button("Propose prompts", elem_id="t-undo-offer")
            fit = gr.Button("Remove and judge", variant="primary", elem_id="t-undo-fit")
            stop = gr.Button("Stop", elem_id="t-undo-stop", interactive=False)
        result = gr.HTML("", apply_default_css=False, elem_id="t-undo-result", elem_classes=["t-told"])
        with gr.Row():
            name = gr.Textbox("mended", label="Keep it as a checkpoint called", elem_id="t-undo-name")
            use = gr.Button("Keep it, and use it in Chat", interactive=False, elem_id="t-undo-use")
    private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    offer.click(desk.offered, None, [lose, keep, result], queue=False, **private)
    running = fit.click(desk.fit, [stage, lose, keep, controls], [result, use, stop], concurrency_limit=4, **private)
    seen([fit.click, offer.click], "t-undo-result")
    stop.click(desk.stopped, None, [result, stop], cancels=[running], queue=False, **private)
    use.click(desk.use, name, [result, *pane.told], concurrency_limit=4, **private)
    return stage


class Desk:
    """The section's handlers; a visitor's last edit is found by the session id of the request."""

    def __init__(self, pane: Pane) -> None:
        self.pane = pane
        self.edits: OrderedDict[str, Undone] = OrderedDict()

    def offered(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """Prompts to begin with, the chat's own first; or what is wrong with the family's. What was said before goes."""
        try:
            lose, keep = self.pane.engine_of(request).undo.offered_prompts(self.pane.settings(request))
        except TillerError as error:
            return gr.skip(), gr.skip(), blame_html.wrong(str(error))
        found = self.edits.get(str(request.session_hash))
        return lose, keep, drawn(found) if found else ""

    def fit(self, stage: str, lose: str, keep: str, controls: bool, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Fit and judge, and say how far it is meanwhile."""
        work = self.pane.engine_of(request).undo.fit(stage, lose, keep, controls)
        said = ""
        try:
            while True:
                step = next(work)
                if step.sentence != said:
                    said = step.sentence
                    yield blame_html.busy(said), gr.skip(), gr.update(interactive=True)
        except StopIteration as stop:
            found: Undone = stop.value
        except TillerError as error:
            yield blame_html.wrong(str(error)), gr.update(interactive=False), gr.update(interactive=False)
            return
        finally:
            work.close()
        self.edits[str(request.session_hash)] = found
        while len(self.edits) > _MOST:
            self.edits.popitem(last=False)
        yield drawn(found), gr.update(interactive=True), gr.update(interactive=False)

    def stopped(self) -> tuple[str, Any]:
        """It is not wanted any more."""
        return blame_html.busy("Stopped."), gr.update(interactive=False)

    def use(self, name: str, request: gr.Request) -> tuple[Any, ...]:
        """Keep the edit as a checkpoint and open it in Chat beside the model as it is."""
        found = self.edits.get(str(request.session_hash))
        nothing = tuple(gr.skip() for _ in self.pane.told)
        if found is None:
            return blame_html.wrong("Remove a stage's part first."), *nothing
        try:
            self.pane.engine_of(request).undo.keep(found, name.strip())
        except TillerError as error:
            return blame_html.wrong(str(error)), *nothing
        settings = beside(self.pane.settings(request), found, name.strip())
        return drawn(found), *self.pane.use_in_chat(settings, request)


def drawn(found: Undone) -> str:
    """The table and what it says."""
    head = "".join(f"<th>{escape(each)}</th>" for each in ("", *found.heads))
    rows = "".join(
        f"<tr><th>{escape(title)}</th>" + "".join(f"<td>{escape(each)}</td>" for each in cells) + "</tr>"
        for title, cells in found.cells()
    )
    return (
        f'<h3 class="t-headline">{escape(found.verdict)}</h3><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"<p>{escape(found.how)}</p>"
    )
