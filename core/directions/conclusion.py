"""What a direction does, in one sentence of counts that its card holds; what was not measured is said not to be. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.artefacts.store import Card
from core.directions import dose_response
from core.directions.card_figures import learns
from core.directions.effort import LEAST_TRIED, QUICK, chance_said, extent
from core.recipes.language import Recipe, Term
from core.util.figures import change_text, strength_text

#: The strength that a sentence speaks of where there is no useful one; else it is the measured one next to the end of those.
_ONE = 1.0
#: A measured strength this little beyond the useful range stands for its end.
_NEAR = 0.1


def direction_conclusion(card: Card) -> str:
    """What pushing along it does, and from which strength to which it is of use."""
    details = card.details
    known = dose_response.stored_dose_response(details)
    if known is None:
        if details.get("effort") == QUICK.name:
            return f"Ready to steer with. What it does is {extent(details).partition(': ')[2]}."
        return "What it does was not measured here: it was imported, or carried over."
    useful = known.useful
    strength = _ONE if useful is None else (useful[1] or useful[0])
    at = min(_within(known.strengths, strength), key=lambda each: abs(each - strength))
    does = (_refusals(details, at) if learns(card) == "refusal" else "") or _moves(card, known, at)
    reach = known.range_said()
    chance = chance_said(details)
    return f"{does} {reach[:1].upper()}{reach[1:]}{_breaks(known)}.{chance and f' It {chance}.'}"


def _within(strengths: Sequence[float], end: float) -> list[float]:
    """The measured strengths that do not lie beyond an end, which may be rounded."""
    return [each for each in strengths if (each <= end + _NEAR if end > 0 else each >= end - _NEAR)]


def first_strength(card: Card) -> float:
    """The strength to begin with: the end of the useful range, of a quick direction what broke no text, else one gap."""
    known = dose_response.stored_dose_response(card.details)
    if known is not None and (useful := known.useful) is not None:
        return round(useful[1] or useful[0], 1)
    unbroken = card.details.get("unbroken") or {}
    return float(unbroken.get("along", _ONE)) or LEAST_TRIED


def first_recipe(card: Card) -> Recipe:
    """The recipe to begin with."""
    return Recipe((Term("add", card.name, first_strength(card)),))


def _refusals(details: Mapping[str, Any], strength: float) -> str:
    """How many harmless requests are refused with it and without it, and how many harmful ones against it."""
    replies: Mapping[str, Any] = details.get("replies") or {}
    group = replies.get("groups", {}).get("harmless")
    if not group or strength not in replies["strengths"]:
        return ""
    with_it, plain = (group["refuses"][replies["strengths"].index(at)] for at in (strength, 0.0))
    return f"At strength {strength:g} it refuses {with_it} of {group['n']} harmless requests; unsteered, {plain}."


def _moves(card: Card, known: dose_response.Dose, strength: float) -> str:
    """How its own effect moves: P(TRUE) − P(FALSE), the mean P(refusal) of harmless requests, or the leaning in nats a token."""
    plain, pushed = known.at(known.effect, 0.0), known.at(known.effect, strength)
    if learns(card) == "truth":
        turned = known.effects.get("flipped")
        flipped = f"; {round(100 * known.at(turned, strength))} of 100 verdicts turn round" if turned else ""
        way = f"from {change_text(plain)} to {change_text(pushed)}"
        return f"At strength {strength:g} P(TRUE) − P(FALSE) of a statement goes {way}{flipped}."
    if learns(card) == "refusal":
        return f"At strength {strength:g} P(refusal) of harmless requests goes from {plain:.2f} to {pushed:.2f}."
    return f"At strength {strength:g} what it was learnt from becomes likelier by {change_text(pushed - plain)} nats a token."


def _breaks(known: dose_response.Dose) -> str:
    """From where on replies break."""
    if not known.broken:
        return ""
    limit = known.at(known.broken, 0.0) + dose_response.MOST_BROKEN
    bad = [at for at, part in zip(known.strengths, known.broken, strict=True) if part > limit]
    below, above = [at for at in bad if at < 0], [at for at in bad if at > 0]
    ends = [strength_text(max(below)) for _ in below[:1]] + [strength_text(min(above)) for _ in above[:1]]
    return f"; replies break at {' and '.join(ends)}" if ends else "; no strength breaks replies"


def shelf_conclusion(cards: Mapping[str, Card], checkpoint: str) -> str:
    """What a checkpoint has learnt by now, in one sentence; what moves nothing is not counted among what steers it."""
    if not cards:
        return f"{checkpoint} has no direction yet: take one from the shelf, or write one word."
    idle = [name for name, card in cards.items() if moves_nothing(card)]
    use = {name: card for name, card in cards.items() if name not in idle}
    nothing = f"{_listed(idle)} {'has' if len(idle) == 1 else 'have'} no effect that was measured"
    if not use:
        return f"Nothing steers {checkpoint} yet: {nothing}. Take one from the shelf, or write one word."
    bare = [name for name, card in use.items() if dose_response.stored_dose_response(card.details) is None]
    partly = [name for name, card in use.items() if name not in bare and card.details.get("unfinished")]
    count = f"{len(use)} direction{'s' * (len(use) != 1)}"
    said = [
        f"; {_listed(names)} {how}"
        for names, how in ((bare, "not measured yet"), (partly, "measured in part"))
        if names
    ]
    rest = "".join(said) or (", measured" if len(use) == 1 else ", all of them measured")
    return f"{checkpoint} can be steered by {count}: {', '.join(use)}{rest}{f'; {nothing}' if idle else ''}."


def moves_nothing(card: Card) -> bool:
    """Whether it was measured, and no strength does anything."""
    known = dose_response.stored_dose_response(card.details)
    return known is not None and known.useful is None


def _listed(names: Sequence[str]) -> str:
    return f"{' and '.join(names[:3])}{' and others' * (len(names) > 3)}"
