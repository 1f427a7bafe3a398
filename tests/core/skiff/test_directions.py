"""What ``evaluate --what directions`` writes: its card from figures and reports, its probes, and what counts as a fluent refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.families import registry
from core.skiff.evaluate import directions_card as cards
from core.skiff.evaluate import measure_directions
from core.skiff.evaluate.directions_card import PROBES, REFUSAL, TRUTH, directions_card
from core.skiff.evaluate.subjects import Subjects
from core.training.card_figures import Figure, count, repeated, target_at_least, target_at_most
from core.transfer import report as transfers
from core.transfer import task
from tests.core.transfer.test_checks import report
from tests.support.command import read


def test_the_card_holds_every_figure_with_its_interval_and_what_falls_short() -> None:
    figures = [
        count(
            PROBES,
            "truth probe, category left out",
            "base",
            [True] * 90 + [False] * 10,
            target_at_least(0.85),
            note="layer 4",
        ),
        count(REFUSAL, "ablated, harmful requests: refused", "dpo", [True] * 50 + [False] * 50, target_at_most(0.1)),
        repeated(TRUTH, "20 directions, shuffled: verdicts turned", "dpo", [0.1, 0.2, 0.3]),
        repeated(TRUTH, "truth of base: part of P(TRUE) + P(FALSE) left", "dpo", [0.7], target_at_least(0.8)),
        Figure(TRUTH, "truth of base, true to false: verdict turned", "dpo", 5, 9, target_at_least(0.6)),
    ]
    reports = {"truth": report("truth", 0.9, 93, 95), "refusal": report("refusal", 0.3, 30, 95)}
    card = directions_card("Skiff", figures, reports)
    for line in (
        "| truth probe, category left out (layer 4) | base | 0.900 | 0.83–0.94 | 100 | ≥ .85 ✓ |",
        "| ablated, harmful requests: refused | dpo | 0.500 | 0.40–0.60 | 100 | ≤ .10 ✗ |",
        "| 20 directions, shuffled: verdicts turned | dpo | 0.200 | 0.11–0.29 | 3 |  |",
        "**The truth direction is similar and transfers (base, post): holds**",
        "**The refusal direction differs and transfers forward only in part (base, post): holds**",
        "## Where it falls short",
    ):
        assert line in card
    short = card.partition("## Where it falls short")[2]
    assert "[dpo]: 0.500, aim ≤ .10. One direction" in short
    assert "[dpo]: 0.556, aim ≥ .60. The interval (0.27–0.81) holds the aim" in short
    assert "truth probe" not in short
    assert "cos 0.90 of 1.00, null 0.10<br>probe" in card
    assert "Where it falls short" not in directions_card("Skiff", figures[:1], reports)


def test_the_card_tells_what_maps_from_another_family_explain_and_what_their_directions_do() -> None:
    own = report("refusal", 0.3, 30, 95)
    details = {**own.card.details, "other": "small", "sources": ["base", "post", "small/post"]}
    cells = [cell for cell in details["cells"] if cell["source"] == "base"]
    details["cells"] = [*details["cells"], *({**cell, "source": "small/post"} for cell in cells)]
    details["maps"] = {"small/post>post": {"r2": [0.91, 0.7], "from_layers": [0, 1], "methods": ["ridge", "ridge"]}}
    mapped = replace(own, card=replace(own.card, details=details))
    card = directions_card("Skiff", [], {}, [mapped])
    part = card.partition("## Carrying refusal from small")[2]
    assert "- small/post → post: 0.91, 0.70 (ridge)" in part
    rows = [line for line in part.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == ["| from ↓ to →", "| small/post"], "one's own are told above"
    assert "cos 0.30 of 1.00" in rows[1]


def test_what_was_carried_from_a_family_that_is_not_there_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    skiff = registry.load_family("skiff")
    shipped = transfers.there(skiff)
    monkeypatch.setattr(transfers, "there", lambda _family: (*shipped, ("truth", "nowhere")))
    found = measure_directions._mapped(Subjects(skiff))
    assert {(each.kind, each.other) for each in found} == {("truth", "skiff-small"), ("refusal", "skiff-small")}
    assert "truth from nowhere is left out of the card: There is no family 'nowhere'" in capsys.readouterr().out
    monkeypatch.setattr(task, "TRANSFER_VERSION", task.TRANSFER_VERSION + 1)
    assert measure_directions._mapped(Subjects(skiff)) == []
    assert "run `python launch.py transfer --from skiff-small` again" in capsys.readouterr().out


def test_a_probe_is_judged_on_the_category_that_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([True, False] * 30)
    categories = np.repeat(np.array(["a", "b", "c"]), 20)
    # In the first two categories truth lies along the first axis, in the third along it reversed.
    sign = np.where(categories == "c", -1.0, 1.0)
    states = np.stack([np.where(labels, 1.0, -1.0) * sign, rng.standard_normal(60) / 10], axis=1)
    found = measure_directions._left_out(states, labels, categories, labels, {"c": None})
    assert found == [False] * 20
    assert (
        measure_directions._left_out(states[:40], labels[:40], categories[:40], labels[:40], {"b": None}) == [True] * 20
    )


def test_what_the_command_takes() -> None:
    assert read(["evaluate", "--what", "directions"]).options.what == "directions"
    assert read(["evaluate"]).options.what is None


def test_what_ablation_misses_is_explained_by_what_else_was_measured() -> None:
    refused = count(
        REFUSAL, "ablated, harmful requests: refused", "dpo", [True] * 50 + [False] * 50, target_at_most(0.1)
    )
    answered = count(REFUSAL, "ablated, harmful requests: answered", "dpo", [False] * 100, target_at_least(0.8))
    unknown = count(REFUSAL, cards.DOES_NOT_KNOW, "dpo", [True] * 99 + [False])
    last = count(REFUSAL, f"{cards.LAST_LAYER}, harmful requests: refused", "dpo", [True] * 2 + [False] * 98)
    short = directions_card("Skiff", [refused, answered, unknown, last], {}).partition("## Where it falls short")[2]
    assert "The vector of the last layer leaves 0.02;" in short
    assert "as 0.99 of the replies to harmless requests" in short
    generic = directions_card("Skiff", [refused, answered], {}).partition("## Where it falls short")[2]
    assert generic.count("One direction at one layer") == 2
    worse = count(REFUSAL, last.name, "dpo", [True] * 60 + [False] * 40)
    assert "One direction at one layer" in directions_card("Skiff", [refused, worse], {})


@pytest.mark.parametrize(("rate", "sense"), [(0.5, target_at_least(0.6)), (0.2, target_at_most(0.1))])
def test_every_section_has_a_reason_for_what_it_misses(rate: float, sense: object) -> None:
    for section in (PROBES, TRUTH, REFUSAL):
        figure = replace(repeated(section, "x", "dpo", [rate]), target=sense)  # type: ignore[arg-type]
        assert cards._reason(figure, []).endswith(".")
