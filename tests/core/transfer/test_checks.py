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
            cell["freed"] = [cosine / ceiling, (cosine - spread) / ceiling, (cosine + spread) / ceiling]
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
        "controls": {"shuffled": [0.1] * 100, "isotropic": [0.05] * 100},
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


def test_a_cosine_is_judged_freed_of_noise() -> None:
    (check,) = checks.checks(report("truth", 0.5, 95, 95, ceiling=0.6))
    assert check.parts[0].value == pytest.approx(0.5 / 0.6)
    assert check.parts[0].verdict == "holds"
    assert "by crossed halves" in str(check.parts[0])
    (check,) = checks.checks(report("truth", 0.1, 95, 95, ceiling=0.2))
    assert check.parts[0].verdict == check.verdict == "inconclusive"


def test_a_report_of_an_earlier_version_says_nothing_of_the_cosine_and_names_the_unpaired_interval() -> None:
    earlier = report("truth", 0.9, 93, 95)
    for cell in earlier.card.details["cells"]:
        del cell["freed"]
    (check,) = checks.checks(earlier)
    assert check.parts[0].verdict == check.verdict == "inconclusive"
    assert "measure it again" in str(check.parts[0])
    assert checks.BY_RATES in str(check.parts[1])


def test_pairs_are_compared_as_pairs() -> None:
    paired = report("truth", 0.9, 85, 95, n=50)
    for cell in paired.card.details["cells"]:
        if cell["source"] != cell["target"]:
            cell["recentred_less"] = cell["pushed"]["norm"]["less"] = [-0.1, -0.14, -0.06]
    (check,) = checks.checks(paired)
    as_well = [part for part in check.parts if "less" in part.what or "other's" in part.what]
    assert {part.verdict for part in as_well} == {"holds"}
    assert {part.test for part in as_well} == {checks.BY_PAIRS}


def controlled(own: float, along: float = 0.1, count: int = 100) -> checks.ClaimPart:
    """The part on controls where the base's direction turns ``own`` and controls from 0 to 1 in even steps."""
    steered = report("truth", 0.9, 90, 95)
    steps = [place / count for place in range(count)]
    known = {"controls": {"shuffled": [1.0] * count, "isotropic": steps, "spread": steps}}
    known |= {"compared": {"base": own, "post": own}, "along": {"shuffled": along, "isotropic": 0.05, "spread": 0.2}}
    details = steered.card.details
    details["of_targets"] = {name: {**each, **known} for name, each in details["of_targets"].items()}
    return next(part for part in checks.checks(steered)[0].parts if "controls" in part.what)


def test_controls_are_compared_by_rank_and_each_direction_counts_once() -> None:
    assert controlled(0.99).value == pytest.approx(1.0), "every direction from shuffled labels does more"
    above = controlled(0.99, along=0.7)
    assert above.value == pytest.approx(2 / 101)
    assert above.verdict == "holds"
    assert "lie along its own and decide nothing" in above.test
    assert controlled(0.8, along=0.7).verdict == "inconclusive"
    assert controlled(0.3, along=0.7).verdict == "does not hold"
    few = controlled(2.0, along=0.7, count=10)
    assert few.verdict == "inconclusive"
    assert "so few cannot reach p ≤ 0.05" in few.test
