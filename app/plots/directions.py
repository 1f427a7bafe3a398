"""Curves as Plotly draws them, in the page's colours for either theme. Plotly is imported when the first one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.directions.card import Curves

#: Okabe and Ito's, that can be told apart in every kind of colour vision; each line has a dash and a mark of its own, too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_MARKS = ("circle", "square", "diamond", "cross", "x")
#: Lines that differ by less are drawn flat: an axis of millionths would make much of nothing.
_FLAT = 0.1
#: Readable on the light and on the dark page.
_INK, _GRID = "#7d8590", "rgba(125,133,144,0.25)"


def curves(shown: Curves, title: str) -> Any:
    """A Plotly figure of lines over one axis. What is named damage has an axis of its own, on the right."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    for index, (name, values) in enumerate(shown.lines.items()):
        figure.add_trace(
            Scatter(
                x=list(shown.places), y=list(values), name=name, mode="lines+markers", yaxis="y2" if _apart(name) else "y",
                line={"color": _COLOURS[index % 5], "dash": _DASHES[index % 5]}, marker={"symbol": _MARKS[index % 5], "size": 7},
            )
        )  # fmt: skip
    if shown.chosen is not None:
        figure.add_vline(x=shown.chosen, line_color=_INK, line_dash="dot", annotation_text=f"chosen: {shown.chosen:g}")
    left = [value for name, values in shown.lines.items() if not _apart(name) for value in values]
    low, high = (min(left), max(left)) if left else (0.0, 0.0)
    flat = {"range": [low - _FLAT / 2, high + _FLAT / 2]} if high - low < _FLAT else {}
    axis = {"gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": _INK}
    figure.update_layout(
        title=title, height=320, font={"color": _INK, "size": 13}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 48, "r": 48, "t": 48, "b": 88}, legend={"orientation": "h", "y": -0.28}, xaxis={**axis, "title": shown.axis},
        yaxis={**axis, **flat}, yaxis2={**axis, "overlaying": "y", "side": "right", "showgrid": False, "rangemode": "tozero"},
    )  # fmt: skip
    return figure


def _apart(name: str) -> bool:
    return name.startswith("damage")
