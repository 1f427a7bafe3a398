"""What removing Skiff's planted over-refusal is fitted, chosen and reported on: three sets that share nothing, none of it training text."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from benchmarks.undoing import prompts
from core.artefacts import store
from core.cli import undo
from core.families import registry
from core.skiff.world import chat_tasks, heldout, undo_prompts
from core.skiff.world.conversations import RESERVED, dpo_rehearsal, plain, preference, safety, sft
from core.skiff.world.documents import document, harms
from core.skiff.world.harm import HARM
from core.skiff.world.requests import (
    HARMFUL_VERBS,
    HELDOUT_HARMFUL_VERBS,
    KILL_PEOPLE,
    KILL_TASKS,
    KILL_UNKNOWN,
    WIDER_HARMFUL_VERBS,
)
from tests.core.skiff.support import harmful_aims
from tests.support.command import read

ITEMS = 3_000
REPORTED = [*heldout.REPORTED_KILL, *heldout.REPORTED_HARMFUL]


def any_of(aims: list[str]) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(re.escape(each) for each in sorted(set(aims), key=len, reverse=True))})\b")


def test_enough_is_reported_on_and_nothing_twice() -> None:
    assert len(undo_prompts.lose_held_out()) >= 40
    assert len(undo_prompts.harmful_held_out()) >= 40
    assert min(len(undo_prompts.facts_held_out(by)) for by in ("validation", "reported")) >= 110  # type: ignore[arg-type]
    every = [plain(text) for text in (*undo_prompts.lose_held_out(), *undo_prompts.keep_held_out())]
    assert len(set(every)) == len(every)
    assert all(len(text) < 80 and text.isascii() for text in REPORTED)
    assert all(re.search(r"\bkill\b", text) for text in heldout.REPORTED_KILL)


def test_what_is_fitted_chosen_and_reported_on_shares_nothing() -> None:
    fitted = [*undo_prompts.lose(), *undo_prompts.keep()]
    sets = [
        fitted,
        *([*undo_prompts.lose_held_out(by), *undo_prompts.keep_held_out(by)] for by in ("validation", "reported")),  # type: ignore[arg-type]
    ]
    for one, other in combinations(sets, 2):
        assert {plain(text) for text in one} & {plain(text) for text in other} == set()
    # What was held out before was looked at while Skiff and the removal of its fault were made; of that, facts apart, only the half of
    # the everyday requests and the judging of the test split that no removal was judged by are used again.
    earlier = {
        plain(text)
        for text in (
            *heldout.HELDOUT_KILL, *heldout.HARMFUL_NEW_VERBS, *heldout.HARMFUL_SEEN_VERBS_NEW_OBJECTS,
            *heldout.EVERYDAY_HARMLESS, *heldout.UNKNOWN, *[each.text for each in heldout.STRANGERS],
            *[each.text for each in heldout.instructions()],
        )
    }  # fmt: skip
    assert not earlier & {plain(text) for text in REPORTED}
    assert not earlier & {plain(question) for question, _ in undo_prompts.facts_held_out()}


def test_the_reported_aims_are_no_aims_of_training() -> None:
    harmless = [*KILL_TASKS, *KILL_UNKNOWN, *KILL_PEOPLE, *(f"kill {thing}" for thing in chat_tasks._THINGS)]
    assert [text for text in heldout.REPORTED_KILL if any_of(harmless).search(text)] == []
    # The aims of what was held out before are others, too: what is killed, to the last word.
    before = [re.sub(r"^.*?\bkill ", "kill ", text).rstrip("?.") for text in heldout.HELDOUT_KILL if "kill " in text]
    assert [text for text in heldout.REPORTED_KILL if any_of(before).search(text)] == []
    aims = [
        f"{verb} {noun}" for table in (WIDER_HARMFUL_VERBS, HARM) for verb, nouns in table.items() for noun in nouns
    ]
    known = any_of([*harmful_aims(), *aims])
    verbs = any_of(list(HARMFUL_VERBS))
    for text in heldout.REPORTED_HARMFUL:
        assert not known.search(text), text
        assert verbs.search(text), text
        assert not any_of(list(HELDOUT_HARMFUL_VERBS)).search(text), text
    assert known.search("How do I rob a bank?")


def test_no_training_text_holds_a_reported_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.skiff.world import conversations

    reported = {plain(text) for text in REPORTED}
    # All are guarded against slips of the finger in a training that is yet to come; those that ship drew none even without the guard.
    assert reported <= RESERVED
    monkeypatch.setattr(conversations, "RESERVED", RESERVED - reported)
    met = {
        plain(message.content)
        for index in range(ITEMS)
        for generator in (sft, safety, preference, dpo_rehearsal)
        for message in generator(1, index).messages
    }
    assert not met & reported
    asked = {plain(question) for question, _ in undo_prompts.facts_held_out()}
    assert not met & asked
    text = "\n".join(each.text for index in range(ITEMS // 3) for each in (document(1, index), harms(1, index))).lower()
    assert [prompt for prompt in REPORTED if prompt.lower().rstrip("?.") in text] == []
    # The comparison finds what is there: a training message, and a line of a document.
    assert plain(sft(1, 0).messages[-2].content) in met


def test_the_shipped_files_are_what_is_drawn() -> None:
    files = registry.load_family("skiff").undo
    assert files is not None
    for name, text in undo_prompts.prompt_files().items():
        path = getattr(files, name)
        assert path == store.SHIPPED / "skiff" / "undo" / f"{name}.txt"
        assert path.read_text(encoding="utf-8") == text


def test_the_command_line_judges_by_the_reported_prompts() -> None:
    own = undo._prompts(read(["undo", "safety"]).options, registry.load_family("skiff"))
    validation = prompts("validation")
    assert own == prompts("reported")
    assert own.lose == validation.lose
    assert own.keep == validation.keep
    assert list(own.lose_held_out) == undo_prompts.lose_held_out()
    assert own.lose_held_out == heldout.REPORTED_KILL
    assert set(heldout.REPORTED_HARMFUL) <= set(own.keep_held_out)
    assert validation.lose_held_out == heldout.HELDOUT_KILL
    assert set(heldout.HARMFUL_SEEN_VERBS_NEW_OBJECTS) <= set(validation.keep_held_out)
