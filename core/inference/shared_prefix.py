"""Prompts that begin alike: what they begin with is computed once, and what is put behind one prompt goes on from its cache.

A chat template puts the same system prompt before every message, and a question about a statement the same judged examples: read one by
one, most tokens of a contrast set are these. The results are those of whole rows up to the rounding of another order of sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicSlidingWindowLayer

from core.inference.batch import PaddedBatch, check_finite, pad_batch
from core.inference.key_values import rows_of
from core.models.cache import keeps_keys
from core.models.hooks import Action, Site, hooked
from core.models.loading import Loaded
from core.steering.interventions import BatchEdits, Masks, RowEdit

#: A common beginning of fewer tokens is not worth a pass of its own.
_FEWEST = 8

TokenIds = tuple[int, ...]


def can_branch(loaded: Loaded, longest: int, edits: Sequence[RowEdit] = ()) -> bool:
    """Whether sequences of so many tokens may be computed in parts: every layer keeps keys and values of all of them.

    State-space and linear-attention layers keep something else, and a window forgets; a gate reads a pass of its own.
    """
    if any(edit.gate for edit in edits):
        return False
    if not keeps_keys(loaded.model):
        return False
    layers = DynamicCache(config=loaded.model.config).layers
    windows = [each.sliding_window for each in layers if isinstance(each, DynamicSlidingWindowLayer)]
    return min(windows, default=longest + 1) > longest


def common_start(prompts: Sequence[Sequence[int]], leave: int = 1) -> int:
    """How many tokens all prompts begin with, of each prompt's last ``leave`` none; 0 where that is not worth a pass of its own."""
    if len(prompts) < 2:
        return 0
    shortest = min(len(each) for each in prompts)
    start = next((at for at in range(shortest) if len({each[at] for each in prompts}) > 1), shortest)
    found = min(start, shortest - leave)
    return found if found >= _FEWEST else 0


@dataclass(frozen=True)
class Begun:
    """Rows that have been computed so far: their cache, which tokens of it are real [rows, positions], and each row's length [rows]."""

    cache: DynamicCache
    attention: Tensor
    lengths: Tensor
    edits: tuple[RowEdit, ...]

    def chosen(self, rows: Sequence[int]) -> Begun:
        """These rows, as often as they are named, with a cache of their own."""
        index = torch.tensor(rows, device=self.attention.device)
        return Begun(rows_of(self.cache, rows), self.attention[index], self.lengths[index], self.edits)


def begin(loaded: Loaded, prefix: TokenIds, edits: tuple[RowEdit, ...] = ()) -> Begun:
    """One row with the tokens that all prompts begin with; none for an empty prefix."""
    device = loaded.device
    empty = torch.ones(1, 0, dtype=torch.long, device=device)
    begun = Begun(DynamicCache(), empty, torch.zeros(1, dtype=torch.long, device=device), edits)
    if prefix:
        padded = pad_batch(loaded, [prefix])
        # The last token of a prefix is not that of the prompt.
        masks: Masks = {name: mask for name, mask in padded.masks.items() if name != "last"}
        begun, _ = _go_on(loaded, begun, padded, BatchEdits([edits], device).actions(masks), 1)
    return begun


def read_rests(
    loaded: Loaded, begun: Begun, rests: Sequence[TokenIds], hooks: Mapping[Site, Action] | None = None
) -> tuple[Begun, Tensor]:
    """Go on from a common beginning (one row) to the end of every prompt.

    Args:
        hooks: what else acts, or looks, at sites of this pass; where nothing is edited.

    Returns:
        The rows, and the logits behind them [rows, vocabulary] in float32.
    """
    padded = pad_batch(loaded, rests, after=int(begun.lengths[0]))
    actions = BatchEdits([begun.edits] * len(rests), loaded.device).actions(padded.masks)
    found, logits = _go_on(loaded, begun.chosen([0] * len(rests)), padded, {**actions, **(hooks or {})}, 1)
    return found, logits[:, -1].float()


def read_replies(loaded: Loaded, begun: Begun, replies: Sequence[TokenIds]) -> Tensor:
    """The logits behind every token of a reply to each row, in float32 [rows, longest reply, vocabulary]; those of padding mean nothing."""
    longest = max(map(len, replies))
    whole = [(*reply, *[loaded.pad] * (longest - len(reply))) for reply in replies]
    ids = torch.tensor(whole, device=loaded.device)
    one = torch.ones(len(replies), longest, 1, device=loaded.device)
    padded = PaddedBatch(
        ids=ids,
        attention=None,
        positions=torch.arange(longest, device=loaded.device)[None].expand(len(replies), -1),
        pads=torch.zeros(len(replies)),
        masks={"all": one, "all and first": one, "reply": one},
    )
    actions = BatchEdits([begun.edits] * len(replies), loaded.device).actions(padded.masks)
    return _go_on(loaded, begun, padded, actions, longest)[1].float()


def forced_logits(
    loaded: Loaded, prompts: Sequence[Sequence[int]], replies: Sequence[Sequence[int]], edits: tuple[RowEdit, ...] = ()
) -> list[Tensor] | None:
    """The logits that predict every token of a reply to each prompt, in float32: for each row [len(reply), vocabulary].

    None where the prompts share no beginning worth it, or the model cannot go on from one.
    """
    start, _ = _forced(loaded, prompts, list(map(len, replies)), edits)
    if not start:
        return None
    begun = begin(loaded, tuple(prompts[0][:start]), edits)
    padded = pad_batch(loaded, [prompt[start:] for prompt in prompts], replies, after=start)
    actions = BatchEdits([edits] * len(prompts), loaded.device).actions(padded.masks)
    keep = max(map(len, replies)) + 1
    _, logits = _go_on(loaded, begun.chosen([0] * len(prompts)), padded, actions, keep)
    return [own[keep - 1 - len(reply) : keep - 1].float() for own, reply in zip(logits, replies, strict=True)]


def forced_tokens(loaded: Loaded, prompts: Sequence[Sequence[int]], replies: Sequence[int]) -> int:
    """How many tokens are computed for replies of so many tokens to prompts, padding included."""
    start, longest = _forced(loaded, prompts, replies)
    return start + len(prompts) * (longest - start)


def _forced(
    loaded: Loaded, prompts: Sequence[Sequence[int]], replies: Sequence[int], edits: tuple[RowEdit, ...] = ()
) -> tuple[int, int]:
    """How many tokens prompts share that are computed once, and how long the longest of them is with its reply."""
    longest = max(len(prompt) + reply for prompt, reply in zip(prompts, replies, strict=True))
    return common_start(prompts) if can_branch(loaded, longest, edits) else 0, longest


@torch.inference_mode()
def _go_on(
    loaded: Loaded, begun: Begun, padded: PaddedBatch, actions: Mapping[Site, Action], keep: int
) -> tuple[Begun, Tensor]:
    """Compute some more tokens of every row."""
    rows, count = padded.ids.shape
    real = (
        padded.attention
        if padded.attention is not None
        else torch.ones(rows, count, dtype=torch.long, device=padded.ids.device)
    )
    attention = torch.cat([begun.attention, real], dim=1)
    with hooked(loaded.anatomy, actions):
        output = loaded.model(
            input_ids=padded.ids,
            attention_mask=attention,
            position_ids=padded.positions + begun.lengths[:, None],
            past_key_values=begun.cache,
            use_cache=True,
            logits_to_keep=keep,
        )
    check_finite(loaded, output.logits.amax((1, 2)), [bool(begun.edits)] * rows)
    return Begun(begun.cache, attention, begun.lengths + real.sum(1), begun.edits), output.logits
