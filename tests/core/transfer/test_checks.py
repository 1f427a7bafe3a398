"""The two findings as checks: what a report has to say for each of the three verdicts; rates and their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artefacts.store import Card
from core.transfer import checks
from core.transfer.report import TransferReport


def report(
    about: str, cosine: float, elsewhere: int, own: int, n: int = 100, ceiling: float = 1.0, spread: float = 0.02
) -> TransferReport:
    """A report on a base and one descendant, in which what comes from elsewhere does ``elsewhere`` of ``n``, one's own ``own``."""
    cells: list[dict[str, Any]] = []
    for source in ("base", "post"):
        for target in ("base", "post"):
            hits = own if source == target else elsewhere
            pushed = {"nie": [0.5, 0.5], "down": [hits, n], "up": [hits, n], "mass": [1.0, 1.0]}
            cell: dict[str, Any] = {
                "source": source,
                "target": target,
                "layer": 1,
                "winsorised": cosine,
                "ceiling": ceiling,
            }
            cell |= {"cosine": 1.0 if source == target else cosine, "interval": [cosine - spread, cosine + spread]}
            cell |= {
                "null": 0.1,
                "shared": None,
                "shared_interval": None,
                "probe": [hits, n],
                "recentred": [hits, n],
                "recipes": {},
            }
            if about == "truth":
                cell["pushed"] = {"norm": pushed}
            else:
                cell["added"] = {"norm": {"refuses": hits, "answers": n - hits}}
                cell["ablated"] = {"refuses": n - hits, "answers": hits}
            cells.append(cell)
    of_target = {
        "layer": 1,
        "strength": 1.0,
        "own_accuracy": {},
        "plain": {},
        "controls": {"shuffled": [0.1] * 20},
        "control_n": 24,
    }
    details = {
        "about": about, "sources": ["base", "post"], "targets": ["base", "post"], "cells": cells,
        "of_targets": dict.fromkeys(("base", "post"), of_target), "parents": {"base": None, "post": "base"},
    }  # fmt: skip
    return TransferReport(
        Card(Path("x"), "transfer", about, "f", "shared", details), {"cosine": np.zeros((2, 2, 3), np.float32)}
    )


@pytest.mark.parametrize(
    ("about", "cosine", "elsewhere", "own", "n", "verdict"),
    [
        ("truth", 0.9, 93, 95, 100, "holds"),
        ("truth", 0.3, 93, 95, 100, "does not hold"),
        ("truth", 0.9, 20, 95, 100, "does not hold"),
        ("truth", 0.9, 9, 10, 10, "inconclusive"),
        ("refusal", 0.3, 30, 95, 100, "holds"),
        ("refusal", 0.95, 30, 95, 100, "does not hold"),
        ("refusal", 0.3, 95, 95, 100, "does not hold"),
        ("refusal", 0.3, 7, 9, 10, "inconclusive"),
    ],
)
def test_a_finding_holds_does_not_or_is_inconclusive(
    about: str, cosine: float, elsewhere: int, own: int, n: int, verdict: str
) -> None:
    (check,) = checks.checks(report(about, cosine, elsewhere, own, n))
    assert check.verdict == verdict
    assert (check.base, check.post) == ("base", "post")
    assert str(check).endswith(verdict)
    assert all(part.threshold in str(part) for part in check.parts)


def test_a_cosine_is_judged_by_its_ceiling() -> None:
    (check,) = checks.checks(report("truth", 0.5, 95, 95, ceiling=0.6))
    assert check.parts[0].value == pytest.approx(0.5 / 0.6)
    assert check.parts[0].verdict == "holds"
    (check,) = checks.checks(report("truth", 0.1, 95, 95, ceiling=0.2))
    assert check.parts[0].verdict == check.verdict == "inconclusive"


def test_a_direction_that_does_no_more_than_controls_transfers_nothing() -> None:
    (check,) = checks.checks(report("truth", 0.9, 2, 2, n=400))
    above = [part for part in check.parts if "controls" in part.what]
    assert [part.verdict for part in above] == ["does not hold", "does not hold"]
