"""Which token comes next: what is done to the logits before one is drawn, and what is read of them once one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessor,
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)  # fmt: skip

from core.chat.drawing import TokenDrawing
from core.chat.events import ALTERNATIVES, Alternative, Reading
from core.chat.settings import Sampling
from core.inference.detokenizer import token_text
from core.models.loading import Loaded


class _Shifted(LogitsProcessor):
    """Shifts the logits of single tokens, also by what the answer holds already (:class:`core.chat.drawing.TokenDrawing`)."""

    def __init__(self, drawing: TokenDrawing, prompt: int) -> None:
        self._drawing, self._prompt = drawing, prompt

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        shifted = scores.clone()
        for token, bias in self._drawing.logit_bias:
            shifted[:, token] += bias
        said, counts = input_ids[0, self._prompt :].unique(return_counts=True)
        shifted[:, said] -= self._drawing.presence_penalty + self._drawing.frequency_penalty * counts
        return shifted


def logits_processors(sampling: Sampling, drawing: TokenDrawing, prompt: int) -> LogitsProcessorList:
    """What an answer behind so many tokens of a prompt is drawn by: transformers' own filters, in the order in which its ``generate``
    applies them, behind what shifts single tokens."""
    chosen = LogitsProcessorList()
    if drawing.presence_penalty or drawing.frequency_penalty or drawing.logit_bias:
        chosen.append(_Shifted(drawing, prompt))
    if sampling.repetition_penalty != 1:
        chosen.append(RepetitionPenaltyLogitsProcessor(penalty=float(sampling.repetition_penalty)))
    if sampling.temperature > 0:
        chosen.append(TemperatureLogitsWarper(temperature=float(sampling.temperature)))
        if sampling.top_k:
            chosen.append(TopKLogitsWarper(top_k=sampling.top_k))
        if sampling.top_p < 1:
            chosen.append(TopPLogitsWarper(top_p=float(sampling.top_p)))
        if drawing.min_p:
            chosen.append(MinPLogitsWarper(min_p=float(drawing.min_p)))
    return chosen


def sayable(loaded: Loaded, scores: Tensor) -> Tensor:
    """Scores [rows, vocabulary] of which those that no token stands for are minus infinity: such a row is never said."""
    rows = loaded.tokenless
    if not len(rows):
        return scores
    # Not every model scores as many rows as its configuration says.
    return scores.index_fill(-1, rows[rows < scores.shape[-1]].to(scores.device), -torch.inf)


def read_logits(
    loaded: Loaded,
    logits: Tensor,
    chosen: Sequence[int],
    projections: Sequence[Mapping[str, float]],
    alternatives: int = ALTERNATIVES,
) -> list[Reading]:
    """A reading for every row of ``logits`` [rows, vocabulary] (float32), of the token chosen there; it names so many alternatives."""
    tokens = torch.tensor(chosen, device=logits.device)[:, None]
    logprobs = logits.log_softmax(-1)
    own = logprobs.gather(-1, tokens)
    entropy = -(logprobs.exp() * logprobs).nan_to_num(nan=0.0).sum(-1)
    known = sayable(loaded, logprobs)
    best = known.topk(min(alternatives, known.shape[-1]), dim=-1)
    rank = (known > own).sum(-1)
    numbers = zip(
        own[:, 0].tolist(),
        entropy.tolist(),
        rank.tolist(),
        best.indices.tolist(),
        best.values.exp().tolist(),
        projections,
        strict=True,
    )
    return [
        Reading(
            logprob,
            uncertainty,
            place,
            tuple(Alternative(i, token_text(loaded, i), p) for i, p in zip(ids, values, strict=True)),
            gauged,
        )
        for logprob, uncertainty, place, ids, values, gauged in numbers
    ]
