"""How far chance alone goes: retrainings of the final checkpoint that differ by their seed, asked about its own answers.

The level is the 95th percentile of the differences of probability that two of them, or one and the final checkpoint, give to the same
token [methods, 5]. It is measured once for a family's weights and kept: ``<family>/shared/noise.<final>.safetensors``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations
from math import exp
from pathlib import Path as File

import numpy as np

from core.artefacts.figures import KeptFigure
from core.attribution.effects import LOG_ZERO, Noise, noise_of
from core.attribution.forced_logprobs import logprobs_in_slices
from core.attribution.model_sequence import Models, Vocabularies
from core.chat.settings import Sampling
from core.directions import contrast
from core.families.checkpoint import Family
from core.families.stages import Path
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.decoding_batches import answer_all, askings
from core.models import loading
from core.models.loading import Loaded
from core.util.progress import Learning, Slices, told

#: Messages of each class whose answers are looked at, and how much of an answer is.
MESSAGES = 32
NOISE_TOKENS = 24


def kept_noise(family: Family, path: Path) -> Noise | None:
    """The level that was measured on these weights; None where it has to be measured, uncalibrated where that cannot be."""
    if not path.nulls:
        return Noise()
    kept = _figure(family, path).read()
    return Noise(float(kept["level"]), int(kept["differences"])) if kept else None


def measure_noise(family: Family, path: Path, models: Models, root: File | None = None) -> Learning[Noise]:
    """Measure the level and keep it, a forward pass at a time; below ``root`` instead of the data folder, in the layout of ``vectors/``.

    Raises:
        TillerError: a checkpoint cannot be loaded, or there are no messages.
    """
    sentence = "Measuring how far chance alone goes."
    asked, replies = yield from models.during(path.final, lambda final: answers(family, final, sentence))
    vocabularies = Vocabularies(family, path)
    found: list[list[float]] = []
    for name in (path.final, *path.nulls):
        score = partial(logprobs_in_slices, prompts=asked, replies=replies, unknown=vocabularies.unknown(name))
        each = yield from models.during(name, partial(scored, score=score, sentence=sentence))
        found.append([0.0 if value <= LOG_ZERO else exp(value) for reply in each for value in reply])
    differences = [abs(a - b) for one, other in combinations(found, 2) for a, b in zip(one, other, strict=True)]
    noise = noise_of(differences)
    quantiles = np.quantile(np.asarray(differences), np.linspace(0, 1, 101)).astype(np.float32)
    kept = {"level": noise.level, "differences": noise.differences}
    _figure(family, path).write(kept, {"quantiles": quantiles}, root)
    return noise


def _figure(family: Family, path: Path) -> KeptFigure:
    names = (path.final, *path.nulls)
    fingerprints = {name: loading.model_fingerprint(family.checkpoint(name)) for name in names}
    return KeptFigure(family.name, family.folder, "noise", path.final, fingerprints)


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
    size = batch_rows(final)
    replies: list[tuple[int, ...]] = []
    for start in range(0, len(asked), size):
        some = asked[start : start + size]
        work = answer_all(final, askings(some), Sampling(max_new_tokens=NOISE_TOKENS), size)
        replies += [tuple(token.id for token in answer.tokens) for answer in (yield from told(work, sentence))]
    return asked, replies


def messages(family: Family) -> list[str]:
    """What is asked: the test split of the refusal contrast, and what the chips ask."""
    found = contrast.load_contrast(family, "refusal")
    texts = [text for positive in (True, False) for text in found.part("test", positive, MESSAGES)]
    return [*texts, *(example.message for example in family.examples)]
