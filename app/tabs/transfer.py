"""Whether what one checkpoint learnt works on another: the tab that shows it."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.tabs.choice import Choice
from app.tabs.clicks import button as clicked
from app.tabs.clicks import clicks, picked
from app.tabs.tab import Pane, concluded, folded, told, wide
from core.display import svg
from core.engine.jobs import JobView
from core.errors import TillerError
from core.transfer import conclusion, matrix
from core.transfer import report as transfers
from core.transfer.matrix_measures import MEASURES
from core.transfer.report import TransferReport
from core.transfer.task import choices, parted

#: A handler that answers at once, and is no part of the API.
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
_EMPTY = "Nothing has been carried yet: press Measure, and chat on while it goes."
#: The id of what the tab opens with.
_PICTURE = "t-transfer-said"
#: How often the progress is asked for, in seconds.
_EVERY = 1.0


@dataclass(frozen=True)
class Board:
    """What stands on the tab."""

    pane: Pane
    about: gr.Dropdown
    measure: gr.Dropdown
    source: gr.Dropdown
    target: gr.Dropdown
    went: gr.HTML
    said: gr.HTML
    table: gr.HTML
    cell: gr.HTML
    profile: gr.HTML
    checks: gr.HTML
    figures: gr.Accordion
    use: gr.Button
    end: gr.Button
    timer: gr.Timer

    @property
    def wanted(self) -> list[Any]:
        """The inputs: what is chosen."""
        return [self.about, self.measure, self.source, self.target]

    @property
    def shown(self) -> list[Any]:
        """The outputs of :meth:`show`."""
        return [
            *self.wanted[1:],
            self.went,
            self.said,
            self.table,
            self.cell,
            self.profile,
            self.checks,
            self.figures,
            self.use,
            self.end,
            self.timer,
        ]

    def show(
        self, about: str, measure: str | None, source: str | None, target: str | None, request: gr.Request
    ) -> list[Any]:
        """The whole tab for what is chosen; what does not exist for this direction falls back to the first that does."""
        engine = self.pane.engine_of(request)
        job = engine.transfers.view(about)
        running = job is not None and not job.over
        try:
            report = self._report(about, request)
        except TillerError as error:
            return self._nothing(_wrong(str(error)) + _progress(job), about, running)
        if report is None:
            return self._nothing(_progress(job) or f"<p>{_EMPTY}</p>", about, running)
        shown = measure if measure and measure in MEASURES[report.kind] else "cosine"
        first = matrix.opening(report)
        source, target = (
            source if source in report.sources else first[0],
            target if target in report.targets else first[1],
        )
        known = matrix.measures(report)[shown]
        drawn = svg.line_plot(f"{source} → {target}", "layer", "value", matrix.curves(report, source, target))
        old = engine.transfers.stale(about)
        return [
            gr.update(choices=[(each.title, name) for name, each in matrix.measures(report).items()], value=shown),
            gr.update(choices=list(report.sources), value=source, visible=True),
            gr.update(choices=list(report.targets), value=target, visible=True),
            _progress(job)
            + (_wrong(old) if old else "")
            + "".join(f"<p>{html.escape(said)}</p>" for said in report.cautions),
            concluded(conclusion.transfer_conclusion(report, source, target))
            + (f"<p>{html.escape(why)}</p>" if (why := conclusion.no_use(report, source, target)) else "")
            + _verdicts(report, source, target),
            f"{_matrix(report, shown, source, target)}<p>{html.escape(known.sentence)}</p>",
            _cell(report, source, target),
            folded("Layer by layer", f'<div class="t-wide" tabindex="0">{drawn}</div>'),
            _checks(report),
            gr.update(visible=True),
            gr.update(interactive=bool(report.cell(source, target).recipe)),
            gr.update(interactive=running),
            gr.Timer(active=running),
        ]

    def turn(
        self, about: str, measure: str | None, source: str | None, target: str | None, request: gr.Request
    ) -> list[Any]:
        """Another direction was chosen; one that came from another family is told of that family first."""
        return self.show(about, measure, None if parted(about)[1] else source, target, request)

    def picked(self, about: str, measure: str | None, event: gr.EventData, request: gr.Request) -> list[Any]:
        """A cell of the picture was pressed."""
        at = picked(event)
        return self.show(about, measure, at.get("source"), at.get("target"), request)

    def _report(self, about: str, request: gr.Request) -> TransferReport | None:
        return transfers.find_report(self.pane.engine_of(request).family, *parted(about))

    def _nothing(self, went: str, about: str, running: bool) -> list[Any]:
        known = MEASURES[parted(about)[0]]
        choices = gr.update(choices=[(each.title, name) for name, each in known.items()], value="cosine")
        # What there is nothing to choose from is not there.
        nobody, hidden = gr.update(choices=[], value=None, visible=False), gr.update(visible=False)
        over, cancel = gr.update(interactive=False), gr.update(interactive=running)
        return [choices, nobody, nobody, went, *[""] * 5, hidden, over, cancel, gr.Timer(active=running)]

    def start(
        self, about: str, measure: str | None, source: str | None, target: str | None, request: gr.Request
    ) -> list[Any]:
        """Measure, in the background."""
        self.pane.engine_of(request).transfers.start(about)
        return self.show(about, measure, source, target, request)

    def cancel(
        self, about: str, measure: str | None, source: str | None, target: str | None, request: gr.Request
    ) -> list[Any]:
        """End the measuring."""
        self.pane.engine_of(request).transfers.cancel(about)
        return self.show(about, measure, source, target, request)

    def tick(
        self, about: str, measure: str | None, source: str | None, target: str | None, seen: int, request: gr.Request
    ) -> list[Any]:
        """How far it is; where more is there than was ``seen``, and once it has ended, what there is now."""
        job = self.pane.engine_of(request).transfers.view(about)
        written = job.written if job is not None else 0
        if job is not None and not job.over and written <= seen:
            return [*[gr.skip()] * 3, _progress(job), *[gr.skip()] * 9, written]
        return [*self.show(about, measure, source, target, request), written]

    def in_chat(self, about: str, source: str | None, target: str | None, request: gr.Request) -> Any:
        """Open Chat with the chosen cell's recipe."""
        report = self._report(about, request)
        if report is None or source not in report.sources or target not in report.targets:
            return gr.skip(), gr.skip()
        return self.pane.use_in_chat(matrix.try_in_chat(self.pane.settings(request), report, source, target), request)


def build(pane: Pane) -> None:
    """Build the tab's blocks: what it comes to, with a picture of every verdict; what is chosen; and the figures, folded up."""
    told(f"<p>{html.escape(pane.place.about)} {html.escape(pane.engine.family.alone)}</p>")
    went, said = told(""), told("", name=_PICTURE)
    with gr.Row():
        offered = list(choices(pane.engine.family))
        about = Choice(offered, value=offered[0], label="direction", elem_id="t-transfer-about")
        source, target = (Choice([], label=label, visible=False) for label in ("from", "to"))
    with gr.Row():
        measuring = gr.Button("Measure", size="sm")
        cancelling = gr.Button("Cancel", size="sm", interactive=False)
        use = gr.Button("Use in Chat", size="sm", variant="primary", interactive=False)
    with gr.Accordion("The same as figures", open=False, visible=False) as figures:
        measure = Choice([], label="what the matrix shows", elem_id="t-transfer-measure")
        table = told("")
    cell, profile, checks = (told("") for _ in range(3))
    timer = gr.Timer(_EVERY, active=False)
    board = Board(
        pane, about, measure, source, target, went, said, table, cell, profile, checks, figures, use, cancelling, timer
    )
    about.input(board.turn, board.wanted, board.shown, **AT_ONCE)
    for each in board.wanted[1:]:
        each.input(board.show, board.wanted, board.shown, **AT_ONCE)
    clicks(_PICTURE).pick(board.picked, [about, measure], board.shown, **AT_ONCE)
    pane.tab.select(board.show, board.wanted, board.shown, **AT_ONCE)
    measuring.click(board.start, board.wanted, board.shown, **AT_ONCE)
    cancelling.click(board.cancel, board.wanted, board.shown, **AT_ONCE)
    seen = gr.State(0)
    timer.tick(board.tick, [*board.wanted, seen], [*board.shown, seen], **AT_ONCE)
    use.click(board.in_chat, [about, source, target], pane.told, **AT_ONCE)


def _verdicts(report: TransferReport, source: str, target: str) -> str:
    """The picture: every verdict in its cell, as a word with its count on its colour; a press on one chooses it."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in report.targets)
    rows = []
    for row in report.sources:
        cells = []
        for column in report.targets:
            word, count = conclusion.cell_verdict(report, row, column)
            chosen = (row, column) == (source, target)
            pressed = clicked(word, {"source": row, "target": column}, count, pressed=chosen)
            cells.append(f'<td data-verdict="{word}">{pressed}</td>')
        rows.append(f'<tr><th scope="row">{html.escape(row)}</th>{"".join(cells)}</tr>')
    what = f"The {report.kind} direction of each row, added to each column: does it do what that one's own does?"
    return wide(
        f'<table class="t-verdicts"><caption>{html.escape(what)}</caption><thead><tr><th scope="col">from ↓ to →</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _matrix(report: TransferReport, measure: str, source: str, target: str) -> str:
    """The matrix; every value stands in its cell as text, the chosen one has a frame."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in report.targets)
    rows = []
    for line in matrix.matrix(report, measure):
        found = []
        for shade in line:
            colours = shade.colours
            style = f' style="background:{colours[0]};color:{colours[1]}"' if colours else ""
            chosen = ' class="chosen"' if (shade.source, shade.target) == (source, target) else ""
            value, opens, interval = shade.text.partition(" (")
            # On a phone there is no room for intervals; what folds out beneath has them.
            within = f"<span> ({html.escape(interval)}</span>" if opens else ""
            found.append(f"<td{style}{chosen}>{html.escape(value)}{within}</td>")
        rows.append(f"<tr><th>{html.escape(line[0].source)}</th>{''.join(found)}</tr>")
    return (
        f'<div class="t-wide" tabindex="0"><table class="t-matrix"><thead><tr><th>from ↓ to →</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(report: TransferReport, source: str, target: str) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(label)}</th><td>{html.escape(words)}</td></tr>"
        for label, words in matrix.describe_cell(report, source, target)
    )
    cell = report.cell(source, target)
    none = "none: it would have to be added more than ten times over" if cell.steered else "none yet"
    recipe = html.escape(cell.recipe or none)
    return folded(
        f"Every figure of {source} → {target}",
        f'<div class="t-wide" tabindex="0"><table>{rows}<tr><th>recipe</th><td><code>{recipe}</code></td></tr></table></div>',
    )


def _checks(report: TransferReport) -> str:
    found = []
    for line, parts in matrix.findings(report):
        listed = "".join(f"<li>{html.escape(part)}</li>" for part in parts)
        found.append(f"<details><summary>{html.escape(line)}</summary><ul>{listed}</ul></details>")
    return folded("Whether the paper's finding holds here", "".join(found))


def _progress(job: JobView | None) -> str:
    if job is None:
        return ""
    if job.over:
        return _wrong(job.said) if job.state == "failed" else f"<p>{html.escape(job.said)}</p>"
    return f'<p><progress max="1" value="{job.part:.3f}"></progress> {html.escape(job.said)}</p>'


def _wrong(sentence: str) -> str:
    return f'<p class="wrong">{html.escape(sentence)}</p>'
