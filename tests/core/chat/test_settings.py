"""Settings, links and events: what is written reads back, and what anybody else wrote is refused with one sentence."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.chat.events import Alternative, Done, Failed, Reading, RecipeChanged, Scores, Started, Token, event_json
from core.chat.settings import MAX_COLUMNS, Column, Sampling, Settings, SettingsError, Turn
from core.recipes.language import parse
from core.util.limits import MAX_MESSAGE, MAX_RECIPE, MAX_STOP, MAX_STOPS, MAX_TERMS, MAX_TURNS
from core.util.text import clean

QUICK = settings(max_examples=50)
#: Any text at all, lone surrogates and control characters among it.
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
CLEAN_TEXT = ANY_TEXT.map(clean)
RECIPES = st.sampled_from(["", "1.5*refusal@base[4]:reply - 0.5*truth", "!truth + refusal=0"]).map(parse)
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.just(0.0) | st.floats(0.01, 5),
    top_p=st.floats(0, 1, exclude_min=True),
    top_k=st.integers(0, 1_000_000),
    repetition_penalty=st.floats(0.1, 5),
    max_new_tokens=st.integers(1, 4096),
    seed=st.integers(0, 2**63 - 1),
    stop=st.lists(CLEAN_TEXT.filter(bool), max_size=2).map(tuple),
)


@st.composite
def chats(draw: st.DrawFn) -> Settings:
    columns = draw(st.lists(st.builds(Column, CLEAN_TEXT, RECIPES), min_size=1, max_size=MAX_COLUMNS).map(tuple))
    replies = st.just(()) | st.tuples(*(CLEAN_TEXT for _ in columns))
    turns = draw(st.lists(st.builds(Turn, CLEAN_TEXT, replies), max_size=3).map(tuple))
    selected = draw(st.integers(0, len(columns) - 1))
    told = draw(st.sampled_from([(), (("enable_thinking", False), ("effort", "low"), ("n", 3), ("x", 0.5))]))
    return Settings(
        draw(CLEAN_TEXT), columns, selected, draw(SAMPLINGS), draw(CLEAN_TEXT), draw(CLEAN_TEXT), turns, template_vars=told,
    )  # fmt: skip


CHAT = Settings("skiff", (Column("dpo"), Column("dpo", parse("1.5*refusal"))), selected=1)


@QUICK
@given(chats())
def test_settings_read_back_from_json_and_from_every_form_of_a_link(chat: Settings) -> None:
    assert Settings.from_json(json.loads(json.dumps(chat.to_json()))) == chat
    link = chat.to_link()
    assert Settings.from_link(link) == chat
    assert Settings.from_link(f"http://127.0.0.1:7860/?{link}") == chat
    assert Settings.from_link(f"https://x.example/a?theme=dark&{link}#top") == chat
    assert Settings.from_link(link.removeprefix("s=") + "\n") == chat


@QUICK
@given(ANY_TEXT, ANY_TEXT)
def test_what_a_person_types_survives_a_link(message: str, system: str) -> None:
    assume(clean(message).strip())
    chat = Settings("skiff", (Column("dpo"),), system=clean(system)).ask(message)
    assert Settings.from_link(chat.to_link()) == chat
    shown = chat.turns[0].user
    assert shown.encode("utf-8")
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in shown)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.97])
def test_a_link_that_is_cut_off_says_so(part: float) -> None:
    link = CHAT.ask("Where is Paris? " * 20).to_link()
    with pytest.raises(SettingsError, match="copy it again"):
        Settings.from_link(link[: int(len(link) * part)])


@pytest.mark.parametrize(
    "link", ["", "?", "s=", "http://[?s=AAAA", "s=ünï", "s=AAAA", "hello world", "\ud800", "?s=%ff", "a" * 10_000]
)
def test_what_is_no_link_is_refused(link: str) -> None:
    with pytest.raises(SettingsError):
        Settings.from_link(link)


def packed(text: bytes) -> str:
    return urlsafe_b64encode(zlib.compress(text, 9)).decode()


def test_a_small_link_cannot_fill_the_memory() -> None:
    bomb = packed(b'{"tiller":1,"family":"' + b"a" * 30_000_000)
    tracemalloc.start()
    with pytest.raises(SettingsError):
        Settings.from_link(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(SettingsError):
        Settings.from_link(packed(b"[" * 200_000))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every part of a JSON document."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(deeper for key, value in items for deeper in places(value, (*path, key)))]


@settings(max_examples=250)
@given(st.data())
def test_settings_with_any_part_replaced_are_read_or_refused(data: st.DataObject) -> None:
    document = CHAT.ask("Hello").answered(0, "a").ask("And?").to_json()
    document["sampling"]["stop"] = ["\n"]
    path = data.draw(st.sampled_from(places(document)))
    junk = data.draw(JUNK)
    if not path:
        document = junk
    else:
        part = document
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = junk
    try:
        chat = Settings.from_json(document)
    except SettingsError as error:
        assert str(error).endswith((".", "…"))
    else:
        assert Settings.from_link(chat.to_link()) == chat
        assert hash(chat) == hash(Settings.from_json(chat.to_json()))


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"tiller": 2}, "this version"),
        ({"columns": []}, "at least one column"),
        ({"columns": [{"checkpoint": "dpo", "recipe": ""}] * 5}, "at most 4"),
        ({"columns": [{"checkpoint": "dpo", "recipe": "1.5 refusal"}], "selected": 0}, "Character 5"),
        ({"selected": 2}, "selected column"),
        ({"selected": -1}, "selected column"),
        ({"sampling": {"temperature": "hot"}}, "temperature"),
        ({"sampling": {"temperature": 1e-9}}, "0.01"),
        ({"sampling": {"top_k": 1.5}}, "whole number"),
        ({"sampling": {"seed": 10**400}}, "seed"),
        ({"sampling": {"top_p": float("nan")}}, "top_p"),
        ({"sampling": {"stop": [""]}}, "at least one character"),
        ({"sampling": {"stop": [None]}}, "item 1 of 'stop' of 'sampling' must be text"),
        ({"turns": [{"user": "a", "replies": [["b"]]}]}, "item 1 of 'replies' of item 1 of 'turns' must be text"),
        ({"turns": {"user": "a"}}, "must be a list"),
        ({"system": 3}, "must be text"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], fix: str) -> None:
    with pytest.raises(SettingsError, match=fix):
        Settings.from_json({**CHAT.to_json(), **change})


def test_names_from_a_link_carry_no_control_codes() -> None:
    document = CHAT.to_json()
    document["columns"][0]["checkpoint"] = "d\x1b[31mpo\ud800"
    document["family"] = "s\x9bkiff"
    chat = Settings.from_json(document)
    assert chat.columns[0].checkpoint == "d[31mpo?"
    assert chat.family == "skiff"


@pytest.mark.parametrize("message", ["", " \n\t ", "\x00\x1b\x7f\x9b"])
def test_an_empty_message_is_refused(message: str) -> None:
    with pytest.raises(SettingsError, match="Write a message first"):
        CHAT.ask(message)


def test_a_message_of_100000_characters_says_the_limit() -> None:
    with pytest.raises(SettingsError, match=r"at most 20,000 characters; this one has 100,000"):
        CHAT.ask("x" * 100_000)
    assert CHAT.ask("x" * MAX_MESSAGE).turns[-1].user == "x" * MAX_MESSAGE


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"system": "x" * (MAX_MESSAGE + 1)}, r"A system prompt has at most 20,000 characters; this one has 20,001\."),
        ({"turns": [{"user": "a"}] * (MAX_TURNS + 1)}, r"A chat has at most 500 turns; start a new one\."),
        ({"columns": [{"checkpoint": "dpo"}] * (MAX_COLUMNS + 1)}, r"A chat has at most 4 columns\."),
        ({"sampling": {"stop": ["a"] * (MAX_STOPS + 1)}}, r"at most 16 stop strings, of 200 characters each\."),
        ({"sampling": {"stop": ["a" * (MAX_STOP + 1)]}}, r"at most 16 stop strings, of 200 characters each\."),
        ({"columns": [{"checkpoint": "dpo", "recipe": "+".join(["a"] * (MAX_TERMS + 1))}]}, "at most 64 terms"),
        ({"columns": [{"checkpoint": "dpo", "recipe": "a" * (MAX_RECIPE + 1)}]}, "at most 2,000 characters"),
    ],
)
def test_what_is_too_large_in_a_link_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings.from_link(packed(json.dumps({**CHAT.to_json(), **change}).encode()))


def test_a_chat_ends_at_its_last_turn() -> None:
    full = Settings("skiff", (Column("dpo"),), turns=(Turn("Hi", ("Yes",)),) * MAX_TURNS)
    assert Settings.from_link(full.to_link()) == full
    with pytest.raises(SettingsError, match=r"at most 500 turns; start a new one"):
        full.ask("One more")


def test_only_emoji_is_a_message() -> None:
    assert CHAT.ask("👩‍🚀🏳️‍🌈👍🏽").turns[-1].user == "👩‍🚀🏳️‍🌈👍🏽"


def test_control_characters_leave_and_lines_stay() -> None:
    assert CHAT.ask("\x1b]0;title\x07a\r\nb\rc\td\x00\x9b1m").turns[-1].user == "]0;titlea\nb\nc\td1m"


def test_columns_are_added_and_dropped_with_their_replies() -> None:
    chat = CHAT.ask("One").answered(0, "a").answered(1, "b").ask("Two")
    wider = chat.add_column(Column("base"))
    assert wider.selected == 2
    assert [turn.replies for turn in wider.turns] == [("a", "b", ""), ()]
    narrower = wider.drop_column(0)
    assert [column.checkpoint for column in narrower.columns] == ["dpo", "base"]
    assert narrower.selected == 1
    assert [turn.replies for turn in narrower.turns] == [("b", ""), ()]
    assert wider.drop_column(2).selected == 1
    with pytest.raises(SettingsError, match="last column stays"):
        narrower.drop_column(0).drop_column(0)
    with pytest.raises(SettingsError, match="at most 4"):
        wider.add_column(Column("base")).add_column(Column("base"))


@pytest.mark.parametrize("index", [-1, 2])
def test_a_column_that_is_not_there_is_not_dropped(index: int) -> None:
    with pytest.raises(SettingsError):
        CHAT.drop_column(index)


def test_a_recipe_goes_to_the_selected_column() -> None:
    chat = CHAT.with_recipe(parse("!truth"))
    assert [str(column.recipe) for column in chat.columns] == ["", "!truth"]
    assert str(chat.with_recipe(parse("truth"), 0).columns[0].recipe) == "1*truth"
    assert chat.column.title == "dpo · !truth"
    assert chat.columns[0].title == "dpo · plain"


def test_events_as_json_say_everything() -> None:
    reading = Reading(-0.5, 1.0, 0, (Alternative(7, " a", 0.6),), {"truth": 0.25})
    token = Token(1, 0, 7, " a", reading, reading, True)
    document = event_json(token)
    assert document == json.loads(json.dumps(document))
    assert document["event"] == "Token"
    assert document["reading"] == {
        "logprob": -0.5, "entropy": 1.0, "rank": 0, "projections": {"truth": 0.25},
        "top": [{"id": 7, "text": " a", "probability": 0.6}],
    }  # fmt: skip
    assert document["shadow"] == document["reading"]
    assert event_json(Scores(2, "shadow", (reading,)))["readings"] == [document["reading"]]
    for event in (Started(0, 3, "note"), RecipeChanged(0, 4, "!truth"), Done(1, "end", 9, 0.5), Failed("No.", None)):
        assert event_json(event) == {"event": type(event).__name__, **vars(event)}
