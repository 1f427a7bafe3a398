"""The scatter of neurons and the reliability diagram as Plotly draws them. Plotly is imported when the first one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.display.palette import OKABE_ITO

if TYPE_CHECKING:
    from core.confidence.confidence import Confidence

#: Readable on the light and on the dark page.
_INK, _GRID = "#7d8590", "rgba(125,133,144,0.25)"
#: A colour and a mark a block, or a checkpoint: either is enough to tell them apart.
_COLOURS = (OKABE_ITO[4], OKABE_ITO[2], OKABE_ITO[6], OKABE_ITO[0], OKABE_ITO[1])
_MARKS = ("circle", "square", "cross", "x", "triangle-up")


def scatter(of: Confidence) -> Any:
    """Norm × LogitVar of the last blocks' neurons: candidates are diamonds, with their numbers."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    for place, block in enumerate(of.blocks):
        chosen = set(block.candidates)
        for marked in (False, True):
            own = [neuron for neuron in range(len(block.norms)) if (neuron in chosen) == marked]
            marker = {"symbol": "diamond", "size": 11, "color": OKABE_ITO[5], "line": {"width": 1, "color": _INK}}
            figure.add_trace(
                Scatter(
                    x=[float(block.norms[neuron]) for neuron in own],
                    y=[float(block.variances[neuron]) for neuron in own],
                    customdata=own,
                    hovertemplate=f"block {block.layer}, neuron %{{customdata}}<br>norm %{{x:.3f}}<br>LogitVar %{{y:.2e}}",
                    name=f"block {block.layer}{', candidates' if marked else ''}",
                    mode="markers",
                    marker=marker if marked else {"symbol": _MARKS[place % 5], "size": 5, "color": _COLOURS[place % 5]},
                )
            )
    return _laid_out(figure, f"{of.checkpoint}: MLP neurons", "norm of the output weights", "LogitVar", log=True)


def reliability(every: Sequence[Confidence]) -> Any:
    """How often checkpoints are right against how sure they are, with 95 % intervals."""
    from plotly.graph_objects import Figure, Scatter

    figure = Figure()
    figure.add_trace(
        Scatter(x=[0.5, 1], y=[0.5, 1], name="as sure as right", mode="lines", line={"dash": "dash", "color": _INK})
    )
    for place, of in enumerate(every):
        bins = of.calibration.bins
        figure.add_trace(
            Scatter(
                x=[each.sure for each in bins],
                y=[each.right for each in bins],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [each.interval[1] - each.right for each in bins],
                    "arrayminus": [each.right - each.interval[0] for each in bins],
                    "thickness": 1,
                },
                customdata=[each.n for each in bins],
                hovertemplate="%{customdata} answers, %{x:.3f} sure, %{y:.3f} right",
                name=f"{of.checkpoint}, ECE {of.calibration.ece.value:.3f}",
                mode="lines+markers",
                marker={"symbol": _MARKS[place % 5], "size": 8},
                line={"color": _COLOURS[place % 5]},
            )
        )
    return _laid_out(figure, "Calibration", "how sure", "right")


def _laid_out(figure: Any, title: str, across: str, up: str, log: bool = False) -> Any:
    axis = {"gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": _INK}
    figure.update_layout(
        title=title, height=400, font={"color": _INK, "size": 13}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 64, "r": 16, "t": 48, "b": 96}, legend={"orientation": "h", "y": -0.24}, xaxis={**axis, "title": across},
        yaxis={**axis, "title": up, "type": "log" if log else "linear"},
    )  # fmt: skip
    return figure
