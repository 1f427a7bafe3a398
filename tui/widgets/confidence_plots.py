"""The scatter of neurons and the reliability diagram as plotext draws them: marks tell what is what, colours where there are some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content

from core.display.palette import OKABE_ITO
from core.util.figures import percent_text

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    from core.confidence.confidence import Confidence

#: The cells of what stands behind a line of :func:`sureness`.
_FIGURES = len("   ○ right 100 %  ● sure 100 %")
_MARKS = ("·", "+", "x", "*")
_CANDIDATE = "◆"
#: Blocks and checkpoints in turn; candidates have their own.
_COLOURS = (OKABE_ITO[1], OKABE_ITO[2], OKABE_ITO[6], OKABE_ITO[0])
_MARKED = OKABE_ITO[5]


def sureness(every: Sequence[Confidence], width: int) -> Content:
    """A line for each checkpoint from none to all of its judgements: how many are right, and how sure of them it is on average."""
    name = max(len(of.checkpoint) for of in every)
    line = max(10, width - name - _FIGURES)
    rows = []
    for of in every:
        own = of.calibration
        right, sure = (round(part * (line - 1)) for part in (own.accuracy, own.sureness))
        marks = ["─"] * line
        marks[right], marks[sure] = "○", "●"
        said = f"  ○ right {percent_text(own.accuracy)}  ● sure {percent_text(own.sureness)}"
        rows.append(Content.assemble(f"{of.checkpoint:<{name}} ", ("".join(marks), "$text-accent"), (said, "$quiet")))
    return Content("\n").join(rows)


def scatter(of: Confidence, width: int, height: int, glyphs: bool) -> Content:
    """Norm × LogitVar of the last blocks' neurons."""

    def draw(plot: ModuleType) -> None:
        for place, block in enumerate(of.blocks):
            chosen = set(block.candidates)
            rest = [
                neuron for neuron in range(len(block.norms)) if neuron not in chosen and block.variances[neuron] > 0
            ]
            _points(
                plot, block.norms, block.variances, rest, _MARKS[place % 4], f"block {block.layer}", _COLOURS[place % 4]
            )
        for place, block in enumerate(of.blocks):
            known = [neuron for neuron in block.candidates if block.variances[neuron] > 0]
            _points(plot, block.norms, block.variances, known, _CANDIDATE, "" if place else "candidates", _MARKED)
        plot.yscale("log")
        plot.title(f"{of.checkpoint}: MLP neurons, norm × LogitVar")

    return _drawn(draw, width, height, glyphs)


def reliability(every: Sequence[Confidence], width: int, height: int, glyphs: bool) -> Content:
    """How often checkpoints are right against how sure they are."""

    def draw(plot: ModuleType) -> None:
        steps = [0.5 + 0.01 * step for step in range(51)]
        plot.plot(steps, steps, marker=".", label="as sure as right")
        for place, of in enumerate(every):
            bins = of.calibration.bins
            plot.scatter(
                [each.sure for each in bins],
                [each.right for each in bins],
                marker=of.checkpoint[:1].upper() or "o",
                label=f"{of.checkpoint}, ECE {of.calibration.ece.value:.3f}",
                color=_rgb(_COLOURS[place % 4]),
            )
        plot.xlim(0.5, 1)
        plot.ylim(0, 1)
        plot.title("calibration: how sure × right")

    return _drawn(draw, width, height, glyphs)


def _points(
    plot: ModuleType, across: NDArray[float64], up: NDArray[float64], chosen: Sequence[int], mark: str, label: str, colour: str
) -> None:  # fmt: skip
    if chosen:
        x, y = [float(across[each]) for each in chosen], [float(up[each]) for each in chosen]
        plot.scatter(x, y, marker=mark, label=label or None, color=_rgb(colour))


def _drawn(draw: Callable[[ModuleType], None], width: int, height: int, glyphs: bool) -> Content:
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(max(30, width), height)
    draw(plotext)
    text = Text.from_ansi(plotext.uncolorize(plotext.build()) if glyphs else plotext.build())
    return Content.from_rich_text(text)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
