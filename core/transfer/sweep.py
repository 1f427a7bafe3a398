"""What the cells of a transfer report share: a target, what it is tried on, and how strong a source's vector is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.artefacts.direction import Direction
from core.directions.contrast import ContrastItem, ContrastSet, Split
from core.models.loading import Loaded
from core.recipes.language import MAX_STRENGTH
from core.stats import groups as grouping
from core.stats.groups import Groups
from core.stats.rates import Rate
from core.transfer.alignment import cosine
from core.transfer.task import Sizes, trained
from core.util.budget import Budget

#: A vector [width], or one a layer [layers, width].
SteeringVectors: TypeAlias = NDArray[np.float64]
#: What of a report is kept as JSON.
CellDocument: TypeAlias = dict[str, Any]

#: Strengths that are tried, in gaps of the target's own direction.
PUSH_STRENGTHS = (0.5, 1.0, 1.5, 2.0)
#: The least part of P(TRUE) + P(FALSE) that a strength may leave.
MASS = 0.8
#: Strengths whose effect on validation is within this of the best do as well: the smallest of them is taken.
AS_GOOD = 0.03
#: Equal projection is not sought with a vector longer than so many times the target's own.
LONGEST = 5.0


@dataclass(frozen=True)
class Found:
    """The figures of one target, as a report's document holds them: its own, and those of the cell of every source.

    Where the time was up before all were measured (not ``whole``), those of the first sources, and perhaps no controls.
    """

    target: CellDocument
    cells: dict[str, CellDocument]
    whole: bool = True


@dataclass(frozen=True)
class SteeringSweep:
    """A target in memory, and what it is tried on; ``mapped`` are directions from shuffled labels of sources of another family, in its
    space [controls, width]."""

    loaded: Loaded
    about: str
    examples: ContrastSet
    own: Direction
    sizes: Sizes
    budget: Budget = field(default_factory=Budget)
    mapped: Mapping[str, SteeringVectors] = field(default_factory=dict)

    @property
    def layer(self) -> int:
        """Where everybody's vector acts."""
        return self.own.card.layer

    @property
    def name(self) -> str:
        """The target's checkpoint."""
        return self.loaded.checkpoint.name

    def part(self, split: Split, positive: bool, most: int) -> list[str]:
        """Examples of a class."""
        return self.examples.part(split, positive, most)

    def groups(self, items: Sequence[ContrastItem]) -> Groups:
        """Which of these examples belong together."""
        return grouping.numbered([each.belongs for each in items])


def scaled(vector: SteeringVectors, own: SteeringVectors, strength: float) -> dict[str, SteeringVectors]:
    """A vector made as strong as ``strength`` times ``own``: of equal norm, and of equal projection on it where that can be reached."""
    norm = float(np.linalg.norm(vector))
    goal = strength * float(np.linalg.norm(own))
    if norm == 0:
        return {}
    found = {"norm": vector * (goal / norm)}
    along = float(cosine(vector, own))
    if along * LONGEST >= 1:
        found["projection"] = vector * (goal / (norm * along))
    return found


def as_long_as_own(
    vectors: Mapping[str, SteeringVectors], layer: int, own: SteeringVectors, strength: float
) -> dict[str, SteeringVectors]:
    """Each source's vector [layers, width] at the target's layer, of the norm that the target's own has; none of one that is nothing."""
    return {source: made["norm"] for source, each in vectors.items() if (made := scaled(each[layer], own, strength))}


def cell_recipes(
    sweep: SteeringSweep, source: str, vector: SteeringVectors, made: Mapping[str, SteeringVectors]
) -> dict[str, str]:
    """What a cell does, as a recipe, for those that a recipe can ask for (of an untrained source none can). Truth is pushed down: the
    answer that shows it is a denial."""
    if trained(source) != source:
        return {}
    sign, gap = "-" if sweep.about == "truth" else "", float(np.linalg.norm(vector))
    strengths = {how: float(f"{float(np.linalg.norm(each)) / gap:.3g}") for how, each in made.items()}
    return {
        how: f"{sign}{strength:g}*{sweep.about}@{source}[{sweep.layer}]"
        for how, strength in strengths.items()
        if 0 < strength <= MAX_STRENGTH
    }


def finite(found: Sequence[float]) -> list[float] | None:
    """A figure with its interval as a document has it, None where there is none."""
    return list(found) if np.isfinite(found).all() else None


def rate_told(found: Rate) -> list[float]:
    """A rate as a document has it."""
    return [found.hits, found.n] if found.worth is None else [found.hits, found.n, found.worth]
