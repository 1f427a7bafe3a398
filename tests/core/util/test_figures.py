"""How figures are written: one way for all, nothing in powers of ten, no sign where there is nothing."""

from __future__ import annotations

import math

from core.util.figures import (
    change_text,
    digits_text,
    figure_text,
    interval_text,
    p_text,
    percent_text,
    probability_text,
)


def test_figures_have_two_decimals_and_a_minus_of_their_own() -> None:
    assert [figure_text(each) for each in (0.5, -0.25, -0.001, 123.0, 6.6e-8)] == [
        "0.50",
        "−0.25",
        "0.00",
        "123.00",
        "0.00",
    ]
    assert (figure_text(-1.55, 1), figure_text(3.2, 0), figure_text(-0.2, 0)) == ("−1.6", "3", "0")
    assert [change_text(each) for each in (0.035, -1.0, 0.004)] == ["+0.04", "−1.00", "0.00"]
    assert [probability_text(each) for each in (0.0, 0.002, 0.005, 1.0)] == ["0.00", "<0.01", "0.01", "1.00"]


def test_what_is_not_known_is_a_dash_and_an_interval_stands_in_brackets() -> None:
    assert [figure_text(each) for each in (math.nan, math.inf, -math.inf)] == ["–", "–", "–"]
    assert [change_text(math.nan), interval_text(-0.12, -0.2, 0.051)] == ["–", "−0.12 (−0.20 to 0.05)"]
    assert [digits_text(each) for each in (0.003254, 1.2e-5, -31.41, 12345.0, 0.0, math.nan)] == [
        "0.00325",
        "0.0000120",
        "−31.4",
        "12345",
        "0.00",
        "–",
    ]
    assert [percent_text(each) for each in (0.0, 0.971, 1.0)] == ["0 %", "97 %", "100 %"]
    assert interval_text(0.1234, 0.1, 0.145, 3) == "0.123 (0.100 to 0.145)"


def test_a_p_value_is_never_nothing() -> None:
    assert [p_text(p) for p in (1.0, 0.32, 0.0099, 0.001, 1e-15, 0.0)] == [
        "p 1", "p 0.32", "p 0.0099", "p 0.001", "p < 0.001", "p < 0.001",
    ]  # fmt: skip
