"""How often a stage that did nothing is named: simulated, and on a family's own retrainings, which differ by their seed alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.validation_statistics import WRONG, Row
from core.artefacts.figures import KeptFigure
from core.attribution.chance import Noise, SeedSpread, noise_of
from core.families import stages
from core.families.checkpoint import Family
from core.families.stages import StageError
from core.models.fingerprints import model_fingerprint

_Pairs = NDArray[np.float64]

#: Stages that are looked at, and tokens that the noise is measured on.
_STAGES, _CALIBRATED = 3, 3000


def rows(trials: int) -> Iterator[Row]:
    """Rows of simulated trainings."""
    rng = np.random.default_rng(0)
    calibrated, tokens = _heard(_CALIBRATED, rng), [_heard(10 * trials, rng) for _ in range(_STAGES)]
    noise = noise_of(calibrated, np.zeros(len(calibrated), bool))
    undecided = abs(tokens[0].mean(1) - 0.5) < 0.2
    for what, some in (("", np.ones(len(undecided), bool)), (", of tokens that are undecided", undecided)):
        before, after = _named(noise, calibrated, [each[some] for each in tokens], np.zeros(int(some.sum()), bool))
        yield _row(f"a token, {_STAGES} stages that did nothing: one is named{what}", before, after)
    flat, told = [], []
    for _ in range(10 * trials):
        values = rng.normal(0.6, 0.05, 3 + 2 * _STAGES)
        own, gaps = values[:3], abs(values[3::2] - values[4::2])
        flat.append(gaps.max() > np.quantile([abs(a - b) for a, b in (own[[0, 1]], own[[0, 2]], own[[1, 2]])], 0.95))
        level = SeedSpread(tuple(own)).level(_STAGES)
        told.append(level is not None and gaps.max() > level)
    yield _row(
        f"one prompt, two retrainings, {_STAGES} stages that did nothing: one is named",
        float(np.mean(flat)),
        float(np.mean(told)),
    )


def family_rows(family: Family) -> Iterator[Row]:
    """Rows of a family whose noise is kept: measured on every other message, judged on those between."""
    try:
        path = stages.stage_path(family)
    except StageError:
        return
    names = (path.final, *path.nulls)
    fingerprints = {name: model_fingerprint(family.checkpoint(name)) for name in names}
    kept = KeptFigure(family.name, family.folder, "noise", path.final, fingerprints).arrays()
    if "pairs" not in kept:
        return
    count = len(names) * (len(names) - 1) // 2
    pairs = kept["pairs"].astype(np.float64).reshape(count, -1, 2)
    first = kept["first"].reshape(count, -1)[0] > 0
    odd = np.cumsum(first) % 2 == 1
    learnt = pairs[:, ~odd].reshape(-1, 2)
    noise = noise_of(learnt, np.tile(first[~odd], count))
    # The final checkpoint beside each retraining: as many stages that did nothing.
    looks = [pairs[place] for place in range(len(path.nulls))]
    for what, some in (("a token", odd), ("a reply's first token", odd & first)):
        before, after = _named(noise, learnt, [each[some] for each in looks], first[some])
        yield _row(
            f"{what} of {family.name}, {len(looks)} retrainings as stages that did nothing: one is named", before, after
        )


def _heard(tokens: int, rng: np.random.Generator) -> _Pairs:
    """Probabilities of tokens by two trainings: four of five are decided."""
    logits = rng.choice([4.0, 0.0], tokens, p=[0.8, 0.2])[:, None] + rng.normal(0, 0.3, (tokens, 2))
    return np.asarray(1 / (1 + np.exp(-logits)))


def _named(noise: Noise, calibrated: _Pairs, looks: list[_Pairs], first: NDArray[np.bool_]) -> tuple[float, float]:
    """How often one of some stages is named: by one level for all tokens, as an earlier version had it, and by today's noise."""
    flat = float(np.quantile(abs(calibrated[:, 0] - calibrated[:, 1]), 0.95))
    before, after = [], []
    for token, start in enumerate(first):
        one, other = max((each[token] for each in looks), key=lambda pair: abs(float(pair[0] - pair[1])))
        level = noise.level(float(one), float(other), bool(start), len(looks))
        before.append(abs(one - other) > flat)
        after.append(level is not None and abs(one - other) > level)
    return float(np.mean(before)), float(np.mean(after))


def _row(what: str, before: float, after: float) -> Row:
    # Some of so many are one more by chance.
    return Row(what, f"≤ {WRONG}", f"{before:.2f}", f"{after:.2f}", round(after, 2) <= WRONG)
