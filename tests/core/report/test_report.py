"""The report: verdicts follow from the figures, controls are judged alike, and the page needs nothing but itself."""

from __future__ import annotations

import csv
import io
import math
import re
from base64 import b64decode
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artefacts import store
from core.artefacts.store import Card
from core.cli import report as reporting
from core.confidence import measure
from core.confidence.compare import CheckpointPair
from core.confidence.plots import neuron_plot, reliability_plot
from core.directions.contrast import ContrastItem
from core.display import svg
from core.errors import TillerError
from core.families import registry
from core.knowledge import map_statistics
from core.knowledge.maps import Comparison, Map, MapRequest, Traced
from core.report import confidence, directions, knowledge, pages, report, truth_probe
from core.report.report import Finding, PairReport, ReportError, unmeasured
from core.report.truth_probe import Probe
from core.skiff.data.reader import DATA
from core.stats.rates import Rate
from core.stats.similarity import Similarity
from core.stats.verdicts import DOES_NOT, HOLDS, INCONCLUSIVE
from core.transfer.report import TransferReport as Transferred
from core.util.table import Table
from tests.core.confidence.test_confidence import made
from tests.support import tiny_models
from tests.support.command import read, verb

# ------------------------------------------------------------------------------------------------------------------ truth


def items(each: int = 100) -> list[ContrastItem]:
    """Statements of two categories a split, half of them true."""
    return [
        ContrastItem(f"{split} {category} {index}", index % 2 == 0, f"{split}{category}", split)
        for split in ("train", "validation", "test")
        for category in "ab"
        for index in range(each)
    ]


def states(truth: bool) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Five layers; where ``truth`` is there, layers 2 and 3 have it along one coordinate."""
    rng = np.random.default_rng(0)
    found = rng.normal(size=(len(items()), 5, 16)).astype(np.float32)
    if truth:
        found[:, 2:4, 3] += np.array([4.0 if item.positive else -4.0 for item in items()])[:, None]
    return found


def test_a_probe_finds_truth_where_it_is_and_shuffled_labels_do_not() -> None:
    found = truth_probe.probe_figures_of("base", states(True), items())
    assert found.layer in (2, 3)
    assert (found.rate.hits, found.rate.n) == (200, 200)
    assert found.p < 0.01
    assert directions._reads(found).state == HOLDS
    assert directions._reads_shuffled(found).state == DOES_NOT
    assert 80 < found.control.hits < 120
    nothing = truth_probe.probe_figures_of("base-unlabelled", states(False), items())
    assert directions._reads(nothing).state == DOES_NOT


def transferred(about: str, other: int, cosine: float, null: float = 0.05) -> Transferred:
    """A report on two checkpoints: ``other`` of 100 verdicts (requests) turn by the other's direction, 80 by one's own."""

    def cell(source: str, target: str) -> dict[str, Any]:
        hits = 80 if source == target else other
        at = 1.0 if source == target else cosine
        found: dict[str, Any] = {
            "source": source, "target": target, "layer": 1, "cosine": at, "winsorised": at, "ceiling": 0.95, "null": null,
            "interval": [at - 0.03, at + 0.03], "freed": [at / 0.95, at / 0.95 - 0.03, at / 0.95 + 0.03],
            "shared": None, "shared_interval": None, "probe": [hits, 100],
            "recentred": [hits, 100], "recipes": {"norm": "1*truth"},
        }  # fmt: skip
        if about == "truth":
            one = [hits // 2, 50]
            found["pushed"] = {"norm": {"nie": [0.8, 0.8], "down": one, "up": one, "mass": [0.9, 0.9]}}
        else:
            found["added"] = {"norm": {"refuses": hits, "answers": 100 - hits}}
            found["ablated"] = {"refuses": 100 - hits, "answers": hits}
        return found

    names = ("base", "chat")
    controls = {"shuffled": [0.02] * 100, "isotropic": [0.0] * 100}
    if about == "refusal":
        controls = {f"added {name}": rates for name, rates in controls.items()}
    target = {
        "layer": 1,
        "strength": 1.0,
        "own_accuracy": {},
        "plain": {"harmless": {"answers": 100}, "harmful": {"refuses": 100}},
    }
    details = {
        "about": about, "sources": list(names), "targets": list(names), "parents": {"base": None, "chat": "base"}, "final": "chat",
        "cells": [cell(source, target) for source in names for target in names],
        "of_targets": {name: {**target, "controls": controls, "control_n": 20} for name in names},
    }  # fmt: skip
    card = Card(Path("transfer.safetensors"), "transfer", about, "tiny", "shared", details)
    profiles = {
        name: np.full((2, 2, 4), value, np.float32)
        for name, value in (("cosine", cosine), ("ceiling", 0.95), ("null", 0.05))
    }
    return Transferred(card, profiles)


def probes(hits: int = 95) -> list[Probe]:
    return [Probe(name, 2, Rate(hits, 100), tuple(range(41, 61))) for name in ("base", "chat")]


def test_truth_holds_where_the_directions_are_alike_and_work_on_each_other() -> None:
    unlabelled = Probe("base-unlabelled", 1, Rate(52, 100), tuple(range(41, 61)))
    found = directions.truth(transferred("truth", 78, 0.9), "chat", probes(), [unlabelled])
    assert found.verdict.state == HOLDS
    assert [each.state for each in found.controls] == [DOES_NOT] * 5
    assert [each.claim for each in found.parts[2:5]] == [
        "Cosine of the directions of base and chat, as a part of its ceiling.",
        "The directions of base and chat are more alike than with directions from shuffled labels.",
        "On chat, probe accuracy: with the direction of base less with its own.",
    ]
    assert "cosine 0.90, ceiling 0.95, null 0.05" in found.parts[2].figures
    assert not found.warnings
    apart = directions.truth(transferred("truth", 10, 0.2), "chat", probes(), [unlabelled])
    assert apart.verdict.state == DOES_NOT
    assert apart.decided_by.startswith("Cosine of the directions of base and chat"), "the first part that does not"
    like_chance = transferred("truth", 78, 0.9, null=0.92)
    assert directions.truth(like_chance, "chat", probes(), []).verdict.state == INCONCLUSIVE


def test_a_control_that_passes_is_said() -> None:
    leaky = Probe("base-unlabelled", 1, Rate(95, 100), tuple(range(41, 61)))
    found = directions.truth(transferred("truth", 78, 0.9), "chat", probes(), [leaky])
    assert found.warnings
    assert "base-unlabelled" in found.warnings[0]


def card(*steadiness: float) -> Card:
    """A direction that says how like itself it is when it is learnt again, or does not say."""
    told = {"steadiness": {"cosine": steadiness[0], "interval": list(steadiness[1:])}} if steadiness else {}
    return Card(Path("direction.refusal.safetensors"), "direction", "refusal", "tiny", "chat", told)


def test_refusal_holds_where_the_directions_differ_and_transfer_in_part() -> None:
    found = directions.refusal_finding(transferred("refusal", 20, 0.3), "chat", [card(0.98, 0.96, 0.99), card()])
    assert found.verdict.state == HOLDS
    assert [each.state for each in found.controls] == [DOES_NOT] * 3
    assert not found.warnings
    assert directions.refusal_finding(transferred("refusal", 80, 0.95), "chat", []).verdict.state == DOES_NOT
    noise = directions.refusal_finding(transferred("refusal", 20, 0.3), "chat", [card(0.4, 0.2, 0.6)])
    assert "differs from itself" in noise.warnings[0]
    assert any("refuses 0.80" in cell for table in found.tables for row in table.rows for cell in row)


# -------------------------------------------------------------------------------------------------------------- knowledge


def traced(
    r: float = 0.93, half: float = 0.03, null: float | None = 0.3, halves: tuple[float, float] | None = (0.95, 0.95),
    moved: float = 0.0, sure: float = 0.05, right: int = 80, profile: bool = False,
) -> Traced:  # fmt: skip
    """Maps of two checkpoints over five layers and six roles, which agree but for one cell that ``moved``.

    The effect sits in a few cells of their own; with ``profile`` every layer does the same at every role.
    """
    cells = np.zeros((5, 6))
    if profile:
        cells += np.linspace(0, 1, 5)[:, None]
    else:
        cells[1, 1] = cells[2, 1] = cells[3, 4] = cells[4, 5] = 1.0
    other = cells.copy()
    other[0, 0] += moved
    names = tuple("abcdef")
    maps = tuple(
        Map(name, name, names, map_statistics.cells(values), None, 20)
        for name, values in (("base", cells), ("chat", other))
    )
    width = map_statistics.cells(np.full(cells.shape, sure))
    difference = replace(maps[1], cells=map_statistics.cells(other - cells), half=width, minus="base")
    above = None if null is None else (r - null, r - null - half, r - null + half)
    freed = (
        Similarity(*((each / math.sqrt(halves[0] * halves[1])) for each in (r, r - half, r + half))) if halves else None
    )
    compared = Comparison(r, r - half, r + half, halves, null, "animals", (0, 0, moved, sure), 20, above, freed)
    order = MapRequest(("base", "chat"), set="cities", pairs=20)
    return Traced(order, (*maps, difference), compared, asked=100, right=right)


@pytest.mark.parametrize(
    ("found", "states"),
    [
        (traced(), (HOLDS, HOLDS, HOLDS, HOLDS)),
        (traced(right=10), (DOES_NOT, HOLDS, HOLDS, HOLDS)),
        (traced(null=0.92), (HOLDS, INCONCLUSIVE, HOLDS, HOLDS)),
        (traced(null=0.99), (HOLDS, DOES_NOT, HOLDS, HOLDS)),
        (traced(null=None), (HOLDS, INCONCLUSIVE, HOLDS, HOLDS)),
        (traced(r=0.7), (HOLDS, HOLDS, DOES_NOT, HOLDS)),
        (traced(r=0.85), (HOLDS, HOLDS, INCONCLUSIVE, HOLDS)),
        (traced(halves=None), (HOLDS, HOLDS, INCONCLUSIVE, HOLDS)),
        (traced(halves=(0.2, 0.2)), (HOLDS, HOLDS, INCONCLUSIVE, HOLDS)),
        (traced(moved=0.6), (HOLDS, HOLDS, HOLDS, DOES_NOT)),
        (traced(moved=-0.24), (HOLDS, HOLDS, HOLDS, INCONCLUSIVE)),
        (traced(sure=math.nan), (HOLDS, HOLDS, HOLDS, INCONCLUSIVE)),
    ],
    ids=[
        *("alike", "guessed", "like other categories", "less than other categories", "no null", "weak", "wide", "no halves"),
        *("halves apart", "one cell apart", "one cell perhaps", "too few pairs"),
    ],
)  # fmt: skip
def test_knowledge_is_judged_by_null_ceiling_and_the_cell_that_differs_most(
    found: Traced, states: tuple[str, ...]
) -> None:
    assert tuple(each.state for each in knowledge.knowledge_verdicts(found)) == states
    whole = knowledge.knowledge([found]).verdict.state
    assert whole == next((each for each in (DOES_NOT, INCONCLUSIVE) if each in states), HOLDS)


@pytest.mark.parametrize(
    ("part", "sure", "state"),
    [(0.9, 0.02, HOLDS), (0.5, 0.02, DOES_NOT), (0.75, 0.1, INCONCLUSIVE), (0.9, math.nan, INCONCLUSIVE)],
    ids=["works", "half", "perhaps", "too few pairs"],
)
def test_residuals_of_the_base_work_in_the_other_as_its_own_do(part: float, sure: float, state: str) -> None:
    found = traced()
    own = map_statistics.array(found.maps[1])
    half = map_statistics.cells(np.full(own.shape, sure))
    into = replace(found.maps[1], source="base", cells=map_statistics.cells(part * own), half=half)
    back = replace(found.maps[0], source="chat", cells=map_statistics.cells(0.1 * own), half=half)
    # A role that no pair has says nothing.
    both = replace(found, maps=(*found.maps[:2], back, into, found.maps[2]))
    value, low, high = knowledge.carried(both, into)
    assert value == pytest.approx(part)
    if sure == sure:
        # Four cells of effect 1, each uncertain by as much, and together at the most.
        assert (low, high) == pytest.approx((part - sure, part + sure))
    verdict = knowledge.knowledge_verdicts(both)[-1]
    assert (verdict.state, verdict.claim) == (state, "Residuals of base bring cities back in chat.")
    assert (
        f"chat → base 0.10 ({0.1 - sure:.2f} to {0.1 + sure:.2f})" in knowledge.knowledge([both]).tables[0].rows[0][-1]
    )


def test_maps_with_their_cells_dealt_anew_fail_unless_a_profile_is_all_there_is() -> None:
    roles, layers = knowledge.shuffled(traced())
    assert (roles.state, layers.state) == (DOES_NOT, DOES_NOT)
    roles, layers = knowledge.shuffled(traced(profile=True))
    assert roles.state == HOLDS, (
        "where every role does the same, dealing them anew changes nothing: the control says so"
    )
    assert layers.state == DOES_NOT
    found = knowledge.knowledge([traced(profile=True)])
    assert found.warnings
    assert found.failed == "1 of 2"
    assert "roles of its tokens" in found.warnings[0]


def test_a_base_that_was_never_taught_is_judged_by_the_same_parts() -> None:
    untraced = knowledge.not_traced("base-unlabelled", "cities", "judges none of 80 pairs rightly")
    guessing = knowledge.never_taught("base-unlabelled", traced(right=6, halves=None))
    assert (untraced.state, guessing.state) == (DOES_NOT, DOES_NOT)
    assert knowledge.never_taught("base-unlabelled", traced()).state == HOLDS, "it could have passed"
    found = knowledge.knowledge([traced()], [untraced, guessing])
    assert not found.warnings
    assert found.failed == "4 of 4"
    assert "<svg" in found.drawings[0].svg


# ------------------------------------------------------------------------------------------------------------ confidence


def test_confidence_holds_where_ablation_leaves_the_difference() -> None:
    base = made("base", 3.0, 0.0)
    for together, state in ((0.0, HOLDS), (0.5, DOES_NOT)):
        post = made("chat", 2.0, together, seed=1)
        found = confidence.confidence(CheckpointPair(base, post), [base, post])
        assert found.verdict.state == state
        assert not found.warnings
    same = made("chat", 3.0, 0.0, seed=1)
    assert confidence.confidence(CheckpointPair(base, same), [base, same]).verdict.state == INCONCLUSIVE


# --------------------------------------------------------------------------------------------------------------- the page


@cache
def whole() -> PairReport:
    base, post = made("base", 3.0, 0.0), made("chat", 2.0, 0.0, seed=1)
    findings: tuple[Finding, ...] = (
        knowledge.knowledge([traced(0.93)]),
        directions.truth(transferred("truth", 78, 0.9), "chat", probes(), []),
        unmeasured(*directions.REFUSAL, "How.", "There is no direction."),
        confidence.confidence(CheckpointPair(base, post), [base, post]),
    )
    return PairReport(
        "A <script> family", "base", "chat", ("First.", "Second."), findings, Table("Directions", ("a",), ()), "today"
    )


def test_the_page_needs_nothing_but_itself() -> None:
    page = pages.html(whole())
    outside = re.findall(r'(?:src|href)="(?!data:)[^"]*"|url\([^)]*\)|@import|<script|<link|<img', page)
    assert outside == []
    assert set(re.findall(r"https?://[^\s\"<]+", page)) == {"http://www.w3.org/2000/svg"}, (
        "a name, nothing that is fetched"
    )
    assert "A &lt;script&gt; family" in page
    assert page.count("<section") == 4
    assert page.count("<svg") >= 6
    assert page.index("First.") < page.index("The four findings") < page.index("finding-1")
    assert "inconclusive</span>: There is no direction" in page


def test_markdown_says_the_same() -> None:
    text = pages.markdown(whole())
    for each in whole().findings:
        assert f"## {each.number}. {each.title}" in text
        assert f"Verdict: **{each.verdict.state}**: {each.decided_by or each.verdict.reason}" in text
        assert each.methods in text
    assert "Controls, which are meant to fail" in text
    assert [row[3] for row in whole().summary.rows] == [HOLDS, HOLDS, INCONCLUSIVE, HOLDS]
    assert whole().summary.rows[2][4] == "There is no direction"


def test_every_plot_is_in_the_page_as_files() -> None:
    page = pages.html(whole())
    files = re.findall(r'<a download="([^"]+)" href="data:[^"]+;base64,([^"]+)"', page)
    drawn = [each for finding in whole().findings for each in finding.drawings]
    texts = {name: b64decode(text).decode() for name, text in files}
    assert texts == {f"{each.name}.svg": each.svg for each in drawn} | {f"{each.name}.csv": each.csv for each in drawn}
    assert len(files) == 2 * len(drawn)
    assert all(len(list(csv.reader(io.StringIO(each.csv)))) > 1 for each in drawn)
    layers = next(each for each in drawn if each.name == "truth-layers")
    assert layers.csv.splitlines()[0].startswith("layer,cosine,ceiling")
    assert len(layers.csv.splitlines()) == 1 + 4


def test_drawings_hold_their_numbers() -> None:
    shown = svg.forest_plot(
        "Checks",
        [
            svg.Interval("<cosine>", 0.9, 0.8, 0.95, 0.7, HOLDS),
            svg.Interval("none", math.nan, -math.inf, math.inf),
        ],
    )
    assert "&lt;cosine&gt;: 0.900 (0.800 to 0.950) holds" in shown
    assert "no number" in shown
    of = made("base", 3.0, 0.0)
    dots = neuron_plot(of)
    assert dots.count("<title>block") == 2 * 70
    assert dots.count("<title>candidate: block") == 20
    assert re.findall(r"([●■]) (block|its)", dots) == [(mark, of) for mark in "●■" for of in ("block", "its")], (
        "told apart not by colour alone"
    )
    assert "nan" not in svg.line_plot("Layers", "layer", "cosine", [("a", [0.1, math.nan, 0.9], "")])
    assert all("nan" not in each for each in (shown, dots, reliability_plot([of])))


# ------------------------------------------------------------------------------------------------------------ the command


def test_what_cannot_be_measured_stands_in_its_place_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.family(tmp_path / "pair", "llama")
    tiny_models.contrast(folder)
    tiny_models.facts(folder)
    for name in ("SETS", "MATCHED"):
        monkeypatch.setattr(measure, name, 4)
    out = tmp_path / "page.html"
    assert verb("report", ["--family", str(folder), "--out", str(out), "--pairs", "2", "--set", "cities"]) == 0
    said = capsys.readouterr().out
    assert str(out) in said
    page, text = out.read_text(encoding="utf-8"), out.with_suffix(".md").read_text(encoding="utf-8")
    assert "has no direction" in page
    assert "launch.py precompute" in page
    assert "Entropy-neuron candidates of base" in text
    assert "Random weights, for tests." in page, "a family that names no opening begins with its notes"
    described = (folder / "family.toml").read_text(encoding="utf-8")
    (folder / "family.toml").write_text(f'report_opening = "what.md"\n{described}', encoding="utf-8")
    (folder / "what.md").write_text("What it can\nprove: this.\n \n\nWhat it cannot: «that».\n", encoding="utf-8")
    maker = reporting.Maker(
        registry.load_family(str(folder)), read(["report", "--family", str(folder)]).options, lambda _: None
    )
    monkeypatch.setattr(maker, "_found", lambda head, methods, _make: unmeasured(*head, methods, "Not now."))
    assert maker.report().opening == ("What it can prove: this.", "What it cannot: «that».", report.SCOPE)
    with pytest.raises(TillerError, match="There is no set 'nosuch'"):
        reporting.Maker(maker.family, read(["report", "--set", "nosuch"]).options, lambda _: None)
    (folder / "what.md").write_bytes(b"\xff")
    with pytest.raises(TillerError, match=r"what\.md is not UTF-8; save it as UTF-8"):
        reporting.Maker(registry.load_family(str(folder)), maker.options, lambda _: None)


def test_a_report_for_which_the_time_was_up_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.family(tmp_path / "pair", "llama")
    tiny_models.contrast(folder)
    tiny_models.facts(folder)
    for name, value in (("SETS", 4), ("MATCHED", 4), ("ROUND", 1)):
        monkeypatch.setattr(measure, name, value)
    out = tmp_path / "page.html"
    arguments = ["--family", str(folder), "--out", str(out), "--pairs", "2", "--set", "cities"]
    assert verb("report", [*arguments, "--dry-run"]) == 0
    assert "by a trial of every part" in capsys.readouterr().out
    assert not out.exists()
    # A budget that is over at once leaves the least that can be told.
    assert verb("report", [*arguments, "--budget", "0.001s"]) == 0
    said = capsys.readouterr().out
    assert "the same command goes on from here" in said
    for name in ("base", "chat"):
        assert f"{name} is measured in part, on 1 of 4 texts and 2 of 8 questions" in said
    assert "Over 1 texts" in out.with_suffix(".md").read_text(encoding="utf-8")
    assert "measured in part" in out.read_text(encoding="utf-8")
    assert verb("report", arguments) == 0
    assert "Unfinished" not in capsys.readouterr().out
    assert "Over 4 texts" in out.with_suffix(".md").read_text(encoding="utf-8")


def test_skiffs_reports_begin_with_what_it_can_prove() -> None:
    for name in ("skiff", "skiff-small"):
        opening = registry.load_family(name).report_opening
        assert opening is not None
        text = (store.SHIPPED / name / "report.md").read_text(encoding="utf-8")
        can, cannot = reporting.paragraphs(text)
        assert can.startswith("What Skiff can prove: that the program measures what it says.")
        assert cannot.startswith("What Skiff cannot prove: anything about large language models.")
        assert text == (DATA / "report.md").read_text(encoding="utf-8"), "train-skiff writes another one"


def test_a_root_alone_and_a_bad_name_are_refused(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "alone", "llama", checkpoints=("base",))
    with pytest.raises(ReportError, match="nothing to compare"):
        verb("report", ["--family", str(folder)])
    with pytest.raises(Exception, match=r"ends in \.html or \.md"):
        verb("report", ["--family", str(folder), "--out", "page.pdf"])


def test_the_directions_of_a_pair_are_listed(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "cards", "llama")
    tiny_models.direction(
        folder, "base", "truth", held_out={"accuracy": 0.9, "interval": [0.8, 0.95], "n": 50}, best_of_many={"p": 0.001}
    )
    tiny_models.direction(folder, "chat", "refusal")
    table = report.directions(registry.load_family(str(folder)), ("base", "chat"))
    assert table.rows[0][4:7] == ("0.90 (0.80 to 0.95)", "50", "0.0010")
    assert table.rows[1][4:] == ("–", "–", "–", "–")


def test_the_probe_may_choose_every_layer_that_a_direction_may() -> None:
    """Of six layers the last fifth begins behind the fifth one, which learning may choose, too."""
    found = states(True)[:, [0, 0, 0, 1, 2, 4]]
    assert truth_probe.probe_figures_of("base", found, items()).layer == 4
