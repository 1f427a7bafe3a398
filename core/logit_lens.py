"""What a residual would say if the model stopped there: the final norm and the unembedding put on it at any layer (logit lens)
[nostalgebraist 2020]. At the last layer it is what the model says."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.edits import BatchEdits, RowEdit
from core.layout import lay_out
from core.loading import Loaded
from core.maps import Words
from core.replies import token_text
from core.residual import Action, hooked

TOP = 5


@torch.inference_mode()
def unembed(loaded: Loaded, states: Tensor) -> Tensor:
    """Logits [..., vocabulary] in float32 of residuals [..., width] that leave any block."""
    head = loaded.anatomy.unembedding
    normed = loaded.anatomy.final_norm(states.to(loaded.model.dtype))
    logits: Tensor = head(normed.contiguous()).float()
    # Gemma 2 bends its logits to stay within a range.
    cap = getattr(loaded.model.config.get_text_config(), "final_logit_softcapping", None)
    return logits if not cap else cap * torch.tanh(logits / cap)


def words(loaded: Loaded, states: Tensor, top: int = TOP) -> tuple[tuple[tuple[str, float], ...], ...]:
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
    top: int = TOP,
) -> Words:
    """The lens on the position that says token ``index`` of a reply: every layer, plain and (with ``edits``) steered side by side.

    Both read the same tokens, so that the difference is the edits' alone.
    """
    layers = loaded.anatomy.layers
    titles = ("plain", "steered") if edits else ("plain",)
    given = reply[:index]
    rows: list[tuple[RowEdit, ...]] = [(), edits][: len(titles)]
    sheet = lay_out(loaded, [prompt] * len(titles), [given] * len(titles))
    actions = BatchEdits(rows, loaded.device).actions(sheet.masks)
    states: dict[int, Tensor] = {}
    for layer in range(layers):
        actions["leave", layer] = _keeping(layer, actions.get(("leave", layer)), states)
    with hooked(loaded.anatomy, actions):
        loaded.model(input_ids=sheet.ids, position_ids=sheet.positions, use_cache=False, logits_to_keep=1)
    found = [
        words(loaded, torch.stack([states[layer][row] for layer in range(layers)]), top) for row in range(len(titles))
    ]
    said = token_text(loaded, reply[index]) if index < len(reply) else ""
    return Words(titles, tuple(found), tuple(range(layers)), said)


def _keeping(layer: int, edit: Action | None, states: dict[int, Tensor]) -> Action:
    def action(before: Tensor) -> Tensor | None:
        new = edit(before) if edit else None
        states[layer] = (before if new is None else new)[:, -1].clone()
        return new

    return action
