"""The methods: each against its plain definition, and learnt from a model in batches as from one prompt after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

import core.directions.activations
from core.directions import learn_truth, methods
from core.directions.activations import LearnMethod, class_states, states
from core.directions.methods import METHODS, PAIRED
from core.inference.prompts import chat_prompt
from core.models.loading import Loaded
from core.util.resume import ResumeNotes

Array = NDArray[np.float64]
FREE = [name for name in METHODS if name not in PAIRED]
TEXTS = ["A cup of tea.", "No.", "What a long sentence this is, and it goes on!", "Why?", "Bread is food.", "Sing it"]


def two_classes(seed: int, count: int = 12, layers: int = 2, width: int = 6) -> tuple[Array, Array, Array]:
    """States of pairs, a statement affirmed or denied, with a truth and a polarity in them."""
    rng = np.random.default_rng(seed)
    truth, affirming = rng.normal(size=(2, layers, width))
    polarity = np.where(np.arange(count) % 2, 1.0, -1.0)
    common = rng.normal(size=(count, layers, width))
    noise = 0.3 * rng.normal(size=(2, count, layers, width))
    turned = polarity[:, None, None] * affirming
    return common + truth + turned + noise[0], common - truth - turned + noise[1], polarity


def learnt(method: str, seed: int) -> tuple[methods.Learnt, Array, Array]:
    positive, negative, polarity = two_classes(seed)
    return methods.fit_direction(method, positive, negative, polarity), positive, negative


def close(one: Array, other: Array, tolerance: float = 1e-5) -> None:
    assert np.linalg.norm(one - other) <= tolerance * np.linalg.norm(other)


def along(one: Array, other: Array) -> Array:
    return (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)


# ------------------------------------------------------------------------------------------------------ by themselves


@pytest.mark.parametrize("method", METHODS)
def test_one_strength_is_one_gap_and_points_to_the_positive_class(method: str) -> None:
    found, positive, negative = learnt(method, 0)
    difference = positive.mean(0) - negative.mean(0)
    # The reading along v is 0 at the negative mean and 1 at the positive one.
    np.testing.assert_allclose((difference * found.vectors).sum(-1), (found.vectors**2).sum(-1), rtol=1e-9)
    np.testing.assert_allclose(found.positive, positive.mean(0))
    np.testing.assert_allclose(found.negative, negative.mean(0))
    swapped = methods.fit_direction(method, negative, positive, -two_classes(0)[2])
    close(swapped.vectors, -found.vectors, 1e-6)


def test_the_mean_difference_is_the_difference_of_the_means() -> None:
    found, positive, negative = learnt("mean_difference", 1)
    np.testing.assert_array_equal(
        found.vectors, methods._to_the_gap(positive.mean(0) - negative.mean(0), positive.mean(0) - negative.mean(0))
    )
    close(found.vectors, positive.mean(0) - negative.mean(0), 1e-12)


def test_pca_is_the_line_along_which_pairs_differ_most() -> None:
    found, positive, negative = learnt("pca", 2)
    for layer in range(2):
        pairs = positive[:, layer] - negative[:, layer]
        _, lines = np.linalg.eigh(pairs.T @ pairs)
        assert abs(along(found.vectors[layer], lines[:, -1])) == pytest.approx(1)


def test_logistic_is_scikit_learns_own_on_all_of_the_states() -> None:
    found, positive, negative = learnt("logistic", 3)
    rows = np.concatenate([positive, negative])[:, 0]
    centred = rows - rows.mean(0)
    plain = LogisticRegression(C=methods.C, tol=1e-10, max_iter=10_000)
    plain.fit(centred / np.sqrt((centred**2).mean()), [1] * len(positive) + [0] * len(negative))
    assert along(found.vectors[0], plain.coef_[0]) == pytest.approx(1, abs=1e-7)


def test_ttpd_takes_the_polarity_out_of_truth() -> None:
    """A truth that is planted in states without noise is found, where the mean difference of affirmed ones alone is bent."""
    rng = np.random.default_rng(4)
    truth, turning = rng.normal(size=(2, 1, 8))
    polarity = np.array([1.0, 1.0, 1.0, -1.0])
    # h = τ t_G + τ·p t_P: the part that turns round with the polarity is the same for both of a pair.
    turned = polarity[:, None, None] * turning
    found = methods.fit_direction("ttpd", truth + turned, turned - truth, polarity)
    assert along(found.vectors, truth) == pytest.approx(1)
    # Affirmed are the true ones of the first three pairs, and the false one of the last.
    bent = methods.fit_direction("mean_difference", (truth + turned)[:3], (turned - truth)[3:])
    assert along(bent.vectors, truth) < 0.99
    assert found.more["polarity"].shape == found.vectors.shape


def test_ccs_tells_statements_from_their_negations_without_their_labels() -> None:
    found, positive, negative = learnt("ccs", 5)
    assert (((positive - negative) * found.vectors).sum(-1) > 0).mean() == 1
    # Its loss at the minimum is no higher than at any of many other lines.
    polarity = two_classes(5)[2]
    ones = np.where(polarity[:, None] > 0, positive[:, 0], negative[:, 0])
    others = np.where(polarity[:, None] > 0, negative[:, 0], positive[:, 0])
    ones, others = ones - ones.mean(0), others - others.mean(0)
    scale = np.linalg.norm(np.concatenate([ones, others]), axis=1).mean()

    def loss(weights: Array) -> float:
        said, unsaid = (1 / (1 + np.exp(-side @ weights / scale)) for side in (ones, others))
        return float(((said + unsaid - 1) ** 2 + np.minimum(said, unsaid) ** 2).mean() + 0.01 * weights @ weights)

    reached, _ = methods._descend(ones / scale, others / scale, found.vectors[0])
    rng = np.random.default_rng(6)
    assert all(reached <= loss(length * rng.normal(size=6)) + 1e-9 for length in (0.3, 1, 3, 10) for _ in range(50))


@pytest.mark.parametrize("method", PAIRED)
def test_statements_without_negations_are_refused(method: str) -> None:
    positive, negative, polarity = two_classes(7)
    for arguments in ((positive, negative), (positive, negative[1:], polarity), (positive, negative, polarity[1:])):
        with pytest.raises(ValueError, match="statements and their negations"):
            methods.fit_direction(method, *arguments)


@pytest.mark.parametrize("method", METHODS)
def test_states_that_are_all_alike_have_no_direction(method: str) -> None:
    same = np.ones((4, 1, 3))
    assert not methods.fit_direction(method, same, same, np.array([1.0, -1.0, 1.0, -1.0])).vectors.any()


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(12)), method=st.sampled_from(list(METHODS)))
def test_the_order_of_the_examples_does_not_matter(seed: int, order: list[int], method: str) -> None:
    positive, negative, polarity = two_classes(seed)
    one = methods.fit_direction(method, positive, negative, polarity).vectors
    other = methods.fit_direction(method, positive[order], negative[order], polarity[order]).vectors
    close(other, one)


# ------------------------------------------------------------------------------------------------------- from a model


@pytest.mark.parametrize("rows", [1, 3, 64])
@pytest.mark.parametrize("method", METHODS)
def test_batches_learn_what_one_prompt_after_the_other_does(
    method: str, rows: int, tiny_loaded: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.directions.activations, "PADDING", 0.9 if rows == 3 else 0.1)
    loaded = tiny_loaded("llama")
    sides = {True: TEXTS, False: [f"{text} Please!" for text in reversed(TEXTS)]}
    prompts = {
        (split, label): [chat_prompt(loaded, text) for text in texts]
        for split in ("train", "validation", "test")
        for label, texts in sides.items()
    }
    how = LearnMethod(method, (1, -1, 1, -1, 1, -1) if method in PAIRED else None)
    work = class_states(loaded, prompts, 2, rows, ResumeNotes(), "Reading.", how)
    while True:
        try:
            next(work)
        except StopIteration as stop:
            found = stop.value
            break
    alone = {
        label: torch.cat([states(loaded, [ids], 2) for ids in prompts["train", label]]).double().numpy()
        for label in (True, False)
    }
    for place in range(2):
        wanted = how.learn(alone[True][:, place], alone[False][:, place])
        close(found.vectors[place], wanted.vectors)
        close(found.positive[place], wanted.positive)
    assert found.accuracy["validation"].shape == (2, loaded.anatomy.layers)


# ----------------------------------------------------------------------------------------------------------- negations


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Paris is in France.", "Paris is not in France."),
        ("The sun can be seen and is hot.", "The sun can not be seen and is hot."),
        ("Birds lay eggs.", "It is not true that Birds lay eggs."),
        ("The word means house.", "It is not true that the word means house."),
    ],
)
def test_a_negation_ends_as_the_statement_does(text: str, wanted: str) -> None:
    assert learn_truth.negated(text) == wanted
    assert learn_truth.denied(wanted)
    assert not learn_truth.denied(text)


def test_pairs_have_one_true_side_each() -> None:
    true, false, polarity = learn_truth.paired(["Ice is cold.", "Ice is not hot."], ["Ice is hot."])
    assert true == ["Ice is cold.", "Ice is not hot."]
    assert false == ["Ice is not cold.", "Ice is hot."]
    assert polarity == [1, -1]
