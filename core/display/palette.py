"""The colours of a lens: one palette for both front ends, no torch.

Magnitudes use cividis, signed values blue-white-orange: both survive the common kinds of colour blindness. Where there is no colour,
a value is a level of a glyph (:func:`glyph`).
"""

from __future__ import annotations

import math

from core.chat.events import Token
from core.display.lenses import Lens, blamed, value

#: Okabe and Ito's colours, for stages; each is shown with the stage's letter.
OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")


_SIGNED = ((0x00, 0x72, 0xB2), (0xFF, 0xFF, 0xFF), (0xD5, 0x5E, 0x00))


# Nine points of cividis (Nuñez, Anderton and Renslow 2018), light end last.
_CIVIDIS = (
    (0, 34, 78), (18, 53, 112), (59, 73, 108), (87, 93, 109), (112, 113, 115), (138, 134, 120),
    (166, 157, 117), (196, 181, 108), (254, 232, 56),
)  # fmt: skip


_GLYPHS = " ░▒▓█"


#: A stage's hue has so many shades, from the ground to the full colour. The first hue is the neutral one.
STAGE_SHADES = 9


_NEUTRAL = "#8c8c8c"


def stage_hue(place: int) -> str:
    """The colour of a stage by its place in the path of training, ``#rrggbb``: the same wherever it is drawn. The first, pretraining,
    has the neutral one; beyond nine, colours come again, and the letter tells.
    """
    return OKABE_ITO[(place - 1) % len(OKABE_ITO)] if place else _NEUTRAL


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
        (colour(chosen, step, middle), f"{step:+.2g}".replace("-", "−") if chosen.kind == "signed" else f"{step:.2g}")
        for step in steps
    )
