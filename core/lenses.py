"""Lenses: ways of colouring the tokens of an answer by one reading. One palette for both front ends, no torch.

Magnitudes use cividis, signed values blue-white-orange: both survive the common kinds of colour blindness. Whatever a colour shows
can also be read as text (:func:`describe`), and as a level of a glyph where there is no colour (:func:`glyph`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from core.events import Blame, Reading, Token
from core.stages import QUESTIONS, Path, Question

if TYPE_CHECKING:
    from core.answers import Answer

    # For its type alone: importing the store brings numpy, and the terminal app paints before that.
    from core.store import Card

#: Okabe and Ito's colours, for stages; each is shown with the stage's letter.
OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
_SIGNED = ((0x00, 0x72, 0xB2), (0xFF, 0xFF, 0xFF), (0xD5, 0x5E, 0x00))
# Nine points of cividis (Nuñez, Anderton and Renslow 2018), light end last.
_CIVIDIS = (
    (0, 34, 78), (18, 53, 112), (59, 73, 108), (87, 93, 109), (112, 113, 115), (138, 134, 120),
    (166, 157, 117), (196, 181, 108), (254, 232, 56),
)  # fmt: skip
_GLYPHS = " ░▒▓█"
_FIRST = ("truth", "refusal")
#: How the names of the lenses for training stages begin; behind it stands which of the questions of :mod:`core.stages` is asked.
BLAME = "blame"
_ASKED = {"introduced_at": BLAME, "retrained_without": f"{BLAME}:retrained", "subtracted": f"{BLAME}:subtracted"}
#: A stage's hue has so many shades, from the ground to the full colour. The first hue is the neutral one.
STAGE_SHADES = 9
_NEUTRAL = "#8c8c8c"


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
    name = _ASKED[question.key]
    title = BLAME if name == BLAME else f"{BLAME}: {name.partition(':')[2]}"
    return Lens(name, title, tooltip, "stages", 0.0, 1.0, "probability", letters)


def asked(chosen: Lens) -> str:
    """The question of :mod:`core.stages` that a lens for training stages asks."""
    return next(key for key, name in _ASKED.items() if name == chosen.name)


def blamed(chosen: Lens, token: Token) -> Blame | None:
    """What a lens for training stages has to say of a token."""
    return token.blame.get(asked(chosen)) if chosen.kind == "stages" else None


def letter(chosen: Lens, token: Token) -> str:
    """The letter of the stage that a token is owed to, a dot where that is none; nothing for the other lenses."""
    found = blamed(chosen, token)
    if found is None:
        return ""
    return found.largest.letter if found.largest else "·"


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


def tint(chosen: Lens, token: Token, ground: str) -> str | None:
    """The background of a token on a screen of that ground colour, ``#rrggbb``; None where there is nothing to show."""
    if chosen.kind != "stages":
        number = value(chosen, token)
        return None if number is None else colour(chosen, number, ground)
    place = shade_of(chosen, token)
    return None if place is None else shades(chosen, ground)[place]


def shade_of(chosen: Lens, token: Token) -> int | None:
    """Which of :func:`shades` a token has; None where there is nothing to show."""
    if chosen.kind != "stages":
        number = value(chosen, token)
        return None if number is None else shade(chosen, number)
    found = blamed(chosen, token)
    if found is None:
        return None
    largest = found.largest
    size = abs(largest.probability) if largest else found.base
    hue = 0 if largest is None else 1 + (largest.place - 1) % len(OKABE_ITO)
    return hue * STAGE_SHADES + round(min(1.0, size) * (STAGE_SHADES - 1))


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


def level(chosen: Lens, number: float) -> float:
    """Where a value stands between the lens's low (0.0) and high (1.0) end."""
    if math.isnan(number):
        return 0.0
    return min(1.0, max(0.0, (number - chosen.low) / (chosen.high - chosen.low)))


def colour(chosen: Lens, number: float, middle: str = "#ffffff") -> str:
    """The background colour for a value, ``#rrggbb``.

    ``middle`` is the colour of a signed lens's middle: white, or the ground of a dark screen, so that what stands out is what counts.
    """
    signed = (_SIGNED[0], _channels(middle), _SIGNED[2])
    points = signed if chosen.kind == "signed" else _CIVIDIS
    at = level(chosen, number) * (len(points) - 1)
    index = min(int(at), len(points) - 2)
    part = at - index
    mixed = (round(a + (b - a) * part) for a, b in zip(points[index], points[index + 1], strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def ink(background: str) -> str:
    """Black or white, whichever reads better on ``background`` (WCAG relative luminance)."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(background))
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"


def _channels(hex_colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(hex_colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def _linear(channel: float) -> float:
    return float(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)


#: How many shades :func:`shades` gives.
SHADES = 33


def shade(chosen: Lens, number: float) -> int:
    """Which of :func:`shades` a value has."""
    return round(level(chosen, number) * (SHADES - 1))


def shades(chosen: Lens, ground: str) -> tuple[str, ...]:
    """The lens's colours from its low to its high end on a screen of that ground colour, ``#rrggbb``.

    What stands out is what counts: a signed lens has the ground in its middle, a magnitude comes out of the ground within its
    first third, and runs through cividis away from the ground's brightness.
    """
    if chosen.kind == "stages":
        hues = (_NEUTRAL, *OKABE_ITO)
        # The palest shade of a stage still shows its hue: there is an effect beyond the noise.
        least = {hue: 0.0 if hue == _NEUTRAL else 0.2 for hue in hues}
        steps = [step / (STAGE_SHADES - 1) for step in range(STAGE_SHADES)]
        return tuple(_mix(ground, hue, least[hue] + (0.85 - least[hue]) * part) for hue in hues for part in steps)
    parts = [step / (SHADES - 1) for step in range(SHADES)]
    if chosen.kind == "signed":
        return tuple(colour(chosen, chosen.low + (chosen.high - chosen.low) * part, ground) for part in parts)
    towards = [1 - part for part in parts] if ink(ground) == "#000000" else parts
    full = [colour(chosen, chosen.low + (chosen.high - chosen.low) * part) for part in towards]
    return tuple(_mix(ground, each, min(1.0, 3 * part)) for each, part in zip(full, parts, strict=True))


def _mix(first: str, second: str, part: float) -> str:
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)


def glyph(chosen: Lens, number: float) -> str:
    """One of five block characters, for screens without colour; signed lenses show the distance from the middle."""
    at = level(chosen, number)
    part = abs(at - 0.5) * 2 if chosen.kind == "signed" else at
    return _GLYPHS[min(4, round(part * 4))]


def legend(chosen: Lens, middle: str = "#ffffff") -> tuple[tuple[str, str], ...]:
    """Five (colour, label) steps from the low to the high end, or the stages' hues; ``middle`` as for :func:`colour`."""
    if chosen.kind == "stages":
        every = shades(chosen, middle)
        hues = [
            every[(1 + (place - 1) % len(OKABE_ITO)) * STAGE_SHADES + STAGE_SHADES - 1]
            for place in range(1, len(chosen.stages))
        ]
        hues.insert(0, every[STAGE_SHADES - 1])
        return tuple((hue, f"{mark} {name}") for hue, (mark, name) in zip(hues, chosen.stages, strict=True))
    steps = (chosen.low + (chosen.high - chosen.low) * part / 4 for part in range(5))
    return tuple(
        (colour(chosen, step, middle), f"{step:+.2g}" if chosen.kind == "signed" else f"{step:.2g}") for step in steps
    )


def describe(token: Token) -> tuple[tuple[str, str], ...]:
    """Every reading of a token in words, as (label, text) pairs; plain → steered where there is a shadow."""
    rows = [
        ("probability", _pair(token, lambda r: math.exp(r.logprob), ".3f")),
        ("entropy", _pair(token, lambda r: r.entropy, ".2f") + " nats"),
    ]
    rows.append(("rank", _pair(token, lambda r: r.rank + 1, ".0f")))
    for name in usual(token.reading.projections):
        rows.append((name, _pair(token, partial(_projection, name), "+.2f")))
    rows += [(QUESTIONS[key].title, said(each)) for key, each in token.blame.items()]
    return tuple(rows)


def said(blame: Blame) -> str:
    """A token's blame in words: every stage in probability and in nats."""
    parts = [
        f"{each.letter} {each.probability:+.2f} ({'new token' if each.nats is None else f'{each.nats:+.1f} nats'})"
        for each in blame.effects
    ]
    # Of "came with" the first stage's share is among them.
    base = "" if blame.effects[0].place == 0 else f", base alone {blame.base:.2f}"
    noise = "uncalibrated" if blame.noise is None else f"noise {blame.noise:.2f}"
    owed = "new in the vocabulary with" if blame.added else "owed to"
    largest = f"{owed} {blame.largest.stage}" if blame.largest else "no stage beyond the noise"
    return f"{largest}: {' · '.join(parts)}{base}, {noise}"


def _projection(name: str, reading: Reading) -> float:
    return reading.projections.get(name, math.nan)


def _pair(token: Token, read: Callable[[Reading], float], form: str) -> str:
    steered = format(read(token.reading), form)
    return steered if token.shadow is None else f"{format(read(token.shadow), form)} → {steered}"
