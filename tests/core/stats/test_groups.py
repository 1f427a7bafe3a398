"""Examples that belong together: dealt, drawn and counted together, and intervals that hold what they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks import validation_statistics as simulated
from core.stats import groups, permutation, similarity
from core.stats.bootstrap import bootstrap_mean
from core.stats.rates import Rate, less, rank_p

#: Twelve subjects with two true and two false statements each.
LABELS, SUBJECT = np.tile([True, False, False, True], 12), np.repeat(np.arange(12), 4)


def test_blocks_keep_groups_whole_and_have_both_classes() -> None:
    rng = np.random.default_rng(0)
    dealt = groups.blocks(SUBJECT, LABELS, rng)
    assert len(np.unique(dealt)) == 12, "a block for each group, where there are fewer than twenty"
    assert all(len(np.unique(dealt[each == SUBJECT])) == 1 for each in range(12))
    lone = np.arange(50)
    labels = lone < 20
    dealt = groups.blocks(lone, labels, rng)
    assert dealt.max() + 1 == groups.JACKKNIFE_BLOCKS
    assert all(
        labels[dealt == each].any() and (~labels[dealt == each]).any() for each in range(groups.JACKKNIFE_BLOCKS)
    )
    mixed = np.array([0, 0, 1, 2, 3])
    dealt = groups.blocks(mixed, np.array([True, False, True, True, False]), rng)
    assert sorted(len(np.unique(mixed[dealt == each])) for each in range(2)) == [2, 2]


def test_groups_are_drawn_whole() -> None:
    drawn = groups.draw_groups(SUBJECT, LABELS, np.random.default_rng(1))
    assert len(drawn) == len(LABELS)
    times = np.bincount(drawn, minlength=len(LABELS))
    assert all(len(set(times[each == SUBJECT])) == 1 for each in range(12))
    assert max(times) > 1
    one_sided = groups.draw_groups(np.arange(48), LABELS, np.random.default_rng(1))
    assert LABELS[one_sided].sum() == LABELS.sum(), "as many of each class as there are"


def test_labels_are_permuted_within_groups_of_both_classes_and_between_those_of_one() -> None:
    found = permutation.permuted_labels(LABELS, [0] * 48, np.random.default_rng(2), SUBJECT)
    for each in range(12):
        own = each == SUBJECT
        assert found[own & LABELS].sum() == found[own & ~LABELS].sum() == 1
    pairs = np.repeat(np.arange(24), 2)
    sides = np.tile([True, False], 24)
    found = permutation.permuted_labels(sides, [0] * 48, np.random.default_rng(2), pairs)
    assert all(found[pairs == each].sum() == 1 for each in range(24)), "a pair is turned round or left"
    assert (found == sides).sum() == 24, "half of them are"
    of_four = np.repeat(np.arange(12), 4)
    whole = np.repeat([True, False], 24)
    found = permutation.permuted_labels(whole, [0] * 48, np.random.default_rng(2), of_four)
    assert all(len(set(found[of_four == each])) == 1 for each in range(12)), "groups of one class keep one label"
    assert found[whole].sum() == found[~whole].sum() == 12


def test_the_best_of_many_places_is_compared_by_group() -> None:
    """What tells subjects apart tells nothing of single statements: of four copies of each example one counts."""
    rng = np.random.default_rng(3)
    one = {label: (rng.random((8, 1, 5)) < (0.75 if label else 0.25)).astype(float) for label in (True, False)}
    four = {label: np.repeat(each, 4, axis=0) for label, each in one.items()}
    belongs = np.repeat(np.arange(16), 4)
    alone = permutation.best_of_many(one, 0)
    grouped = permutation.best_of_many(four, 0, belongs)
    singly = permutation.best_of_many(four, 0)
    assert grouped["p"] == pytest.approx(alone["p"], abs=0.05)
    assert singly["p"] < grouped["p"] / 3
    told = permutation.told_apart(four, 0, 0, belongs)
    low, high = told["interval"]
    assert low < told["accuracy"] < high
    assert high - low > 1.5 * (np.subtract(*permutation.told_apart(four, 0, 0)["interval"][::-1]))


def test_the_interval_of_unequal_classes_holds_their_balanced_accuracy() -> None:
    above = {True: np.ones((4, 1, 1)), False: np.array([0.0] * 20 + [1.0] * 20).reshape(40, 1, 1)}
    found = permutation.told_apart(above, 0, 0)
    assert found["accuracy"] == pytest.approx(0.75)
    low, high = found["interval"]
    assert low < 0.75 < high


def test_a_rate_is_worth_as_many_trials_as_its_groups_say() -> None:
    same = np.repeat(np.arange(30) % 5 > 0, 4)
    subject = np.repeat(np.arange(30), 4)
    by_group, singly = groups.rate(same, subject), Rate(int(same.sum()), len(same))
    assert (by_group.hits, by_group.n, by_group.value) == (singly.hits, singly.n, singly.value)
    assert by_group.worth == pytest.approx(30, rel=0.2)
    assert groups.rate(same, np.arange(120)) == singly
    assert groups.rate([True] * 8, np.repeat([0, 1], 4)).worth == pytest.approx(2 * (1.96 / 12.706) ** 2, abs=1), (
        "all right"
    )
    assert groups.rate([], np.zeros(0, np.int64)).interval == (0.0, 1.0)


def test_a_difference_of_pairs() -> None:
    one = np.array([True] * 70 + [False] * 30)
    other = np.array([True] * 68 + [False] * 32)
    each = np.arange(100)
    value, low, high = groups.paired_difference(one, other, each)
    assert value == pytest.approx(0.02)
    plain = less(Rate(70, 100), Rate(68, 100))
    assert high - low < 0.5 * (plain[2] - plain[1]), "they agree on nearly all"
    apart = groups.paired_difference(one, ~one, each)
    assert apart[2] - apart[1] > less(Rate(70, 100), Rate(30, 100))[2] - less(Rate(70, 100), Rate(30, 100))[1]
    assert groups.paired_difference(one, one, each)[0] == 0
    assert math.isnan(groups.paired_difference([], [], np.zeros(0, np.int64))[0])


def test_ranks_count_directions() -> None:
    assert rank_p(0.9, [0.1] * 99) == pytest.approx(0.01)
    assert rank_p(0.5, [0.5, 0.4, 0.6]) == pytest.approx(3 / 4)
    assert rank_p(0.5, []) == 1


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 19, 100, 101])
def test_students_t_is_that_of_scipy(freedom: int) -> None:
    for looks in (1, 96):
        assert groups.t(freedom, looks) == pytest.approx(stats.t.ppf(1 - 0.025 / looks, freedom), rel=1e-6)
    assert groups.paid_p(2.0, [1.0] * freedom, 1) == pytest.approx(2 * stats.t.sf(2.0, freedom), abs=1e-9)


def test_the_choice_of_a_place_is_paid_for() -> None:
    controls = np.random.default_rng(0).standard_normal(100)
    assert groups.paid_p(2.5, controls, 1) < 0.05 < groups.paid_p(2.5, controls, 30)
    assert groups.paid_p(8.0, controls, 240) < 0.05
    assert groups.paid_p(0.0, controls, 5) == 1
    assert groups.paid_p(1.0, [0.0] * 5, 5) == 0
    _, chosen = simulated.chosen_wrongly(600, 0.3)
    assert chosen <= simulated.WRONG


def test_a_mean_is_resampled_by_group() -> None:
    values = np.repeat(np.random.default_rng(0).standard_normal(30), 4)
    singly, grouped = bootstrap_mean(values), bootstrap_mean(values, groups=np.repeat(np.arange(30), 4))
    assert grouped.value == singly.value
    assert (grouped.high - grouped.low) / (singly.high - singly.low) == pytest.approx(2, rel=0.15)


# ------------------------------------------------------------------------------------------------------ data of known truth


@pytest.mark.parametrize("name", simulated.SIMULATED)
def test_an_error_rate_is_what_it_claims_to_be(name: str) -> None:
    row = simulated.SIMULATED[name](300)
    assert row.good, row


@pytest.mark.parametrize(("reliability", "true"), [(0.3, 0.8), (0.6, 0.5), (0.9, 0.8)])
def test_the_interval_of_a_similarity_holds_the_truth(reliability: float, true: float) -> None:
    _, covered = simulated.similarity_covered(reliability, true, 100, earlier=False)
    assert covered >= simulated.HELD


def test_a_similarity_of_noise_says_nothing() -> None:
    one, other = np.random.default_rng(0).standard_normal((2, 20, 8))
    found = similarity.crossed(one @ other.T, one @ one.T, other @ other.T)
    assert math.isinf(found.low)
    assert math.isinf(found.high)
    few = similarity.crossed(*(np.eye(3) + 1,) * 3)
    assert few.value == pytest.approx(1)
    assert math.isinf(few.low)


def test_maps_over_their_ceiling_are_as_alike_as_they_are() -> None:
    before, after, covered = simulated.maps_freed(0.75, 3.0, 8)
    assert before > 1
    assert after == pytest.approx(0.75, abs=0.12)
    assert covered >= 0.75
