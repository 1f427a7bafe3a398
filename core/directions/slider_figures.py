"""What may be said of a slider from what was measured: only where it was measured, and as a change against the unsteered model. No torch.

A card's figures are of one direction alone, added at its own layer to all tokens of its own checkpoint, at the strengths that were tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.artefacts.store import Card
from core.chat.settings import Column
from core.directions import effort
from core.directions.card_figures import learns
from core.directions.dose_response import Dose, stored_dose_response
from core.recipes.language import Term, layers_text
from core.util import figures

_SCOPES = {"prompt": "the prompt only", "reply": "the reply only", "last": "the prompt's last token only"}
#: Whose refusals each effect of a refusal direction counts.
_REQUESTS = {"effect": "harmless", "harmful": "harmful"}
#: A strength this little beyond the useful range is not worth a sentence of its own.
_NEAR = 0.25


@dataclass(frozen=True)
class SliderFigures:
    """The figures that hold for a slider, if any do, and everything that is said of them: at its strength, in general, and why not more."""

    dose: Dose | None = None
    said: str = ""
    range: str = ""
    extent: str = ""

    @property
    def words(self) -> str:
        """All of it on one line."""
        return " · ".join(part for part in (self.said, self.range, self.extent) if part)


def slider_figures(card: Card | None, term: Term, column: Column) -> SliderFigures:
    """What is known of ``term``, which a slider moves in a column, from its direction's card."""
    if card is None:
        return SliderFigures()
    extent = effort.extent(card.details)
    dose = stored_dose_response(card.details)
    if dose is None:
        return SliderFigures(extent=extent)
    if apart := _elsewhere(card, term, column):
        return SliderFigures(extent=f"not measured {apart}")
    strength = column.recipe.strength(term.direction)
    alone = "alone: " if strength and len(column.recipe.terms) > 1 else ""
    said = said_at(card, dose, strength)
    return SliderFigures(dose, alone + said if said else "", dose.range_said(), extent)


def beyond_use(cards: Mapping[str, Card], column: Column) -> list[str]:
    """A sentence on each strength of a column's recipe that lies beyond where its direction, by the ``cards`` of the column's own
    checkpoint, was measured to be of use."""
    found = []
    for term in column.recipe.terms:
        card = cards.get(term.direction) if term.kind == "add" and term.source in (None, column.checkpoint) else None
        dose = stored_dose_response(card.details) if card else None
        if card is None or dose is None or dose.useful is None:
            continue
        apart = _elsewhere(card, term, column)
        # What is of use elsewhere is not known: only that nothing further out was tried anywhere.
        low, high = (dose.strengths[0], dose.strengths[-1]) if apart else dose.useful
        if low - _NEAR <= term.value <= high + _NEAR:
            continue
        known = f"from {figure(low)} to {figure(high)}, though not {apart}" if apart else f"to be {dose.range_said()}"
        found.append(f"{term.direction} was measured {known}; {figure(term.value)} is beyond that.")
    return found


def said_at(card: Card, dose: Dose, strength: float) -> str:
    """What was measured at a strength, of the effect that changes most on its side of 0; nothing is said of 0, which does nothing."""
    if not strength:
        return ""
    low, high = dose.strengths[0], dose.strengths[-1]
    if not low <= strength <= high:
        return f"not measured beyond {figure(low if strength < 0 else high)}"
    parts = [_effect(card, dose, dose.leading(strength), strength)]
    if dose.damage:
        parts.append(f"damage {figure(dose.at(dose.damage, strength))} nats")
    if dose.broken and (broken := _of_100(dose.at(dose.broken, strength))) != "0":
        parts.append(f"{broken} of 100 replies broken")
    useful = dose.useful
    if useful is not None and not useful[0] - 1e-9 <= strength <= useful[1] + 1e-9:
        parts.append("beyond the useful range")
    return ", ".join(parts)


def figure(value: float) -> str:
    """A number with two decimals at most, never in powers of ten; what is as good as nothing is 0."""
    return figures.figure_text(value).rstrip("0").rstrip(".") or "0"


def _elsewhere(card: Card, term: Term, column: Column) -> str:
    """What is other in a column than where the figures were measured, in words; empty where they hold."""
    if card.checkpoint != column.checkpoint:
        return f"on {column.checkpoint} for this slider, but on {card.checkpoint}, where it was learnt"
    if term.scope != "all":
        return f"for {_SCOPES[term.scope]}"
    if term.layers is not None and term.layers != (card.layer,):
        return f"at layer{'s' * (len(term.layers) > 1)} {layers_text(term.layers)}"
    if term.gate is not None:
        return "behind a gate"
    if any(each.direction == term.direction and each.kind != "add" for each in column.recipe.terms):
        return "together with its removal"
    return ""


def _effect(card: Card, dose: Dose, name: str, strength: float) -> str:
    kind = learns(card)
    if kind == "refusal" and (counted := _counted(card, dose, name)):
        number, values = counted
        about = "" if strength in dose.strengths else "about "
        refused, plainly = round(dose.at(values, strength)), round(dose.at(values, 0.0))
        return f"refuses {about}{refused} of {number} {_REQUESTS[name]} requests (unsteered {plainly})"
    now, plain = dose.at(dose.effects[name], strength), dose.at(dose.effects[name], 0.0)
    if kind == "refusal" and name in _REQUESTS:
        # A mean of probabilities counts no reply.
        return f"P(refusal) {figure(now)} on {_REQUESTS[name]} requests (unsteered {figure(plain)})"
    if kind == "truth" and name == "flipped":
        return f"turns {_of_100(now)} of 100 verdicts"
    called = "P(TRUE) − P(FALSE)" if kind == "truth" else "leaning" if name == "effect" else name
    unit = " nats" if called == "leaning" else ""
    return f"{called} {figure(now)}{unit} (unsteered {figure(plain)})"


def _counted(card: Card, dose: Dose, name: str) -> tuple[int, list[int]] | None:
    """How many replies were read, and how many of them were refusals at each strength, as its card tells it; None where none were."""
    replies: Mapping[str, Any] = card.details.get("replies") or {}
    group = replies.get("groups", {}).get(_REQUESTS.get(name, ""))
    if not group or list(replies["strengths"]) != list(dose.strengths):
        return None
    return group["n"], group["refuses"]


def _of_100(part: float) -> str:
    return f"{100 * part:.0f}".replace("-0", "0")
