"""How far chance alone goes: noise by where a token stands and how undecided it is, and the spread of a few retrainings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from core.attribution.chance import Noise, NoiseBand, SeedSpread, noise_of


def seeds(tokens: int, rng: np.random.Generator, spread: float = 0.3) -> np.ndarray:
    """The probabilities of tokens by two trainings: most are decided, and those that are not differ the most."""
    logits = rng.choice([4.0, 0.0], tokens, p=[0.8, 0.2])[:, None] + rng.normal(0, spread, (tokens, 2))
    return np.asarray(1 / (1 + np.exp(-logits)))


def test_the_level_is_the_quantile_that_pays_for_the_looks() -> None:
    band = NoiseBand(False, 0.25, tuple(each / 1000 for each in range(1, 1000)))
    assert band.level(1) == pytest.approx(0.95)
    assert band.level(5) == pytest.approx(0.99)
    # Of too few the largest that was seen.
    assert NoiseBand(False, 0.25, (0.1, 0.2, 0.3)).level(1) == 0.3


def test_a_token_is_compared_with_those_as_undecided_and_as_early() -> None:
    rng = np.random.default_rng(0)
    later, early = seeds(4000, rng), seeds(1000, rng, spread=1.0)
    pairs = np.concatenate([later, early])
    first = np.arange(len(pairs)) >= len(later)
    noise = noise_of(pairs, first)
    assert noise.differences == len(pairs)
    sure, unsure = noise.level(0.98, 0.985, False, 1), noise.level(0.45, 0.55, False, 1)
    assert sure is not None
    assert unsure is not None
    assert sure < 0.05 < unsure
    begins = noise.level(0.45, 0.55, True, 1)
    assert begins is not None
    assert begins > 1.5 * unsure
    # Beyond all that was seen the last band speaks.
    assert noise.level(0.5, 0.5, False, 1) == unsure
    assert "0.395 at a reply's first token and than 0.116 at later ones" in noise.said
    assert noise.calibrated


@pytest.mark.parametrize("looks", [1, 3])
def test_of_stages_that_do_nothing_one_is_named_seldom(looks: int) -> None:
    rng = np.random.default_rng(1)
    known = noise_of(seeds(6000, rng), np.zeros(6000, bool))
    found = [seeds(3000, rng) for _ in range(looks)]
    named = []
    for token in range(3000):
        one, other = max((each[token] for each in found), key=lambda pair: abs(pair[0] - pair[1]))
        level = known.level(float(one), float(other), False, looks)
        assert level is not None
        named.append(abs(one - other) > level)
    assert np.mean(named) <= 0.06
    # One level for all tokens, as it was: those that are undecided are named far too often.
    flat = float(np.quantile([abs(a - b) for a, b in seeds(6000, rng)], 0.95))
    undecided = [max(abs(a - b) for a, b in (each[token] for each in found)) > flat for token in range(3000)
                 if abs(found[0][token].mean() - 0.5) < 0.2]  # fmt: skip
    assert np.mean(undecided) > 0.12


def test_without_retrainings_there_is_no_level() -> None:
    nothing = noise_of(np.zeros((0, 2)), np.zeros(0, bool))
    assert nothing == Noise()
    assert not nothing.calibrated
    assert nothing.level(0.2, 0.9, True, 3) is None
    assert "uncalibrated" in nothing.said
    assert SeedSpread((0.9,)).level(3) is None
    assert "uncalibrated" in SeedSpread((0.9,)).said(3)


def test_a_few_retrainings_tell_only_what_students_t_lets_them() -> None:
    spread = SeedSpread((0.93, 0.95, 0.91))
    expected = stats.t.ppf(1 - 0.05 / 6, 2) * math.sqrt(2) * 0.02
    assert spread.level(3) == pytest.approx(expected)
    assert "0.95 and 0.91" in spread.said(3)
    # Trainings that agree leave room for small effects.
    assert SeedSpread((0.999, 0.999, 0.999)).level(3) == pytest.approx(0, abs=1e-12)


def test_differences_of_few_retrainings_exceed_their_level_seldom() -> None:
    rng = np.random.default_rng(2)
    for looks in (1, 3):
        found = []
        for _ in range(4000):
            values = rng.normal(0.5, 0.05, 3 + 2 * looks)
            level = SeedSpread(tuple(values[:3])).level(looks)
            assert level is not None
            found.append(max(abs(values[3 + 2 * each] - values[4 + 2 * each]) for each in range(looks)) > level)
        assert np.mean(found) <= 0.06
