"""How fast the final checkpoint writes on one thread: the wall clock of the one decode loop, model loaded, nothing steered."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import torch

from core.chat.settings import Sampling
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.prompts import chat_prompt
from core.models.loading import Loaded
from core.skiff.evaluate.subjects import Subjects
from core.training.card_figures import Figure, repeated, target_at_least

SPEED = "Speed"
_FLOOR = 200.0
TOKENS = 48
RUNS = 7
_MESSAGE = "Tell me a story about a fox."


def speed_figures(subjects: Subjects) -> Iterator[Figure]:
    """Tokens a second of one answer on one processor thread; the median of the runs stands in the note, since others may be at work."""
    loaded = subjects.load(subjects.final)
    # No token ends the answer, so that every run writes as many.
    endless = dataclasses.replace(loaded, ends=frozenset(), stops=())
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        tokens_a_second(endless)
        runs = sorted(tokens_a_second(endless) for _ in range(RUNS))
    finally:
        torch.set_num_threads(before)
    note = f"{TOKENS} tokens, median {runs[len(runs) // 2]:,.0f}, least {runs[0]:,.0f}"
    yield repeated(SPEED, "tokens a second, one thread", subjects.final, runs, target_at_least(_FLOOR), note)


def tokens_a_second(loaded: Loaded) -> float:
    """Tokens of one answer over the seconds from the prompt to its last token."""
    speaker = DecodingRow(0, chat_prompt(loaded, _MESSAGE), sampling=Sampling(temperature=0.0, max_new_tokens=TOKENS))
    started = time.perf_counter()
    stream = BatchDecoder(loaded, [speaker])
    while not stream.done:
        stream.step()
    return stream.steps / (time.perf_counter() - started)
