"""The curves of a card: every number can be read, lines differ by more than their colour, and damage has an axis of its own."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from core.directions.card import Curves
from core.directions.plots import curves_plot

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
    drawn = curves_plot(SHOWN, "What <each> strength does")
    page = ElementTree.fromstring(drawn)
    titles = [each.text for each in page.iter("{http://www.w3.org/2000/svg}title")]
    assert "accuracy, strength 2.5: 1" in titles
    assert "P(<refusal>), strength -1: 0" in titles
    assert "damage (nats), strength -1: 8" in titles
    assert len(titles) == 4 + 11, "a title for each line and each number"
    assert "nan" not in drawn
    assert "chosen: 0<" in drawn


def test_lines_differ_by_dash_and_mark() -> None:
    drawn = curves_plot(SHOWN, "")
    assert len(set(re.findall(r'<path d="([^"]+)"', drawn))) == 4
    assert len(re.findall("stroke-dasharray=", drawn)) == 3 + 1, "one line is whole; the chosen place is dotted"
    assert re.findall(r"[●■◆▲] [^<]*", drawn)[-1] == "▲ damage (nats), axis on the right"


def test_damage_has_its_own_axis_from_nothing() -> None:
    drawn = curves_plot(SHOWN, "")
    # 8 nats would lie far above an accuracy of 1 on one axis.
    assert heights(drawn, "damage")[0] < 60
    assert heights(drawn, "accuracy")[2] < 60
    assert heights(drawn, "damage")[1] == 330 - 50


def test_lines_that_hardly_differ_are_drawn_flat() -> None:
    tops = heights(curves_plot(Curves("layer", (0, 1), {"accuracy": (0.5, 0.500001)}), ""), "accuracy")
    assert abs(tops[0] - tops[1]) < 1
    assert curves_plot(Curves("layer", (), {"accuracy": ()}), "").startswith("<svg")
