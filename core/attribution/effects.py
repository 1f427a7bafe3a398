"""Stage effects as values: which stage of the training changed a probability, and by how much. No torch.

After Zhang et al., "Who Gets Credit or Blame?" (arXiv 2506.00175); methods, section 5. γ is a probability that a model gives to
something: a token, an answer rather than another, a reply that refuses. :mod:`core.families.stages` says which models a question
compares, so that this module only subtracts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from core.attribution.chance import SLIGHT, Noise
from core.chat.events import Blame, StageEffect
from core.families.stages import Path, Stage

#: What the distribution before all training is called where models are named: every token has the probability 1 / vocabulary.
UNIFORM = "uniform"


#: The log-probability of a token that a model's vocabulary does not have: no probability at all, and still a number in JSON.
LOG_ZERO = -10_000.0


#: Log-probabilities in nats of one thing by several models, by their names; :data:`UNIFORM` is one of them.
LogProbs = Mapping[str, float]


@dataclass(frozen=True)
class Effect:
    """What a stage did: a difference of probability, and in nats (None where the thing was not in the vocabulary before)."""

    probability: float
    nats: float | None


def effect(after: float, before: float) -> Effect:
    """The effect between two log-probabilities in nats."""
    unknown = before <= LOG_ZERO or after <= LOG_ZERO
    return Effect(_probability(after) - _probability(before), None if unknown else after - before)


def _probability(logprob: float) -> float:
    return 0.0 if logprob <= LOG_ZERO else math.exp(logprob)


def effects(path: Path, key: str, found: LogProbs) -> dict[str, Effect]:
    """A question's answer for every stage that has one, by the stage's name. ``introduced_at`` also has the first stage's.

    Models whose log-probability is not there (yet) leave their stages out.
    """
    answers: dict[str, Effect] = {}
    for stage in path.stages:
        after, before = _models(path, key, stage)
        if before is not None and before in found and after in found:
            answers[stage.name] = effect(found[after], found[before])
    return answers


def _models(path: Path, key: str, stage: Stage) -> tuple[str, str | None]:
    """The model with a stage and the one without it, by a question; None where there is none."""
    if key == "introduced_at":
        return stage.checkpoint, stage.parent or UNIFORM
    return path.final, stage.without(key)


def _compared(path: Path, key: str, stage: Stage, found: LogProbs) -> tuple[float, float]:
    """The probabilities whose difference a stage's effect is."""
    after, before = _models(path, key, stage)
    return _probability(found[after]), _probability(found[str(before)])


def remainder(path: Path, key: str, found: LogProbs) -> float | None:
    """What the effects of the stages after the first leave over of the whole change from the base to the final model.

    Zero for ``introduced_at``; for the others it is interaction: what two stages did together counts twice or not at all. None where
    a stage has no answer.
    """
    each = effects(path, key, found)
    if path.base.checkpoint not in found or any(stage.name not in each for stage in path.post):
        return None
    total = effect(found[path.final], found[path.base.checkpoint]).probability
    return total - sum(each[stage.name].probability for stage in path.post)


def attribute(path: Path, key: str, found: LogProbs, noise: Noise, first: bool) -> Blame | None:
    """Whose a token is by a question, ``first`` of its reply or a later one; None while the models that it takes have not been heard."""
    every = effects(path, key, found)
    expected = [stage for stage in path.post if stage.without(key)]
    if not expected or path.base.checkpoint not in found or any(stage.name not in every for stage in expected):
        return None
    places = {stage.name: place for place, stage in enumerate(path.stages)}
    shown = tuple(
        StageEffect(places[stage.name], stage.name, stage.letter, each.probability, each.nats)
        for stage in path.stages
        if (each := every.get(stage.name)) is not None
    )
    base = _probability(found[path.base.checkpoint])
    added = _brought(path, found)
    stage = added or max(expected, key=lambda stage: abs(every[stage.name].probability))
    level = noise.level(*_compared(path, key, stage, found), first, len(expected)) if stage.name in every else None
    if added:
        return Blame(places[added.name], shown, base, level, added=True)
    small = level is not None and abs(every[stage.name].probability) < max(level, SLIGHT)
    return Blame(None if small else places[stage.name], shown, base, level)


def _brought(path: Path, found: LogProbs) -> Stage | None:
    """The stage that brought a token into the vocabulary, if one after the first did."""
    for stage in path.post:
        if found.get(stage.parent or UNIFORM, 0.0) <= LOG_ZERO < found.get(stage.checkpoint, LOG_ZERO):
            return stage
    return None
