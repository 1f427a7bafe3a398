"""Stage effects as values: which stage of the training changed a probability, and by how much. No torch.

After Zhang et al., "Who Gets Credit or Blame?" (arXiv 2506.00175); methods, section 5. γ is a probability that a model gives to
something: a token, an answer rather than another, a reply that refuses. One path of checkpoints leads from random weights to the final
ones, and a *stage* from one to the next. What a stage did is three questions, which are never mixed up:

=====================  ==================================================================  ====================================
``introduced_at``      γ(θ_S) − γ(θ_parent)                                                "came with S"; adds up along the path
``retrained_without``  γ(θ_K) − γ(θ_cf), later stages trained again without S              "without S (retrained)"; the truth
``subtracted``         γ(θ_K) − γ(θ_K − (θ_S − θ_parent))                                  "without S (weights subtracted, estimate)"
=====================  ==================================================================  ====================================

Every model that a question needs is a checkpoint of the family, by its name (:meth:`Path.models`), so that this module only subtracts.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.checkpoints import Checkpoint, Counterfactual, Family, Subtracted, stage_word
from core.errors import TillerError
from core.events import Blame, StageEffect
from core.training_log import TrainingLog as TrainingLog

#: What the distribution before all training is called where models are named: every token has the probability 1 / vocabulary.
UNIFORM = "uniform"
#: The log-probability of a token that a model's vocabulary does not have: no probability at all, and still a number in JSON.
NOWHERE = -10_000.0
#: What the counterfactuals are called that differ from their checkpoint by the seed of their training alone.
_SEED = re.compile(r"seed-[0-9]+(-.+)?")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class StageError(TillerError):
    """A path that is none, or something that cannot be asked of it."""


@dataclass(frozen=True)
class Question:
    """One of the three questions. ``title`` is what a switch says, ``phrase`` what a sentence says of a stage ``{stage}``."""

    key: str
    title: str
    phrase: str
    tooltip: str


QUESTIONS: Mapping[str, Question] = {
    each.key: each
    for each in (
        Question(
            "introduced_at", "came with", "came with {stage}",
            "How much likelier the model became from the checkpoint before the stage to the one after it; these add up.",
        ),
        Question(
            "retrained_without", "without it (retrained)", "without {stage} (retrained)",
            "How much likelier the final model finds it than one that was really trained without the stage.",
        ),
        Question(
            "subtracted", "without it (weights subtracted, estimate)", "without {stage} (weights subtracted, estimate)",
            "How much likelier the final model finds it than itself less what the stage changed in its weights: an estimate, exact for "
            "the last stage, good for the one before, shaky further back.",
        ),
    )
}  # fmt: skip


def question(text: str) -> Question:
    """A question by its key or its short name (``came-with``, ``retrained``, ``subtracted``). Raises StageError naming them."""
    short = {"came-with": "introduced_at", "retrained": "retrained_without"}
    found = QUESTIONS.get(short.get(text, text))
    if found is None:
        raise StageError(f"{text!r} is no question; ask came-with, retrained or subtracted.")
    return found


@dataclass(frozen=True)
class Stage:
    """A stage of a path. ``checkpoint`` is the one it led to, ``parent`` the one it began with (None: random weights).

    ``retrained`` and ``subtracted`` name the models without it, where there are any.
    """

    name: str
    letter: str
    checkpoint: str
    parent: str | None
    retrained: str | None = None
    subtracted: str | None = None

    @property
    def word(self) -> str:
        """Its name in a sentence."""
        return stage_word(self.name)

    def without(self, key: str) -> str | None:
        """The model that a question compares with: the parent, the retrained or the subtracted one; None where there is none."""
        found = {"introduced_at": self.parent, "retrained_without": self.retrained, "subtracted": self.subtracted}
        return found[key]

    def asked(self, key: str) -> str:
        """A question about this stage in words: ``without safety (retrained)``."""
        return QUESTIONS[key].phrase.format(stage=self.word)


@dataclass(frozen=True)
class Path:
    """The stages from random weights to a final checkpoint; ``nulls`` are retrainings of it that differ by their seed alone."""

    family: str
    stages: tuple[Stage, ...]
    nulls: tuple[str, ...] = ()

    @property
    def final(self) -> str:
        """The name of the final checkpoint."""
        return self.stages[-1].checkpoint

    @property
    def base(self) -> Stage:
        """The stage that began with random weights."""
        return self.stages[0]

    @property
    def post(self) -> tuple[Stage, ...]:
        """The stages after the first: what blame goes to."""
        return self.stages[1:]

    @property
    def questions(self) -> tuple[Question, ...]:
        """What can be asked: without retrainings only two of the three."""
        return tuple(each for key, each in QUESTIONS.items() if any(stage.without(key) for stage in self.post))

    def stage(self, name: str) -> Stage:
        """The stage of that name, or that led to a checkpoint of that name. Raises StageError naming those there are."""
        for each in self.stages:
            if name in (each.name, each.checkpoint):
                return each
        raise StageError(
            f"There is no stage {name!r} on the path to {self.final}; there is {', '.join(s.name for s in self.stages)}."
        )

    def models(self, key: str = "") -> tuple[str, ...]:
        """The checkpoints that a question needs (all questions, without one), each once, the final one first."""
        found = [self.final]
        for each in (key,) if key else QUESTIONS:
            if each == "introduced_at":
                found += [stage.checkpoint for stage in self.stages]
            else:
                found += [name for stage in self.post if (name := stage.without(each))]
        return tuple(dict.fromkeys(found))

    @property
    def counterfactual(self) -> Mapping[str, str]:
        """For each stage after the first the best model without it: the retrained one, else the one with weights subtracted."""
        return {stage.name: found for stage in self.post if (found := stage.retrained or stage.subtracted)}


def path(family: Family, checkpoint: str = "", names: Sequence[str] = ()) -> Path:
    """The path to a checkpoint (the family's final one, without a name), or the one that ``names`` list from its beginning.

    Raises:
        StageError: ``names`` is no chain of parents and children, or there is one checkpoint only.
        FamilyError: there is no such checkpoint.
    """
    chain = _chain(family, names) if names else family.path(checkpoint or family.final.name)
    if len(chain) < 2:
        raise StageError(
            f"{chain[0].name} has no checkpoint before it, so that no stage can be told from another; name one that was trained from "
            "it, or add its parent to the family."
        )
    final = chain[-1]
    if isinstance(final, Subtracted):
        raise StageError(
            f"{final.name} is an estimate from which a stage was taken; ask what the stages of {final.of} did."
        )
    stages = []
    for at, (each, name, letter) in enumerate(zip(chain, _stage_names(chain), _letters(chain), strict=True)):
        parent = chain[at - 1].name if at else None
        retrained = next(
            (cf.name for cf in family.counterfactuals if cf.of == final.name and cf.without == each.stage), None
        )
        # Without the last stage's difference a model is its parent; of a retrained one nothing earlier is known.
        known = at and not isinstance(final, Counterfactual)
        without = parent if at == len(chain) - 1 else f"{final.name}-minus-{each.name}" if known else None
        stages.append(Stage(name, letter, each.name, parent, retrained if at else None, without))
    nulls = tuple(
        cf.name for cf in family.counterfactuals if cf.of == final.name and not cf.without and _SEED.fullmatch(cf.name)
    )
    return Path(family.name, tuple(stages), nulls)


def _chain(family: Family, names: Sequence[str]) -> tuple[Checkpoint, ...]:
    chain = tuple(family.checkpoint(name) for name in names)
    if chain[0].parent is not None:
        raise StageError(
            f"The path begins with {chain[0].name}, whose parent is {chain[0].parent}; begin with {family.path(names[0])[0].name}."
        )
    for before, after in itertools.pairwise(chain):
        if after.parent != before.name:
            raise StageError(
                f"{' → '.join(names)} is no chain: {after.name} was trained from {after.parent or 'random weights'}, not from "
                f"{before.name}; the path to it is {','.join(each.name for each in family.path(after.name))}."
            )
    return chain


def _stage_names(chain: Sequence[Checkpoint]) -> list[str]:
    """The stages' names, with the checkpoint's where two stages of a path have one name."""
    names = [each.stage for each in chain]
    return [f"{each.stage} ({each.name})" if names.count(each.stage) > 1 else each.stage for each in chain]


def _letters(chain: Sequence[Checkpoint]) -> list[str]:
    found: list[str] = []
    for each in chain:
        wanted = [each.letter, *each.stage.upper(), *_LETTERS]
        found.append(next(letter for letter in wanted if letter and letter not in found))
    return found


# ---------------------------------------------------------------------------------------------------------------- effects

#: Log-probabilities in nats of one thing by several models, by their names; :data:`UNIFORM` is one of them.
LogProbs = Mapping[str, float]


@dataclass(frozen=True)
class Effect:
    """What a stage did: a difference of probability, and in nats (None where the thing was not in the vocabulary before)."""

    probability: float
    nats: float | None


def effect(after: float, before: float) -> Effect:
    """The effect between two log-probabilities in nats."""
    unknown = before <= NOWHERE or after <= NOWHERE
    return Effect(_probability(after) - _probability(before), None if unknown else after - before)


def _probability(logprob: float) -> float:
    return 0.0 if logprob <= NOWHERE else math.exp(logprob)


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

    ``level`` is None where the family has no such retrainings: uncalibrated. ``differences`` is how many were looked at.
    """

    level: float | None = None
    differences: int = 0

    @property
    def said(self) -> str:
        """In words."""
        if self.level is None:
            return "uncalibrated: this family has no retrainings with other seeds, so that no effect is known to be more than chance"
        return f"noise level {self.level:.3f}: 95 % of the differences between retrainings with other seeds are smaller"


def noise_of(differences: Sequence[float]) -> Noise:
    """The noise level of differences between retrainings; uncalibrated where there are none."""
    if not differences:
        return Noise()
    ordered = sorted(abs(each) for each in differences)
    at = 0.95 * (len(ordered) - 1)
    low = ordered[int(at)]
    high = ordered[min(int(at) + 1, len(ordered) - 1)]
    return Noise(low + (high - low) * (at - int(at)), len(ordered))


def blame(path: Path, key: str, found: LogProbs, noise: Noise) -> Blame | None:
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
        if found.get(stage.parent or UNIFORM, 0.0) <= NOWHERE < found.get(stage.checkpoint, NOWHERE):
            return stage
    return None
