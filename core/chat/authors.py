"""Who wrote an answer: the checkpoint, what was done to it, how its tokens were chosen. An answer stands only under that. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from core.chat.answers import Answer
from core.chat.settings import Column, Sampling, Settings, column_json
from core.recipes.language import Recipe, parse

#: A sampling's values in a sentence.
_WORDS = {
    "temperature": "temperature {:g}", "seed": "seed {}", "top_p": "top-p {:g}", "top_k": "top-k {}",
    "repetition_penalty": "repetition penalty {:g}", "max_new_tokens": "{} tokens at most",
}  # fmt: skip

_DRAWN = {"seed", "top_p", "top_k"}


@dataclass(frozen=True)
class Author:
    """What an answer was written by: all of the settings that say what it becomes, but for the messages that it answers."""

    column: Column
    sampling: Sampling
    system: str = ""

    @classmethod
    def of(cls, settings: Settings, place: int) -> Author:
        """Who writes in a column by the settings as they are."""
        return cls(settings.columns[place], settings.sampling, settings.system)

    def with_recipe(self, recipe: str | Recipe) -> Author:
        """The same with another recipe."""
        return replace(self, column=replace(self.column, recipe=parse(recipe) if isinstance(recipe, str) else recipe))

    @property
    def said(self) -> str:
        """The model and what was done to it: ``dpo with 1.5*refusal``, ``dpo, plain`` or ``dpo, asked in words``."""
        if self.column.recipe:
            return f"{self.column.checkpoint} with {self.column.does}"
        return f"{self.column.checkpoint}, {self.column.does}"

    def unlike(self, now: Author, answer: Answer) -> str:
        """Who wrote an answer, where ``now`` would write another one, in words such as ``written by dpo with 1.5*refusal``; else empty.

        What has no bearing on the answer does not count: a seed where the likeliest token is taken, or how long it might have become.
        """
        parts = [f"by {self.said}"] if self.column != now.column else []
        mine, other = _bearing(self.sampling, answer, now), _bearing(now.sampling, answer, self)
        if mine.stop != other.stop:
            parts.append("with other stop strings")
        # Where the likeliest token was taken, nothing was drawn that the rest would describe.
        told = _WORDS if mine.temperature else _WORDS.keys() - _DRAWN
        differing = [name for name in _WORDS if name in told and getattr(mine, name) != getattr(other, name)]
        if differing:
            parts.append(f"at {', '.join(_WORDS[name].format(getattr(self.sampling, name)) for name in differing)}")
        if self.system != now.system:
            parts.append("under another system prompt" if self.system else "without a system prompt")
        return f"written {' '.join(parts)}" if parts else ""

    def to_json(self) -> dict[str, Any]:
        """A JSON document, which ``UNTRUSTED.decode(Author, …)`` reads."""
        sampling = {**vars(self.sampling), "stop": list(self.sampling.stop)}
        return {"column": column_json(self.column), "sampling": sampling, "system": self.system}


def _bearing(sampling: Sampling, answer: Answer, beside: Author) -> Sampling:
    """A sampling without what made no difference to the answer, beside that of another author."""
    if sampling.temperature == 0:
        sampling = replace(sampling, top_p=1.0, top_k=0, seed=0)
    most = min(sampling.max_new_tokens, beside.sampling.max_new_tokens)
    if answer.reason != "length" and len(answer.tokens) < most:
        sampling = replace(sampling, max_new_tokens=most)
    return sampling
