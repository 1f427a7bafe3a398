"""A family under evaluation: its checkpoints loaded once, and replies to many messages from the one decode loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core import loading
from core.edits import RowEdit
from core.families import Family
from core.generation import answer_all
from core.loading import Loaded
from core.prompts import chat_prompt
from core.skiff.scorer import Score, score
from core.values import Sampling

REPLY_TOKENS = 96


@dataclass(frozen=True)
class Said:
    """A message, the greedy reply to it, and the reply's class."""

    message: str
    reply: str
    kind: Score


@dataclass
class Subjects:
    """The checkpoints of ``family``; ``post`` are the post-trained ones in order, ``final`` the last of them."""

    family: Family
    _loaded: dict[str, Loaded] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The name of the root."""
        return self.family.checkpoints[0].name

    @property
    def post(self) -> tuple[str, ...]:
        """The names of the post-trained checkpoints on the path to the final one."""
        return tuple(each.name for each in self.family.path(self.final)[1:])

    @property
    def final(self) -> str:
        """The name of the checkpoint at the end of the longest path."""
        return self.family.final.name

    def load(self, name: str) -> Loaded:
        """A checkpoint in fp32 on the CPU."""
        if name not in self._loaded:
            self._loaded[name] = loading.load(self.family, name, device="cpu", dtype="float32")
        return self._loaded[name]

    def ask(self, name: str, messages: Sequence[str], edits: tuple[RowEdit, ...] = ()) -> list[Said]:
        """Greedy replies of a checkpoint to one-message chats, in order."""
        loaded = self.load(name)
        prompts = [chat_prompt(loaded, message) for message in messages]
        answers = dict(answer_all(loaded, prompts, edits, Sampling(temperature=0.0, max_new_tokens=REPLY_TOKENS)))
        said = []
        for index, message in enumerate(messages):
            answer = answers[index]
            finished = answer.reason in ("end", "stop string")
            said.append(Said(message, answer.text.strip(), score(answer.text, finished)))
        return said
