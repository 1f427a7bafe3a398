"""Many answers at once: many prompts, each with edits of its own, in batches as large as the machine takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.chat.answers import Answer
from core.chat.settings import Sampling
from core.inference.batch import batch_rows
from core.inference.decoding import BatchDecoder, DecodingRow
from core.models import memory
from core.models.loading import Loaded, places
from core.steering.interventions import RowEdit
from core.util.progress import Slices

#: The part of the free memory that a batch's keys, values and logits may take.
_SHARE = 0.25


@dataclass(frozen=True)
class Asking:
    """A prompt, and what is done to the model while it answers it."""

    prompt: tuple[int, ...]
    edits: tuple[RowEdit, ...] = ()


def askings(prompts: Iterable[tuple[int, ...]], edits: tuple[RowEdit, ...] = ()) -> list[Asking]:
    """Prompts that are all answered with the same edits."""
    return [Asking(prompt, edits) for prompt in prompts]


def rows_at_once(loaded: Loaded, tokens: int) -> int:
    """How many answers of up to ``tokens`` tokens, prompt included, are written at once.

    As many as a forward pass takes (:func:`core.inference.batch.batch_rows`), unless a quarter of the memory that is free holds fewer:
    a row's keys and values, and three copies of its logits in float32.
    """
    config: Any = loaded.model.config.get_text_config()
    heads = int(config.num_attention_heads)
    shared = int(getattr(config, "num_key_value_heads", None) or heads)
    size = int(getattr(config, "head_dim", None) or loaded.width // heads)
    kept = 2 * loaded.anatomy.layers * shared * size * tokens * loaded.model.dtype.itemsize
    row = kept + 3 * 4 * int(config.vocab_size)
    free = memory.room(places(str(loaded.device), ""), {}).usable
    return max(1, min(batch_rows(loaded), int(_SHARE * free) // row))


def answer_all(loaded: Loaded, asked: Sequence[Asking], sampling: Sampling, rows: int = 0) -> Slices[list[Answer]]:
    """The answers, in the order of what was asked, one token of a batch at a time.

    Prompts of like length are answered together, and an answer that has ended costs nothing more. ``rows`` is the number of rows of a
    batch; 0 lets the program choose.
    """
    if not asked:
        return []
    longest = max(len(each.prompt) for each in asked) + sampling.max_new_tokens
    size = rows or rows_at_once(loaded, longest)
    order = sorted(range(len(asked)), key=lambda index: len(asked[index].prompt))
    answers: dict[int, Answer] = {}
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        speakers = [DecodingRow(index, asked[index].prompt, asked[index].edits, sampling) for index in chosen]
        stream = BatchDecoder(loaded, speakers)
        answers |= {index: Answer() for index in chosen}
        first = True
        while not stream.done:
            computed = sum(len(asked[index].prompt) for index in chosen) if first else stream.rows
            for event in stream.step():
                if event.column is not None:
                    answers[event.column] = answers[event.column].apply(event)
            first = False
            yield computed
    return [answers[index] for index in range(len(asked))]
