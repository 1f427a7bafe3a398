"""Knowledge maps as Plotly draws them. Plotly is imported when the first one is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from core.display import palette
from core.display.lenses import Lens
from core.knowledge.maps import Map, Traced

#: Readable on the light and on the dark page.
_INK = "#7d8590"
#: Pixels of a layer, and of what stands round a map.
_ROW, _ROUND = 24, 120


def heatmaps(traced: Traced) -> Any:
    """Every map below the others; the number of a trace is the number of its map."""
    from plotly.graph_objects import Heatmap
    from plotly.subplots import make_subplots

    maps = traced.maps
    heights = [each.layers * _ROW + _ROUND for each in maps]
    whole = sum(heights)
    gap = _ROUND / whole if len(maps) > 1 else 0.0
    figure = make_subplots(
        rows=len(maps),
        cols=1,
        subplot_titles=[f"{each.title} ({each.n} pair{'s' * (each.n != 1)})" for each in maps],
        vertical_spacing=gap,
        row_heights=[each.layers for each in maps],
    )
    for row, each in enumerate(maps, 1):
        figure.add_trace(
            Heatmap(
                z=[[None if math.isnan(value) else value for value in line] for line in each.cells],
                x=list(range(len(each.columns))),
                y=list(range(each.layers)),
                zmin=each.lens.low,
                zmax=each.lens.high,
                colorscale=scale(each.lens),
                customdata=[
                    [each.described(layer, place) for place in range(len(each.columns))] for layer in range(each.layers)
                ],
                hovertemplate="%{customdata}<extra></extra>",
                colorbar={
                    "len": each.layers / sum(one.layers for one in maps) * 0.8,
                    "y": _middle(maps, row - 1),
                    "thickness": 10,
                },
                xgap=1,
                ygap=1,
            ),
            row=row,
            col=1,
        )
        figure.update_xaxes(
            tickvals=list(range(len(each.columns))),
            ticktext=[_shown(column) for column in each.columns],
            row=row,
            col=1,
        )
        figure.update_yaxes(title="layer", dtick=max(1, each.layers // 8), row=row, col=1)
    return _laid_out(figure, whole)


def scale(chosen: Lens) -> list[list[Any]]:
    """The lens's palette as Plotly wants it."""
    return [
        [step / 32, palette.colour(chosen, chosen.low + (chosen.high - chosen.low) * step / 32)] for step in range(33)
    ]


def _shown(text: str) -> str:
    """A token as an axis can show it: Plotly reads a few tags."""
    return (text.strip() or repr(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _middle(maps: Sequence[Map], place: int) -> float:
    """How high the middle of a map stands in the figure, from 0 to 1."""
    layers = [each.layers for each in maps]
    return 1 - (sum(layers[:place]) + layers[place] / 2) / sum(layers)


def _laid_out(figure: Any, height: int) -> Any:
    figure.update_layout(
        height=height,
        margin={"l": 50, "r": 20, "t": 40, "b": 60},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _INK, "size": 12},
    )
    return figure
