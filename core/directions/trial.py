"""What is tried of a direction: the choice that was made of it, and what its effect is measured on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.artefacts.direction import Direction
from core.directions.activations import ClassStates, Ids, Key, LearnMethod
from core.directions.candidate import DoseMeasure
from core.inference import metrics
from core.inference.metrics import OffTarget
from core.models.loading import Loaded
from core.stats import groups as grouping
from core.stats.groups import Groups
from core.util.progress import Slices


@dataclass(frozen=True)
class Trial:
    """What a direction is tried on. ``measure`` gives the effect of edits on the validation split, ``tested`` the same figures on the
    test split, example by example; ``asked`` those of ``measure``, without any edit, when it is asked for in words: ``wish`` with
    ``{message}`` for the message. ``message`` is what the sample answers answer."""

    loaded: Loaded
    by: OffTarget
    measure: DoseMeasure
    tested: Callable[[metrics.Edits], Slices[dict[str, list[float]]]]
    asked: Callable[[], Slices[dict[str, float]]]
    wish: str
    unrelated: Sequence[str]
    message: str
    #: Which examples of ``tested`` belong together, by the name of its figures; each stands for itself where nothing is said.
    belongs: Mapping[str, Sequence[Hashable]] = field(default_factory=dict)
    #: Prompts whose replies are counted by their class at every strength, by name; unrelated ones are counted in any case.
    asked_too: Mapping[str, Sequence[Ids]] = field(default_factory=dict)


def reply_groups(
    loaded: Loaded, unrelated: Sequence[str], too: Mapping[str, Sequence[Ids]]
) -> tuple[dict[str, Sequence[Ids]], str]:
    """The prompts whose replies are counted, those of ``too`` and the unrelated messages, and the name of these.

    Where ``too`` has them already, they keep the name that they have there, and are not answered twice.
    """
    own = [each.ids for each in metrics.chat_prompts(loaded, unrelated)]
    name = next((name for name, prompts in too.items() if list(prompts) == own), "unrelated")
    return {**too, name: own}, name


@dataclass(frozen=True)
class Chosen:
    """Where a direction acts, and what it was learnt from. ``offset`` counts tokens from the prompt's end, −1 is the last; ``belongs`` says
    of every prompt which group it is of."""

    drafted: Direction
    layer: int
    offset: int
    found: ClassStates
    train: Mapping[Key, Sequence[Ids]]
    how: LearnMethod
    belongs: Mapping[Key, Sequence[Hashable]]
    #: Among how many layers and tokens the place was chosen by what it does.
    places: int = 1

    def groups(self, split: str) -> tuple[Groups, np.ndarray[Any, np.dtype[np.bool_]]]:
        """The groups of a split's prompts, the positive ones first, and which of them are positive."""
        sides = [list(self.belongs[split, label]) for label in (True, False)]
        labels = np.repeat([True, False], [len(side) for side in sides])
        return grouping.numbered([*sides[0], *sides[1]]), labels
