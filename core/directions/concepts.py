"""The shelf: traits that any model which follows system prompts can learn at once, and the two system prompts of any other word. No torch.

What the model says under the two prompts is what a direction is learnt from (:mod:`core.directions.learn_replies`).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache

from core.artefacts.store import SHIPPED
from core.directions.contrast import ContrastError
from core.directions.request import LearnRequest, check_direction_name, learn_request
from core.util.files import read_text

_SHELF = SHIPPED / "contrast" / "concepts.toml"
#: What parts a word from its opposite: "formal - casual", "formal/casual", "formal – casual".
_OPPOSITE = re.compile(r"\s+[-–—]\s*|\s*[/–—]\s*|\s+vs\.?\s+")
_LONGEST_WORD = 40
_WANTED = "You are {word}. Whatever you are asked, everything that you say shows very clearly: {word}."
_UNWANTED = "You are a plain, neutral assistant. You answer in ordinary words, without any style or mood."


@dataclass(frozen=True)
class Concept:
    """A trait: the name that recipes call it by, one line on it, and a system prompt for it and one against it."""

    name: str
    line: str
    wanted: str
    unwanted: str

    def request(self, replace: bool = False) -> LearnRequest:
        """What asks for its direction. Raises ContrastError as :func:`core.directions.request.learn_request` does."""
        return learn_request(self.name, self.wanted, self.unwanted, replace=replace, replies=True)


@cache
def concepts() -> dict[str, Concept]:
    """Every concept of the shelf by its name, in the shelf's order."""
    found = tomllib.loads(read_text(_SHELF, "install Tiller again"))
    return {name: Concept(name, **each) for name, each in found.items()}


def concept_of(word: str) -> Concept:
    """The concept that one word asks for: the shelf's where it has it, else one with two system prompts made of the word.

    ``formal - casual`` names the opposite, too; without one the model is set against itself in plain words.

    Raises:
        ContrastError: no word, or one that is too long to be one.
    """
    said = " ".join(word.split()).strip(" .,;:!?\"'")
    wanted, _, unwanted = (said if _OPPOSITE.search(said) is None else _OPPOSITE.sub("\n", said, count=1)).partition(
        "\n"
    )
    if not wanted:
        raise ContrastError("Write one word, such as cheerful, or a word and its opposite, such as formal - casual.")
    if len(wanted) > _LONGEST_WORD or len(unwanted) > _LONGEST_WORD:
        raise ContrastError(
            f"{wanted[:_LONGEST_WORD]!r} is no single word; write one, such as cheerful, and change the two system prompts by hand."
        )
    if wanted.lower() in concepts() and not unwanted:
        return concepts()[wanted.lower()]
    name = check_direction_name(re.sub(r"\W+", "_", wanted.lower()).strip("_"))
    against = _WANTED.format(word=unwanted) if unwanted else _UNWANTED
    return Concept(name, f"{wanted} rather than {unwanted or 'plain'}", _WANTED.format(word=wanted), against)
