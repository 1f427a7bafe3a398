"""The first section of the Inspect tab: knowledge maps of a pair of sentences or a set, and what a cell would say."""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from app.plots import maps as map_plots
from app.tabs.choice import Choice
from app.tabs.tab import Pane, concluded, folded, told, wide
from app.visits import whole
from core.engine.jobs import MapJob
from core.errors import TillerError
from core.knowledge import facts, map_export, maps
from core.knowledge.conclusion import map_conclusion
from core.knowledge.maps import PAIRS, MapRequest, Traced
from core.util.figures import probability_text

_AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
#: The engine computes between the steps of chats; this only waits for what it says.
_WAITING: dict[str, Any] = {"concurrency_limit": 16, "show_progress": "hidden", "api_visibility": "private"}
_SMALL: dict[str, Any] = {"scale": 0, "min_width": 140, "size": "md"}
#: Maps are drawn anew so often while they are computed, in seconds.
_BEAT = 0.7
_ABOUT = (
    "<h3>Knowledge maps</h3><p>Where the model keeps a fact. It reads a true and a false sentence, then the false one again with its "
    "state at one layer and token taken from the true one: the map says how much of the true answer that brings back, from 0 to 1.</p>"
)
_OWN = "my own sentences"
#: The set that the form begins with.
_FIRST = "cities"
#: Of so many pairs it is, until somebody asks: enough for the picture; Trace goes on from there.
_UNASKED = 16
_NOTHING = "Choose a set or write two sentences, then press Trace."
#: Listens to clicks on the map, which Gradio does not tell of.
_PICKER = """
const listen = () => document.querySelectorAll("#t-maps .js-plotly-plot").forEach((plot) => {
  if (!plot.on) return;
  plot.removeAllListeners("plotly_click");
  plot.on("plotly_click", (event) => {
    const at = event.points[0];
    trigger("pick", {map: at.curveNumber, layer: at.y, column: at.x});
  });
});
setInterval(listen, 400);
"""


class Section:
    """What stands in the section, and what its buttons do."""

    def __init__(self, pane: Pane) -> None:
        self.pane, self.engine = pane, pane.engine
        names = [each.name for each in self.engine.family.present]
        known, _ = facts.load_facts(self.engine.family)
        told(_ABOUT)
        self.said = gr.HTML(
            f"<p>{_NOTHING}</p>", apply_default_css=False, elem_classes=["t-told"], elem_id="t-maps-said"
        )
        self.plot = gr.Plot(visible=False, show_label=False, elem_id="t-maps", elem_classes=["t-plot"])
        self.picker = gr.HTML(
            "", html_template="<i></i>", js_on_load=_PICKER, apply_default_css=False, elem_classes=["t-wire"]
        )
        with gr.Row(visible=False) as self.cells:
            self.map = Choice([], label="Map", type="index")
            self.layer = Choice([], label="Layer", type="index")
            self.column = Choice([], label="Token or role", type="index")
            self.look = gr.Button("Look at the cell", elem_id="t-maps-look", **_SMALL)
            self.steer = gr.Button("Use in Chat: steer here", elem_id="t-maps-steer", **_SMALL)
        self.cell = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-maps-cell")
        with gr.Row():
            self.set = gr.Dropdown(
                [_OWN, *facts.categories(known)], value=_FIRST, label="Sentences", elem_id="t-maps-set"
            )
            self.one = gr.Dropdown(names, value=names[0], label="Checkpoint", elem_id="t-maps-one")
            self.other = gr.Dropdown(
                ["none", *names],
                value=names[-1] if names[1:] else "none",
                label="Compared with",
                elem_id="t-maps-other",
            )
            self.pairs = gr.Number(PAIRS, label="Pairs", precision=0, minimum=1, maximum=maps.MOST_PAIRS, min_width=90)
        with gr.Row(visible=False) as self.own:
            self.true = gr.Textbox(
                label="True sentence", placeholder="The city of Paris is in France.", elem_id="t-maps-true"
            )
            self.false = gr.Textbox(
                label="False sentence", placeholder="The city of Berlin is in France.", elem_id="t-maps-false"
            )
            self.subject = gr.Textbox(label="Subject, for noise", placeholder="Paris")
        with gr.Accordion("How they are compared", open=False), gr.Row():
            self.differ = gr.Radio(
                ["subject", "object"],
                value="subject",
                label="What differs",
                info="Where the true and the false sentence part: whom they speak of, or what they say of it.",
            )
            self.noise = gr.Checkbox(
                label="Noise on the subject instead of a false sentence",
                info="The subject's embeddings are blurred, as in causal tracing; what restores the answer holds the fact.",
            )
            self.asks = gr.Radio(
                [
                    ("“This statement is:”", "question"),
                    ("TRUE or FALSE at once", "plain"),
                    ("its object, in a set", "recall"),
                ],
                value="question",
                label="What it is asked",
                info="A question behind the sentence, the verdict right behind it, or the sentence's last word left to the model.",
            )
            self.across = gr.Checkbox(
                label="Also across the two checkpoints",
                info="What one checkpoint holds is put into the other: whether both keep the fact in the same place.",
            )
        with gr.Row():
            self.go = gr.Button("Trace", variant="primary", elem_id="t-maps-go", **_SMALL)
            self.stop = gr.Button("Cancel", visible=False, elem_id="t-maps-stop", **_SMALL)
        self.tables = gr.HTML("", apply_default_css=False, elem_classes=["t-told"], elem_id="t-maps-tables")
        self.files = gr.File(label="To take away", visible=False, interactive=False, file_count="multiple")
        #: What the page looks at: its order.
        self.order = gr.State(None)
        self._wire()

    def _wire(self) -> None:
        asked = [
            self.set, self.one, self.other, self.pairs, self.true, self.false, self.subject,
            self.differ, self.noise, self.asks, self.across,
        ]  # fmt: skip
        shown = [
            self.order, self.said, self.plot, self.cells, self.map, self.layer, self.column, self.tables, self.files, self.go, self.stop,
        ]  # fmt: skip
        self.set.input(lambda name: gr.update(visible=name == _OWN), self.set, self.own, **_AT_ONCE)
        opened = self.pane.tab.select(self.opened, self.order, shown, **_WAITING)
        # What a person asks for takes the place of what was worked out unasked, whose rows would be shown over it.
        self.go.click(self.trace, asked, shown, cancels=[opened], **_WAITING)
        self.stop.click(self.cancel, self.order, None, **_AT_ONCE)
        at = [self.map, self.layer, self.column]
        self.look.click(self.looked, [self.order, *at], self.cell, **_WAITING)
        self.picker.pick(self.picked, self.order, [*at, self.cell], **_WAITING)
        self.steer.click(self.steered, [self.order, *at], self.pane.told, **_AT_ONCE)

    # ------------------------------------------------------------------------------------------------------- handlers

    def trace(
        self, chosen: str, one: str, other: str, pairs: float | None, true: str, false: str, subject: str,
        differ: Any, noise: bool, asks: Any, across: bool, request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        """Compute the maps that are asked for, and show their rows as they come."""
        try:
            order = self._order(chosen, one, other, pairs, true, false, subject, differ, noise, asks, across)
            job = self.pane.engine_of(request).trace(order)
        except TillerError as error:
            yield None, _wrong(str(error)), *[gr.skip()] * 7, gr.skip(), gr.skip()
            return
        yield from self._watched(order, job)

    def opened(self, order: Any, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """The tab was opened: what was traced last stands there; of a toy, else, what its form begins with, worked out once for all."""
        # A generator that ends without having yielded empties its outputs.
        yield tuple([gr.skip()] * 11)
        job = self.pane.engine_of(request).last_traced() if order is None else None
        if job is None and order is None and self.engine.toy:
            names = [each.name for each in self.engine.family.present]
            job = self.engine.trace(MapRequest(tuple(dict.fromkeys((names[0], names[-1]))), set=_FIRST, pairs=_UNASKED))
        if job is not None:
            yield from self._watched(job.order, job)

    def _watched(self, order: MapRequest, job: MapJob) -> Iterator[tuple[Any, ...]]:
        """Its rows as they come, and all of it in the end."""
        drawn = 0.0
        for view in job:
            if not view.over and time.monotonic() - drawn < _BEAT:
                continue
            drawn = time.monotonic()
            yield self._shown(order, view.traced, view.said, view.state == "failed", view.over)

    def cancel(self, order: MapRequest | None, request: gr.Request) -> None:
        """End what is being computed at its next slice."""
        if order is not None and (job := self.pane.engine_of(request).traced(order)) is not None:
            job.cancel()

    def picked(self, order: MapRequest | None, event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """A cell was clicked."""
        data = event._data if isinstance(event._data, dict) else {}
        try:
            at = whole(data, "map"), whole(data, "layer"), whole(data, "column")
            traced = self._traced(order, request)
            shown = traced.maps[at[0]]
            chosen = (shown.title, str(at[1]), f"{at[2]} {shown.columns[at[2]].strip()}")
        except (TillerError, IndexError) as error:
            yield (
                gr.skip(),
                gr.skip(),
                gr.skip(),
                _wrong(str(error) if isinstance(error, TillerError) else "There is no such cell."),
            )
            return
        layers, columns = _choices(traced, at[0])
        yield (
            gr.update(value=chosen[0]), gr.update(choices=layers, value=chosen[1]), gr.update(choices=columns, value=chosen[2]),
            self.looked(order, *at, request),
        )  # fmt: skip

    def looked(
        self, order: MapRequest | None, place: int | None, layer: int | None, column: int | None, request: gr.Request
    ) -> str:
        """A cell's number, and the words that its residuals would say."""
        try:
            traced = self._traced(order, request)
            if place is None or layer is None or column is None or not place < len(traced.maps):
                raise TillerError("Choose a map, a layer and a token first, or click a cell.")
            shown = traced.maps[place]
            if not (layer < shown.layers and column < len(shown.columns)):
                raise TillerError("There is no such cell; choose another one.")
            words = self.pane.engine_of(request).cell_words(traced, shown, layer, column)
        except TillerError as error:
            return _wrong(str(error))
        rows = [
            f"<tr><th>{html.escape(title)}</th>"
            + "".join(
                f"<td>{html.escape(word)} <small>{html.escape(probability_text(p))}</small></td>"
                for word, p in layers[0]
            )
            + "</tr>"
            for title, layers in zip(words.titles, words.rows, strict=True)
        ]
        return (
            f"<h3>{html.escape(shown.title)}, {html.escape(shown.described(layer, column))}</h3>"
            f"<p>What the residual at {html.escape(repr(words.said))} would say if the model stopped there (logit lens):</p>"
            f"<table>{''.join(rows)}</table><p>{html.escape(words.note)}</p>"
        )

    def steered(
        self, order: MapRequest | None, _place: int | None, layer: int | None, _column: int | None, request: gr.Request
    ) -> Any:
        """Move the selected column's recipe to the cell's layer, and open Chat."""
        settings = self.pane.settings(request)
        names = [card.name for card in self.pane.engine_of(request).directions(settings.column.checkpoint)]
        direction = maps.direction_for(settings.column.recipe, names)
        if order is None or layer is None or not direction:
            gr.Warning(
                "Click a cell first."
                if order is None or layer is None
                else "This checkpoint has no directions to steer by yet."
            )
            return gr.skip(), gr.skip()
        return self.pane.use_in_chat(
            settings.with_recipe(maps.steered_at(settings.column.recipe, layer, direction)), request
        )

    # --------------------------------------------------------------------------------------------------------- parts

    def _order(
        self, chosen: str, one: str, other: str, pairs: float | None, true: str, false: str, subject: str,
        differ: Any, noise: bool, asks: Any, across: bool,
    ) -> MapRequest:  # fmt: skip
        own = chosen == _OWN
        return MapRequest(
            checkpoints=tuple(dict.fromkeys(name for name in (one, other) if name and name != "none")),
            set="" if own else chosen,
            true=true if own else "",
            false=false if own and not noise else "",
            subject=subject if own else "",
            corruption="noise" if noise else "false",
            differ="object" if differ == "object" else "subject",
            asks=asks if asks in maps.ASKED else "question",
            pairs=int(pairs or 0),
            across=across,
        )

    def _traced(self, order: MapRequest | None, request: gr.Request) -> Traced:
        # What everybody sees first is the owner's.
        job = (self.pane.engine_of(request).traced(order) or self.engine.traced(order)) if order is not None else None
        if job is None:
            raise TillerError(_NOTHING)
        return job.view.traced

    def _shown(self, order: MapRequest, traced: Traced, said: str, failed: bool, over: bool) -> tuple[Any, ...]:
        buttons = gr.update(visible=over), gr.update(visible=not over)
        sentence = concluded(map_conclusion(traced)) if over and not failed else ""
        sentence += _wrong(said) if failed else f"<p>{html.escape(said)}</p>"
        ready = [each for each in traced.maps if each.columns]
        if not ready:
            hidden = gr.update(visible=False)
            return order, sentence, hidden, hidden, gr.skip(), gr.skip(), gr.skip(), "", hidden, *buttons
        titles = [each.title for each in ready]
        layers, columns = _choices(replace(traced, maps=tuple(ready)), 0)
        return (
            order, sentence,
            gr.update(visible=True, value=map_plots.heatmaps(replace(traced, maps=tuple(ready)))),
            gr.update(visible=over), gr.update(choices=titles, value=titles[0]), gr.update(choices=layers, value=layers[0]),
            gr.update(choices=columns, value=columns[-1]), _folded(traced),
            gr.update(visible=over, value=self._files(traced) if over else None), *buttons,
        )  # fmt: skip

    def _files(self, traced: Traced) -> list[str]:
        """The files to take away."""
        to = self.pane.new_folder()
        (to / "maps.csv").write_text(map_export.map_csv(traced), encoding="utf-8")
        (to / "maps.svg").write_text(map_export.to_svg(traced), encoding="utf-8")
        return [str(to / "maps.csv"), str(to / "maps.svg")]


def build(pane: Pane) -> Section:
    """Build the section's blocks."""
    return Section(pane)


def _choices(traced: Traced, place: int) -> tuple[list[str], list[str]]:
    shown = traced.maps[place]
    return [str(layer) for layer in range(shown.layers)], [
        f"{at} {each.strip()}" for at, each in enumerate(shown.columns)
    ]


def _folded(traced: Traced) -> str:
    """The statistics and every map as a table, folded up."""
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in traced.lines)
    return (folded("How the two compare, and what to mind", lines) if lines else "") + _tables(traced)


def _tables(traced: Traced) -> str:
    """Every map as a table, folded up."""
    found = []
    for each in traced.maps:
        made = maps.map_table(each)
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in made.rows)
        head = "".join(f"<th>{html.escape(name)}</th>" for name in made.head)
        found.append(folded(f"{each.title} as a table", wide(f"<table><tr>{head}</tr>{rows}</table>")))
    return "".join(found)


def _wrong(sentence: str) -> str:
    return f'<p class="wrong">{html.escape(sentence)}</p>'
