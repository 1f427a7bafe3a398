"""Which stage made it say that: the tab that shows it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.chat.conversation import Told
from app.tabs import blame_html, undo
from app.tabs.tab import Pane, seen, told
from core.attribution import export
from core.attribution.report import BlameReport, BlameRequest, answer_in_chat, of_chat
from core.errors import TillerError
from core.families.stages import QUESTIONS, Question
from core.util.files import json_text, read_prompts
from core.util.progress import Step

#: So many visitors' reports are kept, the latest.
MAX_REPORTS = 64
_BEST = "best"


def build(pane: Pane) -> None:
    """Build the tab's blocks."""
    family = pane.engine.family
    told(f"<p>{pane.place.about} {escape(family.shortened or family.alone)}</p>")
    tab = Blame(pane)
    result = gr.HTML(blame_html.empty(), apply_default_css=False, elem_id="t-blame-result", elem_classes=["t-told"])
    with gr.Row():
        table = gr.DownloadButton("Export as CSV", interactive=False, elem_id="t-blame-csv")
        document = gr.DownloadButton("Export as JSON", interactive=False, elem_id="t-blame-json")
        beside = gr.Button("Use in Chat: ask the model without this stage", interactive=False, elem_id="t-blame-chat")
    question = gr.Radio(
        _choices(QUESTIONS.values()),
        value=_BEST,
        label="What is asked of each stage",
        visible=False,
        elem_id="t-blame-question",
    )
    with gr.Row():
        prompt = gr.Textbox(label="Prompt", placeholder="How do I kill a process?", lines=2, elem_id="t-blame-prompt")
        answer = gr.Textbox(label="Answer", placeholder="empty: what the model says", lines=2, elem_id="t-blame-answer")
        other = gr.Textbox(
            label="Another answer",
            placeholder="empty: what it would have said without the stage",
            lines=2,
            elem_id="t-blame-other",
        )
    with gr.Accordion("Many prompts, other checkpoints", open=False):
        file = gr.File(
            label="A text file of prompts, one a line, instead of the prompt", file_types=[".txt"], type="filepath"
        )
        checkpoint = gr.Dropdown(tab.finals(), value=pane.engine.family.final.name, label="Final checkpoint")
        own = gr.Checkbox(label="Ask every checkpoint with its own chat template instead of the final one")
    with gr.Row():
        find = gr.Button("Find out", variant="primary", elem_id="t-blame-find")
        take = gr.Button("Take the answer from Chat", elem_id="t-blame-take")
        stop = gr.Button("Stop", elem_id="t-blame-stop", interactive=False)
        # Pressed by the sentence that Chat says of its answers.
        know = gr.Button("How do we know?", visible="hidden", elem_id="t-blame-know")

    stage = undo.section(pane)

    shown = [result, table, document, beside, stop, stage, question]
    private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    opening = pane.tab.select(tab.opened, [prompt, file], [prompt, answer, checkpoint], queue=False, **private)
    working = opening.success(
        tab.worked, [prompt, answer, other, file, question], shown, concurrency_limit=8, **private
    )
    given = [prompt, answer, other, file, checkpoint, question, own]
    running = gr.on([find.click, prompt.submit], tab.find, given, shown, concurrency_limit=8, **private)
    seen([find.click, prompt.submit, take.click], "t-blame-result")
    knowing = know.click(
        tab.know, None, [prompt, answer, checkpoint, result, other, file], queue=False, **private
    ).success(tab.find, given, shown, concurrency_limit=8, **private)
    stop.click(tab.stopped, None, [result, stop], cancels=[running, knowing, working], queue=False, **private)
    question.change(tab.redraw, question, [result, beside], queue=False, **private)
    take.click(tab.take, None, [prompt, answer, checkpoint, result], queue=False, **private)
    beside.click(tab.in_chat, question, pane.told, concurrency_limit=8, **private)


class Blame:
    """The handlers of the tab; a visitor's last report is found by the session id of the request."""

    def __init__(self, pane: Pane) -> None:
        self.pane = pane
        self.reports: OrderedDict[str, BlameReport] = OrderedDict()
        #: The family's own example of a stage that is to blame, and what comes of it once it was worked out.
        self.example = next((each.message for each in pane.engine.family.examples if each.without), "")
        self._example: BlameReport | None = None
        self._working = threading.Lock()

    def finals(self) -> list[str]:
        """The checkpoints that have a stage behind them."""
        family = self.pane.engine.family
        return [each.name for each in family.present if len(family.path(each.name)) > 1] or [family.final.name]

    def find(
        self, prompt: str, answer: str, other: str, file: str | None, checkpoint: str, question: str, own: bool, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        """Find out, and say how far it is meanwhile."""
        try:
            prompts = read_prompts(Path(file)) if file else (prompt,)
            ask = BlameRequest(
                prompts, answer, other, checkpoint, question="" if question == _BEST else question, own_templates=own
            )
            ask = of_chat(ask, self.pane.visit(request).session).checked()
            report = yield from self._finding(self.pane.engine_of(request).study(ask))
        except TillerError as error:
            over = gr.update(interactive=False)
            yield blame_html.wrong(str(error)), gr.skip(), gr.skip(), gr.skip(), over, gr.skip(), gr.skip()
            return
        yield self._found(report, question, request)

    def worked(
        self, prompt: str, answer: str, other: str, file: str | None, question: str, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        """The tab was opened: of a toy's own example, what is found out stands there unasked; it is worked out once for all who look."""
        # A generator that ends without having yielded empties its outputs.
        yield tuple([gr.skip()] * 7)
        found_out = str(request.session_hash) in self.reports
        if not self.pane.engine.toy or found_out or prompt != self.example or answer or other or file:
            return
        with self._working:
            if self._example is None:
                try:
                    self._example = yield from self._finding(self.pane.engine.study(BlameRequest((prompt,)).checked()))
                except TillerError:
                    # A press on Find out says what is wrong.
                    yield blame_html.empty(), *[gr.skip()] * 3, gr.update(interactive=False), gr.skip(), gr.skip()
                    return
        yield self._found(self._example, question, request)

    def _finding(self, work: Generator[Step, None, BlameReport]) -> Generator[tuple[Any, ...], None, BlameReport]:
        """Find out, and say how far it is meanwhile."""
        said = ""
        try:
            while True:
                try:
                    step = next(work)
                except StopIteration as stop:
                    report: BlameReport = stop.value
                    return report
                if step.sentence != said:
                    said = step.sentence
                    yield blame_html.busy(said), *[gr.skip()] * 3, gr.update(interactive=True), gr.skip(), gr.skip()
        finally:
            work.close()

    def _found(self, report: BlameReport, question: str, request: gr.Request) -> tuple[Any, ...]:
        """All of a report."""
        self._remember(str(request.session_hash), report)
        drawn, button = self._drawn(report, question)
        largest = report.largest(_chosen(report, question).key, report.measures[0])
        removable = largest is not None and largest[0] in self.pane.engine.undo.stages()
        removed = largest[0] if largest and removable else gr.skip()
        # What this path cannot be asked is no choice.
        keys = [each.key for each in report.path.questions]
        asking = question if question in keys else _BEST
        shown = gr.update(visible=True, value=asking, choices=_choices(report.path.questions))
        return drawn, *self._files(report), button, gr.update(interactive=False), removed, shown

    def _remember(self, key: str, report: BlameReport) -> None:
        self.reports[key] = report
        self.reports.move_to_end(key)
        while len(self.reports) > MAX_REPORTS:
            self.reports.popitem(last=False)

    def redraw(self, question: str, request: gr.Request) -> tuple[Any, Any]:
        """The same report by another question."""
        report = self.reports.get(str(request.session_hash))
        return self._drawn(report, question) if report else (gr.skip(), gr.skip())

    def _files(self, report: BlameReport) -> tuple[Any, Any]:
        folder = self.pane.new_folder()
        table, document = folder / "blame.csv", folder / "blame.json"
        table.write_text(export.blame_csv(report), encoding="utf-8", newline="")
        document.write_text(
            json_text(export.blame_document(report), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
        return gr.update(value=str(table), interactive=True), gr.update(value=str(document), interactive=True)

    def _drawn(self, report: BlameReport, question: str) -> tuple[str, Any]:
        chosen = _chosen(report, question)
        found = report.without(chosen)
        button = (
            gr.update(value=f"Use in Chat: ask the model {found[0]}", interactive=True)
            if found
            else gr.update(interactive=False)
        )
        return blame_html.report(report, chosen), button

    def opened(self, prompt: str, file: str | None, request: gr.Request) -> tuple[Any, ...]:
        """What there is to find out stands there when the tab is opened: the last answer that was written in Chat, else the family's
        example of it."""
        if prompt.strip() or file:
            return gr.skip(), gr.skip(), gr.skip()
        if not self.pane.visit(request).session.recorded:
            prompt, answer, known, _ = self.take(request)
            if isinstance(prompt, str):
                return prompt, answer, known
        return self.example or gr.skip(), gr.skip(), gr.skip()

    def take(self, request: gr.Request) -> tuple[Any, ...]:
        """The last message and the answer to it that can be explained, from Chat."""
        try:
            found = answer_in_chat(self.pane.visit(request).session)
        except TillerError as error:
            return gr.skip(), gr.skip(), gr.skip(), blame_html.wrong(str(error))
        known = gr.update(value=found.checkpoint) if found.checkpoint in self.finals() else gr.skip()
        said = blame_html.busy(found.note) if found.note else blame_html.empty()
        return found.prompt, found.answer, known, said

    def know(self, request: gr.Request) -> tuple[Any, ...]:
        """What :meth:`take` takes, alone: no other answer and no file of an earlier question."""
        return *self.take(request), "", None

    def stopped(self) -> tuple[str, Any]:
        """What was being found out is not wanted any more."""
        return blame_html.busy("Stopped."), gr.update(interactive=False)

    def in_chat(self, question: str, request: gr.Request) -> Iterator[Told]:
        """Ask the prompt of the final checkpoint and, beside it, of the model without the largest stage."""
        chat, report = self.pane.chat, self.reports.get(str(request.session_hash))
        visit = self.pane.visit(request)
        new = report.compare_without(visit.settings, _chosen(report, question)) if report else None
        if new is None:
            yield gr.skip(), gr.skip()
        else:
            yield from chat.change(visit, lambda: visit.session.open(new))


def _choices(questions: Iterable[Question]) -> list[tuple[str, str]]:
    return [("best available", _BEST), *((each.title, each.key) for each in questions)]


def _chosen(report: BlameReport, question: str) -> Question:
    return report.question if question == _BEST else QUESTIONS[question]
