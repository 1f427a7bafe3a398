"""Answers at a slider's strengths, of runs that come after one another under one key."""

from __future__ import annotations

from core.chat.events import Done, Reading, Started, Token
from core.chat.settings import Column, Settings, Turn
from core.chat.slider_cache import Scrubs, scrub_key
from core.recipes.language import parse

SETTINGS = Settings("tiny", (Column("chat", parse("1*truth")),), turns=(Turn("Hi"),))
KEY = scrub_key(SETTINGS, 0, "truth")


def token(column: int) -> Token:
    return Token(column, 0, 9, "Sorry.", Reading(-0.5, 1.0, 0))


def test_the_end_of_an_earlier_run_is_no_answer_without_a_word() -> None:
    scrubs = Scrubs((-1.0, 0.0, 1.0))
    scrubs.start(KEY)
    scrubs.apply(KEY, [Started(2, 5), token(2)])
    # Asked again before the first run has ended: its ends come after the second one's beginning.
    scrubs.start(KEY)
    scrubs.apply(KEY, [Done(place, "end", 1, 0.1) for place in range(3)])
    assert scrubs.ready(KEY) == ()
    assert scrubs.find(KEY, 1.0) is None
    scrubs.apply(KEY, [Started(2, 5), token(2), Done(2, "end", 1, 0.1)])
    found = scrubs.find(KEY, 1.0)
    assert found is not None
    assert found.text == "Sorry."
    assert scrubs.ready(KEY) == (1.0,)
