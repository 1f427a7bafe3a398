"""The truthfulness intervention: what a vector at the end of a statement does to the verdict on it [Du et al., §4.2].

After a few judged examples stands "S. This statement is:"; one vector is added at a layer from the statement's last token to the end
of the prompt. (At the last token alone a model that looks the statement up again from the cue does not move: Skiff is one.)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from core.inference import metrics
from core.inference.batch import batch_rows, pad_batch
from core.inference.prompts import encode
from core.inference.teacher_forcing import reply_logits
from core.models.cache import keeps_keys, new_cache
from core.models.hooks import hooked
from core.models.loading import Loaded
from core.stats.rates import Rate
from core.steering.interventions import BatchEdits, RowEdit
from core.util.progress import Slices

_Ids = tuple[int, ...]


@dataclass(frozen=True)
class Judged:
    """A statement in its few-shot prompt: the tokens before its last one, those from there on, and each label's ids."""

    head: _Ids
    tail: _Ids
    labels: tuple[_Ids, ...]


@dataclass(frozen=True)
class Verdicts:
    """P(TRUE) − P(FALSE) and P(TRUE) + P(FALSE) of each statement."""

    margin: tuple[float, ...]
    mass: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean margin: p of the paper."""
        return float(np.mean(self.margin))

    @property
    def left(self) -> float:
        """The mean mass."""
        return float(np.mean(self.mass))


def few_shot_prompts(loaded: Loaded, texts: Sequence[str], shots: Sequence[tuple[str, bool]]) -> list[Judged]:
    """Statements as few-shot prompts, cut before each statement's last token."""
    asked = metrics.statement_prompts(loaded, texts, shots)
    cue = metrics.QUESTION.format(statement="")
    found = []
    for each in asked:
        before = encode(loaded, each.text.removesuffix(cue))
        same = 0
        while same < min(len(before), len(each.ids)) and before[same] == each.ids[same]:
            same += 1
        cut = max(1, same - 1)
        labels = tuple(metrics.continuation(loaded, each, label) for label in metrics.LABELS)
        found.append(Judged(each.ids[:cut], each.ids[cut:], labels))
    return found


def verdicts(
    loaded: Loaded, asked: Sequence[Judged], edits: Sequence[tuple[RowEdit, ...]] | None = None
) -> Slices[Verdicts]:
    """How each statement is judged, each row with its own edits, a forward pass at a time.

    An edit with the reach ``reply`` acts from the statement's last token on.
    """
    rows = [
        (index, path) for index, each in enumerate(asked) for path in dict.fromkeys(ids[:-1] for ids in each.labels)
    ]
    chances = np.zeros((len(asked), len(metrics.LABELS)))
    start = _Start.of(loaded, asked)
    yield start.length
    size = batch_rows(loaded)
    for first in range(0, len(rows), size):
        chosen = rows[first : first + size]
        # The last token of a row is there only so that the logits behind the others are given.
        replies = [(*asked[index].tail, *path, loaded.pad) for index, path in chosen]
        heads = [asked[index].head[start.length :] for index, _ in chosen]
        own = [edits[index] for index, _ in chosen] if edits is not None else [()] * len(chosen)
        for (index, path), logits in zip(chosen, start.logits(loaded, heads, replies, own), strict=True):
            logprobs = logits[len(asked[index].tail) :].double().log_softmax(-1)
            for column, ids in enumerate(asked[index].labels):
                if ids[:-1] == path:
                    chances[index, column] = float(logprobs[range(len(ids)), list(ids)].sum().exp())
        yield len(chosen) * max(len(head) + len(reply) for head, reply in zip(heads, replies, strict=True))
    return Verdicts(tuple((chances[:, 0] - chances[:, 1]).tolist()), tuple(chances.sum(1).tolist()))


@dataclass(frozen=True)
class _Start:
    """What all prompts begin with, the judged examples: read once, since no edit acts there. ``cache`` is None where nothing is shared."""

    length: int
    cache: Mapping[str, DynamicCache] | None

    @classmethod
    @torch.inference_mode()
    def of(cls, loaded: Loaded, asked: Sequence[Judged]) -> _Start:
        """The longest common beginning. Models that see a window only, or keep a state, read every prompt whole."""
        config: Any = loaded.model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        if kinds != {"full_attention"} or getattr(config, "sliding_window", None) or not keeps_keys(loaded.model):
            return cls(0, None)
        # One token at least is left to every head.
        length = 0
        while all(length + 1 < len(each.head) and each.head[length] == asked[0].head[length] for each in asked):
            length += 1
        if not length:
            return cls(0, None)
        cache = new_cache(loaded.model)
        ids = torch.tensor([asked[0].head[:length]], device=loaded.device)
        loaded.model(input_ids=ids, **cache, use_cache=True, logits_to_keep=1)
        return cls(length, cache)

    @torch.inference_mode()
    def logits(
        self, loaded: Loaded, heads: Sequence[_Ids], replies: Sequence[_Ids], edits: Sequence[tuple[RowEdit, ...]]
    ) -> list[Tensor]:
        """What :func:`core.inference.teacher_forcing.reply_logits` gives, for prompts without their common beginning."""
        if self.cache is None:
            return reply_logits(loaded, heads, replies, edits)
        sheet = pad_batch(loaded, heads, replies)
        cache = copy.deepcopy(self.cache)
        for each in cache.values():
            each.reorder_cache(torch.zeros(len(heads), dtype=torch.long, device=loaded.device))  # type: ignore[arg-type]
        real = torch.ones_like(sheet.ids) if sheet.attention is None else sheet.attention
        keep = max(len(reply) for reply in replies) + 1
        with hooked(loaded.anatomy, BatchEdits(edits, loaded.device).actions(sheet.masks)):
            output = loaded.model(
                input_ids=sheet.ids,
                attention_mask=torch.cat([real.new_ones(len(heads), self.length), real], dim=1),
                position_ids=sheet.positions + self.length,
                **cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        found = output.logits.float()
        return [found[row, found.shape[1] - 1 - len(reply) : found.shape[1] - 1] for row, reply in enumerate(replies)]


def steering_edit(vector: np.ndarray[Any, np.dtype[np.float32]], layer: int) -> tuple[RowEdit, ...]:
    """The edit that adds a vector [width] from the statement's last token on."""
    return (RowEdit(("resid_post", layer), "add", "reply", np.asarray(vector, np.float32)),)


def normalised_effect(plain: Verdicts, pushed: Verdicts, towards: bool) -> float:
    """The normalised indirect effect: (p after − p before) / (±1 − p before); 1 is all the way. A wrecked model (p = 0) gets about .5."""
    whole = (1.0 if towards else -1.0) - plain.mean
    return (pushed.mean - plain.mean) / whole if abs(whole) > 1e-9 else 0.0


def flips(plain: Verdicts, pushed: Verdicts, towards: bool) -> Rate:
    """How many statements that were judged the other way before are judged as pushed afterwards."""
    sign = 1.0 if towards else -1.0
    before = [index for index, margin in enumerate(plain.margin) if sign * margin < 0]
    return Rate(sum(sign * pushed.margin[index] > 0 for index in before), len(before))


def mass_left(plain: Verdicts, pushed: Verdicts) -> float:
    """What is left of P(TRUE) + P(FALSE)."""
    return pushed.left / plain.left if plain.left > 0 else 0.0
