"""What a residual would say if the model stopped there: the final norm and the unembedding put on it at any layer (logit lens)
[nostalgebraist 2020]. At the last layer it is what the model says."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.inference.detokenizer import token_text
from core.inference.teacher_forcing import reply_logits
from core.knowledge.maps import Words
from core.models.loading import Loaded
from core.steering.interventions import RowEdit

_TOP = 5


@torch.inference_mode()
def unembed(loaded: Loaded, states: Tensor) -> Tensor:
    """Logits [..., vocabulary] in float32 of residuals [..., width] that leave any block."""
    head = loaded.anatomy.unembedding
    normed = loaded.anatomy.final_norm(states.to(loaded.model.dtype))
    logits: Tensor = head(normed.contiguous()).float()
    # Gemma 2 bends its logits to stay within a range.
    cap = getattr(loaded.model.config.get_text_config(), "final_logit_softcapping", None)
    return logits if not cap else cap * torch.tanh(logits / cap)


def words(loaded: Loaded, states: Tensor, top: int = _TOP) -> tuple[tuple[tuple[str, float], ...], ...]:
    """For each residual of [rows, width] its likeliest words with their probabilities."""
    found = unembed(loaded, states).softmax(-1).topk(top, dim=-1)
    return tuple(
        tuple((token_text(loaded, token), p) for token, p in zip(ids, values, strict=True))
        for ids, values in zip(found.indices.tolist(), found.values.tolist(), strict=True)
    )


@torch.inference_mode()
def of_token(
    loaded: Loaded,
    prompt: Sequence[int],
    reply: Sequence[int],
    index: int,
    edits: tuple[RowEdit, ...] = (),
    top: int = _TOP,
) -> Words:
    """The lens on the position that says token ``index`` of a reply: every layer, plain and (with ``edits``) steered side by side.

    Both read the same tokens, so that the difference is the edits' alone.
    """
    titles = ("plain", "steered") if edits else ("plain",)
    rows: list[tuple[RowEdit, ...]] = [(), edits][: len(titles)]
    states = {layer: torch.empty(0) for layer in range(loaded.anatomy.layers)}
    given = tuple(reply[: index + 1])
    reply_logits(loaded, [prompt] * len(titles), [given] * len(titles), rows, states)
    # A token is said one position before it stands.
    whole = torch.stack([states[layer][:, -2].to(loaded.device) for layer in states], dim=1)
    found = tuple(words(loaded, whole[row], top) for row in range(len(titles)))
    return Words(titles, found, tuple(states), token_text(loaded, given[-1]))
