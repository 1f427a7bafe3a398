"""What a removed part is compared with, and how all are judged: the same fit on another stage's difference, a LoRA on the same prompts, and
what retrainings without the culprit there are. If these do as well, blame added nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from core.families.checkpoint import Checkpoint, Counterfactual, Family
from core.inference.behind_thought import judged_prompt
from core.inference.metrics import REFUSALS
from core.inference.teacher_forcing import reply_logits
from core.models import loading
from core.models.hooks import locate
from core.models.loading import Loaded
from core.models.placement import Placing
from core.undo.examples import OPENING, Examples, Prompts, greedy_replies
from core.undo.fit import descend
from core.util.progress import Learning, Step

#: A LoRA's rank, and the learning rate of its two matrices.
RANK, LORA_RATE = 8, 3e-3
_ROWS = 32


@dataclass(frozen=True)
class Outcome:
    """A model on the held-out prompts, against the model as it was.

    Of prompts to lose: the part that it begins to answer as before, and the part that it refuses. Of those to keep: the part that it
    begins to answer as before; of those that were refused before, the part still refused; of the others, the part refused now; and the mean
    KL(before ‖ now) in nats over the reply tokens. None where there is no such prompt.
    """

    lose_as_before: float
    lose_refused: float
    keep_as_before: float
    keep_refused: float | None
    keep_answered_refused: float | None
    divergence: float


class Judge:
    """The held-out prompts with what the model says to them as it is; made by :meth:`of`."""

    def __init__(
        self, loaded: Loaded, prompts: Prompts, lose: list[tuple[int, ...]], keep: list[tuple[int, ...]]
    ) -> None:
        self.loaded, self.prompts = loaded, prompts
        self._lose, self._keep = lose, keep
        self._logprobs = _logprobs(loaded, prompts.keep_held_out, keep)

    @classmethod
    def of(cls, loaded: Loaded, prompts: Prompts) -> Learning[Judge]:
        """Ask the model as it is."""
        lose = yield from greedy_replies(loaded, prompts.lose_held_out)
        keep = yield from greedy_replies(loaded, prompts.keep_held_out)
        return cls(loaded, prompts, lose, keep)

    def judge(self, model: Loaded) -> Learning[Outcome]:
        """Ask a model (or the same one, edited) the same prompts."""
        lose = yield from greedy_replies(model, self.prompts.lose_held_out)
        keep = yield from greedy_replies(model, self.prompts.keep_held_out)
        refused = [refuses(self.loaded, each) for each in self._keep]
        now = [refuses(model, each) for each in keep]
        total, count = 0.0, 0
        for before, after in zip(self._logprobs, _logprobs(model, self.prompts.keep_held_out, self._keep), strict=True):
            total += float((before.exp() * (before - after)).sum())
            count += len(before)
        return Outcome(
            _share([old[:OPENING] == new[:OPENING] for old, new in zip(self._lose, lose, strict=True)]),
            _share([refuses(model, each) for each in lose]),
            _share([old[:OPENING] == new[:OPENING] for old, new in zip(self._keep, keep, strict=True)]),
            _some([new for old, new in zip(refused, now, strict=True) if old]),
            _some([new for old, new in zip(refused, now, strict=True) if not old]),
            total / count,
        )


def refuses(loaded: Loaded, reply: Sequence[int]) -> bool:
    """Whether a reply in ids begins like a refusal."""
    return str(loaded.tokenizer.decode(list(reply), skip_special_tokens=True)).lstrip().startswith(REFUSALS)


def _share(found: Sequence[bool]) -> float:
    return sum(found) / len(found)


def _some(found: Sequence[bool]) -> float | None:
    return _share(found) if found else None


def _logprobs(loaded: Loaded, messages: Sequence[str], said: Sequence[tuple[int, ...]]) -> list[Any]:
    """The log-probabilities at each token of given replies, [tokens, vocabulary] each, where a reply is not empty."""
    pairs = [
        (judged_prompt(loaded, message).ids, reply) for message, reply in zip(messages, said, strict=True) if reply
    ]
    found: list[Any] = []
    for start in range(0, len(pairs), _ROWS):
        part = pairs[start : start + _ROWS]
        logits = reply_logits(loaded, [prompt for prompt, _ in part], [reply for _, reply in part])
        found += [each.log_softmax(-1) for each in logits]
    return found


def other_stage(family: Family, final: str, stage: Checkpoint) -> Checkpoint | None:
    """Another stage after the first on the path to a checkpoint, to fit the same way: the one just before, else the one after."""
    chain = family.path(final)[1:]
    at = next(index for index, each in enumerate(chain) if each.name == stage.name)
    if len(chain) < 2:
        return None
    return chain[at - 1] if at else chain[1]


def retrained(family: Family, final: str, stage: Checkpoint) -> tuple[Counterfactual, ...]:
    """The retrainings of a checkpoint that leave a stage out, or run it again on other data from the same start."""
    return tuple(
        each
        for each in family.counterfactuals
        if each.of == final
        and (each.without in (stage.stage, stage.name) or (not each.without and each.parent == stage.parent))
    )


def lora(loaded: Loaded, examples: Examples, steps: int, seed: int = 0) -> Learning[Loaded]:
    """A LoRA (arXiv 2106.09685) on every linear layer, from the same prompts by the same loss; the model itself stays as it is."""
    from peft import LoraConfig, get_peft_model

    yield Step(1, "Copying the model for a LoRA.")
    model: Any = copy.deepcopy(loaded.model).requires_grad_(False)
    # Its first matrices are random: the same ones each time, and nobody else's random numbers are touched.
    gpus = [loaded.device] if loaded.device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        wrapped: Any = get_peft_model(
            model, LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
        )
    trained = [parameter for parameter in wrapped.parameters() if parameter.requires_grad]
    yield from descend(loaded, wrapped, trained, examples, LORA_RATE, steps, seed)
    merged = wrapped.merge_and_unload()
    return replace(loaded, model=merged.eval(), anatomy=locate(merged), texts={}, thoughts=[])


def load_like(loaded: Loaded, name: str) -> Loaded:
    """Another checkpoint of the same family, on the same device and in the same numbers."""
    dtype = str(loaded.model.dtype).removeprefix("torch.")
    return loading.load_model(loaded.family, name, Placing(str(loaded.device), dtype, template_vars=loaded.told))
