"""Rows of unequal length as one left-padded batch, with the masks that say which position belongs to which scope."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import TillerError
from core.inference.detokenizer import token_text
from core.models.files import LoadError
from core.models.hooks import caught, embedding_rows
from core.models.loading import Loaded
from core.steering import readings
from core.steering.interventions import Masks
from core.steering.readings import GateProbe, Opened

#: Rows of one forward pass of a small model, and on a GPU.
_ROWS = 128
#: A larger model than this many parameters gets fewer rows on a CPU, so that chats need not wait long for the end of a pass.
_QUICK = 60_000_000
_FEWEST_ROWS = 8


def batch_rows(loaded: Loaded) -> int:
    """How many rows a forward pass takes: always the same for a model on a device, since sums differ a little with their number."""
    if loaded.device.type != "cpu":
        return _ROWS
    text = loaded.model.config.get_text_config()
    size = loaded.width * (int(text.vocab_size) + 12 * loaded.width * loaded.anatomy.layers)
    return _ROWS if size <= _QUICK else max(_FEWEST_ROWS, _ROWS * _QUICK // size)


@dataclass(frozen=True)
class PaddedBatch:
    """A left-padded batch.

    ``ids`` [rows, positions]; ``attention`` [rows, positions] of 0 and 1, or None where no row is padded; ``positions`` [rows,
    positions] counts each row's own tokens from 0, since models with absolute positions need it; ``pads`` [rows] the number of
    padding tokens of each row.
    """

    ids: Tensor
    attention: Tensor | None
    positions: Tensor
    pads: Tensor
    masks: Masks


def pad_batch(
    loaded: Loaded, prompts: Sequence[Sequence[int]], replies: Sequence[Sequence[int]] | None = None, after: int = 0
) -> PaddedBatch:
    """A batch of prompts, each with (part of) a reply behind it, aligned at the right end; ``after`` so many tokens that were read before.

    The scopes: ``all`` is every token but padding and the first, ``prompt`` and ``reply`` the two parts of it, ``last`` the last token of
    the prompt. What is named "and first" has that token too: attention that goes nowhere rests on it, beginning-of-text or not.

    Raises:
        LoadError: a token that the model has no row for.
    """
    replies = replies if replies is not None else [()] * len(prompts)
    rows = [[*prompt, *reply] for prompt, reply in zip(prompts, replies, strict=True)]
    if (last := max(max(row, default=0) for row in rows)) >= (known := embedding_rows(loaded.model)):
        raise LoadError(
            f"The tokenizer of {loaded.checkpoint.name} writes {token_text(loaded, last)!r} as token {last}, and the model has {known:,} "
            "tokens; copy the tokenizer's files again from the model that the weights belong to."
        )
    width = max(len(row) for row in rows)
    pads = torch.tensor([width - len(row) for row in rows])
    ids = torch.tensor([[loaded.pad] * (width - len(row)) + row for row in rows])
    column = torch.arange(width)[None, :]
    real = column >= pads[:, None]
    reply_start = torch.tensor([width - len(reply) for reply in replies])[:, None]
    steered = real if after else column > pads[:, None]
    device = loaded.device

    def mask(chosen: Tensor) -> Tensor:
        return chosen[:, :, None].float().to(device)

    return PaddedBatch(
        ids=ids.to(device),
        attention=real.long().to(device) if bool(pads.any()) else None,
        positions=(column - pads[:, None]).clamp(min=0).to(device),
        pads=pads,
        masks={
            "all": mask(steered),
            "all and first": mask(real),
            "prompt": mask(steered & (column < reply_start)),
            "prompt and first": mask(real & (column < reply_start)),
            "reply": mask(steered & (column >= reply_start)),
            "last": mask(steered & (column == reply_start - 1)),
        },
    )


def check_tokens(loaded: Loaded, ids: Iterable[int]) -> None:
    """Refuse token ids that a model has no logit for. Raises TillerError."""
    known = int(loaded.model.config.get_text_config().vocab_size)
    if (wrong := next((each for each in ids if not 0 <= each < known), None)) is not None:
        raise TillerError(f"{loaded.checkpoint.name} has no token {wrong}; its ids go from 0 to {known - 1}.")


def check_finite(loaded: Loaded, best: Tensor, steered: Sequence[bool]) -> None:
    """Refuse to go on from the largest logit, or state, of every row [rows] where it is no finite number; ``steered`` says which rows
    have edits.

    Raises:
        TillerError: the numbers overflow, with what to do.
    """
    wrong = (~best.isfinite()).tolist()
    if not any(wrong):
        return
    kind = str(loaded.model.dtype).removeprefix("torch.")
    only_steered = not any(each and not edited for each, edited in zip(wrong, steered, strict=True))
    fixes = ["take a lower strength"] * only_steered + ["use --dtype bfloat16"] * (kind == "float16")
    raise TillerError(
        f"The numbers of {loaded.checkpoint.name} overflow in {kind}{' when it is steered so' * only_steered}; "
        f"{' or '.join(fixes) or 'its weights are damaged, so copy its folder again'}."
    )


@torch.inference_mode()
def read_gates(loaded: Loaded, padded: PaddedBatch, wanted: Collection[GateProbe], replies: Sequence[int]) -> Opened:
    """Where gates are open over a padded whose rows have so many tokens of a reply: one pass without edits, none without gates."""
    if not wanted:
        return {}
    layers = readings.gate_layers(wanted)
    with caught(loaded.anatomy, [("resid_post", layer) for layer in layers]) as found:
        loaded.model(
            input_ids=padded.ids,
            attention_mask=padded.attention,
            position_ids=padded.positions,
            use_cache=False,
            logits_to_keep=1,
        )
    return readings.over_tokens(wanted, {layer: found["resid_post", layer] for layer in layers}, torch.tensor(replies))
