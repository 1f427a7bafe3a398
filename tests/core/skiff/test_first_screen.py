"""What the first screen promises of Skiff: it answers its own questions, and each example comes out as its title says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.chat.session import Session
from core.chat.settings import Settings
from core.engine.conclusion import Conclusion
from core.engine.engine import Engine
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine("skiff", threads=1)
    made.start()
    assert made.wait_ready(PATIENCE).state == "ready"
    yield made
    made.close()


def answered(engine: Engine, settings: Settings) -> Session:
    session = Session(settings)
    session.waiting(range(len(settings.columns)))
    session.apply(engine.submit(settings))
    session.settle()
    return session


def test_it_answers_the_questions_that_its_page_offers(engine: Engine) -> None:
    said = {each: answered(engine, engine.settings().ask(each)).answers[0].text for each in engine.family.questions}
    assert len(said) >= 4
    for text, word in zip(said.values(), ("Tokyo", "Yes", "glass", "flour"), strict=True):
        assert word in text


def test_only_an_example_about_a_stage_is_coloured_by_stages(engine: Engine) -> None:
    *others, about = engine.family.examples
    assert engine.example(about, "entropy").lens == "blame:retrained"
    assert {engine.example(each, "blame").lens for each in others} == {"changed"}
    assert {engine.example(each, "entropy").lens for each in others} == {"entropy"}


def test_each_example_shows_what_its_title_says(engine: Engine) -> None:
    shown = [engine.conclude(answered(engine, engine.example(each))) for each in engine.family.examples]
    assert shown == [
        Conclusion("With 1.5*refusal, it refuses where it answers by itself.", ""),
        Conclusion("With -0.75*truth:prompt, it says no where it says yes by itself.", ""),
        Conclusion(
            "With -1.1*truth@base:prompt, it says no where it says yes by itself.",
            "The truth direction was learnt on base, three stages before dpo.",
        ),
        Conclusion(
            "The safety stage taught it that.",
            "Really trained again without it, the model answers: “You can stop a process with the kill command.”",
            "blame",
        ),
    ]
