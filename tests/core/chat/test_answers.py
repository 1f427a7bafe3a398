"""Events folded into answers, answers into settings and exports, and exports that anybody may have written."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.chat.answers import Answer, chat_document, fold, load_chat, read_document, settled, to_markdown, why_ended
from core.chat.events import Alternative, Done, Event, Failed, Reading, Reason, RecipeChanged, Scores, Started, Token
from core.chat.settings import Column, Settings
from core.errors import TillerError
from core.recipes.language import parse
from core.util.text import clean

CHAT = Settings("skiff", (Column("dpo"), Column("dpo", parse("1.5*refusal"))), selected=1).ask("Hello")


def reading(number: float = -0.5) -> Reading:
    return Reading(number, 1.5, 2, (Alternative(7, " a", 0.6), Alternative(8, "b", 0.25)), {"truth": 0.25})


def events(column: int = 0) -> list[Event]:
    return [
        Started(column, 5, "cut"),
        Token(column, 0, 7, "Hel", reading(), reading(-0.75)),
        Token(column, 1, 8, "", reading()),
        RecipeChanged(column, 2, "1*truth"),
        Token(column, 2, 9, "lo", reading(), forced=True),
        Done(column, "end", 3, 0.25),
    ]


def folded(said: list[Event], start: dict[int, Answer] | None = None) -> dict[int, Answer]:
    answers = start or {}
    for event in said:
        answers = fold(answers, event)
    return answers


def test_events_fold_into_an_answer() -> None:
    answer = folded(events())[0]
    assert answer.text == "Hello"
    assert [token.id for token in answer.tokens] == [7, 8, 9]
    assert answer.joins == ((2, "1*truth"),)
    assert (answer.note, answer.reason, answer.seconds, answer.error) == ("cut", "end", 0.25, "")
    assert answer.finished
    assert not folded(events()[:-1])[0].finished
    assert answer.prefix(2, Alternative(42, "x", 0.1)) == (7, 8, 42)


def test_every_end_but_the_models_own_is_said_in_words() -> None:
    said = {reason: why_ended(reason, "Details") for reason in get_args(Reason)}
    assert [reason for reason, words in said.items() if not words] == ["end"]
    assert said["length"] == "reached the longest answer (Details)"
    assert why_ended(None, "Details") == ""


def test_scores_become_the_shadow_of_their_tokens() -> None:
    made = tuple(reading(-number) for number in (1, 2, 3))
    answer = folded([*events()[:-1], Scores(0, "shadow", made), Scores(0, "other", ()), events()[-1]])[0]
    assert tuple(token.shadow for token in answer.tokens) == made


def test_starting_again_forgets_the_answer_before() -> None:
    assert folded([Started(0, 1)], folded(events())) == {0: Answer()}


def test_columns_fold_apart_and_a_failure_of_all_ends_the_unfinished() -> None:
    answers = folded([*events(0), *events(1)[:2], Failed("No.")])
    assert answers[0].error == ""
    assert (answers[1].error, answers[1].text, answers[1].finished) == ("No.", "Hel", True)
    assert folded([Failed("Only that.", 1)], answers)[1].error == "Only that."


def test_texts_settle_into_the_last_turn() -> None:
    chat = settled(CHAT, folded([*events(1)]))
    assert chat.turns[-1].replies == ("", "Hello")
    assert settled(chat, folded(events(0))).turns[-1].replies == ("Hello", "Hello")


def test_an_export_reads_back_exactly() -> None:
    answers = folded([*events(0), *events(1)])
    chat = settled(CHAT, answers)
    document = chat_document(chat, answers)
    assert load_chat(json.dumps(document)) == (chat, answers)


# ----------------------------------------------------------------------------------------------- what others have written


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(deeper for key, value in items for deeper in places(value, (*path, key)))]


JUNK = st.sampled_from(
    [
        None,
        True,
        -1,
        3,
        10**400,
        0.5,
        float("nan"),
        float("inf"),
        "x",
        "a\x1b[2J\ud800",
        [],
        [1],
        {},
        {"a": 1},
        [[1, 2]],
    ]
)


@settings(max_examples=250)
@given(st.data())
def test_an_export_with_any_part_replaced_is_read_or_refused(data: st.DataObject) -> None:
    answers = folded([*events(0), *events(1)])
    document = json.loads(json.dumps(chat_document(settled(CHAT, answers), answers)))
    path = data.draw(st.sampled_from(places(document)[1:]))
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = data.draw(JUNK)
    try:
        chat, read = read_document(document)
    except TillerError as error:
        assert str(error).endswith(".")
    else:
        for answer in read.values():
            assert clean(answer.text) == answer.text
            assert all(clean(a.text) == a.text for token in answer.tokens for a in token.reading.top)
        assert load_chat(json.dumps(chat_document(chat, read))) == (chat, read)
        settled(chat, read)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"settings": {}}', "[" * 100_000, '{"answers": {}}', "\x00"])
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(TillerError):
        load_chat(text)


@pytest.mark.parametrize("column", ["2", "-1", "x"])
def test_answers_of_no_column_are_refused(column: str) -> None:
    document = chat_document(CHAT, folded(events(0)))
    document["answers"] = {column: document["answers"]["0"]}
    with pytest.raises(TillerError, match="whole export"):
        read_document(document)


# --------------------------------------------------------------------------------------------------------------- Markdown

HOSTILE = (
    "<script>alert(1)</script>\n# Heading\n\n```\n[link](javascript:1) ![x](http://x.example/y.png)\n"
    "\r# Carriage\u2028# Line\n\n- item\n\n\n    code\n\tTab\n<!-- -->\n&lt;b&gt; | a | b |\n---\n"
)


def written_by_us(markdown: str) -> list[str]:
    """The kinds of every part but indented code, as a Markdown reader with everything switched on sees it."""
    parts = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(markdown)
    kinds = [part.type for part in parts if part.type != "code_block"]
    return kinds + [child.type for part in parts for child in part.children or ()]


def test_what_was_said_cannot_become_markup() -> None:
    plain = CHAT.answered(0, "a").answered(1, "b")
    hostile = Settings(
        "x`\n# <b>", (Column("d`po\n\n# <i>"), Column("dpo", parse("1.5*refusal"))), selected=1, system=HOSTILE
    )
    hostile = hostile.ask(HOSTILE).answered(0, HOSTILE).answered(1, "\n\n" + HOSTILE * 2)
    assert written_by_us(to_markdown(hostile, {})) == written_by_us(to_markdown(plain, {}))
    assert "html_inline" not in written_by_us(to_markdown(hostile, {}))


def test_markdown_names_recipes_stops_and_the_link() -> None:
    answers = {1: Answer(tokens=(Token(1, 0, 7, "Hi", reading()),), reason="stopped")}
    text = to_markdown(settled(CHAT, answers), answers)
    assert "### `dpo · plain`\n" in text
    assert "### `dpo · 1.5*refusal` (stopped)\n\n    Hi\n" in text
    link = text.split("`?")[1].split("`")[0]
    assert Settings.from_link(link) == settled(CHAT, answers)
