"""The statistics on data of known truth: how often an interval holds what it should, how often nothing is taken for something.

What stood before stands beside it: the estimators of earlier versions are written out here, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.knowledge.map_statistics import PAIR_FOLDS, Totals, compared, pearson
from core.knowledge.maps import ROLES
from core.stats import groups as grouping
from core.stats.rates import Rate, less, rank_p
from core.stats.verdicts import BEYOND
from core.transfer import alignment
from core.transfer.alignment import ProbeReading, Texts, cosine

_Floats = NDArray[np.float64]

#: What a 95 % interval has to hold at least, and what an error rate may be at most, of so many trials as are made.
HELD, WRONG = 0.90, 0.05
#: Reliabilities of directions, and true cosines, at which the interval is tried.
RELIABILITIES, COSINES = (0.3, 0.5, 0.7, 0.9), (0.5, 0.8)


@dataclass(frozen=True)
class Row:
    """One thing that was tried: what it claims, what an earlier version did and what this one does, and whether that is as claimed."""

    what: str
    claim: str
    before: str
    after: str
    good: bool

    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        return (self.what, self.claim, self.before, self.after, "yes" if self.good else "no")


def rows(trials: int) -> Iterator[Row]:
    """Every row, one after the other; ``trials`` for each setting."""
    yield reliability_row()
    for reliability in RELIABILITIES:
        for true in COSINES:
            yield similarity_row(reliability, true, trials)
    yield from map_rows(trials)
    # These cost next to nothing.
    yield cell_row(10 * trials)
    yield rate_row(10 * trials)
    yield paired_row(5 * trials)
    yield control_row(10 * trials)
    yield from chosen_rows(10 * trials)


def _share(found: list[bool]) -> float:
    return float(np.mean(found))


# --------------------------------------------------------------------------------------------------------- directions


def texts_of(count: int, together: int) -> Texts:
    """Texts of which a subject has ``together``, true and false ones in turn."""
    labels, subject = np.arange(count) % 2 == 0, np.arange(count) // together
    fold = alignment.folds([f"kind {each % 8}" for each in subject])
    return Texts(tuple(map(str, range(count))), labels, np.ones(count, bool), fold, subject)


def reading_of(weights: dict[str, _Floats], states: _Floats) -> ProbeReading:
    """What :func:`core.transfer.alignment.read_states` would give for states [texts, width] of one layer."""
    return ProbeReading({name: (each @ states)[:, None] for name, each in weights.items()})


def reliability_row() -> Row:
    """A direction of reliability .9 from statements of which a subject has four, and has much in common."""
    rng = np.random.default_rng(5)
    count, width, true = 80, 200, 0.9
    texts = texts_of(4 * count, 4)
    size = math.sqrt((1 / true - 1) * count / width)
    vector = rng.standard_normal(width)
    states = np.where(texts.labels, 0.5, -0.5)[:, None] * vector / np.linalg.norm(vector)
    states = states + size * rng.standard_normal((4 * count, width))
    states += 10 * size * rng.standard_normal((count, width))[texts.group]
    after = float(alignment.direction_reliability(reading_of(alignment.weights(texts), states))[0])
    before = _halves_singly(states, texts.labels, rng)
    return Row(
        "reliability of a direction, four statements a subject",
        f"{true}",
        f"{before:.2f}",
        f"{after:.2f}",
        abs(after - true) < 0.1,
    )


def _halves_singly(states: _Floats, labels: NDArray[np.bool_], rng: np.random.Generator) -> float:
    """Halves of statements, subjects torn apart, stepped up [Spearman; Brown]: what a ceiling was made of before."""
    found = []
    for _ in range(10):
        half = np.zeros(len(labels), bool)
        for label in (True, False):
            own = rng.permutation(np.flatnonzero(labels == label))
            half[own[: len(own) // 2]] = True
        found.append(float(cosine(_difference(states, labels, half), _difference(states, labels, ~half))))
    mean = max(0.0, float(np.mean(found)))
    return 2 * mean / (1 + mean)


def _difference(states: _Floats, labels: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> _Floats:
    return np.asarray(states[chosen & labels].mean(0) - states[chosen & ~labels].mean(0), np.float64)


def similarity_row(reliability: float, true: float, trials: int) -> Row:
    """The interval of a cosine over its ceiling, at a reliability of both directions and a true cosine; half of the noise is shared."""
    before, after = similarity_covered(reliability, true, trials)
    what = f"cosine over its ceiling, reliability {reliability}, true {true}: interval holds it"
    return Row(what, "≥ 0.90 of 95 %", f"{before:.2f}", f"{after:.2f}", after >= HELD)


def similarity_covered(
    reliability: float, true: float, trials: int, width: int = 64, earlier: bool = True
) -> tuple[float, float]:
    """How often the interval of an earlier version and of this one holds the truth."""
    rng = np.random.default_rng([7, round(100 * reliability), round(100 * true)])
    texts = texts_of(120, 2)
    weights = {"blocks": alignment.weights(texts)["blocks"]}
    size = math.sqrt((1 / reliability - 1) * len(texts.labels) / 4 / width)
    found: tuple[list[bool], list[bool]] = ([], [])
    for _ in range(trials):
        one, other = _pair_of_vectors(true, width, rng)
        shared = rng.standard_normal((len(texts.labels), width))
        noise = [(shared + rng.standard_normal(shared.shape)) / math.sqrt(2) for _ in range(2)]
        sign = np.where(texts.labels, 0.5, -0.5)[:, None]
        states = [sign * vector + size * each for vector, each in zip((one, other), noise, strict=True)]
        first, second = (reading_of(weights, each) for each in states)
        freed = alignment.freed_cosine(first, second, 0)
        found[1].append(freed.low <= true <= freed.high)
        if earlier:
            low, high = _over_ceiling_before(states, texts.labels, rng)
            found[0].append(low <= true <= high)
    return (_share(found[0]) if earlier else math.nan), _share(found[1])


def _pair_of_vectors(true: float, width: int, rng: np.random.Generator) -> tuple[_Floats, _Floats]:
    """Two vectors of length 1 with that cosine."""
    one, other = rng.standard_normal((2, width))
    one /= np.linalg.norm(one)
    other -= other @ one * one
    other /= np.linalg.norm(other)
    return one, true * one + math.sqrt(1 - true * true) * other


def _over_ceiling_before(
    states: list[_Floats], labels: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[float, float]:
    """A basic bootstrap over single texts, divided by a ceiling from halves of the same texts."""
    every = np.ones(len(labels), bool)
    middle = float(cosine(*(_difference(each, labels, every) for each in states)))
    sides = [np.flatnonzero(labels == label) for label in (True, False)]
    some = [rng.choice(side, (100, len(side))) for side in sides]
    drawn = cosine(*(each[some[0]].mean(1) - each[some[1]].mean(1) for each in states))
    low, high = np.quantile(drawn, (0.025, 0.975))
    ceiling = math.sqrt(math.prod(_halves_singly(each, labels, rng) for each in states))
    if ceiling <= 0:
        return -math.inf, math.inf
    return (2 * middle - float(high)) / ceiling, (2 * middle - float(low)) / ceiling


# --------------------------------------------------------------------------------------------------------------- maps


def map_rows(trials: int) -> Iterator[Row]:
    """Two checkpoints' maps over the same noisy pairs, one and the same beneath or of a true correlation of .75."""
    for true in (1.0, 0.75):
        before, after, covered = maps_freed(true, 2.0, trials)
        what = f"two maps over their ceiling, true correlation {true}, pairs in common"
        yield Row(what, f"{true}", f"{before:.2f}", f"{after:.2f}", abs(after - true) < 0.08)
        yield Row(f"{what}: interval holds it", "≥ 0.90 of 95 %", "–", f"{covered:.2f}", covered >= HELD)
    one = _totals([np.eye(6, len(ROLES))] * 12)
    same = compared(one, one)
    yield Row("two identical maps", "an interval", "ValueError", f"{same.low:.2f} to {same.high:.2f}", same.low > 0.99)


def maps_freed(true: float, noise: float, trials: int) -> tuple[float, float, float]:
    """The mean of r over an earlier version's ceiling, of this one's, and how often this one's interval holds the truth."""
    rng = np.random.default_rng([11, round(100 * true)])
    before, after, held = [], [], []
    for _ in range(trials):
        base = rng.random((12, len(ROLES))) ** 3
        mixed = rng.permutation(base.ravel()).reshape(base.shape) - base.mean()
        other = base.mean() + true * (base - base.mean()) + math.sqrt(1 - true * true) * mixed
        # What the permuted map has in common with the map by chance counts, too.
        really = pearson(base, other)
        common = noise * rng.standard_normal((50, *base.shape))
        maps = [[side + own + 0.05 * rng.standard_normal(side.shape) for own in common] for side in (base, other)]
        one, two = (_totals(each) for each in maps)
        found = compared(one, two)
        halves = math.sqrt(max(1e-9, _split_half(one)) * max(1e-9, _split_half(two)))
        before.append(found.r / halves)
        if found.freed is not None:
            after.append(found.freed.value - really + true)
            held.append(found.freed.low <= really <= found.freed.high)
    return float(np.median(before)), float(np.median(after)), _share(held)


def _totals(maps: list[_Floats]) -> Totals:
    found = Totals(maps[0].shape[0])
    for each in maps:
        found.add(each, ROLES)
    return found


def _split_half(totals: Totals) -> float:
    """The correlation of halves of the pairs, not stepped up: what a map's ceiling was made of before."""
    folds = totals.filled
    ways = list(combinations(folds, len(folds) // 2))[: math.comb(PAIR_FOLDS, PAIR_FOLDS // 2) // 2 : 6]
    return float(
        np.mean(
            [pearson(totals.mean(half), totals.mean([each for each in folds if each not in half])) for half in ways]
        )
    )


def cell_row(trials: int) -> Row:
    """A map of 96 cells that all differ by as much as is still small: how often one is said to differ by more."""
    rng, cells, limit = np.random.default_rng(3), 96, 0.25
    each = limit + 0.1 * rng.standard_normal((trials, PAIR_FOLDS, cells))
    half = each.std(1, ddof=1) / math.sqrt(PAIR_FOLDS)
    wrong = [
        float(((each.mean(1) - grouping.t(PAIR_FOLDS - 1, looks) * half).max(1) > limit).mean()) for looks in (1, cells)
    ]
    what = "96 cells at the limit: one is said to lie beyond it"
    return Row(what, "≤ 0.05", f"{wrong[0]:.2f}", f"{wrong[1]:.2f}", wrong[1] <= WRONG)


# -------------------------------------------------------------------------------------------------------------- rates


def _judged(rng: np.random.Generator, subjects: int, sides: int) -> tuple[NDArray[np.bool_], grouping.Groups]:
    """Four statements a subject, each judged rightly with a probability of .8 by each of ``sides``, which mostly agree."""
    subject, statement = rng.standard_normal((subjects, 1, 1)), rng.standard_normal((subjects, 4, 1))
    own = rng.standard_normal((subjects, 4, sides))
    right = (math.sqrt(0.4) * subject + math.sqrt(0.3) * statement + math.sqrt(0.3) * own) < 0.8416
    return right.reshape(-1, sides), np.repeat(np.arange(subjects), 4)


def rate_row(trials: int) -> Row:
    """A rate over statements of which a subject has four."""
    rng = np.random.default_rng(1)
    found: tuple[list[bool], list[bool]] = ([], [])
    for _ in range(trials):
        right, groups = _judged(rng, 24, 1)
        rate = grouping.rate(right[:, 0], groups)
        for place, (low, high) in enumerate((Rate(rate.hits, rate.n).interval, rate.interval)):
            found[place].append(low <= 0.8 <= high)
    before, after = map(_share, found)
    return Row(
        "a rate, four statements a subject: interval holds it",
        "≥ 0.90 of 95 %",
        f"{before:.2f}",
        f"{after:.2f}",
        after >= HELD,
    )


def paired_row(trials: int) -> Row:
    """Two rates on the same statements, equal in truth: coverage, and how wide the interval is."""
    rng = np.random.default_rng(2)
    held: tuple[list[bool], list[bool]] = ([], [])
    widths: tuple[list[float], list[float]] = ([], [])
    for _ in range(trials):
        right, groups = _judged(rng, 24, 2)
        one, other = (Rate(int(right[:, side].sum()), len(right)) for side in (0, 1))
        for place, (_, low, high) in enumerate(
            (less(one, other), grouping.paired_difference(right[:, 0], right[:, 1], groups))
        ):
            held[place].append(low <= 0 <= high)
            widths[place].append(high - low)
    told = [f"{_share(held[place]):.2f}, {np.mean(widths[place]):.2f} wide" for place in (0, 1)]
    what = "a difference on the same statements: interval holds it"
    return Row(what, "≥ 0.90 of 95 %", told[0], told[1], _share(held[1]) >= HELD)


# ----------------------------------------------------------------------------------------------------------- controls


def control_row(trials: int) -> Row:
    """A direction that means nothing, tried beside others that do not: how often it is said to do more than controls."""
    rng = np.random.default_rng(4)
    before, after = [], []
    for _ in range(trials):
        # Directions turn very different parts of the verdicts: .3 in the mean, with a standard deviation of .25.
        chances = rng.beta(0.3 * 2.36, 0.7 * 2.36, 101)
        few = rng.binomial(24, chances) / 24
        pooled = Rate(round(24 * float(few[1:21].sum())), 20 * 24)
        before.append(less(Rate(int(rng.binomial(96, chances[0])), 96), pooled)[1] >= 0)
        after.append(rank_p(float(few[0]), few[1:].tolist()) <= BEYOND)
    what = "a direction that means nothing, flip rate above the controls'"
    return Row(what, "≤ 0.05", f"{_share(before):.2f}", f"{_share(after):.2f}", _share(after) <= WRONG + 0.02)


def chosen_rows(trials: int) -> Iterator[Row]:
    """A direction that means nothing, at the place of eight at which it did most on validation: how often its card says nothing of it."""
    for what, noise in (("what it does is mostly noise", 2.0), ("places really differ", 0.3)):
        before, after = chosen_wrongly(trials, noise)
        name = f"a card's controls, place chosen from eight, {what}: no caution for a direction that means nothing"
        yield Row(name, "≤ 0.05", f"{before:.2f}", f"{after:.2f}", after <= WRONG)


def chosen_wrongly(trials: int, noise: float, places: int = 8, count: int = 100) -> tuple[float, float]:
    """How often a meaningless direction is taken for one that does something: by 40 controls on the split that chose, and by the rank among
    ``count`` on another one, the choice of the place paid for."""
    rng = np.random.default_rng(6)
    before, after = [], []
    for _ in range(trials):
        really = rng.standard_normal(places)
        validation, test = (really + noise * rng.standard_normal(places) for _ in range(2))
        at = int(validation.argmax())
        controls = rng.standard_normal(count)
        on = [controls + noise * rng.standard_normal(count) for _ in range(2)]
        before.append((np.abs(on[0][:40]) >= abs(validation[at])).sum() <= BEYOND * 40)
        own = float(test[at])
        ranked = rank_p(abs(own), np.abs(on[1]).tolist()) <= BEYOND
        after.append(ranked and grouping.paid_p(own, on[1], places) <= BEYOND)
    return _share(before), _share(after)


#: What a person may ask for by name, in the tests: a figure of each, with few trials.
SIMULATED: dict[str, Callable[[int], Row]] = {
    "cell": cell_row,
    "rate": rate_row,
    "paired": paired_row,
    "control": control_row,
}
