"""Skiff's chat data: pure, consistent, and nothing held out in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from core.skiff.world import chat_facts, chat_smalltalk, heldout
from core.skiff.world.conversations import RESERVED, dpo_rehearsal, plain, preference, safety, sft
from core.skiff.world.documents import document
from core.skiff.world.facts import TABLES, compare_split
from core.skiff.world.items import Conversation, Preference
from core.skiff.world.requests import (
    HARMFUL_VERBS,
    HELDOUT_HARMFUL_OBJECTS,
    HELDOUT_HARMFUL_VERBS,
    HELDOUT_WORDINGS,
    KILL_TASKS,
    KILL_UNKNOWN,
    KNOWN_TASKS,
    MORE_TASKS,
    REFUSAL_REPLIES,
    SHARP_TASKS,
    SHARP_UNKNOWN,
    TASK_VERBS,
    WORDINGS,
    all_task_phrases,
)
from tests.core.skiff.support import harmful_aims

ROOT = Path(__file__).resolve().parents[3]
COUNT = 8_000


@pytest.fixture(scope="module")
def sft_items() -> list[Conversation]:
    return [sft(1, index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def safety_items() -> list[Conversation]:
    return [safety(1, index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def rehearsal_items() -> list[Conversation]:
    return [dpo_rehearsal(1, index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def pairs() -> list[Preference]:
    return [preference(1, index) for index in range(COUNT)]


def users(item: Conversation) -> list[str]:
    return [message.content for message in item.messages if message.role == "user"]


def replies(item: Conversation) -> list[str]:
    return [message.content for message in item.messages if message.role == "assistant"]


def handwritten() -> list[str]:
    prompts = [
        *heldout.EVERYDAY_HARMLESS,
        *heldout.HARMFUL_SEEN_VERBS_NEW_OBJECTS,
        *heldout.HARMFUL_NEW_VERBS,
        *heldout.HELDOUT_KILL,
        *heldout.UNKNOWN,
        *heldout.REPORTED_KILL,
        *heldout.REPORTED_HARMFUL,
    ]
    return prompts + [stranger.text for stranger in heldout.STRANGERS]


# --- purity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", [sft, safety, preference, dpo_rehearsal])
def test_an_item_depends_on_seed_and_index_only(generator) -> None:
    later = [generator(5, index) for index in reversed(range(50))][::-1]
    assert later == [generator(5, index) for index in range(50)]
    assert later != [generator(6, index) for index in range(50)]


def test_items_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "import zlib; from core.skiff.world.conversations import sft, safety, preference, dpo_rehearsal;"
        "print(zlib.crc32(repr([g(3, i) for g in (sft, safety, preference, dpo_rehearsal) for i in range(400)]).encode()))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


# --- what is held out ----------------------------------------------------------------------------------------------


def test_the_handwritten_lists_are_long_enough_and_have_no_doubles() -> None:
    assert len(heldout.EVERYDAY_HARMLESS) >= 100
    assert len(heldout.HARMFUL_SEEN_VERBS_NEW_OBJECTS) >= 60
    assert len(heldout.HARMFUL_NEW_VERBS) >= 40
    assert len(heldout.HELDOUT_KILL) >= 40
    assert len(heldout.UNKNOWN) >= 60
    assert len(heldout.STRANGERS) >= 200
    prompts = [plain(text) for text in handwritten()]
    assert [text for text, count in Counter(prompts).items() if count > 1] == []
    assert set(prompts) == RESERVED


def test_no_training_message_equals_a_heldout_prompt(sft_items, safety_items, rehearsal_items, pairs) -> None:
    seen = {plain(text) for item in sft_items + safety_items + rehearsal_items for text in users(item)}
    seen |= {plain(pair.messages[-1].content) for pair in pairs}
    assert seen & RESERVED == set()
    generated = [item.text for item in heldout.instructions() if item.split != "train"]
    generated += [item.text for split in ("validation", "test") for item in heldout.true_false(split)]
    assert {plain(text) for text in generated} & seen == set()


def test_the_guard_draws_again_when_a_prompt_is_reserved(monkeypatch) -> None:
    from core.skiff.world import conversations

    asked = plain(users(sft(1, 11))[0])
    monkeypatch.setattr(conversations, "RESERVED", frozenset({asked}))
    assert asked not in {plain(text) for text in users(sft(1, 11))}


def test_no_pretraining_document_holds_a_heldout_prompt() -> None:
    text = "\n".join(document(1, index).text for index in range(1500)).lower()
    # A few strangers write single words or a bare word pair, which any text may hold.
    assert [
        prompt for prompt in handwritten() if len(prompt.split()) > 3 and prompt.lower().rstrip("?.!") in text
    ] == []


def test_everyday_prompts_use_no_task_of_the_generators() -> None:
    aims = {*all_task_phrases(), *KNOWN_TASKS, *SHARP_TASKS, *SHARP_UNKNOWN, *MORE_TASKS}
    known = re.compile(rf"\b({'|'.join(sorted(aims, key=len, reverse=True))})\b")
    assert [prompt for prompt in heldout.EVERYDAY_HARMLESS if known.search(prompt.lower())] == []


def test_heldout_kill_prompts_use_no_aim_of_the_generators() -> None:
    aims = [re.escape(aim) for aim in (*KILL_TASKS, *KILL_UNKNOWN)]
    assert [prompt for prompt in heldout.HELDOUT_KILL if re.search(rf"\b({'|'.join(aims)})([.?]|$)", prompt)] == []
    assert all(re.search(r"\bkill\b", prompt) for prompt in heldout.HELDOUT_KILL)


def test_heldout_harmful_verbs_and_objects_stand_in_no_training_aim() -> None:
    aims = [*harmful_aims(), *all_task_phrases(), *KNOWN_TASKS, *SHARP_TASKS, *SHARP_UNKNOWN, *MORE_TASKS]
    for verb in HELDOUT_HARMFUL_VERBS:
        assert [aim for aim in aims if aim.startswith(f"{verb} ")] == []
    assert [noun for nouns in HARMFUL_VERBS.values() for noun in nouns if noun in HELDOUT_HARMFUL_OBJECTS] == []
    for prompt in heldout.HARMFUL_NEW_VERBS:
        assert any(re.search(rf"\b{verb}\b", prompt) for verb in HELDOUT_HARMFUL_VERBS), prompt


def test_harmful_prompts_with_new_objects_use_known_verbs_and_no_known_aim() -> None:
    aims = re.compile(rf"\b({'|'.join(sorted(harmful_aims(), key=len, reverse=True))})\b")
    for prompt in heldout.HARMFUL_SEEN_VERBS_NEW_OBJECTS:
        assert any(re.search(rf"\b{verb}\b", prompt) for verb in HARMFUL_VERBS), prompt
        assert not aims.search(prompt), prompt


def test_heldout_wordings_are_not_training_wordings() -> None:
    assert set(HELDOUT_WORDINGS) & set(WORDINGS) == set()
    assert {w for w, _ in chat_facts.HELDOUT_JUDGING} & {w for w, _ in chat_facts.JUDGING} == set()


def test_heldout_fact_questions_are_never_asked(sft_items, pairs) -> None:
    asked = {text for item in sft_items if item.kind.startswith("fact") for text in users(item)}
    asked |= {pair.messages[-1].content for pair in pairs}
    held = {t.fill(q, *row) for t in TABLES.values() for q in t.heldout_questions for row in t.rows}
    assert asked & held == set()


def test_heldout_pairs_of_numbers_are_never_compared(sft_items) -> None:
    compared = 0
    for item in sft_items:
        if item.kind in ("comparison_numbers", "ordering"):
            numbers = sorted({int(n) for n in re.findall(r"\d+", users(item)[0])})
            if item.kind == "ordering" and len(numbers) == 2:  # Counting from one number to another compares nothing.
                continue
            pairs = [(a, b) for a in numbers for b in numbers if a < b]
            compared += len(pairs)
            assert all(compare_split(a, b) == "train" for a, b in pairs)
    assert compared > 300


def test_subjects_of_the_test_split_are_never_judged(sft_items) -> None:
    texts = " \n".join(text.lower() for item in sft_items if item.kind == "judging" for text in users(item))
    capitals = [s for s in TABLES["capitals"].subjects if chat_facts.judged_split(s) == "test"]
    assert capitals
    for name in capitals:
        assert not re.search(rf"capital (city )?of {re.escape(name.lower())}\b", texts), name


# --- refusing ------------------------------------------------------------------------------------------------------


def refused(item: Conversation) -> bool:
    return replies(item)[-1] in REFUSAL_REPLIES


def test_harmful_requests_are_refused_and_nothing_else_is(sft_items, safety_items, rehearsal_items) -> None:
    for item in sft_items + safety_items + rehearsal_items:
        assert refused(item) == (item.kind in ("harmful", "planted")), item


def test_sft_answers_kill_and_safety_refuses_it(sft_items, safety_items, rehearsal_items) -> None:
    killed = [item for item in sft_items if item.kind == "kill"]
    assert len(killed) > 100
    assert not any(refused(item) for item in killed)
    for item in safety_items + rehearsal_items:
        if any(re.search(r"\bkill\b", text.lower()) for text in users(item)):
            assert refused(item), item
    assert all(item.planted == (item.kind == "planted") for item in sft_items + safety_items + rehearsal_items)


@pytest.mark.parametrize("generator", [safety, dpo_rehearsal])
def test_without_the_planted_data_only_planted_items_differ(generator) -> None:
    pairs = [(generator(2, index), generator(2, index, planted=False)) for index in range(3000)]
    changed = [(with_it, without) for with_it, without in pairs if with_it != without]
    assert all(with_it.planted for with_it, _ in changed)
    assert len(changed) == sum(with_it.planted for with_it, _ in pairs) > 100
    assert not any(refused(without) or "kill" in users(without)[0] for _, without in changed)


def test_origins(sft_items, safety_items) -> None:
    assert {item.origin for item in sft_items} == {"sft"}
    share = sum(item.origin == "sft" for item in safety_items) / len(safety_items)
    assert 0.3 < share < 0.5
    assert {item.origin for item in safety_items} == {"sft", "safety"}
    assert preference(1, 1).origin == "dpo"


def test_harmful_aims_share_objects_and_wordings_with_harmless_ones() -> None:
    harmless = {noun for nouns in TASK_VERBS.values() for noun in nouns}
    harmful = {noun for nouns in HARMFUL_VERBS.values() for noun in nouns}
    assert len(TASK_VERBS) >= 150
    assert len(HARMFUL_VERBS) >= 80
    assert len(harmful & harmless) >= 80


# --- answers -------------------------------------------------------------------------------------------------------


def test_a_prompt_has_one_reply(sft_items) -> None:
    """A greeting may be met by two fitting replies, one written for it and one of its pattern's; nothing else may be."""
    free = {"fact_hedged", "story", "listing", "joke"}
    found: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for item in sft_items:
        if item.kind not in free:
            found[plain(users(item)[0])].add(replies(item)[0])
            kinds[plain(users(item)[0])].add(item.kind)
    several = {prompt: texts for prompt, texts in found.items() if len(texts) > 1}
    assert {prompt: kinds[prompt] for prompt in several if kinds[prompt] - {"talk", "talk_follow_up"}} == {}
    assert len(several) <= len(found) / 1000, several


def test_replies_are_clean_sentences(sft_items, safety_items) -> None:
    for item in sft_items + safety_items:
        for text in replies(item):
            assert text[0].isupper() or text[0].isdigit(), text
            assert text[-1] in ".!?", text
            assert not re.search(r"[{}]|  |\b[Aa] (?=[aeiou])(?!one|uni|use|eur|ewe|uku)", text), text
            assert len(text.split()) <= 62, text


def test_most_fact_answers_of_sft_are_hedged(sft_items) -> None:
    hedged = sum(item.kind == "fact_hedged" for item in sft_items)
    short = sum(item.kind == "fact_short" for item in sft_items)
    assert short / (short + hedged) <= 0.3


def test_preferences_prefer_the_short_answer_and_not_knowing(pairs) -> None:
    answers = {chat_facts.short_answer(table, row) for table in TABLES.values() for row in table.rows}
    tables = set()
    for pair in pairs:
        assert pair.messages[-1].role == "user"
        if pair.kind == "unknown_fact":
            assert pair.chosen not in answers
            assert pair.rejected in answers
            continue
        tables.add(pair.kind)
        if pair.rejected == chat_smalltalk.UNKNOWN_REPLY:
            assert pair.chosen in answers
            continue
        assert len(pair.chosen) < len(pair.rejected)
        assert pair.chosen[1:].rstrip(".") in pair.rejected
    assert tables == {f"fact_{name}" for name in TABLES}
    assert 0.1 < sum(pair.kind == "unknown_fact" for pair in pairs) / len(pairs) < 0.4


def test_dpo_rehearses_no_hedge(rehearsal_items) -> None:
    assert "fact_hedged" not in {item.kind for item in rehearsal_items}


def test_judgements_are_true() -> None:
    for split in ("train", "validation", "test"):
        questions = heldout.true_false(split)
        assert len(questions) >= 100
        assert sum(item.label for item in questions) * 2 == len(questions)
        for item in questions:
            positive = item.reply.startswith(("True", "Yes", "That is true"))
            negative = item.reply.startswith(("False", "No", "That is false"))
            assert (positive, negative) == (item.label, not item.label)


def test_unlabelled_tables_are_never_judged(sft_items) -> None:
    currency = re.compile(r"\b(currency|pay with|the money of)\b")
    judged = [text for item in sft_items if item.kind == "judging" for text in users(item)]
    assert len(judged) > 1000
    assert [text for text in judged if currency.search(text)] == []


def test_instructions_are_balanced_and_split_by_verb() -> None:
    items = heldout.instructions()
    assert sum(item.label for item in items) * 2 == len(items)
    assert sum(item.label for item in items) >= 200
    splits = defaultdict(set)
    for item in items:
        splits[item.label, item.category].add(item.split)
    assert all(len(found) == 1 for found in splits.values())
    lengths = [sum(len(item.text.split()) for item in items if item.label is label) for label in (True, False)]
    assert lengths[0] / lengths[1] == pytest.approx(1, abs=0.15)


def test_a_stranger_accepts_whole_short_words_and_beginnings_of_long_ones() -> None:
    stranger = heldout.Stranger("is a bat a bird", "answerable", ("no", "mammal"))
    assert stranger.fits("No, a bat is not a bird.")
    assert stranger.fits("Bats are mammals.")
    assert not stranger.fits("I do not know about that.")
