"""What the removal of a stage's part is fitted on and judged by: prompts to lose and to keep, and what is to be said to each.

To a prompt to lose, the model shall say what the checkpoint before the stage says, since blame names that stage; to one to keep,
what it says now. Prompts to lose that the parent answers as the model does now teach nothing about the stage, and are left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.chat.settings import Sampling
from core.errors import TillerError
from core.inference.behind_thought import judged_prompt
from core.inference.decoding_batches import answer_all, askings
from core.inference.teacher_forcing import reply_logits
from core.models.loading import Loaded
from core.util.progress import Learning, Step, told

#: The last so many-th part of a list is held out, where no held-out list is given: what says the same in other words stands together.
HELD_OUT = 4
#: Fewer prompts than this cannot be split into two parts.
_FEWEST = 8
#: Replies are compared, and learnt from, up to this many tokens; their beginnings up to the second.
REPLY, OPENING = 24, 4
#: Of each distribution to keep so many of the likeliest tokens are remembered, and what is left over in one number.
_LIKELIEST = 64
_ROWS = 32


class UndoError(TillerError):
    """A part of a stage that cannot be removed: too few prompts, or a stage that is not to blame."""


@dataclass(frozen=True)
class Prompts:
    """What a person wants: behaviour to lose and to keep, each as prompts to fit on and prompts to judge by."""

    lose: tuple[str, ...]
    keep: tuple[str, ...]
    lose_held_out: tuple[str, ...]
    keep_held_out: tuple[str, ...]

    @classmethod
    def split(
        cls,
        lose: Sequence[str],
        keep: Sequence[str],
        lose_held_out: Sequence[str] = (),
        keep_held_out: Sequence[str] = (),
    ) -> Prompts:
        """Two lists, with the last quarter held out where no held-out list is given.

        Raises:
            UndoError: a list is too short, or a held-out prompt is one of those that are fitted on.
        """
        parts: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        for name, given, held_out in (("lose", lose, lose_held_out), ("keep", keep, keep_held_out)):
            every, own = tuple(dict.fromkeys(given)), tuple(dict.fromkeys(held_out))
            if len(every) < _FEWEST:
                raise UndoError(
                    f"There are {len(every)} prompts to {name}; give at least {_FEWEST} different ones, better a hundred."
                )
            if both := next((text for text in own if text in every), None):
                raise UndoError(f"{both!r} is held out and fitted on at once; take it out of one of the two lists.")
            fitted = len(every) - len(every) // HELD_OUT
            parts[name] = (every, own) if own else (every[:fitted], every[fitted:])
        return cls(parts["lose"][0], parts["keep"][0], parts["lose"][1], parts["keep"][1])


@dataclass(frozen=True)
class TrainingPrompt:
    """A prompt in ids with the reply that is wanted. For one to keep, ``likeliest`` [tokens, 64] are the tokens that the model finds
    likeliest at each place now, and ``logprobs`` [tokens, 65] their log-probabilities and that of all others together."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    likeliest: Tensor | None = None
    logprobs: Tensor | None = None


@dataclass(frozen=True)
class Examples:
    """What is fitted on. ``alike`` prompts to lose were left out, since the checkpoint before the stage answers them alike."""

    lose: tuple[TrainingPrompt, ...]
    keep: tuple[TrainingPrompt, ...]
    alike: int = 0
    tokens: int = field(default=0)


def greedy_replies(loaded: Loaded, messages: Sequence[str], tokens: int = REPLY) -> Learning[list[tuple[int, ...]]]:
    """Greedy replies in ids, each with the token that ends it if it ended, a token of a batch at a time."""
    asked = askings(judged_prompt(loaded, message).ids for message in messages)
    work = answer_all(loaded, asked, Sampling(max_new_tokens=tokens), _ROWS)
    answers = yield from told(work, f"Asking {loaded.checkpoint.name}.")
    ends = [(min(loaded.ends),) if answer.reason == "end" and loaded.ends else () for answer in answers]
    return [(*(token.id for token in answer.tokens), *end) for answer, end in zip(answers, ends, strict=True)]


def examples(loaded: Loaded, parent: Loaded, prompts: Prompts) -> Learning[Examples]:
    """What a fit learns from: ``loaded`` is the model as it is, ``parent`` the checkpoint before the stage.

    Raises:
        UndoError: the parent answers every prompt to lose as the model does, so that the stage is not to blame.
    """
    now = yield from greedy_replies(loaded, prompts.lose)
    before = yield from greedy_replies(parent, prompts.lose)
    same = loaded.tokenizer.get_vocab() == parent.tokenizer.get_vocab()
    lose = []
    for message, old, new in zip(prompts.lose, now, before, strict=True):
        wanted = new if same else _translated(loaded, parent, new)
        if wanted and old[:OPENING] != wanted[:OPENING]:
            lose.append(TrainingPrompt(judged_prompt(loaded, message).ids, wanted))
    if not lose:
        raise UndoError(
            f"{parent.checkpoint.name}, the checkpoint before the stage, begins its answers to all prompts to lose as "
            f"{loaded.checkpoint.name} does: this stage is not to blame for them; choose another stage or other prompts."
        )
    own = yield from greedy_replies(loaded, prompts.keep)
    keep = [
        TrainingPrompt(judged_prompt(loaded, message).ids, reply)
        for message, reply in zip(prompts.keep, own, strict=True)
        if reply
    ]
    if not keep:
        raise UndoError(f"{loaded.checkpoint.name} says nothing to any prompt to keep; check its chat template.")
    remembered: list[TrainingPrompt] = []
    for start in range(0, len(keep), _ROWS):
        part = keep[start : start + _ROWS]
        for each, logits in zip(
            part, reply_logits(loaded, [e.prompt for e in part], [e.reply for e in part]), strict=True
        ):
            remembered.append(_remembered(each, logits))
        yield Step(sum(len(e.prompt) + len(e.reply) for e in part), "Remembering what is to be kept.")
    return Examples(tuple(lose), tuple(remembered), len(prompts.lose) - len(lose))


def _translated(loaded: Loaded, parent: Loaded, reply: tuple[int, ...]) -> tuple[int, ...]:
    """A reply in the ids of another tokenizer."""
    text = str(parent.tokenizer.decode([each for each in reply if each not in parent.ends]))
    ids = tuple(int(each) for each in loaded.tokenized(text, add_special_tokens=False)["input_ids"])
    return (*ids, min(loaded.ends)) if loaded.ends and reply and reply[-1] in parent.ends else ids


def _remembered(example: TrainingPrompt, logits: Tensor) -> TrainingPrompt:
    logprobs = logits.log_softmax(-1)
    top = logprobs.topk(min(_LIKELIEST, logprobs.shape[-1] - 1), dim=-1)
    return TrainingPrompt(
        example.prompt, example.reply, top.indices.cpu(), torch.cat([top.values, rest(top.values)], -1).cpu()
    )


def rest(logprobs: Tensor) -> Tensor:
    """The log-probability [..., 1] of everything that is not among some tokens, of which ``logprobs`` [..., n] are given."""
    left = 1 - logprobs.exp().sum(-1, keepdim=True)
    return left.clamp_min(torch.finfo(logprobs.dtype).eps).log()
