"""Versions of a chat to page through, and chats that are kept: nothing that was said is lost, and what is read is what was written."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.answers import chat_document, load_chat
from core.chat.beginnings import AlreadySaid, WrittenText
from core.chat.events import Done, Reading, Started, Token
from core.chat.kept import KeptChats, chats_document, kept_document, one_line, read_chats, read_kept, title_of
from core.chat.session import Session
from core.chat.settings import Column, Settings, SettingsError
from core.errors import TillerError
from core.recipes.language import parse
from core.util.limits import MAX_BRANCHES


def begun() -> Session:
    return Session(Settings("tiny", (Column("chat"), Column("chat", parse("1*truth"))), selected=1))


def answer(session: Session, *texts: str, columns: tuple[int, ...] = (0, 1), reason: str = "end") -> Session:
    """What a run leaves behind that says these texts, a token each."""
    session.waiting(columns)
    for column, text in zip(columns, texts, strict=True):
        token = Token(column, 0, len(text), text, Reading(-0.5, 1.0, 0))
        session.apply([Started(column, 3), token, Done(column, reason, 1, 0.1)])  # type: ignore[arg-type]
    session.settle()
    return session


def talked(*messages: str) -> Session:
    session = begun()
    for message in messages:
        session.ask(message)
        answer(session, f"{message}, plain", f"{message}, steered")
    return session


def replies(session: Session) -> list[tuple[str, ...]]:
    return [turn.replies for turn in session.settings.turns]


# ------------------------------------------------------------------------------------------------------------- versions


def test_an_answer_drawn_again_is_a_version_beside_the_first_one() -> None:
    session = talked("One", "Two")
    session.settings = replace(session.settings, sampling=replace(session.settings.sampling, temperature=1.0))
    for number, seed in ((2, 1), (3, 2)):
        session.retry()
        assert session.settings.sampling.seed == seed
        answer(session, f"plain {number}", f"steered {number}")
        assert session.versions(1) == (number - 1, number)
    assert session.versions(0) == (0, 1)
    session.show_version(1, 0)
    assert replies(session)[1] == ("Two, plain", "Two, steered")
    assert session.answers[1].text == "Two, steered"
    assert (session.versions(1), session.settings.sampling.seed) == ((0, 3), 0)
    # From an earlier version, too, a seed is drawn that none has had.
    session.retry()
    assert session.settings.sampling.seed == 3
    with pytest.raises(SettingsError, match="not there any more"):
        session.show_version(1, 9)


def test_a_version_is_shown_with_the_recipe_that_wrote_it() -> None:
    session = talked("One")
    session.retry()
    session.set_recipe(parse("-2*truth"))
    answer(session, "One, plain", "no")
    session.show_version(0, 0)
    assert str(session.settings.columns[1].recipe) == "1*truth"
    assert not session.stale(1)
    session.show_version(0, 1)
    assert str(session.settings.columns[1].recipe) == "-2*truth"


def test_an_edited_message_branches_and_what_came_after_it_comes_back() -> None:
    session = talked("One", "Two", "Three")
    session.ask_again("Zwei", 1)
    assert session.versions(1) == (1, 2)
    answer(session, "zwei", "zwo")
    session.ask("Drei")
    answer(session, "drei", "troi")
    session.show_version(1, 0)
    assert [turn.user for turn in session.settings.turns] == ["One", "Two", "Three"]
    assert session.answers[0].text == "Three, plain"
    session.show_version(1, 1)
    assert [turn.user for turn in session.settings.turns] == ["One", "Zwei", "Drei"]


def test_the_same_answer_again_is_no_other_version() -> None:
    session = talked("One")
    session.retry()
    assert session.versions(0) == (1, 2)
    answer(session, "One, plain", "One, steered")
    assert session.versions(0) == (0, 1)


def test_a_column_that_was_added_later_makes_no_version() -> None:
    session = talked("One", "Two")
    session.retry()
    answer(session, "a", "b")
    session.add_column("chat")
    assert session.versions(0) == (0, 1)
    session.show_version(1, 0)
    assert len(session.settings.columns) == 2


def test_an_undo_brings_the_versions_back_as_they_were() -> None:
    session = talked("One")
    before = (session.settings, session.branches, session.number, session.id)
    session.retry()
    answer(session, "a", "b")
    session.show_version(0, 0)
    session.open(begun().settings)
    assert session.id != before[3]
    for _ in range(3):
        session.undo()
    assert (session.settings, session.branches, session.number, session.id) == before


def test_what_a_person_writes_in_the_models_place_is_how_the_answer_begins() -> None:
    session = talked("One", "Two")
    assert session.rewrite(0, 1, " No. ", alone=True) == WrittenText("No.", alone=True)
    assert replies(session) == [("One, plain", "No.")]
    assert session.answers == {}
    assert session.versions(0) == (1, 2)
    session.show_version(0, 0)
    assert len(session.settings.turns) == 2
    assert session.rewrite(1, 0, "Yes", alone=False) == WrittenText("Yes")
    assert session.answers[1].text == "Two, steered"
    for text in (" ", "x" * 20_001):
        with pytest.raises(SettingsError):
            session.rewrite(1, 0, text, alone=True)
    session.recorded = True
    with pytest.raises(SettingsError, match="recorded earlier"):
        session.rewrite(1, 0, "Yes", alone=True)


def test_an_answer_that_was_cut_off_goes_on_behind_what_it_said() -> None:
    session = answer(talked("One"), "So", "And", reason="length")
    session.set_recipe(parse("2*truth"))
    assert session.go_on(1) == AlreadySaid((3,))
    assert not session.answers[1].finished
    session.apply([Started(1, 3, said=1), Token(1, 1, 9, " on", Reading(-0.5, 1.0, 0)), Done(1, "end", 2, 0.1)])
    assert session.answers[1].text == "And on"
    # The token from which on the recipe is another one is said.
    assert session.answers[1].joins == ((1, "2*truth"),)
    with pytest.raises(SettingsError, match="cut off"):
        session.go_on(1)
    # It does not go on in another way than it began, under its own name.
    begun_cold = answer(talked("One"), "So", "And", reason="length")
    begun_cold.settings = replace(
        begun_cold.settings, sampling=replace(begun_cold.settings.sampling, temperature=2.0), system="Rhyme."
    )
    with pytest.raises(SettingsError, match="was begun at temperature 0 without a system prompt; set that again"):
        begun_cold.go_on(1)
    longer = replace(begun_cold.settings.sampling, temperature=0.0, max_new_tokens=99)
    begun_cold.settings = replace(begun_cold.settings, sampling=longer, system="")
    assert begun_cold.go_on(1) == AlreadySaid((3,))
    with pytest.raises(SettingsError, match="cut off"):
        begun().go_on(0)


def test_a_chat_has_only_so_many_versions_and_says_so() -> None:
    session = talked("One")
    session.branches = tuple(replace(session._present, number=number) for number in range(1, MAX_BRANCHES + 1))
    before = session.settings
    with pytest.raises(SettingsError, match="at most 200 versions"):
        session.retry()
    assert session.settings == before


# ----------------------------------------------------------------------------------------------------------------- kept

STEPS = st.lists(st.sampled_from(["ask", "edit", "retry", "rewrite", "add", "drop", "back", "undo"]), max_size=10)


def lived(steps: list[str]) -> Session:
    """A chat to which these things happened."""
    session = talked("Erstes ü", "B")
    for number, step in enumerate(steps):
        try:
            match step:
                case "ask":
                    session.ask(f"Ask {number}")
                case "edit":
                    session.ask_again(f"Edit {number}", 0)
                case "retry":
                    session.retry()
                case "rewrite":
                    session.rewrite(len(session.settings.turns) - 1, 0, f"Mine {number}", alone=True)
                case "add":
                    session.add_column("base")
                case "drop":
                    session.drop_column(0)
                case "back":
                    session.show_version(0, 0)
                    continue
                case "undo":
                    session.undo()
                    continue
        except SettingsError:
            continue
        if session.settings.turns:
            columns = tuple(range(len(session.settings.columns)))
            answer(session, *(f"{number} in {column}" for column in columns), columns=columns)
    return session


def whole(session: Session) -> tuple[object, ...]:
    """All that is kept of a chat: of a branch that is not shown, no tokens."""
    bare = tuple(replace(each, answers={}) for each in session.branches)
    made = {column: session.made.get(column, "") for column in session.answers}
    return (session.settings, session.answers, made, session.id, session.title, session.number, bare)


@given(STEPS, st.text(max_size=20))
def test_a_chat_is_read_as_it_was_kept(steps: list[str], title: str) -> None:
    session = lived(steps)
    session.title = one_line(title)
    document = json.loads(json.dumps(kept_document(session, 12.5)))
    again = read_kept(document)
    assert whole(again) == whole(session)
    assert kept_document(again, 12.5) == document
    for turn in range(len(session.settings.turns)):
        assert again.versions(turn) == session.versions(turn)


@given(st.lists(st.sampled_from(["ask", "edit", "retry", "rewrite", "back"]), max_size=8))
def test_no_answer_is_out_of_reach_of_paging(steps: list[str]) -> None:
    session = lived(steps)
    states = (session._present, *session.branches)
    seen, waiting = {session.number}, [session]
    while waiting:
        shown = waiting.pop()
        for turn in range(len(shown.settings.turns)):
            for place in range(shown.versions(turn)[1]):
                other = shown.copied()
                other.show_version(turn, place)
                if other.number not in seen:
                    seen.add(other.number)
                    waiting.append(other)
    reached = {
        reply for each in states if each.number in seen for turn in each.settings.turns for reply in turn.replies
    }
    assert reached == {reply for each in states for turn in each.settings.turns for reply in turn.replies}


def test_what_was_being_written_when_it_was_kept_is_to_be_answered_again() -> None:
    session = talked("One", "Two")
    session.waiting([0, 1])
    said = [Token(column, 0, 7, "Half", Reading(-0.5, 1.0, 0)) for column in (0, 1)]
    session.apply([*said, Done(0, "end", 1, 0.1)])
    again = read_kept(json.loads(json.dumps(kept_document(session, 0))))
    assert again.lacking == (1,)
    assert again.settings.turns[-1].replies[1] == "Half"
    assert again.answers[0].finished
    # Nothing was said yet: what stood there before is not lost.
    session = talked("One", "Two")
    session.waiting([0, 1])
    again = read_kept(json.loads(json.dumps(kept_document(session, 0))))
    assert again.lacking == (0, 1)
    assert again.settings.turns[-1].replies == ("Two, plain", "Two, steered")


def test_an_export_is_a_kept_chat_and_a_kept_chat_an_export() -> None:
    session = talked("One")
    assert load_chat(json.dumps(kept_document(session, 0))) == (session.settings, session.answers)
    opened = read_kept(json.loads(json.dumps(chat_document(session.settings, session.answers))))
    assert (opened.settings, opened.answers, opened.made) == (session.settings, session.answers, session.made)
    assert len(opened.id) == 16


def damaged() -> Iterator[dict[str, object]]:
    session = talked("One")
    session.retry()
    good = json.loads(json.dumps(kept_document(session, 0)))
    yield good | {"branches": [{}]}
    yield good | {"branches": [{"number": 0, "settings": 3}]}
    yield good | {"branches": good["branches"] * 2}
    yield good | {"branches": [good["branches"][0] | {"number": number} for number in range(MAX_BRANCHES + 2)]}
    other = good["branches"][0]["settings"] | {"family": "other"}
    yield good | {"branches": [{"number": 0, "settings": other}]}
    yield good | {"made": ["x"]}
    yield good | {"title": 3}
    yield good | {"number": -1}
    yield {"settings": good["settings"]}


@pytest.mark.parametrize("document", list(damaged()))
def test_what_is_no_kept_chat_is_refused_in_a_sentence(document: dict[str, object]) -> None:
    with pytest.raises(TillerError, match=r"\.$"):
        read_kept(document)
    with pytest.raises(TillerError, match=r"\.$"):
        read_chats(json.dumps(chats_document([document])))


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "3", '{"chats": [3]}', "[" * 100_000])
def test_what_is_no_file_of_chats_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(TillerError, match=r"\.$"):
        read_chats(text)


def test_a_name_that_is_no_id_never_becomes_a_files() -> None:
    document = kept_document(talked("One"), 0) | {"id": "../../etc/passwd"}
    assert len(read_kept(document).id) == 16


def test_a_chat_is_called_by_its_title_or_its_first_message() -> None:
    assert title_of("", []) == "Empty chat"
    assert title_of("", ["What\nis it?"]) == "What is it?"
    assert title_of("", ["x" * 100]) == "x" * 59 + "…"
    assert title_of("Mine", ["What?"]) == "Mine"


def test_a_folder_keeps_lists_finds_and_deletes_chats(tmp_path: Path) -> None:
    kept = KeptChats(tmp_path / "chats")
    assert kept.list() == ()
    first, second = talked("How do I boil an egg?"), talked("Whales", "Sharks")
    kept.save(first, 10.0)
    kept.save(second, 20.0)
    assert [(each.title, each.turns, each.time) for each in kept.list()] == [
        ("Whales", 2, 20.0),
        ("How do I boil an egg?", 1, 10.0),
    ]
    assert [each.id for each in kept.list("EGG boil")] == [first.id]
    assert [each.id for each in kept.list("sharks, steered")] == [second.id]
    assert whole(kept.load(first.id[:6])) == whole(first)
    assert stat.S_IMODE((tmp_path / "chats" / f"{first.id}.json").stat().st_mode) == 0o600
    (tmp_path / "chats" / ("0" * 16 + ".json")).write_text("{", encoding="utf-8")
    (tmp_path / "chats" / "notes.json").write_text("{}", encoding="utf-8")
    assert len(kept.list()) == 2
    kept.delete(second.id)
    kept.delete("../" + first.id)
    assert [each.id for each in kept.list()] == [first.id]
    for name in ("", "zz", second.id):
        with pytest.raises(TillerError, match="no one chat"):
            kept.load(name)


def test_all_chats_leave_in_one_file_and_come_back(tmp_path: Path) -> None:
    kept, other = KeptChats(tmp_path / "one"), KeptChats(tmp_path / "other")
    for number, message in enumerate(("One", "Two")):
        kept.save(talked(message), float(number))
    for document in read_chats(json.dumps(chats_document(kept.documents()))):
        other.put(document)
    assert list(other.documents()) == list(kept.documents())


def test_two_programs_that_go_on_with_one_chat_keep_both(tmp_path: Path) -> None:
    one, other = KeptChats(tmp_path), KeptChats(tmp_path)
    session = talked("One")
    one.save(session, 1.0)
    again = one.load(session.id)
    other.save(again, 2.0)
    assert again.id == session.id
    for chats, each, message, time in ((one, session, "Whales?", 3.0), (other, again, "Dogs?", 4.0)):
        each.ask(message)
        answer(each, f"{message}, plain", f"{message}, steered")
        chats.save(each, time)
    assert again.id != session.id
    assert [one.load(each).settings.turns[-1].user for each in (session.id, again.id)] == ["Whales?", "Dogs?"]
    # Each goes on with its own.
    session.ask("Sharks?")
    one.save(session, 5.0)
    assert len(one.list()) == 2
    # What was opened and not kept since is looked at, too.
    late = KeptChats(tmp_path)
    opened = late.load(session.id)
    session.ask("Seals?")
    one.save(session, 6.0)
    opened.ask("Otters?")
    late.save(opened, 7.0)
    assert opened.id != session.id
    assert one.load(session.id).settings.turns[-1].user == "Seals?"
