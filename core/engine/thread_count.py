"""How many threads a model decodes fastest with: measured, since for small models one is often faster than two."""

from __future__ import annotations

import time

import torch

from core.chat.settings import Sampling
from core.inference.decoding import BatchDecoder, DecodingRow
from core.models.loading import Loaded, threads

_STEPS = 10
_PROMPT = 24
#: Above this many parameters every core helps, and measuring would take long.
_SMALL = 200_000_000


def choose(loaded: Loaded) -> int:
    """The fastest of 1, half and all of the cores for decoding two rows; torch is left set to it.

    Large models and those on another device than the CPU keep all cores.
    """
    most = threads()
    large = sum(weight.numel() for weight in loaded.model.parameters()) > _SMALL
    if loaded.device.type != "cpu" or most == 1 or large:
        torch.set_num_threads(most)
        return most
    candidates = sorted({1, max(1, most // 2), most})
    # Each is measured twice in turn and judged by its better time, so that a neighbour's burst of work decides nothing.
    seconds = {count: min(_measure(loaded, count) for _ in range(2)) for count in candidates}
    best = min(candidates, key=lambda count: seconds[count])
    torch.set_num_threads(best)
    return best


def _measure(loaded: Loaded, count: int) -> float:
    """Seconds that a few tokens of two rows take with ``count`` threads, the first step left out."""
    torch.set_num_threads(count)
    prompt = tuple([loaded.pad] * _PROMPT)
    # The tokens are given, so that the reply cannot end early and every measurement does the same work.
    given = tuple([loaded.pad] * _STEPS)
    stream = BatchDecoder(
        loaded, [DecodingRow(row, prompt, (), Sampling(max_new_tokens=_STEPS), forced=given) for row in range(2)]
    )
    stream.step()
    started = time.perf_counter()
    while not stream.done:
        stream.step()
    return time.perf_counter() - started
