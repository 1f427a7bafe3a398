"""Intervals, permutations and verdicts: against published figures, against scipy, and against what shipped cards were made with."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from core.directions.controls import mean_with_interval
from core.stats import permutation
from core.stats.bootstrap import bootstrap_mean
from core.stats.rates import Rate, less
from core.stats.verdicts import DOES_NOT, HOLDS, INCONCLUSIVE, Verdict, all_hold, at_least, at_most, together


@settings(max_examples=60)
@given(st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_rates_interval_is_scipys(counted: tuple[int, int]) -> None:
    found = binomtest(*counted).proportion_ci(method="wilson")
    assert Rate(*counted).interval == pytest.approx((found.low, found.high), abs=1e-7)


def test_rates_and_their_differences() -> None:
    # Newcombe 1998, table II, method 10: 56/70 − 48/80 is .2 (.0524 to .3339).
    found = less(Rate(56, 70), Rate(48, 80))
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    # Wilson's formula as printed in Newcombe (1998), and in Brown, Cai and DasGupta (2001).
    assert Rate(81, 263).interval == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Rate(0, 10).interval == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert Rate(10, 10).interval == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert Rate(0, 0).interval == (0.0, 1.0)
    assert math.isnan(less(Rate(0, 0), Rate(1, 2))[0])
    assert str(Rate(0, 0)) == "–"
    assert str(Rate(5, 6)) == "0.83 (0.44 to 0.97)"


# ---------------------------------------------------------------------------------------------------------- bootstrap


def test_a_means_interval_holds_it() -> None:
    values = np.random.default_rng(1).normal(2.0, 1.0, size=200)
    half = 1.96 * values.std() / np.sqrt(200)
    for found in (bootstrap_mean(values), bootstrap_mean(values, seed=3, samples=1_000)):
        assert (found.value, found.n) == (pytest.approx(values.mean()), 200)
        assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)
        assert found.low < found.inner_low < found.inner_high < found.high


def test_a_cards_interval_is_drawn_as_in_every_card_that_ships() -> None:
    """The figures that the program gave when the shipped cards were made."""
    values = [0.25, 0.5, 0.125, 0.75, 1.0, 0.0, 0.3, 0.6]
    found = mean_with_interval(values, zlib.crc32(b"refusal"))
    assert found == {"mean": 0.440625, "n": 8, "interval": [0.243671875, 0.65625]}


# -------------------------------------------------------------------------------------------------------- permutation


def test_the_best_of_many_places_is_compared_with_the_best_of_permuted_ones() -> None:
    lucky = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = {label: rng.integers(0, 2, size=(20, 3, 8)).astype(float) for label in (True, False)}
        found = permutation.best_of_many(noise, seed)
        assert found["places"] == 24
        assert found["observed"] > 0.55, "the best of 24 places of noise looks good, and is not"
        lucky += found["p"] <= 0.05
    assert lucky <= 4
    sure = {True: np.ones((20, 3, 8)), False: np.zeros((20, 3, 8))}
    assert permutation.best_of_many(sure, 0) == {**found, "observed": 1.0, "p": 1 / 1001}


def test_held_out_examples_are_counted_at_their_place() -> None:
    above = {True: np.zeros((4, 1, 2)), False: np.zeros((6, 1, 2))}
    above[True][:3, 0, 1] = 1
    above[False][0, 0, 1] = 1
    found = permutation.told_apart(above, 0, 1)
    assert found["accuracy"] == pytest.approx((3 / 4 + 5 / 6) / 2)
    assert (found["hits"], found["n"]) == (8, 10)
    low, high = found["interval"]
    sides = [Rate(3, 4), Rate(5, 6)]
    assert found["accuracy"] - low == pytest.approx(np.hypot(*(each.value - each.interval[0] for each in sides)) / 2)
    assert high - found["accuracy"] == pytest.approx(np.hypot(*(each.interval[1] - each.value for each in sides)) / 2)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=60), st.integers(0, 9))
def test_permuted_labels_say_nothing_of_the_true_ones_in_any_group(examples: list[tuple[bool, int]], seed: int) -> None:
    labels, groups = np.array([label for label, _ in examples]), [group for _, group in examples]
    found = permutation.permuted_labels(labels, groups, np.random.default_rng(seed))
    for group in set(groups):
        for label in (True, False):
            own = found[(np.array(groups) == group) & (labels == label)]
            assert abs(2 * own.sum() - len(own)) <= 1


# ----------------------------------------------------------------------------------------------------------- verdicts


def test_what_an_interval_says_of_a_threshold() -> None:
    intervals = ((0.5, 0.6), (0.4, 0.6), (0.3, 0.4))
    assert [at_least(low, high, 0.5) for low, high in intervals] == ["holds", "inconclusive", "does not hold"]
    assert [at_most(low, high, 0.5) for low, high in ((0.4, 0.5), (0.4, 0.6), (0.6, 0.7))] == [
        "holds",
        "inconclusive",
        "does not hold",
    ]


def test_a_claim_of_several_parts() -> None:
    assert all_hold(["holds", "inconclusive", "does not hold"]) == "does not hold"
    assert all_hold(["holds", "inconclusive"]) == "inconclusive"
    assert all_hold(["holds", "holds"]) == "holds"
    assert all_hold([]) == "inconclusive"
    one, other = Verdict("One.", HOLDS, "", ""), Verdict("Other.", INCONCLUSIVE, "", "", "why")
    assert together("All.", (one, one)).state == HOLDS
    assert together("All.", (one, other)).sentence == "inconclusive: why"
    failed = together("All.", (other, Verdict("Third.", DOES_NOT, "", "")))
    assert (failed.sentence, failed.figures) == (
        "does not hold, by its parts",
        "Other. inconclusive; Third. does not hold",
    )
