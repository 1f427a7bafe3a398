"""Quick, measured, full: what each finds out, what fits into a budget, and what is gone on with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.artefacts.direction import Direction, load_direction
from core.directions import controls, effort, learn, learn_truth, reply_rates
from core.directions.activations import ClassStates
from core.directions.effort import FULL, MEASURED, QUICK
from core.directions.places import BESIDE, Places
from core.engine.precompute import BUILDERS, BuildRequest
from core.families import registry
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.util import files
from core.util.budget import Budget
from core.util.progress import finished
from core.util.resume import ResumeNotes
from tests.support import tiny_models


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(controls, "CONTROLS", 2)
        patch.setattr(reply_rates, "REPLY_TOKENS", 4)
        yield


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tiny_models.family(tmp_path_factory.mktemp("effort") / "toy", "llama", ("chat",), plain_base=False)
    tiny_models.contrast(folder, examples=4)
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


@pytest.fixture
def order(loaded: Loaded, tmp_path: Path) -> BuildRequest:
    return BuildRequest(loaded.family, "chat", tmp_path / "vectors")


def learnt(order: BuildRequest, loaded: Loaded, kind: str) -> tuple[Direction, list[str]]:
    said = list(finished(BUILDERS[kind].run(order, loaded)))
    return load_direction(order.path(kind)), said


@pytest.mark.parametrize("kind", ["truth", "refusal"])
def test_quick_has_a_direction_and_nothing_that_was_not_measured(
    kind: str, order: BuildRequest, loaded: Loaded
) -> None:
    quick, said = learnt(replace(order, effort=QUICK), loaded, kind)
    full, _ = learnt(order, loaded, kind)
    details = quick.card.details
    assert details["effort"] == "quick"
    assert set(controls.CARD_PARTS) & set(details) == set()
    assert set(controls.CARD_PARTS) <= set(full.card.details)
    assert {"held_out", "best_of_many", "learnt_from", "layer_scores", "criterion"} <= set(details)
    assert effort.extent({**details, "best_of_many": {"p": 0.01}}) == "quick: not measured yet"
    chance = "quick: not measured yet; tells its examples apart no better than chance (p 0.49)"
    assert effort.extent({**details, "best_of_many": {"p": 0.49}}) == chance
    assert effort.extent(full.card.details) == ""
    assert said[-1].startswith(f"chat {kind}: quick, layer {quick.card.layer}, written to ")
    # With so few examples as here both learn from the same ones, so that the vectors are the same.
    at = quick.card.details["position"]["offset"] == full.card.details["position"]["offset"]
    assert not at or np.allclose(quick.vectors, full.vectors, rtol=1e-4, atol=1e-5)
    assert quick.gap(quick.card.layer) > 0


def test_a_quick_truth_is_one_that_breaks_nothing_where_that_does_something() -> None:
    def chosen(*rows: tuple[float, float, float]) -> int:
        tried = [
            {"layer": layer, "accuracy": accuracy, "effect": effect, "damage": damage}
            for layer, (accuracy, effect, damage) in enumerate(rows)
        ]
        return int(learn_truth._quick_choice(tried, 10, judged=24)["layer"])

    assert chosen((0.9, 0.2, 0.1), (0.9, 0.4, 0.1)) == 1
    # The larger effect breaks what it should leave alone.
    assert chosen((0.9, 0.3, 0.1), (0.9, 0.4, 0.9)) == 0
    # Nothing else does anything: that is said, and not hidden by a direction without an effect.
    assert chosen((0.9, 0.01, 0.0), (0.9, 0.4, 0.9)) == 1
    # On 24 examples three fewer tell nothing; ten fewer do.
    assert chosen((1.0, 0.01, 0.0), (0.92, 0.4, 0.1)) == 1
    assert chosen((1.0, 0.1, 0.0), (0.6, 0.4, 0.1)) == 0
    assert chosen((0.9, 0.1, 0.0), *[(0.5, 0.0, 0.0)] * 8, (0.9, 0.4, 0.0)) == 0, "the last fifth is left out"


def test_quick_says_beyond_which_strengths_text_breaks(
    order: BuildRequest, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    strengths: list[list[float]] = []

    def steer(_drafted: object, _loaded: object, strength: float, _layer: int) -> tuple[float]:
        return (strength,)

    def said(_loaded: object, jobs: list[tuple[list[int], tuple[float, ...]]], _most: int) -> Iterator[int]:
        yield 1
        strengths.append([edits[0] for _, edits in jobs if edits])
        broken = [edits and (edits[0] < -0.25 or edits[0] > 0.5) for _, edits in jobs]
        return [
            [("" if each else f"Answer {index}.", True) for index in range(len(p))]
            for each, (p, _) in zip(broken, jobs, strict=True)
        ]

    monkeypatch.setattr(reply_rates, "steer", steer)
    monkeypatch.setattr(reply_rates, "reply_texts", said)
    quick, _ = learnt(replace(order, effort=QUICK), loaded, "truth")
    assert strengths == [[-1.0, 1.0], [-0.5, 0.5], [-0.25]]
    assert quick.card.details["unbroken"] == {"against": 0.25, "along": 0.5}
    assert effort.extent(quick.card.details).endswith("; text breaks beyond −0.25 and beyond +0.5")
    assert effort.extent({"effort": "quick", "unbroken": {"against": 0.0, "along": 1.0}}).endswith(
        "; text breaks at −0.25 already"
    )
    assert effort.extent({"effort": "quick", "unbroken": {"against": 1.0, "along": 1.0}}) == "quick: not measured yet"


def test_quick_takes_a_part_of_what_full_takes(loaded: Loaded, order: BuildRequest) -> None:
    for kind in ("truth", "refusal"):
        costs = [
            learn.learn_cost(kind, loaded, order.contrast(kind), order.unrelated(), effort=each)
            for each in (QUICK, FULL)
        ]
        assert costs[0].tokens < costs[1].tokens / 2.5


def test_the_cost_of_quick_is_what_it_takes(loaded: Loaded, order: BuildRequest) -> None:
    given = ("refusal", loaded, order.contrast("refusal"), order.unrelated())
    steps = list[int]()
    finished(learn.learn_in_slices(*given, ResumeNotes(), effort=QUICK), lambda step: steps.append(step.tokens))
    assert sum(steps) == pytest.approx(learn.learn_cost(*given, effort=QUICK).tokens, rel=0.35)


def test_fewer_examples_are_taken_evenly(loaded: Loaded, order: BuildRequest) -> None:
    whole = order.contrast("truth")
    few = replace(QUICK, train=2, held=1).trimmed(whole)
    for split, count in (("train", 2), ("validation", 1), ("test", 1)):
        for label in (True, False):
            assert few.part(split, label) == whole.part(split, label, count)  # type: ignore[arg-type]
    assert few.digest == whole.digest
    assert FULL.trimmed(whole) is whole
    assert replace(QUICK, held=12).few([str(each) for each in range(24)]) == [str(each) for each in range(0, 24, 2)]


class Clock:
    """Time that passes by one at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_out_of_time_measured_keeps_what_it_has_and_goes_on(order: BuildRequest, loaded: Loaded) -> None:
    whole, _ = learnt(replace(order, effort=MEASURED), loaded, "truth")
    assert "unfinished" not in whole.card.details
    order = replace(order, effort=MEASURED, root=order.root / "other")
    parts = []
    for _ in range(20):
        found, said = learnt(replace(order, watch=Budget(4, Clock())), loaded, "truth")
        lacking = found.card.details.get("unfinished", [])
        assert set(controls.CARD_PARTS) - set(lacking) <= set(found.card.details)
        assert not set(lacking) & set(found.card.details)
        assert effort.suffices(found.card.details, MEASURED) == (not lacking)
        assert effort.suffices(found.card.details, QUICK)
        parts.append(len(lacking))
        if not lacking:
            break
        assert "The time is up; what is not measured yet (" in said[-2]
        assert effort.extent(found.card.details).startswith("measured in part; not yet: ")
        order = replace(order)
        if len(parts) > 1 and parts[-1] == parts[-2]:
            # What is there is remembered, and takes no time worth the name; here a look at the clock is all the time there is.
            found, _ = learnt(replace(order, watch=Budget(None)), loaded, "truth")
            break
    assert parts[0] > 0
    assert "unfinished" not in found.card.details
    assert {key: value for key, value in found.card.details.items() if key != "criterion"} == {
        key: value for key, value in whole.card.details.items() if key != "criterion"
    }
    assert not list(files.cache_folder().rglob("*.json")), "the notes are gone once all is measured"


def test_a_small_budget_tries_as_many_places_as_quick_and_all_that_were_tried_before(
    order: BuildRequest, loaded: Loaded
) -> None:
    def tried(seconds: float) -> tuple[int, int]:
        watch = Budget(seconds, Clock())
        found, _ = learnt(replace(order, effort=MEASURED, watch=watch), loaded, "refusal")
        said = re.search(r"\((\d+) of (\d+) layers and tokens tried\)", found.card.details["criterion"])
        assert said is not None
        assert "unfinished" in found.card.details, "what was tried is remembered"
        return int(said[1]), int(said[2])

    few, count = tried(0)
    assert few == (QUICK.candidates or 0) + BESIDE < count
    more, _ = tried(12)
    assert few < more < count
    # With no time at all the next run begins with what is remembered.
    assert tried(0) == (more, count)


def test_what_was_measured_of_another_place_is_not_taken_for_this_ones(
    order: BuildRequest, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More time may find a better layer, of which nothing is known yet."""
    place = 0
    monkeypatch.setattr(learn_truth.TruthLearner, "_choose", lambda _self, tried: (tried[place], "by the test"))
    first, _ = learnt(order, loaded, "truth")
    place = -1
    learnt(replace(order, root=order.root / "a", effort=MEASURED, watch=Budget(12, Clock())), loaded, "truth")
    place = 0
    again, _ = learnt(replace(order, root=order.root / "b"), loaded, "truth")
    assert again.card.layer == first.card.layer
    for part in ("dose_response", "tested", "controls"):
        assert again.card.details[part] == first.card.details[part], part


def test_what_counts_as_there(order: BuildRequest, loaded: Loaded) -> None:
    learnt(replace(order, effort=QUICK), loaded, "truth")
    there = BUILDERS["truth"].there
    for wanted, expected in ((QUICK, True), (MEASURED, False), (FULL, False)):
        assert there(replace(order, effort=wanted), loaded.fingerprint, "none") is expected
    learnt(order, loaded, "truth")
    for wanted in (QUICK, MEASURED, FULL):
        assert there(replace(order, effort=wanted), loaded.fingerprint, "none")
    # A card from before there were efforts says everything.
    assert effort.suffices({}, FULL)


def test_a_budget_stands_still_while_it_is_paused() -> None:
    ticks = iter([0.0, 5.0, 100.0, 101.0, 103.0, 110.0])
    watch = Budget(20.0, lambda: next(ticks))
    watch.pause()
    assert watch.spent == 5.0
    watch.go()
    assert watch.left == pytest.approx(14.0)
    assert not watch.over()
    assert watch.over(0.7)
    assert Budget().left is None


def _states(accuracy: np.ndarray, clear: np.ndarray) -> ClassStates:
    tokens, layers = accuracy.shape
    vectors = np.zeros((tokens, layers, 1))
    vectors[..., 0] = clear
    above = {}
    for split in ("validation", "test"):
        for label in (True, False):
            right = np.arange(10)[:, None, None] < (accuracy * 10).round()
            above[split, label] = (right if label else ~right).astype(float)
    return ClassStates(vectors, vectors, 0 * vectors, above, {}, np.ones((tokens, layers)))


def _order(places: Places, score: np.ndarray) -> list[tuple[int, int]]:
    tried: list[tuple[int, int, float]] = []
    while (at := places.following(tried)) is not None:
        tried.append((*at, float(score[at])))
    return [(offset, layer) for offset, layer, _ in tried]


def test_places_are_tried_coarse_to_fine() -> None:
    rng = np.random.default_rng(0)
    clear, score = rng.random((3, 20)), rng.random((3, 20))
    score[-2, 9] = 9.0
    clear[-2, 9] = 5.0
    found = _states(np.full((3, 20), 0.9), clear)
    assert _order(Places(found, 20, FULL, None), score) == [(o, layer) for o in (-3, -2, -1) for layer in range(20)]
    assert _order(Places(found, 20, FULL, 4), score) == [(-3, 4), (-2, 4), (-1, 4)]
    quick = _order(Places(found, 20, QUICK, None), score)
    assert QUICK.candidates is not None
    assert len(quick) == 3 + BESIDE
    assert {layer for _, layer in quick[:3]} == {11}, "every token of one layer"
    best = max(quick[:3], key=lambda at: score[at])
    assert quick[3:5] == [(best[0], 10), (best[0], 12)], "beside the best"
    # Of one that would be chosen for another reason than its score, the neighbours come first.
    tried = [(*at, float(score[at])) for at in quick[:3]]
    assert Places(found, 20, QUICK, None).following(tried, quick[2]) == (quick[2][0], 10)
    # Where there is one token, the layers are looked through, a part of the middle after the other.
    one = _order(Places(_states(np.full((1, 20), 0.9), clear[:1]), 20, QUICK, None), score[-1:])
    assert len(one) == QUICK.candidates + BESIDE
    parts = [list(part) for part in np.array_split(range(4, 16), QUICK.candidates)]
    assert [layer in part for (_, layer), part in zip(one, parts, strict=False)] == [True] * QUICK.candidates
    measured = _order(Places(found, 20, MEASURED, None), score)
    assert sorted(measured) == [(o, layer) for o in (-3, -2, -1) for layer in range(16)], (
        "all that may be chosen, in the end"
    )
    assert len(set(measured)) == len(measured)
    assert {(-2, 8), (-2, 10)} <= set(measured[:16]), "beside the best one soon"
