"""The second section of the Inspect tab: entropy neurons and calibration of a checkpoint, beside its base."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from app.tabs.tab import Pane, concluded, folded, plots, told, wide
from core.confidence import confidence
from core.confidence import tables as confidence_tables
from core.confidence.compare import exist
from core.confidence.conclusion import calibration_conclusion, neuron_conclusion
from core.confidence.confidence import Confidence
from core.confidence.plots import neuron_plot, reliability_plot
from core.display.svg import PANEL
from core.engine.engine import CONFIDENCE
from core.errors import TillerError
from core.stats.verdicts import HOLDS
from core.util.table import Table

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
#: Measuring takes minutes; the engine does it between the steps of chats, and this only waits for what it says.
_WAITING: dict[str, Any] = {"concurrency_limit": 16, "show_progress": "hidden", "api_visibility": "private"}
_SMALL: dict[str, Any] = {"scale": 0, "min_width": 160, "size": "md"}
#: What the box says of the neurons that were found, or of the candidates.
_ABLATE = "Use in Chat: take out {} (!neurons:entropy)"
_ABOUT = (
    "<h3>Confidence</h3><p>How sure the model is, how often it is right, and whether a few neurons make it surer or less sure of every "
    "word at once (entropy neurons).</p>"
)


class Section:
    """What stands in the section, and what its buttons do."""

    def __init__(self, pane: Pane) -> None:
        self.pane, self.engine = pane, pane.engine
        names = [each.name for each in self.engine.family.present]
        told(_ABOUT)
        self.said = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-confidence-said")
        self.drawn = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-confidence-drawn")
        with gr.Row():
            self.chosen = gr.Dropdown(
                names, value=self.engine.family.final.name, label="Checkpoint", elem_id="t-confidence-of"
            )
            self.measure = gr.Button("Measure", elem_id="t-confidence-measure", **_SMALL)
            self.stop = gr.Button("Cancel", visible=False, **_SMALL)
            self.ablate = gr.Checkbox(
                label=_ABLATE.format("these neurons"),
                visible=False,
                elem_id="t-confidence-ablate",
            )
        self.tables = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-confidence-tables")
        self.files = gr.File(label="To take away", visible=False, interactive=False, file_count="multiple")
        self._wire()

    def _wire(self) -> None:
        shown = [
            self.said,
            self.drawn,
            self.tables,
            self.files,
            self.measure,
            self.stop,
            self.ablate,
        ]
        self.chosen.input(self.show, self.chosen, shown, **_AT_ONCE)
        self.pane.tab.select(self.show, self.chosen, shown, **_AT_ONCE)
        self.measure.click(self.measured, self.chosen, shown, **_WAITING)
        self.stop.click(self.cancelled, self.chosen, None, **_AT_ONCE)
        self.ablate.input(
            self.ablated, [self.ablate, self.chosen], [*self.pane.told, self.said, self.ablate], **_AT_ONCE
        )

    # ------------------------------------------------------------------------------------------------------- handlers

    def show(self, name: str, request: gr.Request) -> tuple[Any, ...]:
        """Everything that is known of a checkpoint and its base."""
        hidden = gr.update(visible=False, value=None)
        try:
            every = self._known(name, request)
            tables = _shown(confidence_tables.tables(every))
            files = self._files(every)
        except TillerError as error:
            return _wrong(str(error)), "", "", hidden, *self._buttons(name, request)
        lacking = [each for each in self._pair(name) if each not in [of.checkpoint for of in every]]
        said = f"<p>{' and '.join(map(html.escape, lacking))}: not measured yet; press Measure.</p>" if lacking else ""
        said += "".join(f"<p>{html.escape(of.unfinished)}</p>" for of in every if of.unfinished)
        if not every:
            return said, "", "", hidden, *self._buttons(name, request)
        return (
            said,
            plots(
                concluded(calibration_conclusion(every)) + reliability_plot(every, PANEL),
                concluded(neuron_conclusion(every)) + neuron_plot(every[-1], PANEL),
            ),
            tables,
            gr.update(visible=True, value=files),
            *self._buttons(name, request),
        )

    def measured(self, name: str, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Measure what is lacking, else the checkpoint anew; says how far it is, and shows it in the end."""
        there = {of.checkpoint for of in self._known(name, request) if not of.unfinished}
        kept = [gr.skip()] * 3
        for each in [one for one in self._pair(name) if one not in there] or [name]:
            try:
                job = self.pane.engine_of(request).learn(each, ("confidence",))
            except TillerError as error:
                yield _wrong(str(error)), *kept, *self._buttons(name, request)
                return
            seen = 0
            for view in job:
                said = f"<p>{html.escape(each)}: {html.escape(view.said)}</p>"
                # What is there so far is shown, and grows sharper.
                drawn = self.show(name, request)[1:4] if view.written > seen else kept
                seen = view.written
                yield said, *drawn, gr.update(visible=view.over), gr.update(visible=not view.over), gr.skip()
            if job.view.state != "done" or "confidence" not in job.view.kinds:
                yield _wrong(f"{each}: {job.view.sentence}"), *kept, *self._buttons(name, request)
                return
        yield self.show(name, request)

    def cancelled(self, name: str, request: gr.Request) -> None:
        """End what is being measured at its next slice."""
        for each in self._pair(name):
            self.pane.engine_of(request).cancel_learning(each, CONFIDENCE)

    def ablated(self, on: bool, name: str, request: gr.Request) -> Any:
        """Put the set into the selected column's recipe, or take it out, and open Chat coloured by entropy."""
        settings = self.pane.settings(request)
        own = self.engine.family.directions_of(settings.column.checkpoint)
        try:
            recipe = confidence.switched(settings.column.recipe, on, None if own == name else name)
            self.pane.engine_of(request).explain(recipe, settings.column.checkpoint)
        except TillerError as error:
            return *(gr.skip() for _ in self.pane.told), _wrong(str(error)), confidence.ablates(settings.column.recipe)
        told = self.pane.use_in_chat(replace(settings.with_recipe(recipe), lens="entropy"), request)
        return *told, gr.skip(), on

    # --------------------------------------------------------------------------------------------------------- parts

    def _pair(self, name: str) -> list[str]:
        """The base and the checkpoint; the base alone where that is it."""
        return list(dict.fromkeys((self.engine.family.path(name)[0].name, name)))

    def _known(self, name: str, request: gr.Request) -> list[Confidence]:
        family = self.pane.engine_of(request).family
        found = (confidence.stored_confidence(family, each) for each in self._pair(name))
        return [each for each in found if each is not None]

    def _buttons(self, name: str, request: gr.Request) -> tuple[Any, ...]:
        engine = self.pane.engine_of(request)
        views = [engine.learning(each, CONFIDENCE) for each in self._pair(name)]
        running = any(view is not None and not view.over for view in views)
        on = confidence.ablates(self.pane.settings(request).column.recipe)
        try:
            known = next((each for each in self._known(name, request) if each.checkpoint == name), None)
        except TillerError:
            # What cannot be read is said above, and has no neurons to take out.
            known = None
        passed = known is not None and exist(known).state == HOLDS
        box = gr.update(
            value=on,
            visible=known is not None,
            label=_ABLATE.format("these neurons" if passed else "the candidates, which were not shown to do this"),
        )
        return gr.update(visible=not running), gr.update(visible=running), box

    def _files(self, every: list[Confidence]) -> list[str]:
        """The files to take away."""
        to = self.pane.new_folder()
        for name, text in (confidence_tables.files(every) if every else {}).items():
            (to / name).write_text(text, encoding="utf-8")
        return sorted(map(str, to.iterdir()))


def build(pane: Pane) -> Section:
    """Build the section's blocks."""
    return Section(pane)


def _shown(tables: list[Table]) -> str:
    """Every table folded up: what they come to stands above them."""
    return "".join(folded(each.title, wide(each.html())) for each in tables)


def _wrong(sentence: str) -> str:
    return f'<p class="wrong">{html.escape(sentence)}</p>'
