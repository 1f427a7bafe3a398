"""How a reply begins that is not the model's alone from its first token on."""

from __future__ import annotations

from dataclasses import dataclass

#: What is said of a text in the model's place that leaves no room for anything behind it.
NO_ROOM_TO_GO_ON = "What the answer begins with fills the model's context, or the longest answer; write a shorter one."


@dataclass(frozen=True)
class AlreadySaid:
    """Token ids that the reply has so far: it goes on behind them. They are read in one pass, and not told again."""

    ids: tuple[int, ...]


@dataclass(frozen=True)
class WrittenText:
    """A text that a person wrote in the model's place: its tokens are given, and read one by one. ``alone`` says that it is the whole
    reply; else the model goes on from it."""

    text: str
    alone: bool = False


#: Token ids that are given and read one by one, or one of the two above.
Beginning = tuple[int, ...] | AlreadySaid | WrittenText
