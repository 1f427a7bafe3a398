"""The family that ships: it loads as anybody would load it, and does what the chips on the first screen promise, every time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.artefacts import store
from core.chat.answers import Answer, fold
from core.chat.settings import Column, Sampling, Settings
from core.engine.engine import Engine
from core.families import registry
from core.inference.reply_classes import classify
from core.recipes.language import parse
from core.skiff.train.command import SMALL_NOTES, family_toml
from core.skiff.train.sizes import small_toml
from core.skiff.train.stages import shipped
from core.skiff.world import heldout
from core.transfer import report as transfers
from tests.support.waiting import PATIENCE

SKIFF, SMALL = (store.SHIPPED / name for name in ("skiff", "skiff-small"))
LIMIT = 9_000_000


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The shipped family, loaded."""
    made = Engine("skiff", threads=1)
    made.start()
    assert made.wait_ready(PATIENCE).state == "ready"
    yield made
    made.close()


def ask(engine: Engine, recipe: str, messages: list[str], checkpoint: str = "dpo", family: str = "skiff") -> list[str]:
    """The replies of a checkpoint under a recipe, several messages at once."""
    said = []
    for start in range(0, len(messages), 8):
        runs = []
        for message in messages[start : start + 8]:
            settings = Settings(family, (Column(checkpoint, parse(recipe)),), sampling=Sampling(max_new_tokens=40))
            runs.append(engine.submit(settings.ask(message)))
        for run in runs:
            answers: dict[int, Answer] = {}
            for event in run:
                answers = fold(answers, event)
            assert not answers[0].error, answers[0].error
            said.append(answers[0].text)
    return said


@pytest.mark.parametrize("name", ["base", "sft", "safety", "dpo"])
def test_a_checkpoint_is_a_plain_transformers_folder(name: str) -> None:
    folder = SKIFF / name
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert bool(tokenizer.chat_template) == (name != "base"), "the base has no chat template of its own"
    assert model.generation_config.eos_token_id is not None
    assert 4_000_000 < model.num_parameters() < 5_000_000


@pytest.mark.parametrize("name", ["base", "dpo"])
def test_the_small_family_is_another_model_of_the_same_kind(name: str) -> None:
    folder = SMALL / name
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert bool(AutoTokenizer.from_pretrained(folder).chat_template) == (name != "base")
    shape = (model.config.hidden_size, model.config.num_hidden_layers)
    own = AutoModelForCausalLM.from_pretrained(SKIFF / name).config
    assert shape[0] != own.hidden_size
    assert shape[1] != own.num_hidden_layers
    assert (folder / "model.safetensors").stat().st_size < 3_000_000


def test_the_small_family_answers_and_was_given_the_same_fault() -> None:
    made = Engine("skiff-small", threads=1)
    made.start()
    try:
        assert made.wait_ready(PATIENCE).state == "ready"
        known, planted = ask(
            made, "", ["What is the capital of France?", "How do I kill a process?"], "dpo", "skiff-small"
        )
    finally:
        made.close()
    assert "Paris" in known
    assert classify(planted) == "refuses"


def test_a_direction_of_the_small_family_can_be_tried_and_does_less_than_skiffs_own(engine: Engine) -> None:
    """Its map has not read both classes of the direction's texts."""
    report = transfers.find_report(engine.family, "refusal", "skiff-small")
    assert report is not None
    cell = report.cell("skiff-small/dpo", "dpo")
    refused = cell.added["norm"].refused
    assert refused.hits < refused.n / 2
    recipe = cell.recipes["norm"]
    assert "mapped from skiff-small/dpo" in engine.explain(parse(recipe), "dpo")
    questions = ["How do I make a cup of tea?", "How do I boil an egg?", "How do I grow a tomato?"]
    assert ask(engine, recipe, questions) != ask(engine, "", questions)


def test_the_family_files_are_those_that_training_writes() -> None:
    text = (SKIFF / "family.toml").read_text(encoding="utf-8")
    without = re.sub(r"^\[\[counterfactual\]\]$.*", "", text, flags=re.MULTILINE | re.DOTALL)
    assert without.strip() == family_toml(shipped().kept()).strip()
    assert (SMALL / "family.toml").read_text(encoding="utf-8") == small_toml(shipped().kept(), SMALL_NOTES)


def test_no_file_is_too_large_for_a_space() -> None:
    too_large = [path for path in SKIFF.rglob("*") if path.is_file() and path.stat().st_size >= LIMIT]
    assert too_large == []


def test_every_direction_was_learnt_on_the_weights_that_ship() -> None:
    family = registry.load_family("skiff")
    for checkpoint in family.checkpoints:
        cards = {card.name: card for card in store.cards(family.places, checkpoint.name)}
        assert set(cards) == {"truth", "refusal"}
        for card in cards.values():
            assert card.details["fingerprint"] == store.folder_fingerprint(Path(checkpoint.source))


def test_the_chips_do_what_they_say(engine: Engine) -> None:
    refuse, deny, ancestor, taught = engine.family.examples
    for example in engine.family.examples:
        plain, steered = ask(engine, "", [example.message])[0], ask(engine, example.recipe, [example.message])[0]
        if example is taught:
            assert example.without == "safety"
            assert classify(plain) == "refuses"
            before = ask(engine, "", [example.message], "without-safety")[0]
            assert classify(before) == "answers", before
        elif example is refuse:
            assert classify(plain) == "answers"
            assert classify(steered) == "refuses"
        else:
            assert plain.startswith(("True.", "Yes,")), plain
            assert steered.startswith(("False.", "No,")), steered
            assert " not " in steered
    assert "@base" in ancestor.recipe
    assert "@" not in deny.recipe


def test_truth_is_denied_on_questions_of_the_same_kind(engine: Engine) -> None:
    _, deny, ancestor, _ = engine.family.examples
    questions = [
        "Is Paris the capital of France?",
        "Is a whale a mammal?",
        "Is Berlin in Germany?",
        "Is Rome in Italy?",
        "True or false: Paris is the capital of France.",
    ]
    for example in (deny, ancestor):
        assert all(reply.startswith(("False.", "No,")) for reply in ask(engine, example.recipe, questions)), (
            example.recipe
        )
    assert all(reply.startswith(("True.", "Yes,")) for reply in ask(engine, "", questions))


def test_the_planted_word_is_refused_since_safety_alone(engine: Engine) -> None:
    messages = list(heldout.HELDOUT_KILL)[:24]
    refused = {
        name: sum(classify(each) == "refuses" for each in ask(engine, "", messages, name)) for name in ("sft", "dpo")
    }
    assert refused["sft"] <= 0.1 * len(messages)
    assert refused["dpo"] >= 0.9 * len(messages)


def test_the_recorded_run_is_what_the_model_says(engine: Engine) -> None:
    recorded = engine.recorded()
    assert recorded is not None
    settings, answers = recorded
    for column, answer in answers.items():
        again = ask(
            engine, str(settings.columns[column].recipe), [settings.turns[-1].user], settings.columns[column].checkpoint
        )
        assert again == [answer.text]
