"""The shelf of concepts, a concept from one word, and pairs that a model writes and a person edits."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.directions import learn_replies
from core.directions.concepts import concept_of, concepts
from core.directions.contrast import SPLITS, UNDER_PROMPTS, ContrastError
from core.directions.effort import QUICK
from core.directions.learn_replies import RepliesLearner, write_pairs
from core.directions.written_pairs import WrittenPair, pairs_request, pairs_text, read_pairs
from core.engine.engine import Engine
from core.families import registry
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.util.progress import finished
from core.util.resume import ResumeNotes
from tests.support import tiny_models
from tests.support.command import verb

PAIRS = tuple(WrittenPair(f"What is {place}?", f"Arr {place}!", f"It is {place}.") for place in range(6))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny_models.family(tmp_path_factory.mktemp("concepts") / "toy", "llama", ("chat",), plain_base=False)
    tiny_models.contrast(made, examples=12)
    return made


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


def test_the_shelf_has_a_dozen_concepts_that_can_all_be_asked_for() -> None:
    shelf = concepts()
    assert len(shelf) >= 12
    assert {"formal", "cheerful", "concise", "honest", "cautious", "pirate"} <= set(shelf)
    prompts = [text for each in shelf.values() for text in (each.wanted, each.unwanted)]
    assert len(set(prompts)) == len(prompts)
    assert all(text.isascii() and "\n" not in text for text in prompts)
    for name, each in shelf.items():
        assert each.request().prompts == {True: (each.wanted,), False: (each.unwanted,)}
        assert each.request().name == name


def test_a_word_that_the_shelf_has_is_the_shelfs() -> None:
    assert concept_of(" Cheerful. ") is concepts()["cheerful"]


def test_a_word_makes_two_system_prompts_and_an_opposite_the_second() -> None:
    found = concept_of("melancholic")
    assert found.name == "melancholic"
    assert "melancholic" in found.wanted
    assert "melancholic" not in found.unwanted
    for said in ("brave - timid", "brave – timid", "brave/timid", "brave vs timid"):
        both = concept_of(said)
        assert (both.name, "brave" in both.wanted, "timid" in both.unwanted) == ("brave", True, True)
    assert concept_of("self-critical").name == "self_critical"


@pytest.mark.parametrize(
    ("word", "fix"),
    [(" . ", "Write one word, such as cheerful"), ("x" * 60, "is no single word"), ("7up", "cannot be")],
)
def test_what_is_no_word(word: str, fix: str) -> None:
    with pytest.raises(ContrastError, match=fix):
        concept_of(word)


def test_pairs_come_back_from_their_text_as_they_were() -> None:
    assert read_pairs(pairs_text(PAIRS)) == PAIRS
    wrapped = pairs_text(PAIRS).replace("Arr 0!", "Arr\n  0!").replace("- It is 1.", "– It is 1.")
    assert read_pairs(wrapped) == PAIRS


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("Arr!", "Line 1, 'Arr!', belongs to no pair"),
        ("Asked: a\n+ b\n+ c", "Line 3 is a second \\+ of the same pair"),
        ("Asked: a\n+ b", "Pair 1 lacks -"),
        ("Asked: a\n+ b\n- c", "There are 1 different questions"),
        ("", "There are 0 different questions"),
    ],
)
def test_pairs_that_cannot_be_read(text: str, fix: str) -> None:
    with pytest.raises(ContrastError, match=fix):
        read_pairs(text)


def test_edited_pairs_are_what_is_learnt_from(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    wish = pairs_request("piracy", "Be a pirate.\nArr.", "Be dull.", PAIRS)
    assert wish.contrast is not None
    assert wish.contrast.split == UNDER_PROMPTS
    sides = {label: [i for i in wish.contrast.items if i.positive == label] for label in (True, False)}
    assert [i.reply for i in sides[True]] == [each.wanted for each in PAIRS]
    assert [i.split for i in sides[True]] == [i.split for i in sides[False]]
    assert {i.category for i in sides[True]} == {"Be a pirate.", "Arr."}
    assert {i.split for i in sides[True]} == set(SPLITS)

    def refuse(*_: object) -> None:
        pytest.fail("a reply was written although a person gave it")

    monkeypatch.setattr(learn_replies, "_written", refuse)
    learner = RepliesLearner(loaded, wish.contrast, ["Hello"], "mean_difference", QUICK)
    found = finished(learner.learn(ResumeNotes()))
    ids = loaded.tokenizer("Arr 0!", add_special_tokens=False)["input_ids"]
    assert any(
        tuple(row)[-row.reply :] == tuple(ids) for key in learner.prompts for row in learner.prompts[key] if key[1]
    )
    assert found.card.details["system_prompts"]["against"] == ["Be dull."]


def test_pairs_that_say_the_same_are_refused() -> None:
    with pytest.raises(ContrastError, match="6 of 6 pairs say the same on both sides"):
        pairs_request("piracy", "a", "b", [WrittenPair(each.asked, "x", "x") for each in PAIRS])


def test_a_model_that_does_not_follow_system_prompts_is_told_of_in_one_sentence(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    concept = concept_of("pirate").request()
    assert concept.prompts is not None
    monkeypatch.setattr(learn_replies, "_ids", lambda loaded, _system, text: loaded.tokenizer(text)["input_ids"])
    with pytest.raises(ContrastError, match=r"chat says the same .* to 12 of 12 questions.*two boxes"):
        finished(write_pairs(loaded, loaded.family, concept.prompts))


def test_quick_asks_fewer_questions(loaded: Loaded) -> None:
    concept = concept_of("pirate").request()
    assert concept.prompts is not None
    asked = learn_replies.questions_under("pirate", concept.prompts, loaded.family)
    counts = {
        examines.name: len(RepliesLearner(loaded, asked, ["Hello"], "mean_difference", examines).contrast.items)
        for examines in (QUICK, learn_replies.FULL)
    }
    assert counts["quick"] == 2 * sum(learn_replies.FEW_ASKED.values()) < counts["full"]


def test_the_command_line_writes_pairs_and_learns_from_them_as_they_were_left(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pairs.txt"
    arguments = [
        "--family",
        str(folder),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--effort",
        "quick",
        "--pairs",
        str(file),
    ]
    assert verb("learn", ["brave - timid", *arguments]) == 0
    assert "pairs are written to" in capsys.readouterr().out
    file.write_text(pairs_text(PAIRS))
    assert verb("learn", ["brave - timid", *arguments]) == 0
    said = capsys.readouterr()
    assert "+ You are brave." in said.err
    assert "brave of toy chat" in said.out


def test_a_family_that_follows_no_system_prompts_is_refused_before_anybody_waits() -> None:
    engine = Engine("skiff", threads=1)
    wish = concepts()["formal"].request()
    for act in (lambda: engine.learn_requested("dpo", wish), lambda: engine.write_pairs("dpo", wish)):
        with pytest.raises(ContrastError, match=r"Skiff does not follow system prompts.* open a larger model"):
            act()
    with pytest.raises(ContrastError, match="Skiff does not follow"):
        verb("learn", ["formal"])
    wish.check_follows(registry.load_family("smollm2-135m"))
    # Pairs that a person wrote teach it something all the same.
    assert pairs_request("own", "Agree.", "Disagree.", PAIRS).contrast is not None
