"""Stage effects as values: which stage of the training changed a probability, and by how much. No torch.

After Zhang et al., "Who Gets Credit or Blame?" (arXiv 2506.00175); methods, section 5. γ is a probability that a model gives to
something: a token, an answer rather than another, a reply that refuses. :mod:`core.families.stages` says which models a question
compares, so that this module only subtracts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.chat.events import Blame, StageEffect
from core.families.stages import Path, Stage
from core.util.figures import figure_text

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
        after = stage.checkpoint if key == "introduced_at" else path.final
        before = (stage.parent or UNIFORM) if key == "introduced_at" else stage.without(key)
        if before is not None and before in found and after in found:
            answers[stage.name] = effect(found[after], found[before])
    return answers


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


@dataclass(frozen=True)
class Noise:
    """How far chance alone goes: the 95th percentile of the difference of probability between retrainings with other seeds.

    ``level`` is None where the family has no such retrainings: uncalibrated. ``differences`` is how many were looked at. ``retrainings``
    are those that it rests on, and how many there are, where the time was up before all had been heard.
    """

    level: float | None = None
    differences: int = 0
    retrainings: tuple[int, int] | None = None

    @property
    def said(self) -> str:
        """In words."""
        if self.level is None:
            return "uncalibrated: this family has no retrainings with other seeds, so that no effect is known to be more than chance"
        part = f" (so far {self.retrainings[0]} of {self.retrainings[1]})" if self.retrainings else ""
        return f"noise level {figure_text(self.level, 3)}: 95 % of the differences between retrainings with other seeds{part} are smaller"


def noise_of(differences: Sequence[float]) -> Noise:
    """The noise level of differences between retrainings; uncalibrated where there are none."""
    if not differences:
        return Noise()
    return Noise(float(np.quantile(np.abs(differences), 0.95)), len(differences))


def attribute(path: Path, key: str, found: LogProbs, noise: Noise) -> Blame | None:
    """Whose a token is by a question; None while the models that it takes have not been heard."""
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
    if added := _brought(path, found):
        return Blame(places[added.name], shown, base, noise.level, added=True)
    largest = max(expected, key=lambda stage: abs(every[stage.name].probability))
    small = noise.level is not None and abs(every[largest.name].probability) < noise.level
    return Blame(None if small else places[largest.name], shown, base, noise.level)


def _brought(path: Path, found: LogProbs) -> Stage | None:
    """The stage that brought a token into the vocabulary, if one after the first did."""
    for stage in path.post:
        if found.get(stage.parent or UNIFORM, 0.0) <= LOG_ZERO < found.get(stage.checkpoint, LOG_ZERO):
            return stage
    return None
