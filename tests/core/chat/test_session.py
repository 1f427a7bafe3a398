"""The chat on the screen without a screen: what sending, retrying, swapping and undoing leave behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.answers import Answer
from core.chat.events import Done, Failed, Reading, RecipeChanged, Started, Token
from core.chat.session import Session
from core.chat.settings import MAX_SEED, Column, Settings, SettingsError, Turn
from core.chat.slider_cache import Scrubs, scrub_key
from core.recipes.language import parse


def token(column: int, index: int, text: str) -> Token:
    return Token(column, index, 7 + index, text, Reading(-0.5, 1.0, 0))


def fresh() -> Session:
    return Session(Settings("tiny", (Column("chat"), Column("chat", parse("1*truth"))), selected=1))


def answered(text: str = "Yes.") -> Session:
    session = fresh()
    session.ask("Well?")
    session.waiting([0, 1])
    session.apply([Started(0, 3), Started(1, 3), token(0, 0, text), token(1, 0, text)])
    session.apply([Done(0, "end", 1, 0.1), Done(1, "end", 1, 0.1)])
    session.settle()
    return session


def test_a_run_ends_up_in_the_settings() -> None:
    assert answered().settings.turns[-1].replies == ("Yes.", "Yes.")


def test_a_copy_goes_on_alone_and_what_was_being_written_was_stopped_there() -> None:
    session = fresh()
    session.ask("Well?")
    session.waiting([0, 1])
    session.apply([Started(0, 3), Started(1, 3), token(0, 0, "Yes"), Done(0, "end", 1, 0.1), token(1, 0, "No")])
    copy = session.copied()
    assert [copy.answers[column].reason for column in (0, 1)] == ["end", "stopped"]
    assert copy.settings.turns[-1].replies == ("Yes", "No")
    copy.undo()
    assert (len(session.settings.turns), session.answers[1].finished) == (1, False)


def test_a_bad_message_changes_nothing() -> None:
    session = answered()
    before = (session.settings, dict(session.answers), list(session.past))
    for message in ("", "   ", "a" * 20_001):
        with pytest.raises(SettingsError):
            session.ask(message)
        with pytest.raises(SettingsError):
            session.ask_again(message)
    assert (session.settings, session.answers, session.past) == before


def test_a_failure_without_a_column_reaches_every_column_that_waits() -> None:
    session = fresh()
    session.ask("Well?")
    session.waiting([0, 1])
    session.apply([Failed("No.")])
    assert [session.answers[column].error for column in (0, 1)] == ["No.", "No."]


def test_an_answer_is_stale_once_its_recipe_is_another_and_fresh_when_it_is_back() -> None:
    session = answered()
    assert not session.stale(1)
    session.set_recipe(parse("2*truth"))
    assert session.stale(1)
    assert not session.stale(0)
    session.set_recipe(parse("1*truth"))
    assert not session.stale(1)


def test_a_recipe_changed_during_the_run_is_what_the_answer_was_made_with() -> None:
    session = answered()
    session.waiting([1])
    session.set_recipe(parse("2*truth"))
    session.apply([RecipeChanged(1, 4, "2*truth")])
    assert not session.stale(1)


def test_recorded_answers_make_room_for_a_message() -> None:
    recorded = Session.of(answered().settings, answered().answers, recorded=True)
    recorded.ask("Now?")
    assert [turn.user for turn in recorded.settings.turns] == ["Now?"]
    assert not recorded.recorded
    recorded.undo()
    assert recorded.recorded
    assert recorded.answers


def test_closing_a_column_takes_its_answer_and_undo_brings_it_back() -> None:
    session = answered()
    session.drop_column(0)
    assert session.settings.columns == (Column("chat", parse("1*truth")),)
    assert list(session.answers) == [0]
    assert not session.stale(0)
    session.undo()
    assert len(session.settings.columns) == 2
    assert sorted(session.answers) == [0, 1]


@given(st.lists(st.sampled_from(["ask", "again", "add", "drop", "checkpoint", "open"]), max_size=8))
def test_as_many_undos_as_steps_lead_back_to_the_start(steps: list[str]) -> None:
    session = answered()
    session.past = []
    start = (session.settings, session.answers, session.made)
    taken = 0
    for step in steps:
        try:
            match step:
                case "ask":
                    session.ask("More?")
                case "again":
                    session.ask_again("Other?")
                case "add":
                    session.add_column("base")
                case "drop":
                    session.drop_column(0)
                case "checkpoint":
                    session.set_checkpoint(0, "base")
                case "open":
                    session.open(fresh().settings)
            taken += 1
        except (SettingsError, IndexError):
            continue
    for _ in range(taken):
        session.undo()
    assert (session.settings, session.answers, session.made) == start
    assert session.past == []


def test_a_retry_draws_with_the_next_seed_and_a_greedy_one_with_the_same() -> None:
    session = answered()
    before = session.settings
    session.retry()
    assert session.settings == replace(before, turns=(Turn("Well?"),))
    session.settings = replace(before, sampling=replace(before.sampling, temperature=0.8, seed=7))
    session.retry()
    assert session.settings.sampling.seed == 8
    session.undo()
    assert session.settings.sampling.seed == 7
    # What was recorded is answered as it was, and the last seed there is has a next one.
    session.recorded = True
    session.retry()
    assert session.settings.sampling.seed == 7
    session.recorded = False
    session.settings = replace(before, sampling=replace(before.sampling, temperature=0.8, seed=MAX_SEED - 1))
    session.retry()
    assert session.settings.sampling.seed == 0
    with pytest.raises(SettingsError, match="nothing to answer yet"):
        fresh().retry()


def test_without_a_remembered_step_an_undo_takes_the_last_turn_away() -> None:
    session = Session.of(answered().settings.ask("More?").answered(0, "Yes."), answered().answers, recorded=True)
    assert session.undo() == "More?"
    assert [turn.user for turn in session.settings.turns] == ["Well?"]
    assert (session.answers, session.made, session.recorded) == ({}, {}, False)
    assert session.undo() == "Well?"
    with pytest.raises(SettingsError, match="nothing to undo"):
        session.undo()
    # A step that took no message away gives none back.
    session = answered()
    session.retry()
    assert session.undo() == ""
    assert session.undo() == "Well?"


def test_answers_are_computed_beforehand_only_beside_a_whole_answer_of_the_models_own() -> None:
    def allowed(running: bool = False, **changed: object) -> bool:
        session = answered()
        session.answers[1] = replace(session.answers[1], **changed)
        return session.may_precompute(running)

    assert allowed()
    assert not allowed(running=True)
    assert not allowed(reason=None)
    assert not allowed(reason="stopped")
    assert not allowed(error="It broke.")
    assert not allowed(tokens=(replace(token(1, 0, "Y"), forced=True),))
    assert allowed(reason="length")
    assert not fresh().may_precompute(running=False)
    recorded = Session.of(answered().settings, answered().answers, recorded=True)
    assert not recorded.may_precompute(running=False)
    # Opened by a link: only the texts of the answers are known.
    assert not Session(answered().settings).may_precompute(running=False)


# --------------------------------------------------------------------------------------------------------------- scrubs


def whole(text: str, reason: str = "end") -> Answer:
    return Answer((token(0, 0, text),), reason=reason)  # type: ignore[arg-type]


def test_the_key_of_a_slider_knows_nothing_of_its_strength_and_everything_else() -> None:
    settings = answered().settings
    key = scrub_key(settings, 1, "truth")
    assert scrub_key(settings.with_recipe(parse("-2*truth")), 1, "truth") == key
    assert scrub_key(settings.answered(1, "Something else."), 1, "truth") == key
    assert scrub_key(settings.with_recipe(parse("-2*truth + !refusal")), 1, "truth") != key
    assert scrub_key(settings.with_recipe(parse("-2*truth@base")), 1, "truth") != key
    assert scrub_key(settings.ask("More?"), 1, "truth") != key
    assert scrub_key(settings.with_column(Column("base", parse("1*truth")), 1), 1, "truth") != key


def test_only_whole_answers_are_found() -> None:
    scrubs = Scrubs((-1.0, 0.0, 1.0))
    key = scrub_key(answered().settings, 1, "truth")
    scrubs.start(key)
    scrubs.kept[key] = {0: whole("No."), 1: whole("Ye", "stopped"), 2: Answer((token(2, 0, "Y"),))}
    assert scrubs.ready(key) == (-1.0,)
    assert not scrubs.complete(key)
    found = scrubs.find(key, -1.0)
    assert found is not None
    assert found.text == "No."
    assert scrubs.find(key, 0.0) is None
    assert scrubs.find(key, 1.0) is None
    assert scrubs.find(key, 0.3) is None


def test_the_oldest_are_forgotten_first() -> None:
    scrubs = Scrubs((0.0,))
    keys = [scrub_key(answered().settings.ask(f"Turn {number}."), 1, "truth") for number in range(12)]
    for key in keys:
        scrubs.start(key)
    assert list(scrubs.kept) == keys[-8:]
