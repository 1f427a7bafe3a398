"""A statement and its negation, which CCS and TTPD learn from [Burns et al.; Bürger et al., "Truth is Universal", §2]. No torch."""

from __future__ import annotations

import re

_DENIAL = re.compile(r"\b(not|never|cannot|no|n't)\b|n't\b", re.IGNORECASE)
#: Behind the first of these a "not" stands; where several are in a sentence, it is the one that comes first.
_AUXILIARY = re.compile(r"(?<= )(is|are|was|were|can|could|will|would|may|must|should)(?= )")


def denied(text: str) -> bool:
    """Whether a statement is a denial: its polarity is then −1."""
    return bool(_DENIAL.search(text))


def negated(text: str) -> str:
    """The negation of an affirmed statement, with the same last token: "Paris is not in France.", or "It is not true that …"."""
    found = _AUXILIARY.search(text)
    if found:
        return f"{text[: found.end()]} not{text[found.end() :]}"
    return f"It is not true that {_joined(text)}"


def _joined(text: str) -> str:
    """A sentence behind "that": an article at its start is written small, a name is not."""
    first = text.partition(" ")[0]
    return text[:1].lower() + text[1:] if first in ("The", "A", "An", "All", "Some", "It", "This", "In") else text


def paired(true: list[str], false: list[str]) -> tuple[list[str], list[str], list[int]]:
    """True and false statements, one the negation of the other at each index, and the polarity of the true one.

    The affirmed statements of both classes are taken, each with its negation, which has the other truth value. Where all are
    denials nothing is found.
    """
    affirmed = [(text, True) for text in true if not denied(text)] + [
        (text, False) for text in false if not denied(text)
    ]
    ones = [text if right else negated(text) for text, right in affirmed]
    others = [negated(text) if right else text for text, right in affirmed]
    return ones, others, [1 if right else -1 for _, right in affirmed]
