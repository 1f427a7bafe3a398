"""An answer stands only under the checkpoint, the recipe and the sampling that wrote it; what is older is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.chat.answers import Answer
from core.chat.authors import Author
from core.chat.events import Failed, Reading, Started, Token
from core.chat.session import Session
from core.chat.settings import UNTRUSTED, Column, Sampling, Settings, Turn
from core.recipes.language import parse
from tests.core.chat.test_session import answered, fresh, token

WRITTEN = Answer((Token(0, 0, 7, "Yes", Reading(-0.5, 1.0, 0)),), reason="end")


def author(**changes: object) -> Author:
    return replace(Author(Column("dpo", parse("1.5*refusal")), Sampling()), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"column": Column("base", parse("1.5*refusal"))}, "written by dpo with 1.5*refusal"),
        ({"column": Column("dpo")}, "written by dpo with 1.5*refusal"),
        ({"sampling": Sampling(temperature=1.0, seed=3)}, "written at temperature 0"),
        ({"sampling": Sampling(repetition_penalty=1.5)}, "written at repetition penalty 1"),
        ({"sampling": Sampling(stop=("x",))}, "written with other stop strings"),
        ({"system": "Be brief."}, "written without a system prompt"),
        ({}, ""),
        # The likeliest token is drawn with any seed, and an answer that ended by itself might have become longer.
        ({"sampling": Sampling(seed=9, top_p=0.5, max_new_tokens=20)}, ""),
    ],
)
def test_who_wrote_it_is_said_where_another_would_write_now(now: dict[str, object], said: str) -> None:
    assert author().unlike(author(**now), WRITTEN) == said


def test_an_answer_that_was_cut_off_depends_on_how_long_it_may_be() -> None:
    cut = replace(WRITTEN, reason="length")
    longer = author(sampling=Sampling(max_new_tokens=200))
    assert author().unlike(longer, cut) == "written at 96 tokens at most"
    assert author().unlike(author(sampling=Sampling(max_new_tokens=1)), WRITTEN)


def test_an_author_is_read_back_as_it_was_written() -> None:
    known = author(system="You are kind.", sampling=Sampling(temperature=0.7, stop=("\n",)))
    assert UNTRUSTED.decode(Author, known.to_json()) == known
    assert author(column=Column("dpo", asks="Refuse {message}")).said == "dpo, asked in words"


def test_another_checkpoint_or_a_new_column_leaves_what_has_to_be_answered() -> None:
    session = answered()
    assert session.lacking == ()
    session.set_checkpoint(0, "base")
    assert session.older(0) == "written by chat, plain"
    assert session.lacking == (0,)
    session.add_column("base")
    assert session.lacking == (0, 2)
    # Beside recorded answers all are made anew, so that none passes for live.
    recorded = Session.of(answered().settings, answered().answers, recorded=True)
    assert recorded.lacking == ()
    recorded.set_checkpoint(0, "base")
    assert recorded.lacking == (0, 1)


def test_a_chat_of_a_link_lacks_its_answers_and_what_it_holds_was_written_before() -> None:
    columns = (Column("chat"), Column("chat", parse("1*truth")))
    session = Session(Settings("tiny", columns, turns=(Turn("Well?", ("Yes.", "No.")),)))
    assert session.lacking == (0, 1)
    assert session.older(0) == "written before"
    session.waiting([0, 1])
    assert [(a.older, a.older_by) for a in session.answers.values()] == [
        ("Yes.", "written before"), ("No.", "written before")
    ]  # fmt: skip
    session.apply([Started(0, 3), Started(1, 3), token(0, 0, "Sure.")])
    assert [session.answers[column].older for column in (0, 1)] == ["", "No."], "until something else is said"
    # What could not be answered is not lost.
    session.apply([Failed("No model.")])
    session.settle()
    assert session.settings.turns[-1].replies == ("Sure.", "No.")


def test_an_empty_chat_lacks_nothing() -> None:
    assert fresh().lacking == ()
