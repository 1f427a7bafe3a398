"""Lenses: both ends of every palette, letters that can be read on every colour, and every reading in words."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from core.chat.events import Reading, Token
from core.display.lenses import Lens, describe, lens, lenses, value
from core.display.palette import OKABE_ITO, colour, glyph, ink, legend, level, shade, shades

ALL = lenses(("truth", "refusal"))
GROUNDS = ("#ffffff", "#000000", "#0b0f14", "#f9fafb", "#1e1e2e", "#777777")


def luminance(hex_colour: str) -> float:
    """WCAG 2 relative luminance, written out once more."""
    parts = [int(hex_colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def values(chosen: Lens) -> list[float]:
    return [chosen.low + (chosen.high - chosen.low) * step / 100 for step in range(101)]


@pytest.mark.parametrize("chosen", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("ground", GROUNDS)
def test_letters_can_be_read_on_every_colour(chosen: Lens, ground: str) -> None:
    for background in [colour(chosen, number, ground) for number in values(chosen)] + list(shades(chosen, ground)):
        assert ink(background) in ("#000000", "#ffffff")
        assert contrast(ink(background), background) >= 4.5


@pytest.mark.parametrize("background", OKABE_ITO)
def test_letters_can_be_read_on_the_colours_of_stages(background: str) -> None:
    assert contrast(ink(background), background) >= 4.5


def test_the_ends_of_the_palettes() -> None:
    changed, surprise = lens("changed"), lens("surprise")
    assert [colour(changed, number) for number in (-1, 0, 1)] == ["#0072b2", "#ffffff", "#d55e00"]
    assert colour(changed, 0, "#101010") == "#101010"
    assert [colour(surprise, number) for number in (0, 6)] == ["#00224e", "#fee838"]
    ladder = [luminance(colour(surprise, number)) for number in values(surprise)]
    assert all(a < b for a, b in pairwise(ladder))


@pytest.mark.parametrize("chosen", ALL, ids=lambda each: each.name)
def test_values_beyond_the_ends_are_clipped(chosen: Lens) -> None:
    assert colour(chosen, -1e9) == colour(chosen, chosen.low)
    assert colour(chosen, math.inf) == colour(chosen, chosen.high)
    assert colour(chosen, math.nan) == colour(chosen, chosen.low)
    assert level(chosen, chosen.low) == 0
    assert level(chosen, chosen.high) == 1


@pytest.mark.parametrize("ground", GROUNDS)
def test_what_stands_out_is_what_counts(ground: str) -> None:
    signed, magnitude = shades(lens("truth"), ground), shades(lens("entropy"), ground)
    assert signed[len(signed) // 2] == ground
    assert magnitude[0] == ground
    assert len(set(signed)) == len(signed)
    assert shade(lens("entropy"), 0) == 0
    assert shade(lens("entropy"), 99) == len(magnitude) - 1


def test_glyphs_need_no_colour() -> None:
    assert "".join(glyph(lens("entropy"), number) for number in (0, 1.25, 2.5, 3.75, 5)) == " ░▒▓█"
    assert "".join(glyph(lens("changed"), number) for number in (-1, -0.5, 0, 0.5, 1)) == "█▒ ▒█"


@pytest.mark.parametrize("chosen", ALL, ids=lambda each: each.name)
def test_a_legend_runs_from_end_to_end(chosen: Lens) -> None:
    steps = legend(chosen)
    assert [step[0] for step in steps] == [
        colour(chosen, chosen.low + (chosen.high - chosen.low) * part / 4) for part in range(5)
    ]
    assert float(steps[0][1].replace("−", "-")) == chosen.low
    assert float(steps[-1][1]) == chosen.high


def test_values_and_words_of_a_token() -> None:
    steered = Reading(math.log(0.5), 1.25, 2, (), {"truth": 0.5, "refusal": -0.25})
    plain = Reading(math.log(0.2), 2.5, 0, (), {"truth": 1.5, "refusal": 0.0})
    alone, paired = Token(0, 0, 7, "a", steered), Token(0, 0, 7, "a", steered, plain)
    assert value(lens("changed"), alone) is None
    assert value(lens("changed"), paired) == pytest.approx(0.3)
    assert value(lens("surprise"), paired) == pytest.approx(math.log(2))
    assert value(lens("entropy"), paired) == 1.25
    assert value(lens("truth"), paired) == 0.5
    assert value(lens("mood"), paired) is None
    assert describe(paired)[:3] == (
        ("probability", "0.20 → 0.50"),
        ("entropy", "2.50 → 1.25 nats"),
        ("rank", "1 → 3"),
    )
    assert set(describe(paired)[3:]) == {("truth", "+1.50 → +0.50"), ("refusal", "0.00 → −0.25")}
    assert describe(alone)[0] == ("probability", "0.50")


def test_a_direction_has_a_lens_of_its_name() -> None:
    assert [each.name for each in ALL] == ["changed", "surprise", "entropy", "truth", "refusal"]
    assert lens("mood").kind == "signed"
    assert "Not a lie detector" in lens("truth").tooltip
