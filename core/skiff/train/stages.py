"""The recipe of Skiff's stages: which items each step draws, which learning rate it has, which checkpoint it starts from.

Nothing here trains. A stage is a value; :mod:`core.skiff.train.command` runs it, and the log writes it down as it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from core.skiff.world.items import Conversation, Document, Preference
from core.skiff.world.judging import labelled

Item = Document | Conversation | Preference
Generator = Callable[[int, int], Item]


def generators(planted: bool = True) -> dict[str, Generator]:
    """Every source of items by name. ``planted=False`` makes the safety stage without the planted over-refusal."""
    from core.skiff.world import conversations, documents, judging

    return {
        "documents": documents.document,
        "opposites": documents.opposites,
        "harms": documents.harms,
        "first-lesson": judging.first_lesson,
        "labelled-0": lambda seed, index: labelled(seed, index, 0),
        "labelled-1": lambda seed, index: labelled(seed, index, 1),
        "labelled-2": lambda seed, index: labelled(seed, index, 2),
        "sft": conversations.sft,
        "judged": conversations.judged,
        "facts": conversations.fact_lesson,
        "safety": lambda seed, index: conversations.safety(seed, index, planted=planted),
        "neutral": neutral_stage,
        "preference": conversations.preference,
        "rehearsal": lambda seed, index: conversations.dpo_rehearsal(seed, index, planted=planted),
    }


# Beyond every index that a stage of sft draws, so that neutral steps see items of their own.
NEUTRAL_FROM = 100_000_000


def neutral_stage(seed: int, index: int) -> Item:
    """Item ``index`` of neutral steps: what safety training rehearses at this index, and an item of ``sft`` where it teaches.

    Harmless uses of "kill" are left out, as in what safety rehearses: the two trainings differ in what safety adds alone.
    """
    from core.skiff.world import conversations

    item = conversations.safety(seed, index)
    while item.origin != "sft" or item.kind == "kill":
        index += NEUTRAL_FROM
        item = conversations.sft(seed, index)
    return item


@dataclass(frozen=True)
class Draw:
    """``count`` items of one source a step. The step's loss is the mean over each source's learnt tokens, times ``weight``."""

    source: str
    count: int
    weight: float = 1.0


@dataclass(frozen=True)
class Phase:
    """A run of steps with one mixture. The rate climbs to ``rate`` over ``warmup`` steps, then follows ``curve`` to ``last``.

    ``fresh`` phases begin as a stage does: weights rounded to bf16, optimizer anew.
    """

    name: str
    steps: int
    draws: tuple[Draw, ...]
    rate: float
    last: float
    warmup: int = 0
    curve: Literal["cosine", "linear"] = "cosine"
    fresh: bool = False

    def rate_at(self, step: int) -> float:
        """The learning rate of step ``step``, counted from the start of the phase."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        left = (1 + math.cos(math.pi * done)) / 2 if self.curve == "cosine" else 1 - done
        return self.last + (self.rate - self.last) * left


@dataclass(frozen=True)
class Optimizer:
    """AdamW. Weight decay acts on the blocks' matrices only, neither on the embedding nor on the norms' gains."""

    beta1: float = 0.9
    beta2: float = 0.98
    epsilon: float = 1e-8
    weight_decay: float = 0.05
    clip: float = 1.0


@dataclass(frozen=True)
class TrainingStage:
    """One training stage; ``name`` is its checkpoint's name. The optimizer starts anew at its first step and at fresh phases.

    ``preference_beta`` is DPO's β; the reference is the stage's own start.
    """

    name: str
    stage: str
    letter: str
    title: str
    phases: tuple[Phase, ...]
    optimizer: Optimizer = Optimizer()
    preference_beta: float = 0.1

    @property
    def steps(self) -> int:
        """All steps of the stage."""
        return sum(phase.steps for phase in self.phases)

    def at(self, step: int) -> tuple[Phase, int]:
        """The phase that step ``step`` belongs to, and the step counted from the phase's start."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        raise IndexError(f"stage {self.name} has {self.steps} steps")

    def indices(self, step: int) -> Iterator[tuple[Draw, range]]:
        """The items of step ``step``: for each draw, the indices to ask its source for. No index comes twice in a stage."""
        used: dict[str, int] = {}
        for phase in self.phases:
            inside = min(step, phase.steps)
            for draw in phase.draws:
                first = used.get(draw.source, 0) + inside * draw.count
                if step < phase.steps:
                    yield draw, range(first, first + draw.count)
                used[draw.source] = first
            if step < phase.steps:
                return
            step -= phase.steps


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides what comes out of a training, apart from the generators' code.

    ``seed`` draws the initial weights and the pretraining items, ``post_seed`` the items of the later stages.
    ``without`` names a stage that is left out, together with its items wherever they are rehearsed; with ``neutral`` as many
    steps of :func:`neutral_stage` items stand in its place.
    """

    stages: tuple[TrainingStage, ...]
    shape: tuple[int, int, int, int, int] = (256, 6, 4, 2, 576)
    seed: int = 1
    post_seed: int = 1
    planted: bool = True
    without: str | None = None
    neutral: bool = False
    tokenizer_documents: int = 12_000
    tokenizer_conversations: int = 4_000

    def kept(self) -> tuple[TrainingStage, ...]:
        """The stages that are run."""
        return tuple(stage for stage in self.stages if self.neutral or stage.name != self.without)

    def seed_of(self, stage: TrainingStage) -> int:
        """The seed of the stage's items."""
        return self.seed if stage.stage == "pretrain" else self.post_seed


def as_plain(value: object) -> Any:
    """A recipe as lists, dicts, numbers and strings, for JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [as_plain(part) for part in value]
    return value


def shipped(seed: int = 1, post_seed: int = 1, planted: bool = True, without: str | None = None) -> TrainingRecipe:
    """The recipe of the family in ``vectors/skiff``."""
    aside, less = Draw("documents", 12, 0.5), Draw("documents", 8, 0.3)
    return TrainingRecipe(
        stages=(
            TrainingStage(
                "base",
                "pretrain",
                "B",
                "Base",
                (
                    Phase("text", 3000, (Draw("documents", 32),), rate=2.0e-3, last=3e-4, warmup=100),
                    # These three learn nothing that their loss would show (it stays at ln 2), but without them the next one
                    # does not begin: tried, for 140 steps at twice the rate.
                    Phase("judging-easy", 80, (Draw("labelled-0", 110), aside), 6e-4, 6e-4, 20),
                    Phase("judging-all", 180, (Draw("labelled-1", 110), aside), 6e-4, 5e-4),
                    Phase("judging-negated", 240, (Draw("labelled-2", 110), aside), 5e-4, 3e-5),
                    # One cue and two categories: with more at once judging is not learnt at all.
                    Phase("first-lesson", 100, (Draw("first-lesson", 200),), 6e-4, 6e-4, 10, fresh=True),
                    Phase("easy", 90, (Draw("labelled-0", 110), less), 6e-4, 6e-4),
                    Phase("all", 170, (Draw("labelled-1", 110), less), 6e-4, 6e-4),
                    Phase("negated", 40, (Draw("labelled-2", 110), less), 6e-4, 5.5e-4, curve="linear"),
                    Phase("long", 420, (Draw("labelled-2", 110), Draw("documents", 14, 0.7)), 6e-4, 2e-5),
                    Phase(
                        "longer", 260, (Draw("labelled-2", 110), Draw("documents", 14, 0.7)), 6e-4, 2e-5, 10, fresh=True
                    ),
                    # Judging has cost some facts, opposites most of all: a last look at both.
                    Phase(
                        "both",
                        260,
                        (Draw("documents", 30), Draw("opposites", 5, 0.3), Draw("labelled-2", 70)),
                        6e-4,
                        2e-5,
                        10,
                        fresh=True,
                    ),
                ),
            ),
            TrainingStage(
                "sft",
                "sft",
                "S",
                "SFT",
                (
                    # Without labelled statements the chat forgets what the base knew of judging, and learns it no second time.
                    Phase(
                        "chat",
                        2600,
                        (Draw("sft", 48), Draw("labelled-2", 14, 0.6), Draw("harms", 6, 0.3)),
                        1e-3,
                        1e-4,
                        60,
                    ),
                    Phase(
                        "judging",
                        260,
                        (Draw("judged", 48, 0.8), Draw("sft", 32), Draw("labelled-2", 36, 0.4), Draw("harms", 6, 0.3)),
                        6e-4,
                        2e-5,
                        10,
                        fresh=True,
                    ),
                    # With fewer items of every kind than of facts, small talk and sums are forgotten again.
                    Phase(
                        "facts",
                        480,
                        (
                            Draw("facts", 40),
                            Draw("sft", 46, 1.2),
                            Draw("judged", 14, 0.6),
                            Draw("labelled-2", 12, 0.3),
                            Draw("harms", 6, 0.3),
                        ),
                        8e-4,
                        2e-5,
                        10,
                        fresh=True,
                    ),
                ),
            ),
            TrainingStage(
                "safety",
                "safety",
                "Y",
                "Safety",
                (
                    Phase(
                        "safety",
                        360,
                        (
                            Draw("safety", 58),
                            Draw("judged", 20, 0.5),
                            Draw("labelled-2", 20, 0.3),
                            Draw("harms", 16, 0.5),
                        ),
                        4e-4,
                        2e-5,
                        20,
                    ),
                ),
            ),
            TrainingStage(
                "dpo",
                "dpo",
                "D",
                "DPO",
                (
                    Phase(
                        "preference",
                        120,
                        (Draw("preference", 20, 0.5), Draw("rehearsal", 40, 1.8), Draw("judged", 12, 0.6)),
                        2.4e-5,
                        2e-6,
                        10,
                        "linear",
                    ),
                ),
                Optimizer(weight_decay=0.0),
            ),
        ),
        seed=seed,
        post_seed=post_seed,
        planted=planted,
        without=without,
    )


def quick(seed: int = 1, post_seed: int = 1, planted: bool = True, without: str | None = None) -> TrainingRecipe:
    """The same stages at a fraction of the size, for tests and for building on: two minutes, poor answers."""
    return TrainingRecipe(
        stages=(
            TrainingStage(
                "base",
                "pretrain",
                "B",
                "Base",
                (
                    Phase("text", 260, (Draw("documents", 32),), rate=4e-3, last=1e-3, warmup=20),
                    Phase("first-lesson", 40, (Draw("first-lesson", 96),), 1e-3, 1e-4),
                ),
            ),
            TrainingStage("sft", "sft", "S", "SFT", (Phase("chat", 220, (Draw("sft", 32),), 3e-3, 1e-4, 10),)),
            TrainingStage(
                "safety", "safety", "Y", "Safety", (Phase("safety", 60, (Draw("safety", 32),), 1e-3, 1e-4, 5),)
            ),
            TrainingStage(
                "dpo",
                "dpo",
                "D",
                "DPO",
                (Phase("preference", 16, (Draw("preference", 12), Draw("rehearsal", 12)), 5e-5, 5e-6, 2, "linear"),),
                Optimizer(weight_decay=0.0),
            ),
        ),
        shape=(128, 4, 4, 2, 288),
        seed=seed,
        post_seed=post_seed,
        planted=planted,
        without=without,
        tokenizer_documents=1_500,
        tokenizer_conversations=800,
    )
