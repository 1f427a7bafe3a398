"""How models mark what they think before they answer: the one table of such marks, and which of them a checkpoint knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class ThoughtStyle:
    """One way of marking a thought.

    ``sign`` tells a checkpoint that has it: a token that was added to its vocabulary, or a part of its chat template. ``marks`` are
    never shown, and say whether what follows them is thought (True) or said, or goes on as before (None); ``empty`` is a thought that
    ends as soon as it has begun.
    """

    sign: str
    marks: Mapping[str, bool | None]
    empty: str


def _pair(opens: str, closes: str, space: str = "\n\n") -> ThoughtStyle:
    return ThoughtStyle(closes, {opens: True, closes: False}, opens + space + closes + space)


STYLES = (
    _pair("<think>", "</think>"),
    _pair("<thought>", "</thought>"),
    _pair("<seed:think>", "</seed:think>", ""),
    _pair("[THINK]", "[/THINK]", ""),
    _pair("<|channel>thought\n", "<channel|>", ""),
    # The channels of gpt-oss: between two of them stands the head of a new message, which is neither thought nor said.
    ThoughtStyle(
        "<|channel|>",
        {
            "<|channel|>analysis<|message|>": True,
            "<|channel|>commentary<|message|>": True,
            "<|end|>": True,
            "<|start|>assistant": None,
            "<|channel|>final<|message|>": False,
        },
        "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>",
    ),
)

_FOLLOWS = {mark: thought for style in STYLES for mark, thought in style.marks.items()}
# Of two marks that begin alike, the longer one.
_MARK = re.compile("|".join(map(re.escape, sorted(_FOLLOWS, key=len, reverse=True))))


def without_thoughts(text: str) -> str:
    """What of a text is said, whichever marks are in it; before a mark that ends a thought which the prompt began, all is thought."""
    said, start, thinking = "", 0, False
    for mark in _MARK.finditer(text):
        said += "" if thinking else text[start : mark.start()]
        start, follows = mark.end(), _FOLLOWS[mark[0]]
        if follows is False and not thinking:
            said = ""
        thinking = thinking if follows is None else follows
    return said + ("" if thinking else text[start:])


@dataclass(frozen=True)
class Marks:
    """The marks that a checkpoint knows: ``follows`` as :class:`ThoughtStyle` has them, ``spelt`` the text of every special token that
    is a part of one, ``empty`` a thought that ends at once for every mark that opens one. A model that marks no thought has none."""

    follows: Mapping[str, bool | None]
    spelt: Mapping[int, str]
    empty: Mapping[str, str]

    def left_open(self, text: str) -> bool:
        """Whether a prompt ends in a thought that the model has to end."""
        return text.rstrip().endswith(tuple(mark.rstrip() for mark, thought in self.follows.items() if thought))


def marks_of(tokenizer: PreTrainedTokenizerBase, template: str) -> Marks:
    """The marks of a checkpoint with this tokenizer and chat template."""
    added = tokenizer.added_tokens_decoder
    known = {entry.content for entry in added.values()}
    styles = [style for style in STYLES if style.sign in known or style.sign in template]
    follows = {mark: thought for style in styles for mark, thought in style.marks.items()}
    spelt = {
        token: entry.content
        for token, entry in added.items()
        if entry.special and any(entry.content in mark for mark in follows)
    }
    empty = {mark: style.empty for style in styles for mark, thought in style.marks.items() if thought}
    return Marks(follows, spelt, empty)
