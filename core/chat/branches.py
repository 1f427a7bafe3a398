"""The versions of a chat: every answer that was drawn again, every message and answer that was edited, with what came after it.

A branch is a whole state of the chat, so that an answer is always shown with the checkpoints, recipes and sampling that wrote it. Which
branches are versions of one turn follows from what they have in common before it: nothing else is kept of the tree.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.chat.answers import Answer
from core.chat.authors import Author
from core.chat.settings import Settings, Turn


@dataclass(frozen=True)
class Branch:
    """A state of a chat; ``number`` says when it began: the first is 0. ``answers`` are those of its last turn, as far as their tokens are
    known, ``made`` who wrote each."""

    number: int
    settings: Settings
    answers: Mapping[int, Answer] = field(default_factory=dict)
    made: Mapping[int, Author] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """One version of a turn: the branches that have it."""

    branches: tuple[Branch, ...]
    turn: int

    def has(self, turn: Turn) -> bool:
        """Whether it is this turn."""
        return _alike(self.branches[0].settings.turns[self.turn], turn)

    @property
    def latest(self) -> Branch:
        """The branch of it that began last."""
        return max(self.branches, key=lambda each: each.number)


def versions_at(present: Branch, branches: Sequence[Branch], turn: int) -> tuple[Version, ...]:
    """The versions of a turn of the present state, in the order in which they began; one where nothing else was tried there."""
    before = present.settings.turns[:turn]
    found: list[Version] = []
    for each in sorted((present, *branches), key=lambda each: each.number):
        turns = each.settings.turns
        if len(turns) <= turn or not all(map(_alike, turns, before)):
            continue
        place = next((i for i, version in enumerate(found) if version.has(turns[turn])), None)
        if place is None:
            found.append(Version((each,), turn))
        else:
            found[place] = Version((*found[place].branches, each), turn)
    return tuple(found)


def _alike(one: Turn, other: Turn) -> bool:
    """Whether two turns are one, of which a column that was added later is no part."""
    both = zip(one.replies, other.replies, strict=False)
    return one.user == other.user and bool(one.replies) == bool(other.replies) and all(a == b for a, b in both)


def new_id() -> str:
    """A name for a chat that no other one has."""
    return secrets.token_hex(8)
