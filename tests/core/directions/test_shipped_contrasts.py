"""The contrast sets that ship for every family: enough examples, balanced, split by whole categories, in one register."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from core.artefacts.store import SHIPPED
from core.directions import contrast
from core.directions.contrast import SPLITS, ContrastItem, ContrastSet

FOLDER = SHIPPED / "contrast"
LONGEST = 90
#: The sentences that instructions stand in: every aim in two of them, harmful and harmless aims in the same ones.
FRAMES = (
    "Tell me how to {}.",
    "How do I {}?",
    "Give me instructions to {}.",
    "Explain how one can {}.",
    "Help me {}.",
    "What is the best way to {}?",
    "Write a short guide on how to {}.",
    "I want to {}. What do I do first?",
    "Show me an easy way to {}.",
    "Which steps do I need to {}?",
)


def shipped(name: str) -> ContrastSet:
    return contrast.read_contrast(FOLDER / f"{name}.csv")


@pytest.mark.parametrize("name", ["truth", "refusal"])
def test_texts_are_short_plain_and_never_twice(name: str) -> None:
    texts = [item.text for item in shipped(name).items]
    assert len({text.lower() for text in texts}) == len(texts)
    for text in texts:
        assert text.isascii()
        assert text.isprintable()
        assert 8 < len(text) <= LONGEST
        assert text[0].isupper()
        assert text[-1] in ".?"
        assert "  " not in text
        assert "{" not in text
        assert "*" not in text


@pytest.mark.parametrize("name", ["truth", "refusal"])
def test_no_category_is_in_two_splits_and_each_is_balanced(name: str) -> None:
    splits, classes = defaultdict(set), Counter[tuple[str, bool]]()
    for item in shipped(name).items:
        splits[item.category].add(item.split)
        classes[item.category, item.positive] += 1
    assert all(len(each) == 1 for each in splits.values())
    assert {next(iter(each)) for each in splits.values()} == set(SPLITS)
    assert all(classes[category, True] == classes[category, False] for category in splits)


def test_every_example_is_in_a_group_that_has_as_much_of_either_class() -> None:
    for name, of_each in (("truth", 4), ("refusal", 12)):
        groups = defaultdict(list)
        for item in shipped(name).items:
            groups[item.belongs].append(item)
        assert all(kind == "group" for kind, _ in groups)
        assert {len(each) for each in groups.values()} == {of_each}
        assert all(sum(item.positive for item in each) == of_each // 2 for each in groups.values())
        assert all(len({item.split for item in each}) == 1 for each in groups.values()), "none is in two splits"


def test_groups_do_not_change_what_a_set_is_known_by(tmp_path: Path) -> None:
    """Directions that were learnt before sets had groups stay those of the set."""
    rows = list(csv.reader((FOLDER / "truth.csv").open(encoding="utf-8", newline="")))
    with (tmp_path / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(row[:4] for row in rows)
    bare = contrast.read_contrast(tmp_path / "truth.csv")
    assert bare.digest == shipped("truth").digest
    assert {item.belongs[0] for item in bare.items} == {"text"}


def test_there_are_enough_statements_of_enough_kinds() -> None:
    items = shipped("truth").items
    assert len(items) >= 400
    assert len({item.category for item in items}) >= 6
    assert all(sum(item.category == each for item in items) >= 40 for each in {item.category for item in items})


def denied(item: ContrastItem) -> bool:
    return " not " in item.text


def test_every_kind_is_denied_as_often_as_it_is_said_and_that_tells_nothing_of_its_truth() -> None:
    count = Counter((item.category, denied(item), item.positive) for item in shipped("truth").items)
    for category in {category for category, _, _ in count}:
        assert len({count[category, no, true] for no in (True, False) for true in (True, False)}) == 1


def test_a_denial_has_the_other_label_than_what_it_denies() -> None:
    labels = {item.text: item.positive for item in shipped("truth").items}
    said = {"is not": "is", "does not mean": "means", "was not invented": "was invented", "does not have": "has",
            "does not come": "comes", "does not pump": "pumps", "does not move": "moves", "do not need": "need"}  # fmt: skip
    found = 0
    for text, true in labels.items():
        for no, yes in said.items():
            if no in text:
                assert labels[text.replace(no, yes)] != true
                found += 1
    assert found == sum(" not " in text for text in labels)


def test_an_answer_tells_nothing_by_itself() -> None:
    """What a sentence ends with is as often right as wrong, in most kinds: a direction must not learn the words."""
    for category in ("cities", "elements", "spanish", "inventions"):
        ends = defaultdict(Counter)
        for item in shipped("truth").items:
            if item.category == category and not denied(item):
                ends[item.text.rstrip(".").split()[-1]][item.positive] += 1
        assert all(each[True] == each[False] for each in ends.values())


def test_numbers_say_which_is_larger() -> None:
    ones = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    value = {word: number for number, word in enumerate(ones.split(), 1)}
    value |= {word: number for number, word in zip(range(20, 100, 10), tens.split(), strict=True)}

    def number(word: str) -> int:
        return sum(value[part] for part in word.lower().split("-"))

    right = Counter[str]()
    for item in shipped("truth").items:
        if item.category == "numbers":
            words = item.text.rstrip(".").split()
            larger = number(words[0]) > number(words[-1])
            assert item.positive == ((larger == ("larger" in words)) != denied(item))
            right["larger" in words] += item.positive
    assert right[True] == right[False]


def test_there_are_enough_instructions_of_both_kinds() -> None:
    items = shipped("refusal").items
    count = Counter((item.split, item.positive) for item in items)
    assert sum(item.positive for item in items) >= 256
    assert sum(not item.positive for item in items) >= 256
    assert all(count[split, True] == count[split, False] >= 48 for split in SPLITS)


def test_harm_and_no_harm_stand_in_the_same_sentences_about_the_same_things() -> None:
    def frame_of(text: str) -> tuple[str, str]:
        """The sentence that a text stands in, and the aim that is put into it."""
        for frame in FRAMES:
            before, after = frame.split("{}")
            if text.startswith(before) and text.endswith(after):
                return frame, text[len(before) : -len(after)]
        raise AssertionError(f"{text!r} stands in none of the frames")

    frames = {label: Counter[tuple[str, str]]() for label in (True, False)}
    aims = Counter[tuple[str, str]]()
    for item in shipped("refusal").items:
        frame, aim = frame_of(item.text)
        frames[item.positive][item.category, frame] += 1
        aims[item.category, aim] += 1
        assert item.category in item.text or item.category + "s" in item.text
    assert frames[True] == frames[False]
    assert set(aims.values()) == {2}


def test_a_harmful_line_names_an_aim_and_no_way_to_it() -> None:
    """Short, one sentence (or its want before the question), no numbers, no links, nothing that could be followed."""
    for item in shipped("refusal").items:
        assert len(item.text.split()) <= 17
        assert not any(character.isdigit() or character in ":;/()" for character in item.text)
        assert item.text.count(".") + item.text.count("?") <= 2


def test_a_family_without_its_own_gets_these() -> None:
    from core.families import registry

    class Bare:
        name, folder = "bare", SHIPPED / "no-such-family"

    for name in ("truth", "refusal"):
        assert contrast.load_contrast(Bare(), name) == shipped(name)  # type: ignore[arg-type]
    assert contrast.load_contrast(registry.load_family("skiff"), "truth") != shipped("truth")
