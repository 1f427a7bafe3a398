"""Teacher forcing: what a checkpoint, steered or not, thinks of tokens that are given. One forward pass for many rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.chat.events import Reading
from core.inference.batch import check_finite, pad_batch, read_gates
from core.inference.token_choice import read_logits
from core.models.hooks import Action, hooked
from core.models.loading import Loaded
from core.steering.interventions import BatchEdits, RowEdit
from core.steering.readings import Projection

_Ids = Sequence[int]


@torch.inference_mode()
def reply_logits(
    loaded: Loaded, prompts: Sequence[_Ids], replies: Sequence[_Ids], edits: Sequence[tuple[RowEdit, ...]] | None = None,
    states: dict[int, Tensor] | None = None, last: Sequence[int] | None = None,
) -> list[Tensor]:  # fmt: skip
    """The logits that predict every reply token: for each row [len(reply), vocabulary] in float32.

    Args:
        edits: one tuple a row; none for all rows when left out.
        last: for each row of how many of its last tokens they are wanted, where that is not the reply's; less than all of them.
        states: filled, for each layer that is a key, with the residual leaving it [rows, positions, width], left-padded.
    """
    padded = pad_batch(loaded, prompts, replies)
    made = BatchEdits(edits or [()] * len(prompts), loaded.device)
    actions = made.actions(padded.masks, read_gates(loaded, padded, made.gates, [len(reply) for reply in replies]))
    for layer in states or ():
        actions["resid_post", layer] = _keep(layer, actions.get(("resid_post", layer)), states or {})
    counts = [len(reply) for reply in replies] if last is None else last
    keep = max(counts) + 1
    with hooked(loaded.anatomy, actions):
        output = loaded.model(
            input_ids=padded.ids,
            attention_mask=padded.attention,
            position_ids=padded.positions,
            use_cache=False,
            logits_to_keep=keep,
        )
    logits = output.logits.float()
    end = logits.shape[1] - 1
    found = [logits[row, end - count : end] for row, count in enumerate(counts)]
    best = torch.stack([own.amax(-1).sum() if len(own) else own.new_zeros(()) for own in found])
    check_finite(loaded, best, [bool(each) for each in edits or [()] * len(found)])
    return found


def _keep(layer: int, edit: Action | None, states: dict[int, Tensor]) -> Action:
    def action(before: Tensor) -> Tensor | None:
        new = edit(before) if edit else None
        states[layer] = before if new is None else new
        return new

    return action


def score_replies(
    loaded: Loaded,
    prompts: Sequence[_Ids],
    replies: Sequence[_Ids],
    edits: Sequence[tuple[RowEdit, ...]] | None = None,
    gauges: Sequence[Projection] = (),
) -> list[tuple[Reading, ...]]:
    """A reading for every token of every reply, as the decode loop would have read it on the same tokens."""
    if not any(replies):
        return [() for _ in replies]
    states: dict[int, Tensor] = {each.layer: torch.empty(0) for each in gauges}
    logits = reply_logits(loaded, prompts, replies, edits, states)
    readings: list[tuple[Reading, ...]] = []
    for row, (reply, own) in enumerate(zip(replies, logits, strict=True)):
        if not reply:
            readings.append(())
            continue
        projections: list[dict[str, float]] = [{} for _ in reply]
        for each in gauges:
            # The token at a position is predicted one position earlier.
            chosen = states[each.layer][row, -len(reply) - 1 : -1].float()
            values = ((chosen @ each.unit - each.offset) / each.gap).tolist()
            for place, value in zip(projections, values, strict=True):
                place[each.name] = value
        readings.append(tuple(read_logits(loaded, own, list(reply), projections)))
    return readings
