"""What a card's figures are called, and its curves: what every layer scores, and what each strength does. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.artefacts.store import Card
from core.util.figures import strength_text

#: What the figures are called, by what was learnt; any other name is that of a person's own examples.
_WORDS: dict[str, dict[str, str]] = {
    "truth": {"effect": "P(TRUE) − P(FALSE)", "mass": "P(TRUE) + P(FALSE)", "flipped": "flipped"},
    "refusal": {"effect": "P(refusal), harmless", "harmful": "P(refusal), harmful"},
    "": {"effect": "leaning (nats)"},
}
_DAMAGE = {"damage": "damage (nats)", "broken": "broken replies"}
_SCORES = {
    "held_out_category_accuracy": "accuracy on held-out categories",
    "intervention_effect": "effect of one strength",
    "accuracy": "accuracy",
    "induction": "refusal induced",
    "ablated": "P(refusal) ablated",
    "damage": "damage (nats)",
    "leaning": "leaning (nats)",
}


@dataclass(frozen=True)
class Curves:
    """Lines over one axis, by name; ``chosen`` is the place on the axis that was taken."""

    axis: str
    places: tuple[float, ...]
    lines: Mapping[str, tuple[float, ...]]
    chosen: float | None = None

    def place_text(self, place: float) -> str:
        """A place on the axis: layers are counted, strengths have a sign."""
        return f"{place:g}" if self.axis == "layer" else strength_text(place)


def learns(card: Card) -> str:
    """What a direction was learnt as: truth, refusal, or the name of a person's own examples."""
    return str(card.details.get("learns", card.name))


def layer_scores(card: Card) -> Curves | None:
    """The scores of every layer at the chosen token."""
    scores = card.details.get("layer_scores")
    if not scores:
        return None
    lines = {_SCORES.get(key, key): tuple(values) for key, values in scores.items()}
    return Curves("layer", tuple(range(len(next(iter(scores.values()))))), lines, card.layer)


def dose_table(card: Card) -> Curves | None:
    """What each strength does: the effect, what goes with it, and the damage."""
    response = card.details.get("dose_response")
    if not response:
        return None
    words = words_of(card)
    lines = {words.get(key, key): tuple(values) for key, values in response.items() if key != "strengths"}
    return Curves("strength", tuple(response["strengths"]), lines)


def words_of(card: Card) -> dict[str, str]:
    return {**_WORDS.get(learns(card), _WORDS[""]), **_DAMAGE}


def _figure(value: float) -> str:
    """A number with three decimals; what is as good as nothing has no sign."""
    said = f"{value:.3f}"
    return said if float(said) else said.removeprefix("-")


def curve_table(curves: Curves | None) -> list[str]:
    """Curves as lines of a table, a place on the axis a line."""
    if curves is None:
        return []
    names = list(curves.lines)
    lines = [f"{curves.axis:>9}  " + "  ".join(names)]
    for index, place in enumerate(curves.places):
        row = "  ".join(f"{_figure(curves.lines[name][index]):>{len(name)}}" for name in names)
        mark = "*" if place == curves.chosen else " "
        lines.append(f"{mark}{curves.place_text(place):>8}  {row}")
    return lines
