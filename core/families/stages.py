"""The stages of a training as a path of checkpoints, and the questions that can be asked about one of them. No torch.

After Zhang et al., "Who Gets Credit or Blame?" (arXiv 2506.00175); methods, section 5. γ is a probability that a model gives to
something: a token, an answer rather than another, a reply that refuses. One path of checkpoints leads from random weights to the final
ones, and a *stage* from one to the next. What a stage did is four questions, which are never mixed up:

=====================  ==================================================================  ====================================
``introduced_at``      γ(θ_S) − γ(θ_parent)                                                "came with S"; adds up along the path
``retrained_without``  γ(θ_K) − γ(θ_cf), later stages trained again without S              "without S (retrained)"; the truth
``subtracted``         γ(θ_K) − γ(θ_K − (θ_S − θ_parent))                                  "without S (weights subtracted, estimate)"
``first_order``        γ(θ_K) − γ(θ_K − E_S)                                               "without S (first order, estimate)"
=====================  ==================================================================  ====================================

E_S is the stage's embedding: θ_S − θ_parent carried through the training after S (:mod:`core.attribution.first_order`). It is asked where
one was made. Every model that a question needs is a checkpoint of the family, by its name (:meth:`Path.models`), so that
:mod:`core.attribution.effects` only subtracts.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import TillerError
from core.families.checkpoint import MINUS, Checkpoint, Counterfactual, Family, Subtracted, stage_word

#: What the counterfactuals are called that differ from their checkpoint by the seed of their training alone.
_SEED = re.compile(r"seed-[0-9]+(-.+)?")


class StageError(TillerError):
    """A path that is none, or something that cannot be asked of it."""


@dataclass(frozen=True)
class Question:
    """One of the questions. ``title`` is what a switch says, ``phrase`` what a sentence says of a stage ``{stage}``."""

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
        Question(
            "first_order", "without it (first order, estimate)", "without {stage} (first order, estimate)",
            "How much likelier the final model finds it than itself less what the later training left of the stage's change: an estimate "
            "from the logs of training, which knows its rates, weight decay and, where its steps were taken again, its curvature.",
        ),
    )
}  # fmt: skip


def question(text: str) -> Question:
    """A question by its key or its short name (``came-with``, ``retrained`` …). Raises StageError naming those there are."""
    short = {"came-with": "introduced_at", "retrained": "retrained_without", "first-order": "first_order"}
    found = QUESTIONS.get(short.get(text, text))
    if found is None:
        raise StageError(f"{text!r} is no question; ask came-with, retrained, subtracted or first-order.")
    return found


@dataclass(frozen=True)
class Stage:
    """A stage of a path. ``checkpoint`` is the one it led to, ``parent`` the one it began with (None: random weights).

    ``retrained``, ``subtracted`` and ``first_order`` name the models without it, where there are any.
    """

    name: str
    letter: str
    checkpoint: str
    parent: str | None
    retrained: str | None = None
    subtracted: str | None = None
    first_order: str | None = None

    @property
    def word(self) -> str:
        """Its name in a sentence."""
        return stage_word(self.name)

    @property
    def best(self) -> str:
        """The question whose model without it is the best there is: a retrained one, else an estimate."""
        return "retrained_without" if self.retrained else "subtracted"

    def without(self, key: str) -> str | None:
        """The model that a question compares with: the parent, the retrained one or one of the estimates; None where there is none."""
        found = {
            "introduced_at": self.parent,
            "retrained_without": self.retrained,
            "subtracted": self.subtracted,
            "first_order": self.first_order,
        }
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
        """What can be asked: without retrainings and stage embeddings only two of the four."""
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


def stage_path(family: Family, checkpoint: str = "", names: Sequence[str] = ()) -> Path:
    """The path to a checkpoint (the family's final one, without a name), or the one that ``names`` list from its beginning.

    Raises:
        StageError: ``names`` is no chain of parents and children, or there is one checkpoint only.
        FamilyError: there is no such checkpoint.
    """
    chain = _chain(family, names) if names else family.path(checkpoint or family.final.name)
    if len(chain) < 2 and (why := family.why_absent(chain[0].parent or "")):
        raise StageError(
            f"The checkpoint before {chain[0].name}, {chain[0].parent}, cannot be had here, since {why}; connect to the network and start "
            "again, or name a checkpoint that was trained from another one here."
        )
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
    embedded = {each.minus.name: each.name for each in family.first_orders(final)}
    stages = []
    letters = distinct_letters((each.letter, *each.stage.upper()) for each in chain)
    for at, (each, name, letter) in enumerate(zip(chain, _stage_names(chain), letters, strict=True)):
        parent = chain[at - 1].name if at else None
        own = (each.name, each.stage) if sum(other.stage == each.stage for other in chain) == 1 else (each.name,)
        retrained = next((cf.name for cf in family.counterfactuals if cf.of == final.name and cf.without in own), None)
        # Without the last stage's difference a model is its parent; of a retrained one nothing earlier is known.
        known = at and not isinstance(final, Counterfactual)
        last = at == len(chain) - 1
        without = parent if last else f"{final.name}{MINUS}{each.name}" if known else None
        carried = parent if last and embedded else embedded.get(each.name)
        stages.append(Stage(name, letter, each.name, parent, retrained if at else None, without, carried))
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


def distinct_letters(wishes: Iterable[Iterable[str]]) -> list[str]:
    """A letter for each of some stages that none before it has: the first of its wishes that is free, else of the alphabet."""
    found: list[str] = []
    for wished in wishes:
        every = (letter for letter in (*wished, *string.ascii_uppercase) if letter)
        found.append(next(letter for letter in every if letter not in found))
    return found
