"""What may come next in a recipe that is being typed: names of directions, of checkpoints, of scopes. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from core.recipes import SCOPES

_CHECKPOINT = re.compile(r"@([A-Za-z0-9_./-]*)$")
_SCOPE = re.compile(r"[A-Za-z0-9_.\]]:([a-z]*)$")
_DIRECTION = re.compile(r"(?:^|[*!+\-\s])([A-Za-z_][A-Za-z0-9_.]*)$")
_DIRECTION_DUE = re.compile(r"(?:[*!]|^|[+\-]\s*)\s*$")


@dataclass(frozen=True)
class Completion:
    """The names that fit: each would stand in the text from ``start`` (0-based) to the cursor."""

    start: int
    names: tuple[str, ...]


def complete(text: str, directions: Iterable[str], checkpoints: Iterable[str]) -> Completion:
    """The names that fit at the end of ``text`` (what stands before the cursor), those that begin with what is there."""
    for pattern, names in ((_CHECKPOINT, checkpoints), (_SCOPE, SCOPES), (_DIRECTION, directions)):
        found = pattern.search(text)
        if found:
            begun = found.group(1)
            fitting = tuple(name for name in names if name.startswith(begun) and name != begun)
            return Completion(found.start(1), fitting)
    return Completion(len(text), tuple(directions) if _DIRECTION_DUE.search(text) else ())
