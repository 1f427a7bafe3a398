"""What was measured of confidence comes to: whether a checkpoint is as sure as it is right, and whether neurons regulate it. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from core.confidence.compare import exist
from core.confidence.confidence import Confidence
from core.stats.verdicts import DOES_NOT, HOLDS


def confidence_conclusion(every: Sequence[Confidence]) -> str:
    """A sentence on how sure the last of some checkpoints is, beside the first, and one on its entropy neurons; empty of none."""
    return f"{calibration_conclusion(every)} {neuron_conclusion(every)}".strip()


def calibration_conclusion(every: Sequence[Confidence]) -> str:
    """How sure the last of some checkpoints is, and how often it is right, beside the first; empty of none."""
    if not every:
        return ""
    base = f" ({every[0].checkpoint}: {_figures(every[0])})" if len(every) > 1 else ""
    return f"{every[-1].checkpoint} {_sure(every[-1])}: {_figures(every[-1])}{base}."


def neuron_conclusion(every: Sequence[Confidence]) -> str:
    """Whether the last of some checkpoints has neurons that regulate how sure it is; empty of none."""
    return _neurons(every[-1]) if every else ""


def _sure(of: Confidence) -> str:
    own = of.calibration
    if own.ece.value <= own.by_chance[1]:
        return "is about as sure as it is right"
    return "is surer than it is right" if own.sureness > own.accuracy else "is less sure than it is right"


def _figures(of: Confidence) -> str:
    own = of.calibration
    return f"{round(100 * own.sureness)} % sure on average, right in {int(own.right.sum())} of {own.n} judgements"


def _neurons(of: Confidence) -> str:
    verdict, count = exist(of), f"{sum(of.found)} of {len(of.found)} candidates"
    chance = f"{sum(of.found_by_chance)} of {len(of.found_by_chance)} other neurons"
    if verdict.state == HOLDS:
        return f"It has neurons that regulate this: {count} pass the check, {chance} do."
    if verdict.state == DOES_NOT:
        return f"No neurons that regulate this were found: {count} pass the check, {chance} do."
    return f"Whether it has neurons that regulate this cannot be told: {count} pass the check, {chance} do."
