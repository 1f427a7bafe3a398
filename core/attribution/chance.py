"""How far chance alone goes, as values: what retrainings with other seeds make of a token, or of a measure on some prompts. No torch.

A stage is named where its effect is larger than chance makes the largest of all stages' effects, in all but :data:`FALSE_NAMES` of the
cases: each stage is judged at a quantile that is corrected for how many are looked at (Bonferroni). Two trainings differ the most where a
token is undecided, and at the first of a reply, where refusing is decided; so differences are compared with their like [methods, 5].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.stats import groups
from core.util.figures import figure_text

#: A smaller effect on a probability is nothing to name a stage for, whatever the noise.
SLIGHT = 0.01

#: The part of the cases in which a stage may be named by chance.
FALSE_NAMES = 0.05
#: Differences of a band, at least, and bands of the first tokens and of the later ones, at most.
_BAND, _BANDS = 64, 8


@dataclass(frozen=True)
class NoiseBand:
    """Differences of probability between retrainings, rising, where ``undecided`` (p (1 − p) of their mean) reaches up to so much."""

    first: bool
    undecided: float
    differences: tuple[float, ...]

    def level(self, looks: int) -> float:
        """What the largest of so many such differences exceeds by chance in :data:`FALSE_NAMES` of the cases; the largest difference
        that was seen, where there are too few to say."""
        place = math.ceil((1 - FALSE_NAMES / looks) * (len(self.differences) + 1))
        return self.differences[min(place, len(self.differences)) - 1]


@dataclass(frozen=True)
class Noise:
    """How far chance alone goes at a token.

    ``bands`` are empty where the family has no retrainings with other seeds: uncalibrated. ``retrainings`` are those that it rests on, and
    how many there are, where the time was up before all had been heard.
    """

    bands: tuple[NoiseBand, ...] = ()
    retrainings: tuple[int, int] | None = None

    @property
    def calibrated(self) -> bool:
        """Whether there is anything to compare an effect with."""
        return bool(self.bands)

    @property
    def differences(self) -> int:
        """How many were looked at."""
        return sum(len(band.differences) for band in self.bands)

    def level(self, one: float, other: float, first: bool, looks: int) -> float | None:
        """The level for two probabilities of a token; ``looks`` is how many stages are looked at. None where it is uncalibrated."""
        mean = (one + other) / 2
        alike = [band for band in self.bands if band.first == first]
        band = next((band for band in alike if mean * (1 - mean) <= band.undecided), alike[-1] if alike else None)
        return band.level(looks) if band else None

    @property
    def said(self) -> str:
        """In words."""
        if not self.bands:
            return "uncalibrated: this family has no retrainings with other seeds, so that no effect is known to be more than chance"
        part = f" (so far {self.retrainings[0]} of {self.retrainings[1]})" if self.retrainings else ""
        first, later = (self._usual(where) for where in (True, False))
        return (
            f"noise: between retrainings with other seeds{part} 95 % of the differences are smaller than {figure_text(first, 3)} at a "
            f"reply's first token and than {figure_text(later, 3)} at later ones; a stage is named where its effect is larger than theirs "
            "on tokens as undecided"
        )

    def _usual(self, first: bool) -> float:
        every = [value for band in self.bands if band.first == first for value in band.differences]
        return float(np.quantile(every, 0.95)) if every else math.nan


def noise_of(pairs: NDArray[np.float64], first: NDArray[np.bool_], retrainings: tuple[int, int] | None = None) -> Noise:
    """The noise of tokens that were heard by retrainings.

    Args:
        pairs: the two probabilities of each difference [differences, 2].
        first: which of them are of a reply's first token [differences].
    """
    bands: list[NoiseBand] = []
    gaps, means = np.abs(pairs[:, 0] - pairs[:, 1]), pairs.mean(1)
    for where in (True, False):
        some = np.flatnonzero(first == where)
        undecided = means[some] * (1 - means[some])
        order = np.argsort(undecided, kind="stable")
        for part in np.array_split(order, max(1, min(_BANDS, len(some) // _BAND))):
            if len(part):
                bands.append(NoiseBand(where, float(undecided[part[-1]]), tuple(np.sort(gaps[some[part]]).tolist())))
    return Noise(tuple(bands), retrainings)


@dataclass(frozen=True)
class SeedSpread:
    """One measure by the final model and its retrainings with other seeds, the mean over the prompts: ``values``, the final's first."""

    values: tuple[float, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether there is anything to compare an effect with."""
        return len(self.values) > 1

    def level(self, looks: int) -> float | None:
        """What the largest of so many differences between two trainings exceeds by chance in :data:`FALSE_NAMES` of the cases, by
        Student's t with the spread of these few; None where it is uncalibrated."""
        if not self.calibrated:
            return None
        return float(groups.t(len(self.values) - 1, looks) * math.sqrt(2) * np.std(self.values, ddof=1))

    def said(self, looks: int) -> str:
        """In words."""
        level = self.level(looks)
        if level is None:
            return Noise().said
        others = " and ".join(figure_text(value) for value in self.values[1:])
        count = len(self.values) - 1
        least = (
            f"only an effect above {figure_text(max(level, SLIGHT))} is more than chance"
            if level < 1
            else "no effect is more than chance"
        )
        return (
            f"chance: trained again with other seeds, the model gives it {others} (this one: {figure_text(self.values[0])}); beside "
            f"{count} such retraining{'s' * (count != 1)} {least}"
        )
