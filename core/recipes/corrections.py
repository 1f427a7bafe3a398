"""What somebody may have meant by a recipe that cannot be read: a decimal comma, a missing *, another sign, a misspelt name. No torch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from core.recipes.language import NEURONS, SCOPES

_SIGNS = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "∗": "*"})
#: A comma between digits, but in a list of layers.
_COMMA = re.compile(r"(?<=\d),(?=\d)(?![^\[]*\])")
#: A number at the beginning of a term, and the name behind it without a *.
_NO_STAR = re.compile(
    r"((?:^|[-+])\s*)(\d+(?:\.\d+)?)\s*x?\s+(?=[A-Za-z_])|((?:^|[-+])\s*)(\d+(?:\.\d+)?)(?=[A-Za-z_])"
)
#: A name, and what stands before it: @ names a checkpoint, : a scope or a set of neurons.
_WORD = re.compile(r"([@:]\s*)?([A-Za-z_][A-Za-z0-9_.]*)")


def corrected(text: str, names: Iterable[str]) -> str:
    """The line that was meant, as far as that can be told; ``names`` are the directions that there are. It may be wrong all the same."""
    line = _COMMA.sub(".", text.translate(_SIGNS))
    line = _NO_STAR.sub(lambda found: f"{found[1] or found[3] or ''}{found[2] or found[4]}*", line)
    known = {*names}

    def named(found: re.Match[str]) -> str:
        before, word = found[1] or "", found[2]
        if before or word in known or word in (NEURONS, *SCOPES):
            return found[0]
        near = difflib.get_close_matches(word, sorted(known), 1, 0.7)
        return near[0] if near else word

    return _WORD.sub(named, line)
