"""Which layers and tokens are tried for a direction, and in which order: coarse to fine, until all were tried or nothing more is wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from core.directions.activations import ClassStates
from core.directions.effort import Effort

#: What is chosen lies behind this part of a model's depth and before :data:`_LAST`, so that these layers are tried first.
_FIRST, _LAST = 0.2, 0.8
#: Where few may be tried, tokens are compared in the layer this far down: which one a model decides at is the larger question, and about
#: half way down is where it has.
_MIDDLE = 0.55
#: Where not all may be tried, so many more are than those, beside the one that would be chosen.
BESIDE = 3
#: In so many parts of the middle one layer is tried before any other.
_PARTS = 8

#: A token, counted from the prompt's end, and a layer.
Place = tuple[int, int]


class Places:
    """The order in which places are tried.

    Args:
        found: where the classes stand, and how well they are told apart.
        by_hand: the only layer to try, where a person chose it.
    """

    def __init__(self, found: ClassStates, layers: int, effort: Effort, by_hand: int | None) -> None:
        accuracy, clearness = found.accuracy["validation"], found.clearness
        every = effort.name == "full" or by_hand is not None
        # What lies behind is never chosen.
        end = layers if every else max(1, math.ceil(_LAST * layers))
        #: Many places tell about as many held-out examples apart; of these the one with the longest gap, for its spread, is taken.
        self._clear = {
            (offset, layer): (round(float(accuracy[offset, layer]), 1), float(clearness[offset, layer]))
            for offset in range(-len(accuracy), 0)
            for layer in range(end)
        }
        self._layers, self._effort, self._by_hand = layers, effort, by_hand
        parts = effort.candidates or _PARTS
        few = effort.candidates is not None and len(accuracy) > 1
        self._order = list(self._all() if every else self._tokens(parts) if few else self._coarse(parts))
        self._more = len(self._order) + (BESIDE if effort.candidates is not None else len(self._clear))

    def following(self, tried: Sequence[tuple[int, int, float]], chosen: Place | None = None) -> Place | None:
        """What to try next, given what was tried and how good each was, and the one that would be chosen; None where that is all."""
        done = {(offset, layer) for offset, layer, _ in tried}
        if ahead := next((each for each in self._order if each not in done), None):
            return ahead
        if len(tried) >= self._more or self._by_hand is not None:
            return None
        # Beside the best ones first, then whatever is left, the clearest first.
        for offset, layer, _ in sorted(tried, key=lambda each: (each[:2] != chosen, -each[2]))[:2]:
            tokens = sorted((each for each in self._clear if each[1] == layer), key=self._rank)
            beside = [(offset, layer + step) for step in (-1, 1, -2, 2)]
            if near := next(
                (each for each in (*tokens[:3], *beside, *tokens) if each in self._clear and each not in done), None
            ):
                return near
        return min((each for each in self._clear if each not in done), key=self._rank, default=None)

    def _rank(self, place: Place) -> tuple[float, float]:
        accuracy, gap = self._clear[place]
        return -accuracy, -gap

    def _all(self) -> Iterator[Place]:
        for place in self._clear:
            if self._by_hand is None or place[1] == self._by_hand:
                yield place

    def _tokens(self, count: int) -> Iterator[Place]:
        """The clearest tokens of one layer."""
        middle = min(int(_MIDDLE * self._layers), max(layer for _, layer in self._clear))
        there = (place for place in self._clear if place[1] == middle)
        yield from sorted(there, key=self._rank)[:count]

    def _coarse(self, parts: int) -> Iterator[Place]:
        """The clearest place of each part of the middle layers."""
        middle = range(math.floor(_FIRST * self._layers), max(1, math.ceil(_LAST * self._layers)))
        for part in np.array_split(np.array(middle), min(parts, len(middle))):
            yield min((each for each in self._clear if each[1] in part), key=self._rank)
