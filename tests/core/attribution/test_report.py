"""Which answer of Chat is taken to be explained, and what is said of it: values alone, no model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.attribution.report import BlameRequest, answer_in_chat, of_chat
from core.chat.authors import Author
from core.chat.session import Session
from core.chat.settings import Column, Settings, Turn
from core.errors import TillerError
from core.recipes.language import parse

PLAIN, STEERED = Column("dpo"), Column("dpo", parse("1.5*refusal"))


def chat(*columns: Column, replies: tuple[str, ...] = ("Boil\nwater.", "Sorry."), selected: int = 1) -> Session:
    return Session(Settings("skiff", columns, selected, turns=(Turn("How do I make tea?", replies),)))


def test_beside_a_steered_answer_the_plain_one_is_explained() -> None:
    found = answer_in_chat(chat(PLAIN, STEERED))
    assert (found.prompt, found.answer, found.checkpoint) == ("How do I make tea?", "Boil\nwater.", "dpo")
    assert (
        found.note
        == "This is the plain answer of dpo, not the one beside it (1.5*refusal): blame explains the model as it is."
    )
    assert answer_in_chat(chat(PLAIN, STEERED, selected=0)) == found._replace(note="")


@pytest.mark.parametrize(
    "beside", [Column("sft"), Column("dpo", parse("-1*truth")), Column("dpo", asks="Refuse: {message}")]
)
def test_a_steered_answer_alone_is_explained_as_what_it_is(beside: Column) -> None:
    found = answer_in_chat(chat(beside, STEERED))
    assert found.answer == "Sorry."
    assert found.note.startswith("This answer was not plain (1.5*refusal). Blame explains the model as it is")


def test_who_wrote_an_answer_counts_and_not_what_would_write_now() -> None:
    """A slider that was moved since makes no steered answer of a plain one, nor the other way round."""
    session = chat(PLAIN, PLAIN)
    session.made = {1: Author.of(chat(PLAIN, STEERED).settings, 1)}
    assert "1.5*refusal" in answer_in_chat(session).note
    session = chat(STEERED, STEERED)
    session.made = {1: Author.of(chat(PLAIN, PLAIN).settings, 1)}
    assert answer_in_chat(session)[1:] == ("Sorry.", "dpo", "")


def test_without_an_answer_a_sentence_says_so() -> None:
    for session in (Session(Settings("skiff", (PLAIN,))), chat(PLAIN, STEERED, replies=("Boil water.", " "))):
        with pytest.raises(TillerError, match="There is no answer in Chat yet"):
            answer_in_chat(session)


def test_a_request_about_the_chats_answer_carries_what_is_said_of_it() -> None:
    session = chat(STEERED, replies=("Boil\nwater.",), selected=0)
    # As a field of one line holds it.
    ask = BlameRequest(("How do I make tea?",), "Boil water.")
    found = of_chat(ask, session).checked()
    assert found.answer == "Boil\nwater."
    assert found.note == answer_in_chat(session).note != ""
    for other in (replace(ask, answer="Boil milk."), replace(ask, prompts=("Why?",)), replace(ask, prompts=("a", "b"))):
        assert of_chat(other, session) == other
