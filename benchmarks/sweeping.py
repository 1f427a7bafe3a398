"""A sweep: nine strengths of a direction on thirty-two prompts, in batches whose size the program chooses, against one prompt at a time."""

from __future__ import annotations

import argparse
import dataclasses

from benchmarks.decoding import Subject
from benchmarks.ratios import interleaved, report
from core.chat.settings import Column, Settings
from core.chat.sliders import SLIDER_STRENGTHS
from core.directions import contrast
from core.inference import decoding_batches, prompts
from core.inference.decoding_batches import Asking
from core.recipes.language import Recipe, Term
from core.util.progress import finished

#: Prompts, and tokens of every answer.
PROMPTS, TOKENS = 32, 24
#: The sweep takes at most a third of the time.
LIMIT = 1 / 3
_FEWEST = 3


def sweeping(options: argparse.Namespace) -> bool:
    """Whether the sweep is three times faster.

    One prompt at a time is timed on every strength once and counted as often as there are prompts.
    """
    subject = Subject(options)
    loaded = subject.loaded
    texts = contrast.load_contrast(loaded.family, "refusal").part("test", False, PROMPTS)
    asked = [
        prompts.build(loaded, Settings(loaded.family.name, (Column(loaded.checkpoint.name),)).ask(text), 0).ids
        for text in texts
    ]
    recipes = [
        Recipe((Term("add", subject.direction.card.name, value),)) if value else Recipe() for value in SLIDER_STRENGTHS
    ]
    edits = [subject.edits(recipe) for recipe in recipes]
    sampling = dataclasses.replace(subject.sampling, max_new_tokens=TOKENS)
    whole = [Asking(prompt, each) for each in edits for prompt in asked]
    alone = [Asking(asked[index % len(asked)], each) for index, each in enumerate(edits)]
    timed = interleaved(
        {
            "sweep": lambda: finished(decoding_batches.answer_all(loaded, whole, sampling)),
            "alone": lambda: finished(decoding_batches.answer_all(loaded, alone, sampling, rows=1)),
        },
        _FEWEST,
        _FEWEST,
    )
    times = len(whole) / len(alone)
    ratio = timed["sweep"].over(timed["alone"])
    size = decoding_batches.rows_at_once(loaded, max(len(prompt) for prompt in asked) + TOKENS)
    note = f"{len(whole) / timed['sweep'].median:.0f} answers a second, {size} rows at once"
    middle, low, high = (each / times for each in ratio)
    return report(
        f"a sweep of {len(edits)} strengths × {len(asked)} prompts / one at a time", (middle, low, high), LIMIT, note
    )
