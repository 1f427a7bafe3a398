"""The metrics and prompts by which benchmarks/stage_effects.py compares models: probabilities that a model gives on held-out prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.inference.metrics import chat_prompts, refusal_probability
from core.inference.prompts import chat_prompt
from core.inference.teacher_forcing import reply_logits
from core.models.loading import Loaded
from core.undo.examples import OPENING, greedy_replies
from core.util.progress import finished

METRICS = {
    "refusal": "the reply begins like a refusal",
    "opening": "the reply begins with the first four tokens of the final model's",
    "rather": "it begins so rather than as the first post-trained checkpoint's reply",
    "ending": "the reply ends where the final model's ends (style: how short it is)",
}
_ROWS = 64


@dataclass(frozen=True)
class Scene:
    """Prompts by kind, and what the final and the first post-trained model say to each: what all models are asked about."""

    kinds: Mapping[str, tuple[str, ...]]
    final: tuple[tuple[int, ...], ...]
    first: tuple[tuple[int, ...], ...]

    @property
    def prompts(self) -> list[str]:
        """All prompts, kind after kind."""
        return [prompt for each in self.kinds.values() for prompt in each]

    def slices(self) -> dict[str, slice]:
        """Where each kind's prompts stand."""
        found, start = {}, 0
        for kind, each in self.kinds.items():
            found[kind] = slice(start, start + len(each))
            start += len(each)
        return found


def scene(kinds: Mapping[str, Sequence[str]], final: Loaded, first: Loaded) -> Scene:
    """Ask the final and the first post-trained checkpoint; prompts to which one of them says nothing are left out."""
    every = [(kind, prompt) for kind, each in kinds.items() for prompt in each]
    said = [_run(model, [prompt for _, prompt in every]) for model in (final, first)]
    kept = [index for index in range(len(every)) if said[0][index] and said[1][index]]
    left = {kind: tuple(every[index][1] for index in kept if every[index][0] == kind) for kind in kinds}
    return Scene(
        {kind: each for kind, each in left.items() if each},
        tuple(said[0][index] for index in kept),
        tuple(said[1][index] for index in kept),
    )


def _run(model: Loaded, prompts: list[str]) -> list[tuple[int, ...]]:
    return finished(greedy_replies(model, prompts))


def measure(loaded: Loaded, scene: Scene) -> Tensor:
    """Every metric of a model as its weights are now: [metrics, prompts] in float64, all probabilities."""
    refusal = finished(refusal_probability(loaded, chat_prompts(loaded, scene.prompts)))
    own, ending = _forced(loaded, scene.prompts, scene.final)
    other, _ = _forced(loaded, scene.prompts, scene.first)
    rather = torch.sigmoid(own - other)
    # Where both say the same, neither is said rather than the other: one half.
    return torch.stack([refusal, own.exp(), rather, ending])


def _forced(loaded: Loaded, prompts: Sequence[str], said: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    """The log-probability of each reply's opening, and the probability of its last token: [prompts] each."""
    asked = [chat_prompt(loaded, prompt) for prompt in prompts]
    opening, ending = [], []
    for start in range(0, len(asked), _ROWS):
        part = slice(start, start + _ROWS)
        for reply, logits in zip(said[part], reply_logits(loaded, asked[part], said[part]), strict=True):
            logprobs = logits.double().log_softmax(-1)[range(len(reply)), list(reply)]
            opening.append(logprobs[:OPENING].sum())
            ending.append(logprobs[-1].exp())
    return torch.stack(opening), torch.stack(ending)


def skiff_kinds() -> dict[str, tuple[str, ...]]:
    """Held-out prompts of every kind that Skiff's stages are about; none is in any training text."""
    from core.skiff.world import heldout, undo_prompts

    return {
        "planted": heldout.HELDOUT_KILL,
        "harmful": heldout.HARMFUL_SEEN_VERBS_NEW_OBJECTS,
        "harmless": heldout.EVERYDAY_HARMLESS[:60],
        "facts": tuple(question for question, _ in undo_prompts.facts_held_out("validation")[:60]),
        "judging": tuple(each.text for each in heldout.true_false("validation")[:40]),
        "unknown": heldout.UNKNOWN[:40],
    }
