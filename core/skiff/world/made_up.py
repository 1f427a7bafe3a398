"""Words and names that mean nothing, for questions about what nobody told Skiff."""

from __future__ import annotations

import random

from core.skiff.data import reader
from core.skiff.world.facts import TABLES

_SYLLABLES = reader.toml("smalltalk/words.toml").node("made_up")
_START, _MIDDLE, _END = (_SYLLABLES.texts(key) for key in ("start", "middle", "end"))

_WORLD = frozenset(word.lower() for table in TABLES.values() for word in table.subjects + table.objects)


def made_up_word(rng: random.Random) -> str:
    """A word in small letters that means nothing."""
    middle = "".join(rng.choice(_MIDDLE) for _ in range(rng.randint(0, 2)))
    return (rng.choice(_START) + middle + rng.choice(_END)).lower()


def made_up_name(rng: random.Random) -> str:
    """A name that nobody bears."""
    while True:
        word = made_up_word(rng)
        if word not in _WORLD:
            return word.capitalize()
