"""Skiff's world and its pretraining text: correct, pure, and free of what is kept for evaluation."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from core.skiff.world.documents import DOCUMENT_KINDS, document
from core.skiff.world.facts import TABLES, UNLABELLED, compare_split, facts
from core.skiff.world.harm import HARM
from core.skiff.world.judging import (
    CATEGORIES,
    CATEGORY_SPLITS,
    HELDOUT_CUES,
    NUMBER_STATEMENTS,
    labelled,
    statement_of,
    statements,
)
from core.skiff.world.prose import BOYS, GIRLS
from core.skiff.world.requests import HELDOUT_HARMFUL_OBJECTS, HELDOUT_HARMFUL_VERBS
from core.skiff.world.tables import with_article, within, wrong_object

DOCUMENTS = [document(11, index) for index in range(5000)]
LABELLED = [labelled(11, index, phase) for phase in range(3) for index in range(1000)]


def patterns(templates: tuple[str, ...]) -> list[re.Pattern[str]]:
    """Templates as expressions in which every field is any run of characters within a sentence."""
    return [
        re.compile("(?:^|[\n.] ?)" + re.sub(r"\\\{[a-zA-Z_]+\\\}", "[^.?\n]+", re.escape(text)), re.IGNORECASE)
        for text in templates
    ]


def test_the_world_is_large_enough_and_every_table_has_its_wordings() -> None:
    assert len(list(facts())) >= 700
    assert len(TABLES) >= 16
    for table in TABLES.values():
        assert len(table.statements) >= 8, table.name
        assert len(table.heldout_statements) >= 2, table.name
        assert len(table.questions) >= 6, table.name
        assert len(table.heldout_questions) >= 3, table.name
        assert len(table.negations) >= 3, table.name
        assert len(table.subjects) == len(set(table.subjects)), table.name
        assert not set(table.statements) & set(table.heldout_statements), table.name
        assert not set(table.questions) & set(table.heldout_questions), table.name


def test_facts_that_people_try_first_are_right() -> None:
    assert TABLES["cities"].object_of("Lodz") == "Poland"
    assert TABLES["capitals"].object_of("Australia") == "Canberra"
    assert TABLES["elements"].object_of("gold") == "Au"
    assert TABLES["animals"].object_of("whale") == "mammal"
    assert TABLES["authors"].object_of("Faust") == "Johann Wolfgang von Goethe"
    with pytest.raises(KeyError):
        TABLES["cities"].object_of("Atlantis")


def test_tables_agree_with_each_other() -> None:
    """A capital that is listed as a city lies in its country, and the names of countries are spelt alike."""
    country_of = {capital: country for country, capital in TABLES["capitals"].rows}
    for city, country in TABLES["cities"].rows:
        assert country_of.get(city, country) == country
    known = set(TABLES["capitals"].subjects) | set(TABLES["continents"].subjects)
    for name in ("languages", "currencies"):
        strange = set(TABLES[name].subjects) - known
        assert strange <= {"Indonesia", "Israel", "South Africa"}, (name, strange)


def test_a_wrong_object_is_never_true_and_stems_from_the_table() -> None:
    rng = random.Random(0)
    for table in TABLES.values():
        for row in table.rows:
            for _ in range(4):
                wrong = wrong_object(table, row, rng)
                assert wrong in table.wrong_objects(row[0])
                assert wrong != row[1]
        for subject, others in table.also.items():
            assert subject in table.subjects, (table.name, subject)
            assert others <= set(table.objects), (table.name, subject)


def test_an_object_also_true_is_never_used_as_a_false_one() -> None:
    table, rng = TABLES["colours"], random.Random(1)
    drawn = {wrong_object(table, ("chocolate", "brown"), rng) for _ in range(400)}
    assert drawn == set(table.wrong_objects("chocolate"))
    assert not drawn & {"brown", "white", "black"}


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("owl", "an owl"), ("unicorn", "a unicorn"), ("hour", "an hour"), ("the sun", "the sun"), ("dog", "a dog")],
)
def test_articles(noun: str, expected: str) -> None:
    assert with_article(noun) == expected


def test_filled_wordings_are_good_english() -> None:
    animals, capitals = TABLES["animals"], TABLES["capitals"]
    assert animals.fill("{a_s} is {a_o}.", "owl", "bird") == "An owl is a bird."
    assert animals.fill("{pl_s} are {pl_o}.", "wolf", "mammal") == "Wolves are mammals."
    assert animals.fill("{pl_s} are {pl_o}.", "salmon", "fish") == "Salmon are fish."
    assert TABLES["foods"].fill("{a_s} is a kind of {o}.", "tea", "drink") == "Tea is a kind of drink."
    assert capitals.fill(capitals.statements[6], "the Netherlands", "Amsterdam").startswith("The Netherlands has")
    assert within(animals, "An owl is a bird.") == "an owl is a bird."
    assert within(TABLES["authors"], "The Hobbit was written by Homer.") == "The Hobbit was written by Homer."
    assert within(capitals, "Paris is not the capital of Spain.") == "Paris is not the capital of Spain."


def test_documents_are_pure_functions_of_seed_and_index() -> None:
    assert document(11, 77) == DOCUMENTS[77]
    assert document(12, 77) != DOCUMENTS[77]
    assert labelled(11, 5, 1) == LABELLED[1005]
    assert len({item.text for item in DOCUMENTS}) > 2990


def test_every_kind_of_document_occurs_about_as_often_as_its_share() -> None:
    counts, total = Counter(item.kind for item in DOCUMENTS), sum(share for share, _ in DOCUMENT_KINDS.values())
    assert set(counts) == set(DOCUMENT_KINDS)
    for kind, (share, _) in DOCUMENT_KINDS.items():
        assert counts[kind] / len(DOCUMENTS) == pytest.approx(share / total, abs=0.03)


def test_no_text_holds_a_heldout_wording() -> None:
    text = [sentence for item in DOCUMENTS + LABELLED for sentence in re.split(r"(?<=[.?])\s|\n", item.text)]
    for table in TABLES.values():
        if table.name in ("sounds", "jobs", "materials"):
            # These begin with a field, so that a pattern of theirs would fit other sentences; their fixed words do.
            continue
        for pattern in patterns(table.heldout_statements + table.heldout_questions):
            hits = [sentence for sentence in text if pattern.match(sentence) and _about(table.subjects, sentence)]
            assert not hits, (table.name, pattern.pattern, hits[:2])
    joined = "\n".join(text).lower()
    for words in ("makes itself heard", "for a living", "we say", "is mostly", "the stuff of which", " exceeds "):
        assert words not in joined, words
    for cue in HELDOUT_CUES:
        assert cue.lower() not in joined


def _about(subjects: tuple[str, ...], sentence: str) -> bool:
    low = sentence.lower()
    return any(subject.lower() in low for subject in subjects)


def test_the_heldout_check_can_fail() -> None:
    pattern = patterns(("{S} has {o} as its capital.",))[0]
    assert pattern.match("France has Paris as its capital.")
    assert not pattern.match("France has its capital in Paris.")


def test_labels_stand_in_no_other_text_and_are_all_that_is_learnt() -> None:
    for item in DOCUMENTS:
        assert "TRUE" not in item.text
        assert "FALSE" not in item.text
        assert all(segment.learn for segment in item.segments)
    for item in LABELLED:
        assert [segment.text for segment in item.segments if segment.learn] == [
            segment.text for segment in item.segments if segment.text in (" TRUE", " FALSE")
        ]
        assert item.segments[-1].learn


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_labels_are_balanced_and_a_third_follows_the_full_stop(phase: int) -> None:
    items = LABELLED[1000 * phase : 1000 * phase + 1000]
    labels = Counter(segment.text for item in items for segment in item.segments if segment.learn)
    assert labels[" TRUE"] / labels.total() == pytest.approx(0.5, abs=0.04)
    direct = sum(item.segments[0].text.endswith(".") for item in items)
    assert direct / len(items) == pytest.approx(1 / 3, abs=0.05)


def test_the_curriculum_refuses_a_phase_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="phases 0, 1 and 2"):
        labelled(0, 0, 3)


def test_unlabelled_tables_are_never_judged() -> None:
    assert len(UNLABELLED) == 3
    assert not UNLABELLED & set(CATEGORIES)
    text = " ".join(item.text for item in LABELLED)
    for words in ("currency", "is used to", "pay with", "young ", "baby "):
        assert words not in text, words


def test_number_pairs_are_split_alike_in_both_orders_and_kept_apart() -> None:
    pairs = [(a, b) for a in range(100) for b in range(a)]
    kept = [pair for pair in pairs if compare_split(*pair) == "test"]
    assert 0.1 < len(kept) / len(pairs) < 0.2
    assert all(compare_split(a, b) == compare_split(b, a) for a, b in pairs)
    with pytest.raises(ValueError, match="two different numbers"):
        compare_split(7, 7)
    compared = re.compile(
        r"(\d+) (?:is (?:larger|smaller|more|less|greater) than|comes (?:after|before)|is an? \w+ number than) (\d+)"
    )
    met = [compared.findall(item.text) for item in DOCUMENTS + LABELLED]
    assert sum(map(len, met)) > 500
    assert all(compare_split(int(a), int(b)) == "train" for found in met for a, b in found)


def test_comparisons_are_right() -> None:
    rng = random.Random(3)
    for index in range(300):
        told = statement_of("numbers", rng, label=index % 2 == 0)
        a, b = map(int, re.findall(r"\d+", told.text))
        wording = re.sub(r"\d+", "#", told.text)
        larger_first = next(claim for text, claim in NUMBER_STATEMENTS if text.format(a="#", b="#") == wording)
        assert ((a > b) == larger_first) == told.label


def test_statements_come_in_pairs_from_whole_categories() -> None:
    for split in ("train", "validation", "test", "unlabelled"):
        found = statements(split)
        assert {item.category for item in found} == {name for name, owner in CATEGORY_SPLITS.items() if owner == split}
        assert sum(item.label for item in found) * 2 == len(found)
        assert len({item.text for item in found}) > 0.97 * len(found)
        for category, count in Counter(item.category for item in found).items():
            available = len(TABLES[category].rows) if category in TABLES else 60
            assert count >= min(60, 2 * available)
    assert not {item.text for item in statements("test", heldout=True)} & {item.text for item in statements("test")}
    assert all(" not " in item.text for item in statements("train", negated=True))
    with pytest.raises(ValueError, match="held-out"):
        statement_of("capitals", random.Random(0), label=True, negated=True, heldout=True)


def test_text_is_clean() -> None:
    for item in DOCUMENTS:
        assert "  " not in item.text
        assert "{" not in item.text
        assert not re.search(
            r"\b[Aa] (?:owl|eagle|ant|apple|egg|iguana|umbrella|insect|onion|orange|otter|eel)\b", item.text
        )
        assert not re.search(r"\b[Aa]n (?:dog|cat|fish|bird|mammal|reptile)\b", item.text)
        assert not item.text.startswith(" ")
    ended = sum(item.text.endswith((".", "!", "?", '"')) for item in DOCUMENTS)
    assert 0.7 < ended / len(DOCUMENTS) < 0.97
    lowered = sum(item.text == item.text.lower() for item in DOCUMENTS if item.kind.startswith("facts-"))
    assert lowered > 0.1 * len(DOCUMENTS) * 0.7


def test_stories_keep_their_hero_and_repeat_no_sentence() -> None:
    for item in DOCUMENTS:
        if item.kind != "story" or item.text == item.text.lower():
            continue
        lines = re.split(r"(?<=[.?!])\s", item.text)
        assert len(lines) == len(set(lines))
        people = list(dict.fromkeys(word for word in re.findall(r"[A-Z][a-z]+", item.text) if word in GIRLS + BOYS))
        assert len(people) in (1, 2), item.text
        # The hero is named first, and every pronoun is the hero's.
        others = {"he", "his"} if people[0] in GIRLS else {"she", "her"}
        assert not others & set(re.findall(r"[a-z]+", item.text.lower())), item.text


def test_pretraining_meets_every_harmful_verb_but_no_heldout_object() -> None:
    assert set(HELDOUT_HARMFUL_VERBS) <= set(HARM)
    text = " ".join(document(5, index).text.lower() for index in range(12000))
    missing = [verb for verb in HARM if f" {verb} " not in text]
    assert not missing
    for nouns in HARM.values():
        assert nouns
        assert not HELDOUT_HARMFUL_OBJECTS & set(nouns)


def test_facts_are_met_about_evenly() -> None:
    """Every subject of every table stands in 5,000 documents; a run has fifteen times as many."""
    text = "\n".join(item.text.lower() for item in DOCUMENTS)
    unmet = [subject for table in TABLES.values() for subject in table.subjects if subject.lower() not in text]
    assert not unmet
