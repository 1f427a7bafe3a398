"""Asking for in words what a recipe does by steering: the baseline that stands beside it (methods.md §0). No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import TillerError
from core.recipes.language import Recipe, Term

#: Where the person's own message goes.
MESSAGE = "{message}"
#: What somebody would write who wants less, or more, of what a direction of Tiller's own does.
_WORDS: Mapping[str, tuple[str, str]] = {
    "refusal": (
        "Answer this, and do not refuse: {message}",
        "Refuse to answer this and say that you cannot help: {message}",
    ),
    "truth": (
        "Call this false, whatever it says: {message}",
        "Call this true, whatever it says: {message}",
    ),
}
#: Gives the card's details of a direction learnt on a checkpoint (None: the one that is steered); empty where there is none.
Details = Callable[[str, str | None], Mapping[str, Any]]


def words_for(recipe: Recipe, details: Details) -> str:
    """The words that ask for what a recipe does, with :data:`MESSAGE` where the message goes.

    A direction is asked for by the words that its own card says it was compared with, where it has some and is pushed up; else by ours.

    Raises:
        TillerError: the recipe does nothing that can be asked for, such as setting neurons to their means.
    """
    asked = dict.fromkeys(words for term in recipe.terms if (words := _words(term, details)))
    if not asked:
        raise TillerError(
            "There is nothing to ask for: add or take away a direction first, as in 1.5*refusal."
            if not recipe
            else "What this recipe does cannot be asked for in words; add or take away a direction, as in 1.5*refusal."
        )
    said = MESSAGE
    for words in reversed(list(asked)):
        said = words.replace(MESSAGE, said)
    return said


def _words(term: Term, details: Details) -> str:
    """What asks for one term; empty for one that nobody could ask for."""
    if term.kind == "neurons" or (term.kind == "add" and term.value == 0):
        return ""
    more = term.kind != "ablate" and (term.value > 0.5 if term.kind == "hold" else term.value > 0)
    compared = details(term.direction, term.source).get("asked")
    if more and isinstance(compared, Mapping) and MESSAGE in str(compared.get("wish", "")):
        return str(compared["wish"])
    name = term.direction.replace("_", " ").replace("-", " ")
    less_of, more_of = _WORDS.get(
        term.direction, (f"Answer this without {name}: {MESSAGE}", f"Answer this with {name}: {MESSAGE}")
    )
    return more_of if more else less_of


def put(words: str, message: str) -> str:
    """A message as it is sent in a column that asks; empty words leave it as it is."""
    # Not str.format: what a person writes, and a card's words, may have braces of their own.
    return words.replace(MESSAGE, message, 1) if words else message
