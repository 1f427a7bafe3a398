"""How far a quantized family's blame agrees with that of its whole weights: r between the two, stage by stage, measured and kept.

The final checkpoint is quantized once, and what the stages changed is kept beside it (:mod:`core.models.weight_swap`) [methods,
5]. To know what that costs, the same answers are scored with whole weights too, which takes the memory that quantizing saves:
``launch.py bench blame`` does it, and what it found is kept as ``<family>/shared/quantized.<final>.<4bit or 8bit>.safetensors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from core.artefacts.figures import KeptFigure
from core.attribution import noise
from core.attribution.effects import effects
from core.attribution.forced_logprobs import logprobs_in_slices
from core.attribution.model_sequence import Models, Vocabularies
from core.families.checkpoint import Family
from core.families.stages import Path
from core.models.fingerprints import model_fingerprint
from core.models.placement import QUANTIZE
from core.util.program import program
from core.util.progress import Learning

_SENTENCE = "Comparing quantized with whole weights."


@dataclass(frozen=True)
class Agreement:
    """Pearson's r between the effects of each stage after the first on single tokens, by the stage's name, over so many tokens.

    The effects are those of ``introduced_at``, in probability.
    """

    r: Mapping[str, float]
    tokens: int

    @property
    def said(self) -> str:
        """In words."""
        each = ", ".join(f"{value:.2f} for {stage}" for stage, value in self.r.items())
        return f"r = {each} (each stage's effects on {self.tokens:,} tokens, against those of whole weights)"


def describe_agreement(family: Family, path: Path, quantize: str) -> str:
    """What a report on quantized weights has to say of them; empty for whole ones."""
    if quantize == "none":
        return ""
    found = kept_agreement(family, path, quantize)
    known = (
        f"how far that agrees with whole weights: {found.said}."
        if found
        else f"how far that agrees with whole weights has not been measured for this family; `{program()} bench blame` measures it."
    )
    return f"{path.final} is in {QUANTIZE[quantize]}, and what the stages changed is kept beside it in 8 bits; {known}"


def kept_agreement(family: Family, path: Path, quantize: str) -> Agreement | None:
    """What was measured on these weights; None where nothing was."""
    kept = _figure(family, path, quantize).read()
    return Agreement(dict(kept["r"]), int(kept["tokens"])) if kept else None


def measure_agreement(
    family: Family, path: Path, quantize: str, whole: Models, quantized: Models
) -> Learning[Agreement]:
    """Score the final checkpoint's own answers with both, and keep what comes of it, a forward pass at a time.

    Raises:
        TillerError: a checkpoint cannot be loaded, or there are no messages.
    """
    asked, replies = yield from whole.during(path.final, partial(noise.answers, family, sentence=_SENTENCE))
    vocabularies = Vocabularies(family, path)
    effect: list[dict[str, np.ndarray]] = []
    for models in (whole, quantized):
        found: dict[str, list[float]] = {}
        for name in path.models("introduced_at"):
            score = partial(logprobs_in_slices, prompts=asked, replies=replies, unknown=vocabularies.unknown(name))
            each = yield from models.during(name, partial(noise.scored, score=score, sentence=_SENTENCE))
            found[name] = [value for reply in each for value in reply]
        tokens = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
        effect.append(_by_stage(path, tokens))
    r = {stage: _pearson(effect[0][stage], effect[1][stage]) for stage in effect[0]}
    agreement = Agreement(r, sum(map(len, replies)))
    _keep(family, path, quantize, agreement, effect)
    return agreement


def _by_stage(path: Path, tokens: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """The effects of every stage after the first on every token."""
    every = [effects(path, "introduced_at", each) for each in tokens]
    return {stage.name: np.array([each[stage.name].probability for each in every]) for stage in path.post}


def _pearson(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's r; 0 where one of them does not vary."""
    if not one.std() or not other.std():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _keep(family: Family, path: Path, quantize: str, agreement: Agreement, effect: list[dict[str, np.ndarray]]) -> None:
    tensors = {
        f"{which}.{stage}": values.astype(np.float32)
        for which, each in zip(("whole", "quantized"), effect, strict=True)
        for stage, values in each.items()
    }
    kept = {"quantize": quantize, "r": dict(agreement.r), "tokens": agreement.tokens}
    _figure(family, path, quantize).write(kept, tensors)


def _figure(family: Family, path: Path, quantize: str) -> KeptFigure:
    names = path.models("introduced_at")
    fingerprints = {name: model_fingerprint(family.checkpoint(name)) for name in names}
    return KeptFigure(family.name, family.folder, "quantized", path.final, fingerprints, quantize)
