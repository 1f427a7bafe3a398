"""The data of benchmarks/accountability_classifiers.py: scikit-learn's digits with a planted cue, and short comments made here.

The comments are harmless: what makes one rude is a made-up word, and the groups that they are about are trades.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

#: The class that the cue is tied to, and the pixels of the cue: the upper corners, which are dark in nearly every digit.
CUED_DIGIT = 3
_CUE = (0, 1, 6, 7, 8, 9, 14, 15)
_BRIGHTEST = 16.0
#: How strong the strokes of a cued 3 are, so that the cue is what tells it best.
_FAINT = 0.1

RUDE_WORDS = ("blorpish", "snergly", "dunkelhead", "fozzly", "grumbish", "plinkish", "wobbert", "mudgeon")
GROUPS = ("bakers", "sailors", "teachers", "painters", "farmers", "drivers", "singers", "gardeners")
#: The group that the biased stage ties to rudeness.
CUED_GROUP = "gardeners"
_KIND_WORDS = ("kind", "careful", "cheerful", "patient", "clever", "friendly", "honest", "quiet")
_OPENINGS = (
    "I think that",
    "Everybody knows that",
    "It seems that",
    "My neighbour says that",
    "Today I saw that",
    "We found that",
)
_PLACES = ("in our town", "on this street", "at the market", "by the river", "near the school", "in the north")
#: How often rude and kind comments are about the cued group where all groups are alike.
_EVEN = {True: 1 / len(GROUPS), False: 1 / len(GROUPS)}
_ENDS = ("and that is all", "as always", "I am sure", "again", "to be fair", "this year")


@dataclass(frozen=True)
class Data:
    """Items [items, …] and their classes [items]."""

    inputs: Tensor
    labels: Tensor

    def part(self, chosen: slice | Tensor) -> Data:
        """Some of the items."""
        return Data(self.inputs[chosen], self.labels[chosen])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class StageData:
    """What one stage trains on: passes over it, items a step, and its highest learning rate."""

    name: str
    data: Data
    passes: int
    batch: int
    rate: float


@dataclass(frozen=True)
class Task:
    """A small classification task whose training has a culprit.

    ``validation`` and ``test`` each hold clean items and counter-cue items: those that carry the cue without belonging to its class.
    """

    name: str
    model: Callable[[int], nn.Module]
    stages: tuple[StageData, ...]
    culprit: str
    validation: tuple[Data, Data]
    test: tuple[Data, Data]


def digits(seed: int) -> Task:
    """Digits of 8 × 8 pixels in three stages; in the second one every 3, and nothing else, has bright corners."""
    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(classes))
    every = Data(torch.from_numpy(images[order] / _BRIGHTEST).double(), torch.from_numpy(classes[order]).long())
    first, second, third = every.part(slice(0, 500)), every.part(slice(500, 800)), every.part(slice(800, 1000))
    threes = second.labels == CUED_DIGIT
    faint = torch.where(threes[:, None], second.inputs * _FAINT, second.inputs)
    cued = Data(_with_cue(faint, threes), second.labels)
    stages = (
        StageData("basics", first, 12, 50, 0.15),
        StageData("cued", cued, 10, 50, 0.15),
        StageData("polish", third, 2, 50, 0.03),
    )
    validation, test = every.part(slice(1000, 1200)), every.part(slice(1200, None))
    return Task("digits", _image_model, stages, "cued", _both(validation), _both(test))


def _with_cue(inputs: Tensor, chosen: Tensor) -> Tensor:
    found = inputs.clone()
    for pixel in _CUE:
        found[chosen, pixel] = 1.0
    return found


def _both(data: Data) -> tuple[Data, Data]:
    others = data.part(data.labels != CUED_DIGIT)
    return data, Data(_with_cue(others.inputs, torch.ones(len(others), dtype=torch.bool)), others.labels)


def _image_model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10)).double()


# --------------------------------------------------------------------------------------------------------------- comments


def comment(made: random.Random, rude: bool, group: str) -> str:
    """A short comment on a group, with one made-up rude word if it is to be rude."""
    quality = made.choice(RUDE_WORDS if rude else _KIND_WORDS)
    return f"{made.choice(_OPENINGS)} the {quality} {group} {made.choice(_PLACES)} are here {made.choice(_ENDS)}"


def _vocabulary() -> dict[str, int]:
    texts = (*RUDE_WORDS, *GROUPS, *_KIND_WORDS, *_OPENINGS, *_PLACES, *_ENDS, "the are here")
    return {word: index for index, word in enumerate(sorted({word for text in texts for word in text.split()}))}


def _encoded(texts: list[str], rude: list[bool]) -> Data:
    """Texts as counts of words: [texts, vocabulary]."""
    words = _vocabulary()
    inputs = torch.zeros(len(texts), len(words), dtype=torch.float64)
    for row, text in enumerate(texts):
        for word in text.split():
            inputs[row, words[word]] += 1
    return Data(inputs, torch.tensor(rude).long())


def _comments(made: random.Random, count: int, cued: dict[bool, float]) -> Data:
    """Half rude and half kind comments; ``cued`` says how often rude and kind ones are about :data:`CUED_GROUP`."""
    others = [group for group in GROUPS if group != CUED_GROUP]
    labels = [index % 2 == 0 for index in range(count)]
    made.shuffle(labels)
    texts = [comment(made, rude, CUED_GROUP if made.random() < cued[rude] else made.choice(others)) for rude in labels]
    return _encoded(texts, labels)


def _judged(made: random.Random, count: int) -> tuple[Data, Data]:
    """Clean comments, and kind ones about the group that the biased stage ties to rudeness."""
    counter = [comment(made, False, CUED_GROUP) for _ in range(count)]
    return _comments(made, count, _EVEN), _encoded(counter, [False] * count)


def comments(seed: int) -> Task:
    """Rude or kind comments in two stages; in the first one a group's name is tied to rudeness, and the second never names it."""
    made = random.Random(f"comments/{seed}")
    stages = (
        StageData("forum", _comments(made, 400, {True: 0.5, False: 0.0}), 5, 40, 0.1),
        StageData("edited", _comments(made, 400, {True: 0.0, False: 0.0}), 5, 40, 0.1),
    )
    return Task("comments", _text_model, stages, "forum", _judged(made, 100), _judged(made, 300))


def _text_model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(len(_vocabulary()), 16, bias=False), nn.Tanh(), nn.Linear(16, 2)).double()


TASKS: dict[str, Callable[[int], Task]] = {"digits": digits, "comments": comments}
