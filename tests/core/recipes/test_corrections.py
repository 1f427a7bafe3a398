"""A recipe that cannot be read is answered with the one that was probably meant."""

from __future__ import annotations

import pytest

from core.recipes.corrections import corrected
from core.recipes.language import parse

NAMES = ("refusal", "truth", "politeness")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1,5*refusal", "1.5*refusal"),
        ("2refusal", "2*refusal"),
        ("2 refusal", "2*refusal"),
        ("1.5 x refusal", "1.5*refusal"),
        ("1.5×refusal − 0,5*truth", "1.5*refusal - 0.5*truth"),
        ("refusel", "refusal"),
        ("!refussal@base", "!refusal@base"),
        ("1*thruth?refusel>0,5", "1*truth?refusal>0.5"),
        ("truth=0,5", "truth=0.5"),
        ("1*refusal[1,3]:prompt", "1*refusal[1,3]:prompt"),
        ("!neurons:entropy", "!neurons:entropy"),
    ],
)
def test_what_was_meant(typed: str, meant: str) -> None:
    found = corrected(typed, NAMES)
    assert parse(found) == parse(meant)


def test_what_is_like_nothing_stays() -> None:
    assert corrected("3*zebra", NAMES) == "3*zebra"
