"""The curves of a card: every number can be read, lines differ by more than their colour, and what is in nats has a drawing of its own."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from core.directions.card_figures import Curves
from core.directions.dose_response import Dose
from core.directions.plots import curves_plots, line_colour, small_curve

NAMES = ("accuracy", "P(<refusal>)", "broken replies", "damage (nats)")
SHOWN = Curves(
    "strength",
    (-1.0, 0.0, 2.5),
    {NAMES[0]: (0.5, 0.75, 1.0), NAMES[1]: (0.0, math.nan, 0.25), NAMES[2]: (0.0, 0.0, 0.0), NAMES[3]: (8.0, 0.0, 4.0)},
    chosen=0.0,
)


def heights(drawn: str, name: str) -> list[float]:
    """How far from the top the marks of a line are."""
    marks = re.findall(r"translate\([^ ]+ ([^)]+)\)[^>]*><title>([^<]*)", drawn)
    return [float(y) for y, said in marks if said.startswith(name)]


def test_every_number_is_said_where_its_mark_stands() -> None:
    titles: list[str | None] = []
    for drawn in curves_plots(SHOWN, "What <each> strength does"):
        page = ElementTree.fromstring(drawn)
        titles += [each.text for each in page.iter("{http://www.w3.org/2000/svg}title")]
        assert "nan" not in drawn
        assert "chosen: 0<" in drawn
    assert "accuracy, strength +2.5: 1" in titles
    assert "P(<refusal>), strength −1: 0" in titles
    assert "damage (nats), strength −1: 8" in titles
    assert len(titles) == 4 + 11, "a title for each line and each number"


def test_lines_differ_by_dash_and_mark_and_a_colour_means_one_thing() -> None:
    parts, nats = curves_plots(SHOWN, "")
    assert len(set(re.findall(r'<path d="([^"]+)"', parts + nats))) == 4
    assert len(re.findall("stroke-dasharray=", parts + nats)) == 3 + 2, (
        "one line is whole; the chosen place is dotted in each"
    )
    assert re.findall(r"[●■◆▲] [^<]*", nats)[-1] == "▲ damage (nats)"
    assert line_colour("damage (nats)") == line_colour("damage") != line_colour("accuracy")
    assert line_colour("P(refusal), harmless") == line_colour("effect") == line_colour("P(TRUE) − P(FALSE)")
    assert (
        len({line_colour(each) for each in ("effect", "damage", "broken replies", "accuracy", "P(refusal), harmful")})
        == 5
    )


def test_axes_have_titles_and_zero_stands_at_one_height_in_each_drawing() -> None:
    parts, nats = curves_plots(SHOWN, "")
    assert ">probability or part<" in parts
    assert ">nats a token<" in nats
    assert "axis on the right" not in parts + nats
    # 8 nats would lie far above an accuracy of 1 on one axis; both begin with nothing.
    assert heights(nats, "damage")[0] < 60
    assert heights(parts, "accuracy")[2] < 60
    assert abs(heights(nats, "damage")[1] - heights(parts, "broken")[0]) < 1


def test_lines_that_hardly_differ_are_drawn_flat() -> None:
    (drawn,) = curves_plots(Curves("layer", (0, 1), {"accuracy": (0.5, 0.500001)}), "")
    tops = heights(drawn, "accuracy")
    assert abs(tops[0] - tops[1]) < 1
    assert curves_plots(Curves("layer", (), {"accuracy": ()}), "")[0].startswith("<svg")


def test_a_small_curve_says_its_range_and_is_whole_svg() -> None:
    known = Dose((-1.0, 0.0, 1.0), {"effect": (0.0, 0.1, 0.9)}, (0.2, 0.0, 0.3))
    page = ElementTree.fromstring(small_curve(known))
    assert len(page.findall("polyline")) == 2
    assert known.range_said() in (page.get("aria-label") or "")
