"""How far chance alone goes: retrainings of the final checkpoint that differ by their seed, asked about its own answers.

What is kept are the probabilities that two of them, or one and the final checkpoint, give to the same token, for all pairs
(:mod:`core.attribution.chance`) [methods, 5]. It is measured once for a family's weights, and anew for quantized ones, whose differences
have rounding in them: ``<family>/shared/noise.<final>[.<4bit or 8bit>].safetensors``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations
from math import exp
from pathlib import Path as File
from typing import TypeVar

import numpy as np

from core.artefacts.figures import KeptFigure
from core.attribution.chance import Noise, noise_of
from core.attribution.effects import LOG_ZERO
from core.attribution.forced_logprobs import logprobs_in_slices
from core.attribution.model_sequence import Models, Vocabularies
from core.chat.settings import Sampling
from core.directions import contrast
from core.families.checkpoint import Family
from core.families.stages import Path
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.decoding_batches import answer_all, askings
from core.models.fingerprints import model_fingerprint
from core.models.loading import Loaded
from core.util.budget import Budget, TimedPart
from core.util.progress import Learning, Slices, Step, finished, told
from core.util.resume import ResumeNotes

_T = TypeVar("_T")

#: Messages of each class whose answers are looked at, and how much of an answer is.
MESSAGES = 64
NOISE_TOKENS = 24


def kept_noise(family: Family, path: Path, quantize: str = "none", only: File | None = None) -> Noise | None:
    """The noise that was measured on these weights, so quantized; None where it has to be measured (also where an earlier version did,
    which kept one level for all tokens), uncalibrated where that cannot be. It is looked for in the folder ``only``, if there is one."""
    if not path.nulls:
        return Noise()
    figure = replace(_figure(family, path, quantize), only=only)
    kept, arrays = figure.read(), figure.arrays()
    if not kept or not {"pairs", "first"} <= set(arrays):
        return None
    of = kept.get("retrainings")
    return noise_of(arrays["pairs"].astype(np.float64), arrays["first"] > 0, (int(of[0]), int(of[1])) if of else None)


def measure_noise(
    family: Family,
    path: Path,
    models: Models,
    quantize: str = "none",
    root: File | None = None,
    budget: Budget | None = None,
) -> Learning[Noise]:
    """Measure the noise of models that are so quantized and keep it, a pass at a time; below ``root`` instead of the data folder, in the
    layout of ``vectors/``.

    Retrainings are heard one after the other. Where the budget is spent before the last, the noise is that of those heard so far (of one
    at least), and the next measurement goes on behind them.

    Raises:
        TillerError: a checkpoint cannot be loaded, or there are no messages.
    """
    sentence = "Measuring how far chance alone goes."
    notes = _notebook(family, path, quantize)
    ask = partial(models.during, path.final, lambda final: answers(family, final, sentence))
    asked, replies = yield from _once(notes, "answers", ask, sentence)
    vocabularies = Vocabularies(family, path)
    found: list[list[float]] = []
    for name in (path.final, *path.nulls):
        if len(found) > 1 and budget is not None and budget.over():
            break
        score = partial(logprobs_in_slices, prompts=asked, replies=replies, unknown=vocabularies.unknown(name))
        hear = partial(models.during, name, partial(scored, score=score, sentence=sentence))
        each = yield from _once(notes, f"heard.{name.replace('/', '.')}", hear, sentence)
        found.append([0.0 if value <= LOG_ZERO else exp(value) for reply in each for value in reply])
    pairs = np.array(
        [pair for one, other in combinations(found, 2) for pair in zip(one, other, strict=True)], np.float32
    )
    starts = [place == 0 for reply in replies for place in range(len(reply))]
    first = np.array(starts * (len(pairs) // len(starts)))
    heard = len(found) - 1
    part = (heard, len(path.nulls)) if heard < len(path.nulls) else None
    kept = {"retrainings": list(part)} if part else {}
    _figure(family, path, quantize).write(kept, {"pairs": pairs, "first": first.astype(np.float32)}, root)
    if not part:
        notes.forget()
    return noise_of(pairs.astype(np.float64), first, part)


def noise_phases(family: Family, path: Path, final: Loaded) -> list[TimedPart]:
    """The parts of :func:`measure_noise`, for an estimate: answers, and the same answers heard by every model."""
    asked = [each.ids for each in metrics.chat_prompts(final, messages(family))]
    some = asked[:: max(1, len(asked) // batch_rows(final))][: batch_rows(final)]
    replies: list[tuple[int, ...]] = []

    def answer() -> None:
        replies[:] = finished(_answered(final, some, ""))

    def hear() -> None:
        finished(logprobs_in_slices(final, some, replies))

    part = len(asked) / len(some)
    return [TimedPart(part, answer), TimedPart(part * (1 + len(path.nulls)), hear)]


def _once(notes: ResumeNotes, name: str, work: Callable[[], Learning[_T]], sentence: str) -> Learning[_T]:
    """The result of some work (of what JSON can hold), remembered when it was done before."""
    note = notes.recall(name)
    if note is None:
        found = yield from work()
        notes.keep(name, {"tokens": 0, "value": found})
        return found
    yield Step(0, sentence, remembered=True)
    kept: _T = note["value"]
    return kept


def _notebook(family: Family, path: Path, quantize: str) -> ResumeNotes:
    fingerprints = dict(_figure(family, path, quantize).fingerprints)
    return ResumeNotes.of(
        kind="noise", fingerprints=fingerprints, messages=messages(family), final=path.final, quantize=quantize
    )


def _figure(family: Family, path: Path, quantize: str) -> KeptFigure:
    names = (path.final, *path.nulls)
    fingerprints = {name: model_fingerprint(family.checkpoint(name)) for name in names}
    return KeptFigure(
        family.name, family.folder, "noise", path.final, fingerprints, "" if quantize == "none" else quantize
    )


def scored(
    loaded: Loaded, score: Callable[[Loaded], Slices[list[list[float]]]], sentence: str
) -> Learning[list[list[float]]]:
    """What a model finds, with a sentence that says what it is asked for."""
    return told(score(loaded), sentence)


def answers(
    family: Family, final: Loaded, sentence: str
) -> Learning[tuple[list[tuple[int, ...]], list[tuple[int, ...]]]]:
    """The prompts, and what the final checkpoint says to them."""
    asked = [each.ids for each in metrics.chat_prompts(final, messages(family))]
    return asked, (yield from _answered(final, asked, sentence))


def _answered(final: Loaded, asked: list[tuple[int, ...]], sentence: str) -> Learning[list[tuple[int, ...]]]:
    size = batch_rows(final)
    replies: list[tuple[int, ...]] = []
    for start in range(0, len(asked), size):
        some = asked[start : start + size]
        work = answer_all(final, askings(some), Sampling(max_new_tokens=NOISE_TOKENS), size)
        replies += [tuple(token.id for token in answer.tokens) for answer in (yield from told(work, sentence))]
    return replies


def messages(family: Family) -> list[str]:
    """What is asked: the test split of the refusal contrast, and what the chips ask."""
    found = contrast.load_contrast(family, "refusal")
    texts = [text for positive in (True, False) for text in found.part("test", positive, MESSAGES)]
    return [*texts, *(example.message for example in family.examples)]
