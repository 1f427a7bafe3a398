"""What a person takes away of a checkpoint's confidence: plots as SVG, figures as CSV, by the names of files. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from core import comparing, confidence_tables, verdicts
from core.comparing import Pair
from core.confidence import Confidence
from core.confidence_plots import reliability, scatter
from core.tabulated import Table
from core.verdicts import Verdict


def files(every: Sequence[Confidence]) -> dict[str, str]:
    """The texts of the files on the last of some checkpoints, the base first."""
    of = every[-1]
    found = {
        f"neurons.{of.checkpoint}.svg": scatter(of),
        "calibration.svg": reliability(every),
        f"neurons.{of.checkpoint}.csv": confidence_tables.scatter(of).csv(),
    }
    short = {"candidates": confidence_tables.candidates(of), "reliability": confidence_tables.reliability(of)}
    return {**found, **{f"{name}.{of.checkpoint}.csv": table.csv() for name, table in short.items()}}


def judged(every: Sequence[Confidence]) -> list[Verdict]:
    """What is judged of a base and a post-trained checkpoint, or of one alone. Raises ComparisonError."""
    if len(every) == 2:
        return list(confidence_tables.of_pair(Pair(every[0], every[1])))
    return [comparing.exist(each) for each in every]


def tables(every: Sequence[Confidence]) -> list[Table]:
    """Every table, the verdicts first; none where nothing is known. Raises ComparisonError."""
    if not every:
        return []
    found = [verdicts.table(judged(every))]
    if len(every) == 2:
        pair = Pair(every[0], every[1])
        found += [confidence_tables.difference(pair), confidence_tables.shared(pair)]
    found += [confidence_tables.candidates(each) for each in every]
    return [*found, confidence_tables.calibrations(every), *(confidence_tables.reliability(each) for each in every)]
