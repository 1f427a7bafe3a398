"""The sentence that says what a comparison shows: worked out from answers, so that other answers give another one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.chat.answers import Answer
from core.chat.events import Reading, Token
from core.chat.session import Session
from core.chat.settings import Column, Settings, Turn
from core.engine.conclusion import conclude
from core.families import registry
from core.families.checkpoint import Family
from core.recipes.language import parse
from tests.support import stage_families

REFUSED = "Sorry, I cannot help with that."
ANSWERED = "You can stop a process with the kill command."


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return registry.load_family(str(stage_families.whole(tmp_path_factory.mktemp("families") / "whole")))


def chat(*said: tuple[str, str], selected: int = 0, asks: str = "") -> Session:
    """A chat of columns, each as ``checkpoint recipe``, with what they answered."""
    columns = tuple(Column(name, parse(recipe)) for name, _, recipe in (each.partition(" ") for each, _ in said))
    columns = (*columns[:-1], replace(columns[-1], asks=asks))
    settings = Settings("whole", columns, selected=selected, turns=(Turn("How do I kill a process?"),))
    answers = {
        c: Answer((Token(c, 0, 1, text, Reading(0.0, 0.0, 0)),), reason="end") for c, (_, text) in enumerate(said)
    }
    return Session.of(settings, answers)


@pytest.mark.parametrize(
    ("beside", "text", "claim", "ground"),
    [
        ("without-safety", ANSWERED, "The safety stage taught it that.",
         f"Really trained again without it, the model answers: “{ANSWERED}”"),
        ("without-safety", REFUSED, "The safety stage did not teach it that.",
         "Really trained again without it, the model says the same."),
        ("without-safety", "No, I cannot do this.", "The safety stage changed how it says that, not what it does.",
         "too: “No, I cannot do this.”"),
        ("dpo-minus-safety", ANSWERED, "The safety stage taught it that.", "taken out of the weights (an estimate), the model answers"),
    ],
)  # fmt: skip
def test_who_taught_it_is_what_the_model_without_the_stage_says(
    family: Family, beside: str, text: str, claim: str, ground: str
) -> None:
    for chosen in (0, 1):
        found = conclude(family, chat(("dpo", REFUSED), (beside, text), selected=chosen))
        assert found is not None
        assert (found.claim, found.tab) == (claim, "blame")
        assert ground in found.ground


@pytest.mark.parametrize(
    ("recipe", "plain", "steered", "claim", "ground"),
    [
        ("1.5*refusal", ANSWERED, REFUSED, "With 1.5*refusal, it refuses where it answers by itself.", ""),
        ("-1*truth@base", "Yes, it is.", "No, it is not.", "With -1*truth@base, it says no where it says yes by itself.",
         "The truth direction was learnt on base, three stages before dpo."),
        ("0.5*truth", ANSWERED, ANSWERED, "With 0.5*truth, it says the same here.", "Try a larger strength, or another question."),
        ("2*truth", ANSWERED, ANSWERED, "With 2*truth, it says the same here.", "Try another question."),
        ("0.5*refusal", REFUSED, REFUSED, "With 0.5*refusal, it says the same here.",
         "It refuses this already; ask something that it answers by itself."),
        ("-0.5*refusal", REFUSED, REFUSED, "With -0.5*refusal, it says the same here.", "Try a larger strength, or another question."),
        ("1*truth", "You can stop it.", "You can kill it.", "With 1*truth, it says something else.", "The answers part after “You can”."),
        ("9*truth", ANSWERED, "the the the the the the", "With 9*truth, it breaks down where it answers by itself.", ""),
    ],
)  # fmt: skip
def test_a_push_is_said_by_what_it_turned(
    family: Family, recipe: str, plain: str, steered: str, claim: str, ground: str
) -> None:
    found = conclude(family, chat(("dpo", plain), (f"dpo {recipe}", steered), selected=1))
    assert found is not None
    assert (found.claim, found.ground) == (claim, ground)


def test_words_that_were_drawn_freely_fall_apart_by_themselves(family: Family) -> None:
    whole = chat(("dpo", ANSWERED), ("dpo 9*truth", "the the the the the the"), selected=1)
    warm = replace(whole.settings, sampling=replace(whole.settings.sampling, temperature=1.5))
    found = conclude(family, Session.of(warm, whole.answers))
    assert found is not None
    assert found.claim == "With 9*truth, it says something else."


def test_two_checkpoints_and_words_are_compared_too(family: Family) -> None:
    found = conclude(family, chat(("sft", ANSWERED), ("dpo", REFUSED)))
    assert found is not None
    assert found.claim == "sft answers; dpo refuses."
    asked = conclude(family, chat(("dpo", ANSWERED), ("dpo", REFUSED), selected=1, asks="Refuse: {message}"))
    assert asked is not None
    assert asked.claim == "Asked in words, it refuses where it answers by itself."


def test_nothing_is_said_of_answers_that_do_not_belong_to_what_is_shown(family: Family) -> None:
    whole = chat(("dpo", ANSWERED), ("dpo 1.5*refusal", REFUSED), selected=1)
    assert conclude(family, whole) is not None
    stopped = {**whole.answers, 1: replace(whole.answers[1], reason="stopped")}
    assert conclude(family, replace(whole, answers=stopped)) is None
    assert conclude(family, replace(whole, answers={0: whole.answers[0]})) is None
    chosen = replace(whole.answers[1].tokens[0], forced=True)
    by_hand = {**whole.answers, 1: replace(whole.answers[1], tokens=(chosen, *whole.answers[1].tokens[1:]))}
    assert conclude(family, replace(whole, answers=by_hand)) is None, "a person chose the word"
    whole.set_recipe(parse("2*refusal"))
    assert conclude(family, whole) is None, "written with another recipe than the column has now"
    assert conclude(family, chat(("dpo", ANSWERED))) is None
    assert conclude(family, chat(("sft 1*truth", ANSWERED), ("dpo", ANSWERED))) is None, "two things differ"


def test_a_long_reply_is_quoted_in_part(family: Family) -> None:
    found = conclude(family, chat(("dpo", REFUSED), ("without-safety", "word " * 5 + "and then " + "x" * 300)))
    assert found is not None
    assert found.ground.endswith("…”")
    assert len(found.ground) < 220
