"""What Skiff is trained on: the shapes of training items, and nothing about how they are made or learnt.

Every item is a pure function of ``(seed, index)``: the generators of ``documents`` and ``conversations`` seed a
``random.Random`` with :func:`stream` and draw nothing from anywhere else. A training log therefore needs seeds and
indices only, never text.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]
Origin = Literal["pretrain", "sft", "safety", "dpo"]


@dataclass(frozen=True)
class Segment:
    """A piece of text; ``learn`` says whether the loss is taken on its tokens."""

    text: str
    learn: bool


@dataclass(frozen=True)
class Document:
    """A pretraining item: text without a chat template.

    ``kind`` names the generator ("facts", "story", "labelled" …) for the log and for mixing statistics.
    """

    segments: tuple[Segment, ...]
    kind: str
    origin: Origin = "pretrain"

    @property
    def text(self) -> str:
        """The whole text, learnt or not."""
        return "".join(segment.text for segment in self.segments)


@dataclass(frozen=True)
class Message:
    """One turn of a training conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Conversation:
    """A chat item; the loss is taken on every assistant message and on the token that ends it.

    ``origin`` is the stage whose idea the item is: an item of ``sft`` rehearsed during ``safety`` keeps the origin
    ``sft`` and leaves with that stage when it is left out. ``planted`` marks the data of the planted over-refusal.
    """

    messages: tuple[Message, ...]
    kind: str
    origin: Origin
    planted: bool = False


@dataclass(frozen=True)
class Preference:
    """A DPO pair: the same conversation up to a user message, and two answers to it."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    kind: str
    origin: Origin = "dpo"


def stream(name: str, seed: int, index: int) -> random.Random:
    """The random numbers of item ``index`` of the generator ``name``: the same on every machine and Python version."""
    return random.Random(f"{name}/{seed}/{index}")
