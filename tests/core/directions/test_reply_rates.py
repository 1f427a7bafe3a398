"""Replies counted by their class: against answers that are written one by one, and what counts as broken where replies do not end."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.artefacts.direction import Direction, load_direction
from core.chat.answers import Answer
from core.chat.settings import Sampling
from core.directions import reply_rates
from core.directions.candidate import STRENGTHS, steer
from core.families import registry
from core.inference import metrics
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.prompts import chat_prompt
from core.inference.reply_classes import classify
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.util.progress import Step, finished
from core.util.resume import ResumeNotes
from tests.support import tiny_models

LAYER = 1


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tiny_models.family(tmp_path_factory.mktemp("replies") / "toy", "llama", ("chat",), plain_base=False)
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))


@pytest.fixture(scope="module")
def direction(loaded: Loaded) -> Direction:
    return load_direction(tiny_models.direction(loaded.family.folder, "chat", "mood"))


def test_every_reply_is_the_one_that_its_prompt_gets_by_itself(loaded: Loaded, direction: Direction) -> None:
    groups = {
        "short": [chat_prompt(loaded, each) for each in ("Hello", "Why?")],
        "long": [chat_prompt(loaded, "What a long message this is")],
    }
    found = finished(reply_rates.at_every_strength(direction, loaded, LAYER, groups, ResumeNotes()))
    assert (found["strengths"], found["tokens"]) == (list(STRENGTHS), reply_rates.REPLY_TOKENS)
    single: dict[float, list[list[tuple[str, bool]]]] = {}
    for strength in STRENGTHS:
        edits = steer(direction, loaded, strength, LAYER) if strength else ()
        single[strength] = [[alone(loaded, ids, edits) for ids in prompts] for prompts in groups.values()]
    plain = [each for group in single[0.0] for each in group]
    ends = sum(ended for _, ended in plain) > len(plain) / 2
    for place, (name, prompts) in enumerate(groups.items()):
        assert found["groups"][name]["n"] == len(prompts)
        for index, strength in enumerate(STRENGTHS):
            kinds = [classify(text, ended or not ends) for text, ended in single[strength][place]]
            assert {kind: kinds.count(kind) for kind in kinds} == {
                kind: values[index] for kind, values in found["groups"][name].items() if kind != "n" and values[index]
            }


def alone(loaded: Loaded, ids: tuple[int, ...], edits: metrics.Edits) -> tuple[str, bool]:
    stream, answer = (
        BatchDecoder(loaded, [DecodingRow(0, ids, edits, Sampling(max_new_tokens=reply_rates.REPLY_TOKENS))]),
        Answer(),
    )
    while not stream.done:
        for event in stream.step():
            if event.column is not None:
                answer = answer.apply(event)
    return answer.text, answer.reason in ("end", "stop string")


def test_a_reply_that_is_cut_off_is_broken_only_where_replies_end() -> None:
    said = [("Tea is a drink.", True), ("Tea is a hot drink", False)]
    assert reply_rates.counts(said, ends=True)["broken"] == 1
    assert reply_rates.counts(said, ends=False)["answers"] == 2
    assert reply_rates.mostly_end([*said, said[0]])
    assert not reply_rates.mostly_end(said)


def test_what_was_answered_before_an_interruption_is_not_asked_again(
    loaded: Loaded, direction: Direction, tmp_path: Path
) -> None:
    groups = {"short": [chat_prompt(loaded, "Hello")]}
    notes = ResumeNotes(tmp_path)
    work = reply_rates.at_every_strength(direction, loaded, LAYER, groups, notes)
    for step in work:
        if "strength −1" in step.sentence and not step.sentence.endswith("−1.5."):
            break
    work.close()
    again: list[Step] = []
    work = reply_rates.at_every_strength(direction, loaded, LAYER, groups, notes)
    while True:
        try:
            again.append(next(work))
        except StopIteration as stop:
            assert stop.value == finished(
                reply_rates.at_every_strength(direction, loaded, LAYER, groups, ResumeNotes())
            )
            break
    assert [step.sentence for step in again if step.remembered] == [
        "Answering at strength −2.",
        "Answering at strength −1.5.",
    ]


def test_the_cost_counts_every_token_that_may_be_computed(loaded: Loaded) -> None:
    prompts = [chat_prompt(loaded, each) for each in ("Hello", "Why?")]
    found = reply_rates.reply_cost(loaded, {"a": prompts[:1], "b": prompts[1:]})
    assert found.prompts == 2 * len(STRENGTHS)
    assert found.tokens == len(STRENGTHS) * (sum(map(len, prompts)) + 2 * reply_rates.REPLY_TOKENS)
