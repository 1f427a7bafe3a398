"""Two drawings of a checkpoint's confidence: its neurons, and how often it is right against how sure it is. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.confidence.confidence import Confidence
from core.display.palette import stage_hue
from core.display.svg import DASHES, MARK, MARKS, PALE, SHEET, Axis, Plot
from core.util.figures import digits_text, figure_text

#: The line of those that are as sure as they are right; grey is pretraining's.
_EVEN = "#1a1a1a"


def neuron_plot(of: Confidence, size: tuple[int, int] = SHEET) -> str:
    """Norm × LogitVar of the last blocks' neurons: a mark a block, and of its candidates the same one, larger and in colour."""
    norms = [float(each) for block in of.blocks for each in block.norms]
    variances = [float(each) for block in of.blocks for each in block.variances if each > 0]
    across = Axis("norm of the output weights", min(norms) * 0.98, max(norms) * 1.02)
    plot = Plot(
        f"{of.checkpoint}: MLP neurons of the last blocks",
        across,
        Axis("LogitVar", min(variances, default=1e-9) / 1.5, max(variances, default=1.0) * 1.5, log=True),
        size=size,
    )
    for place, block in enumerate(of.blocks):
        chosen, mark = set(block.candidates), tuple(MARKS)[place % len(MARKS)]
        for neuron, (norm, variance) in enumerate(zip(block.norms, block.variances, strict=True)):
            if variance <= 0:
                continue
            said = (
                f"block {block.layer}, neuron {neuron}: norm {figure_text(norm, 3)}, LogitVar {digits_text(variance)}"
            )
            if neuron not in chosen:
                plot.sign(norm, variance, said, PALE, mark, 0.6)
        for neuron in chosen:
            norm, variance = float(block.norms[neuron]), float(block.variances[neuron])
            if variance > 0:
                said = f"candidate: block {block.layer}, neuron {neuron}: norm {figure_text(norm, 3)}, LogitVar {digits_text(variance)}"
                plot.sign(norm, variance, said, MARK, mark, 1.2)
        plot.legend += [(f"block {block.layer}", PALE, mark), (f"its {len(chosen)} candidates", MARK, mark)]
    return plot.svg()


def reliability_plot(every: Sequence[Confidence], size: tuple[int, int] = SHEET) -> str:
    """How often checkpoints are right against how sure they are, with 95 % intervals; calibrated ones lie on the dashed line."""
    plot = Plot("Calibration", Axis("how sure", 0.5, 1.0), Axis("right", 0.0, 1.0), size=size)
    plot.line([(0.5, 0.5), (1.0, 1.0)], _EVEN, "5 4", "as sure as right")
    plot.legend.append(("as sure as right", _EVEN, "╌"))
    for place, of in enumerate(every):
        colour, mark = stage_hue(of.place), tuple(MARKS)[place % len(MARKS)]
        shift = 0.002 * (place - (len(every) - 1) / 2)
        bins = of.calibration.bins
        dash = DASHES[place % len(DASHES)]
        plot.line([(each.sure + shift, each.right) for each in bins], colour, dash, of.checkpoint)
        for each in bins:
            plot.bar(each.sure + shift, *each.interval, colour)
            said = f"{of.checkpoint}: {each.n} answers, {figure_text(each.sure, 3)} sure, {figure_text(each.right, 3)} right"
            plot.sign(each.sure + shift, each.right, said, colour, mark, 0.6 + min(1.2, math.sqrt(each.n) / 12))
        plot.legend.append((f"{of.checkpoint}, ECE {figure_text(of.calibration.ece.value, 3)}", colour, mark))
    return plot.svg()
