"""What ``precompute --ship`` writes beside a family."""

from __future__ import annotations

from core.chat.answers import Answer
from core.chat.events import Reading, Token
from core.chat.settings import Column
from core.cli import precompute
from core.families import registry


def test_a_recording_that_ships_holds_readings_of_shipped_directions_alone() -> None:
    skiff = registry.load_family("skiff")
    read = Reading(-0.5, 1.0, 0, projections={"truth": 0.1, "refusal": 0.2, "my own": 0.3})
    answer = Answer((Token(0, 0, 9, "Yes.", read, shadow=read),))
    (token,) = precompute._of_shipped(skiff, answer, Column("dpo")).tokens
    assert token.reading.projections == {"truth": 0.1, "refusal": 0.2}
    assert token.shadow is not None
    assert token.shadow.projections == {"truth": 0.1, "refusal": 0.2}
