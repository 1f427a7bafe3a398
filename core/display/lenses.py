"""Lenses: ways of colouring the tokens of an answer by one reading. No torch.

Whatever a colour shows (:mod:`core.display.palette`) can also be read as text (:func:`describe`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from core.chat.events import Blame, Reading, Token
from core.chat.settings import BLAME, STAGE_LENSES
from core.families.stages import QUESTIONS, Path, Question
from core.util import figures

if TYPE_CHECKING:
    # For its type alone: importing the store brings numpy, and the terminal app paints before that.
    from core.artefacts.store import Card
    from core.chat.answers import Answer

_FIRST = ("truth", "refusal")


@dataclass(frozen=True)
class Lens:
    """A way of colouring: values from ``low`` to ``high`` run through the palette, values beyond are clipped."""

    name: str
    title: str
    tooltip: str
    kind: Literal["magnitude", "signed", "stages"]
    low: float
    high: float
    unit: str
    #: Of a lens for training stages: the letter and the name of each stage of the path, the first one first.
    stages: tuple[tuple[str, str], ...] = ()


_CHANGED = Lens(
    "changed", "changed", "How much likelier the recipe made this token than the same model finds it without the recipe.",
    "signed", -1.0, 1.0, "probability",
)  # fmt: skip
_SURPRISE = Lens(
    "surprise", "surprise", "How unlikely the model found this token: minus the logarithm of its probability.",
    "magnitude", 0.0, 6.0, "nats",
)  # fmt: skip
_ENTROPY = Lens(
    "entropy", "entropy", "How undecided the model was among all tokens here.", "magnitude", 0.0, 5.0, "nats"
)


def lenses(directions: tuple[str, ...], ranges: Mapping[str, tuple[float, float]] | None = None) -> tuple[Lens, ...]:
    """Every lens there is for a checkpoint with these directions.

    ``ranges`` gives for a direction the readings at which its palette ends, see :func:`for_cards`.
    """
    known = ranges or {}
    return (_CHANGED, _SURPRISE, _ENTROPY, *(_direction_lens(name, known.get(name)) for name in usual(directions)))


def for_cards(cards: Iterable[Card]) -> tuple[Lens, ...]:
    """Every lens for a checkpoint with these directions, each over the range that was measured when it was learnt."""
    ranges = {card.name: card.reading_range for card in cards}
    return lenses(tuple(ranges), {name: found for name, found in ranges.items() if found})


def of_stages(path: Path) -> tuple[Lens, ...]:
    """A lens for each question that can be asked of a path of training stages."""
    letters = tuple((stage.letter, stage.name) for stage in path.stages)
    return tuple(_stage_lens(each, letters) for each in path.questions)


def _stage_lens(question: Question, letters: tuple[tuple[str, str], ...]) -> Lens:
    tooltip = (
        f"The training stage that this token is owed to. {question.tooltip} Grey: no stage after the first moved it by more than chance; "
        "the darker, the likelier the first stage alone makes it. All models are unsteered and are asked with the final chat template, "
        "so that the format is owed to the stage that taught it."
    )
    name = STAGE_LENSES[question.key]
    title = BLAME if name == BLAME else f"{BLAME}: {name.partition(':')[2]}"
    return Lens(name, title, tooltip, "stages", 0.0, 1.0, "probability", letters)


def asked(chosen: Lens) -> str:
    """The question of :mod:`core.families.stages` that a lens for training stages asks."""
    return next(key for key, name in STAGE_LENSES.items() if name == chosen.name)


def blamed(chosen: Lens, token: Token) -> Blame | None:
    """What a lens for training stages has to say of a token."""
    return token.blame.get(asked(chosen)) if chosen.kind == "stages" else None


def letter(chosen: Lens, token: Token) -> str:
    """The letter of the stage that a token is owed to, a dot where that is none; nothing for the other lenses."""
    found = blamed(chosen, token)
    if found is None:
        return ""
    return found.largest.letter[:1] if found.largest else "·"


def lacking(chosen: Lens, answers: Mapping[int, Answer], calibrated: bool) -> dict[int, Answer]:
    """The answers that a lens for training stages has nothing to say of yet, though it could: what ``Engine.blame`` is asked about.

    ``calibrated`` says that the noise level is known by now; what was said before is said again then.
    """
    if chosen.kind != "stages":
        return {}
    key = asked(chosen)

    def open_(token: Token) -> bool:
        found = token.blame.get(key)
        return found is None or (calibrated and found.noise is None)

    return {
        column: answer
        for column, answer in answers.items()
        if answer.finished and not answer.unblamed and any(open_(token) for token in answer.tokens)
    }


def usual(directions: Iterable[str]) -> list[str]:
    """Names of directions as both front ends list them: truth, refusal, then the others by name."""
    return sorted(directions, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))


def lens(name: str) -> Lens:
    """The lens of that name; a name that is none of the fixed ones is a direction's."""
    return next((each for each in (_CHANGED, _SURPRISE, _ENTROPY) if each.name == name), _direction_lens(name))


def _direction_lens(name: str, measured: tuple[float, float] | None = None) -> Lens:
    tooltip = f"A reading of the {name} direction: 0 = its negative, 1 = its positive class mean. Not a lie detector."
    low, high = measured or (-1.0, 2.0)
    if measured:
        tooltip += " White is where unsteered replies usually stand."
    return Lens(name, name, tooltip, "signed", low, high, "gaps")


def value(chosen: Lens, token: Token) -> float | None:
    """What ``chosen`` shows of a token, in the lens's unit, or ``None`` where there is nothing to show."""
    if chosen.name == "changed":
        return None if token.shadow is None else math.exp(token.reading.logprob) - math.exp(token.shadow.logprob)
    if chosen.name == "surprise":
        return -token.reading.logprob
    if chosen.name == "entropy":
        return token.reading.entropy
    if chosen.kind == "stages":
        found = blamed(chosen, token)
        return None if found is None else abs(found.largest.probability) if found.largest else 0.0
    return token.reading.projections.get(chosen.name)


def describe(token: Token) -> tuple[tuple[str, str], ...]:
    """Every reading of a token in words, as (label, text) pairs; plain → steered where there is a shadow."""
    rows = [
        ("probability", _pair(token, lambda r: math.exp(r.logprob), figures.probability_text)),
        ("entropy", _pair(token, lambda r: r.entropy, figures.figure_text) + " nats"),
    ]
    rows.append(("rank", _pair(token, lambda r: r.rank + 1, partial(figures.figure_text, places=0))))
    for name in usual(token.reading.projections):
        rows.append((name, _pair(token, partial(_projection, name), figures.change_text)))
    rows += [(QUESTIONS[key].title, describe_blame(each)) for key, each in token.blame.items()]
    return tuple(rows)


def describe_blame(blame: Blame) -> str:
    """A token's blame in words: every stage in probability and in nats."""
    parts = [
        f"{each.letter} {figures.change_text(each.probability)} "
        f"({'new token' if each.nats is None else f'{figures.change_text(each.nats, 1)} nats'})"
        for each in blame.effects
    ]
    # Of "came with" the first stage's share is among them.
    base = "" if blame.effects[0].place == 0 else f", base alone {figures.figure_text(blame.base)}"
    noise = "uncalibrated" if blame.noise is None else f"noise {figures.figure_text(blame.noise)}"
    owed = "new in the vocabulary with" if blame.added else "owed to"
    largest = f"{owed} {blame.largest.stage}" if blame.largest else "no stage beyond the noise"
    return f"{largest}: {' · '.join(parts)}{base}, {noise}"


def _projection(name: str, reading: Reading) -> float:
    return reading.projections.get(name, math.nan)


def _pair(token: Token, read: Callable[[Reading], float], form: Callable[[float], str]) -> str:
    steered = form(read(token.reading))
    return steered if token.shadow is None else f"{form(read(token.shadow))} → {steered}"
