"""What may come next in a recipe that is being typed: names of directions, of checkpoints, of scopes, of sets of neurons. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.recipes.language import NEURONS, SCOPES

_SET = re.compile(rf"!\s*{NEURONS}:([A-Za-z0-9_./-]*)$")
_ABLATED = re.compile(r"!\s*([A-Za-z_][A-Za-z0-9_.]*)$")
_CHECKPOINT = re.compile(r"@([A-Za-z0-9_./-]*)$")
_SCOPE = re.compile(r"[A-Za-z0-9_.\]]:([a-z]*)$")
_DIRECTION = re.compile(r"(?:^|[*!+\-\s?])([A-Za-z_][A-Za-z0-9_.]*)$")
_DIRECTION_DUE = re.compile(r"(?:[*!?]|^|[+\-]\s*)\s*$")


@dataclass(frozen=True)
class Completion:
    """The names that fit: each would stand in the text from ``start`` (0-based) to the cursor."""

    start: int
    names: tuple[str, ...]


def complete(text: str, directions: Iterable[str], checkpoints: Iterable[str], sets: Iterable[str] = ()) -> Completion:
    """The names that fit at the end of ``text`` (what stands before the cursor), those that begin with what is there."""
    names, known = tuple(directions), tuple(sets)
    # What is ablated is a direction or, where there are some, a set of neurons.
    ablated = (*names, *([f"{NEURONS}:"] if known else []))
    for pattern, fitting in (
        (_SET, known), (_CHECKPOINT, tuple(checkpoints)), (_SCOPE, SCOPES), (_ABLATED, ablated), (_DIRECTION, names),
    ):  # fmt: skip
        found = pattern.search(text)
        if found:
            begun = found.group(1)
            return Completion(found.start(1), tuple(n for n in fitting if n.startswith(begun) and n != begun))
    return Completion(len(text), names if _DIRECTION_DUE.search(text) else ())
