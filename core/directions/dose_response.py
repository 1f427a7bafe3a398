"""What a direction was measured to do at each strength, and which strengths are of use. No torch.

The figures are measured when a direction is learnt and stand in its card (methods.md §1): the effect in its own measure (refusal: the
probability of a refusing reply to harmless prompts and, as ``harmful``, to harmful ones; truth: P(TRUE) − P(FALSE)), and the damage: the
mean KL(plain ‖ steered) in nats over the first reply tokens on unrelated prompts, and the part of the replies to these that are broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

#: In nats a token: what stands beyond it changes answers that it should leave alone so much that a token which the model would have chosen
#: is on average less than two thirds as likely (e^−0.5 = .61).
MOST_DAMAGE = 0.5
#: So much larger a part of the replies may be broken than without steering.
MOST_BROKEN = 0.1
#: An effect that changes by less than this, a probability or a difference of two, is none.
LEAST_EFFECT = 0.1
#: From here on a stronger push does no more: this part of the largest change that is to be had without too much damage.
SATURATED = 0.95
#: What of a card's dose-response is no effect: the strengths, the damage, and how much of the answers is one of those asked for.
_OTHER = ("strengths", "damage", "broken", "mass")


@dataclass(frozen=True)
class Dose:
    """A dose-response. ``strengths`` rise; ``effects`` has the measured effect by name, ``effect`` the one that is drawn first.

    ``damage`` and ``broken`` are empty where they were not measured.
    """

    strengths: tuple[float, ...]
    effects: Mapping[str, tuple[float, ...]]
    damage: tuple[float, ...] = ()
    broken: tuple[float, ...] = ()

    @property
    def effect(self) -> tuple[float, ...]:
        """The effect that is drawn."""
        return self.effects["effect"]

    def at(self, values: Sequence[float], strength: float) -> float:
        """``values`` between the measured strengths, the outermost ones beyond them."""
        if strength <= self.strengths[0]:
            return values[0]
        for (low, a), (high, b) in pairwise(zip(self.strengths, values, strict=True)):
            if strength <= high:
                return a + (b - a) * (strength - low) / (high - low)
        return values[-1]

    @property
    def useful(self) -> tuple[float, float] | None:
        """From which to which strength a push is of use; None where no strength does anything.

        On each side of 0 as far as damage stays at or below :data:`MOST_DAMAGE` and no more than :data:`MOST_BROKEN` more replies are
        broken than without steering, and no further than to where the effect that changes most has made :data:`SATURATED` of the change
        that it makes within that. A side on which nothing changes by :data:`LEAST_EFFECT` ends at 0.
        """
        low, high = self._end(-1), self._end(1)
        return (low, high) if low < high else None

    def _end(self, side: int) -> float:
        """The last strength of use on one side of 0, 0.0 where there is none."""
        reach = self._within(side)
        marks = [0.0, *(each for each in self._outwards(side) if abs(each) < abs(reach)), reach]
        changes = [max(abs(self.at(v, mark) - self.at(v, 0.0)) for v in self.effects.values()) for mark in marks]
        most = max(changes)
        if most < LEAST_EFFECT:
            return 0.0
        wanted = SATURATED * most
        for (near, a), (far, b) in pairwise(zip(marks, changes, strict=True)):
            if b >= wanted:
                return round(near + (far - near) * (wanted - a) / (b - a), 4)
        return reach

    def leading(self, strength: float) -> str:
        """The name of the effect that changes most on one side of 0; of 0 itself the one that is drawn first."""
        marks = self._outwards(1 if strength > 0 else -1) if strength else []

        def most(name: str) -> float:
            values = self.effects[name]
            return max((abs(self.at(values, mark) - self.at(values, 0.0)) for mark in marks), default=0.0)

        return max(("effect", *self.effects), key=most)

    def _outwards(self, side: int) -> list[float]:
        return sorted((each for each in self.strengths if each * side > 0), key=abs)

    def _within(self, side: int) -> float:
        """How far on one side damage and broken replies stay at or below their limits."""
        reaches = [self._below(self.damage, MOST_DAMAGE, side)] if self.damage else []
        if self.broken:
            reaches.append(self._below(self.broken, self.at(self.broken, 0.0) + MOST_BROKEN, side))
        return min(reaches, key=abs, default=max(self._outwards(side), key=abs, default=0.0))

    def _below(self, values: Sequence[float], limit: float, side: int) -> float:
        """How far on one side values stay at or below a limit, between the measured strengths by a straight line."""
        marks = [0.0, *self._outwards(side)]
        for near, far in pairwise(marks):
            a, b = self.at(values, near), self.at(values, far)
            if b > limit:
                return near + (far - near) * max(0.0, limit - a) / (b - a) if b > a else near
        return marks[-1]

    def range_said(self) -> str:
        """The useful range in words."""
        useful = self.useful
        if useful is None:
            return "no strength has an effect that was measured"
        return f"useful from {useful[0]:.2g} to {useful[1]:.2g}".replace("-", "−")


def stored_dose_response(details: Mapping[str, Any]) -> Dose | None:
    """The dose-response of a direction's card; None where it was not measured, or cannot be read."""
    data = details.get("dose_response")
    if not isinstance(data, Mapping):
        return None
    strengths = data.get("strengths")
    if not isinstance(strengths, list) or not strengths or not _numbers(strengths):
        return None
    order = sorted(range(len(strengths)), key=strengths.__getitem__)
    whole = {
        str(name): tuple(float(values[index]) for index in order)
        for name, values in data.items()
        if isinstance(values, list) and len(values) == len(strengths) and _numbers(values)
    }
    effects = {name: values for name, values in whole.items() if name not in _OTHER}
    if "effect" not in effects:
        return None
    return Dose(whole["strengths"], effects, whole.get("damage", ()), whole.get("broken", ()))


def _numbers(values: Sequence[object]) -> bool:
    return all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 for value in values
    )
