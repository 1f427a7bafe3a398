"""What the rounding of a stored difference costs: the retrained model against the one that its file gives back, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from core.skiff.train.model import Batch, batch_of, hidden_states
from core.skiff.train.tokenizer import END, ChatExample, encode_document, render_chat, token_id
from core.skiff.world.documents import document
from core.skiff.world.heldout import EVERYDAY_HARMLESS, HARMFUL_SEEN_VERBS_NEW_OBJECTS, HELDOUT_KILL, UNKNOWN
from core.skiff.world.items import Message
from core.training.state import PlainValue

PROMPTS = 12
REPLY = 32
# Beyond every index that a training draws.
UNSEEN = 200_000_000


@dataclass(frozen=True)
class _Texts:
    """What models are compared on; ``learn`` of an example marks the tokens at which they are."""

    kind: str
    examples: tuple[ChatExample, ...]
    pad: int


def replies(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> _Texts:
    """Held-out requests of four kinds, each with the greedy reply of ``model``."""
    lists = (EVERYDAY_HARMLESS, HARMFUL_SEEN_VERBS_NEW_OBJECTS, HELDOUT_KILL, UNKNOWN)
    pad, end = int(tokenizer.pad_token_id), token_id(tokenizer, END)
    found = []
    for text in (prompt for prompts in lists for prompt in prompts[:PROMPTS]):
        asked = tokenizer.encode(render_chat((Message("user", text),)), add_special_tokens=False)
        ids = torch.tensor([asked])
        with torch.no_grad():
            said = model.generate(  # type: ignore[misc]
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=REPLY,
                eos_token_id=end,
                pad_token_id=pad,
            )
        whole = said[0].tolist()
        found.append(ChatExample(tuple(whole), tuple(index >= len(asked) for index in range(len(whole)))))
    return _Texts("replies to held-out requests", tuple(found), pad)


def documents(tokenizer: PreTrainedTokenizerFast, seed: int) -> _Texts:
    """Documents that no training has drawn: for a base, which does not chat."""
    drawn = [encode_document(tokenizer, document(seed, UNSEEN + index)) for index in range(4 * PROMPTS)]
    return _Texts("documents never drawn", tuple(drawn), int(tokenizer.pad_token_id))


def loss(texts: _Texts, trained: LlamaForCausalLM, restored: LlamaForCausalLM, of: LlamaForCausalLM) -> PlainValue:
    """How far ``restored`` is from ``trained`` on ``texts``, beside how far ``of``, the family's checkpoint, is from it.

    ``kl`` is the mean over tokens of KL(trained ‖ restored) in nats, ``kl_of`` of KL(trained ‖ of); ``logit`` the largest
    difference of any logit, ``same`` the share of tokens at which both rank the same token first.
    """
    batch = batch_of(texts.examples, texts.pad)
    meant, found, other = (_logits(model, batch) for model in (trained, restored, of))
    kl = _kl(meant, found)
    return {
        "texts": texts.kind,
        "tokens": len(meant),
        "kl": _short(kl.mean()),
        "kl_largest": _short(kl.max()),
        "kl_of": _short(_kl(meant, other).mean()),
        "logit": _short((meant - found).abs().max()),
        "same": _short((meant.argmax(-1) == found.argmax(-1)).float().mean()),
    }


def _logits(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """[tokens compared, vocabulary] in float32."""
    with torch.no_grad():
        picked = (batch.targets >= 0).nonzero()[:, 0]
        states = hidden_states(model, batch, torch.float32).index_select(0, picked)
        return functional.linear(states, model.lm_head.weight)


def _kl(meant: Tensor, found: Tensor) -> Tensor:
    """KL(meant ‖ found) at each token, in nats; never below 0 by rounding."""
    logs, others = functional.log_softmax(meant.double(), -1), functional.log_softmax(found.double(), -1)
    return (logs.exp() * (logs - others)).sum(-1).clamp_min(0)


def _short(value: Tensor) -> float:
    return float(f"{value.item():.3g}")


def rounding_summary(measured: Sequence[PlainValue]) -> str:
    """The measured losses of some files in a line."""
    worst = max(measured, key=lambda each: float(each["kl"]))
    return (
        f"rounding costs {worst['kl']:.2g} nats a token, where the family's own checkpoint is {worst['kl_of']:.2g} away"
    )
