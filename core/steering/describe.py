"""What a recipe does to a checkpoint, in words, once everything that it names is there. Only headers of artefacts are read; no torch."""

from __future__ import annotations

import difflib

from core.artefacts import store
from core.artefacts.neuron_sets import NEURON_SET_KIND, load_set
from core.artefacts.store import Card
from core.errors import TillerError
from core.families.checkpoint import Family
from core.families.commands import family_option, how_to_learn, not_mapped
from core.recipes.language import Recipe, Term, layers_text
from core.util.program import program

_SCOPE_WORDS = {"all": "all tokens", "prompt": "the prompt", "reply": "the reply", "last": "the prompt's last token"}


def explain_recipe(family: Family, recipe: Recipe, checkpoint: str) -> str:
    """What a recipe does to ``checkpoint``, in words: ``layer 3, all tokens``; empty for the empty recipe.

    Raises:
        TillerError: naming the direction, checkpoint or layer that is not there, and those that are.
    """
    family.checkpoint(checkpoint)
    return "; ".join(_explain_term(family, term, checkpoint) for term in recipe.terms)


def _explain_term(family: Family, term: Term, checkpoint: str) -> str:
    if term.kind == "neurons":
        said = _explain_neurons(family, term, checkpoint)
    else:
        card, borrowed = _card(family, term.direction, term.source, checkpoint)
        _check_layers(term, checkpoint, int(card.details.get("layers", 0)))
        best = "every layer" if term.kind == "ablate" else f"layer {card.layer}"
        said = f"{_layers(term.layers) if term.layers else best}, {_SCOPE_WORDS[term.scope]}{borrowed}"
    if term.gate is None:
        return said
    _, borrowed = _card(family, term.gate.direction, term.gate.source, checkpoint)
    side = "above" if term.gate.above else "below"
    return f"{said}, only after {term.gate.direction} read {side} {term.gate.threshold:g}{borrowed}"


def _explain_neurons(family: Family, term: Term, checkpoint: str) -> str:
    source, borrowed = _learnt_where(family, term.source, checkpoint)
    path = store.find_artefact(family.places, source, NEURON_SET_KIND, term.direction)
    if path is None:
        there = ", ".join(neuron_sets(family, source)) or "none"
        raise TillerError(
            f"{source} has no set of neurons {term.direction!r}; it has {there}. "
            "Entropy neurons are found by Measure in Inspect "
            f"(on the command line: `{program()} precompute{family_option(family)} --what confidence`)."
        )
    found = load_set(path)
    layers = tuple(each for each in found.layers if term.layers is None or each in term.layers)
    if not layers:
        raise TillerError(
            f"{term.place} names no layer with a neuron of this set; it has them in {_layers(found.layers)}."
        )
    count = sum(len(found.at(layer)[0]) for layer in layers)
    return (
        f"{count} neuron{'s' * (count != 1)} of {_layers(layers)} at their means, {_SCOPE_WORDS[term.scope]}{borrowed}"
    )


def neuron_sets(family: Family, checkpoint: str) -> tuple[str, ...]:
    """The names of the sets of neurons that were found on a checkpoint."""
    own = family.directions_of(checkpoint)
    return tuple(card.name for card in store.cards(family.places, own, NEURON_SET_KIND))


def learnt_on(family: Family, checkpoint: str) -> tuple[Card, ...]:
    """The cards of the directions that were learnt on a checkpoint itself."""
    return store.cards(family.places, checkpoint)


def _learnt_where(family: Family, named: str | None, checkpoint: str) -> tuple[str, str]:
    """The checkpoint that a term means, and what is said of it where the term does not name it and it is another one."""
    source = family.checkpoint(named or family.directions_of(checkpoint)).name
    return source, "" if named or source == checkpoint else f", the direction of {source}"


def _card(family: Family, name: str, named: str | None, checkpoint: str) -> tuple[Card, str]:
    """A direction's card, and what is said of where it was learnt. Raises TillerError naming those that are there."""
    if named and "/" in named:
        return _mapped(family, name, named, checkpoint), f", mapped from {named}"
    source, borrowed = _learnt_where(family, named, checkpoint)
    card = next((each for each in learnt_on(family, source) if each.name == name), None)
    if card is not None:
        return card, borrowed
    path = store.find_artefact(family.places, source, "direction", name)
    if path is not None:
        # It is there but left out of the list: reading it says what is wrong with it.
        store.read_card(path)
    there = [each.name for each in learnt_on(family, source)]
    if close := difflib.get_close_matches(name, there, n=1):
        raise TillerError(f"{source} has no direction {name!r}; did you mean {close[0]}?")
    raise TillerError(
        f"{source} has no direction {name!r}; it has {', '.join(there) or 'none'}. {how_to_learn(family)}"
    )


def _mapped(family: Family, name: str, source: str, checkpoint: str) -> Card:
    """The card of another family's direction that was mapped into a checkpoint of this one. Raises TillerError."""
    own = family.directions_of(checkpoint)
    path = store.find_mapped(family.places, name, source, own)
    if path is None:
        raise not_mapped(family, name, source, own)
    return store.read_card(path)


def _layers(layers: tuple[int, ...]) -> str:
    return f"layer{'s' if len(layers) > 1 else ''} {layers_text(layers)}"


def _check_layers(term: Term, checkpoint: str, layers: int) -> None:
    if layers and term.layers and term.layers[-1] >= layers:
        raise TillerError(f"{term.place} names layer {term.layers[-1]}; {checkpoint} has layers 0 to {layers - 1}.")
