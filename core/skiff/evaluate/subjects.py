"""A family under evaluation: its checkpoints loaded once, and replies to many messages from the one decode loop."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.settings import Sampling
from core.errors import TillerError
from core.families.checkpoint import Family
from core.families.commands import how_to_learn
from core.inference.decoding_batches import answer_all, askings
from core.inference.prompts import chat_prompt
from core.inference.reply_classes import Score, classify
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import Recipe
from core.steering.interventions import RowEdit, compile_recipe
from core.util.progress import finished

SUBJECT_TOKENS = 96
_SEED = re.compile(r"seed-(\d+)(?:-.+)?")


@dataclass(frozen=True)
class SubjectReply:
    """A message, the greedy reply to it, and the reply's class."""

    message: str
    reply: str
    kind: Score


@dataclass
class Subjects:
    """The checkpoints of ``family``; ``post`` are the post-trained ones in order, ``final`` the last of them.

    ``twins`` makes it a view of another seed: a checkpoint named there answers under its own name with its twin's weights. ``only``
    is the one checkpoint that is asked, in place of the post-trained ones, steered by ``recipe``; ``device`` and ``dtype`` say where
    and in which numbers all are computed.
    """

    family: Family
    twins: Mapping[str, str] = field(default_factory=dict)
    _loaded: dict[str, Loaded] = field(default_factory=dict)
    only: str = ""
    recipe: Recipe = field(default_factory=Recipe)
    device: str = "cpu"
    dtype: str = "float32"

    @property
    def base(self) -> str:
        """The name of the root."""
        return self.family.checkpoints[0].name

    @property
    def post(self) -> tuple[str, ...]:
        """The names of the post-trained checkpoints on the path to the final one; in a view those that have a twin."""
        if self.only:
            return (self.only,) if self.only != self.base else ()
        names = tuple(each.name for each in self.family.path(self.final)[1:])
        return tuple(name for name in names if name in self.twins) if self.twins else names

    @property
    def final(self) -> str:
        """The name of the checkpoint at the end of the longest path, or of the only one."""
        return self.only or self.family.final.name

    def seeds(self) -> dict[int, Subjects]:
        """A view for every other seed of which the family has the final checkpoint, by the seed; they share loaded weights."""
        twins: dict[int, dict[str, str]] = {}
        for each in self.family.counterfactuals:
            if found := _SEED.fullmatch(each.name):
                twins.setdefault(int(found[1]), {})[each.of] = each.name
        return {
            seed: Subjects(self.family, own, self._loaded) for seed, own in sorted(twins.items()) if self.final in own
        }

    def controls(self, *names: str) -> tuple[str, ...]:
        """Those of the named counterfactuals that the family has; none in a view, since they belong to the shipped seed."""
        there = {each.name for each in self.family.counterfactuals}
        return () if self.twins else tuple(name for name in names if name in there)

    def load(self, name: str) -> Loaded:
        """A checkpoint, or in a view its twin, in fp32 on the CPU unless said otherwise."""
        own = self.twins.get(name, name)
        if own not in self._loaded:
            self._loaded[own] = loading.load_model(self.family, own, Placing(self.device, self.dtype))
        return self._loaded[own]

    def ask(self, name: str, messages: Sequence[str], edits: tuple[RowEdit, ...] = ()) -> list[SubjectReply]:
        """Greedy replies of a checkpoint to one-message chats, in order; steered by the recipe, then by ``edits``."""
        loaded = self.load(name)
        edits = (*compile_recipe(self.recipe, loaded, self._direction), *edits)
        asked = askings((chat_prompt(loaded, message) for message in messages), edits)
        answers = finished(answer_all(loaded, asked, Sampling(temperature=0.0, max_new_tokens=SUBJECT_TOKENS), rows=64))
        return [
            SubjectReply(message, answer.text.strip(), classify(answer.text, answer.reason in ("end", "stop string")))
            for message, answer in zip(messages, answers, strict=True)
        ]

    def _direction(self, name: str, checkpoint: str) -> Direction:
        path = store.find_artefact(self.family.places, checkpoint, "direction", name)
        if path is None:
            raise TillerError(f"{checkpoint} has no direction {name!r}; {how_to_learn(self.family)}")
        return load_direction(path)
