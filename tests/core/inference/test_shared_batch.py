"""Decoders of several people step together, and each says what it says alone, whenever others come and go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.chat.events import Done, Event, Token
from core.chat.settings import Sampling
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.prompts import chat_prompt
from core.inference.shared_batch import SharedBatch, beginnings, share
from core.models.loading import Loaded
from core.recipes.language import parse
from core.steering.interventions import RowEdit, compile_recipe
from core.steering.readings import projection

RECIPES = ("", "1.5*truth", "!refusal", "2*truth?refusal>0.5", "truth:reply=1")
MESSAGES = ("Hi", "What is the capital of France?", "True or false: Lodz is a city in Poland.", "A")


def edits(loaded: Loaded, recipe: str) -> tuple[RowEdit, ...]:
    def direction(name: str, _checkpoint: str) -> object:
        path = store.find_artefact(loaded.family.places, "chat", "direction", name)
        assert path is not None
        return load_direction(path)

    return compile_recipe(parse(recipe), loaded, direction)  # type: ignore[arg-type]


def decoder(loaded: Loaded, index: int, longest: int = 12, columns: int = 1) -> BatchDecoder:
    """One person's: a message, a recipe with its shadow, and a way of drawing, by a number."""
    speakers = []
    for column in range(columns):
        own = index + column
        sampling = Sampling(temperature=0.8 * (own % 2), seed=own, max_new_tokens=longest + own % 3)
        made = edits(loaded, RECIPES[own % len(RECIPES)])
        prompt = chat_prompt(loaded, MESSAGES[own % len(MESSAGES)])
        speakers.append(DecodingRow(column, prompt, made, sampling, shadow=bool(made)))
    path = store.find_artefact(loaded.family.places, "chat", "direction", "truth")
    assert path is not None
    return BatchDecoder(loaded, speakers, [projection(load_direction(path))])


def alone(decoders: Sequence[BatchDecoder]) -> list[list[Event]]:
    found: list[list[Event]] = [[] for _ in decoders]
    for events, each in zip(found, decoders, strict=True):
        while not each.done:
            events += each.step()
    return found


def together_now(batches: list[SharedBatch], decoders: Sequence[BatchDecoder]) -> list[SharedBatch]:
    """What comes next of decoders, computed in batches; gives those that are left."""
    shared = share(batches, decoders)
    for batch, members in shared:
        batch.step(members)
    return [batch for batch, _ in shared if batch.members]


def assert_same(found: Sequence[Event], expected: Sequence[Event]) -> None:
    """The same tokens, and readings within rounding."""
    for column in {event.column for event in expected if isinstance(event, Token)}:
        one, other = (
            [event for event in events if isinstance(event, Token) and event.column == column]
            for events in (found, expected)
        )
        assert [each.id for each in one] == [each.id for each in other]
        for mine, theirs in zip(one, other, strict=True):
            assert mine.reading.logprob == pytest.approx(theirs.reading.logprob, abs=1e-4)
            assert mine.reading.projections == pytest.approx(theirs.reading.projections, abs=1e-3)
            assert (mine.shadow is None) == (theirs.shadow is None)
            if mine.shadow is not None and theirs.shadow is not None:
                assert mine.shadow.logprob == pytest.approx(theirs.shadow.logprob, abs=1e-4)
    endings = [
        [(event.column, event.reason, event.tokens) for event in events if isinstance(event, Done)]
        for events in (found, expected)
    ]
    assert sorted(endings[0]) == sorted(endings[1])


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "neox"])
def test_everybody_says_what_he_says_alone(tiny_loaded: Callable[[str], Loaded], kind: str) -> None:
    loaded = tiny_loaded(kind)
    expected = alone([decoder(loaded, index, columns=1 + index % 2) for index in range(6)])
    decoders = [decoder(loaded, index, columns=1 + index % 2) for index in range(6)]
    found: list[list[Event]] = [[] for _ in decoders]
    batches: list[SharedBatch] = []
    together = read = 0
    while any(not each.done for each in decoders):
        batches = together_now(batches, [each for each in decoders if not each.done])
        together = max([together, *(len(batch.members) for batch in batches)])
        for members, work in beginnings(each for each in decoders if not each.done):
            read += len(members)
            work()
        for events, each in zip(found, decoders, strict=True):
            if not each.done:
                events += each.step()
    assert together == 6
    # The one that is steered behind a gate reads its prompts by itself.
    assert read == 5
    assert together_now(batches, []) == []
    for events, wanted in zip(found, expected, strict=True):
        assert_same(events, wanted)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=12), stopped=st.integers(0, 11))
def test_whoever_comes_and_goes_changes_nothing_for_the_others(
    tiny_loaded: Callable[[str], Loaded], turns: list[set[int]], stopped: int
) -> None:
    loaded = tiny_loaded("llama")
    expected = alone([decoder(loaded, index) for index in range(5)])
    decoders = [decoder(loaded, index) for index in range(5)]
    found: list[list[Event]] = [[] for _ in decoders]
    batches: list[SharedBatch] = []
    for place, turn in enumerate([*turns, *[set(range(5))] * 30]):
        if place == stopped and not decoders[4].done:
            found[4] += decoders[4].stop()
        active = [each for index, each in enumerate(decoders) if index in turn and not each.done]
        batches = together_now(batches, active)
        for _, work in beginnings(active):
            work()
        for index, each in enumerate(decoders):
            if each in active:
                found[index] += each.step()
    assert all(each.done for each in decoders)
    for index in range(4):
        assert_same(found[index], expected[index])
    said = [[event.id for event in events if isinstance(event, Token)] for events in (found[4], expected[4])]
    assert said[0] == said[1][: len(said[0])]


def test_a_recipe_that_changes_acts_from_the_next_token_on(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")

    def run(others: int) -> list[Event]:
        decoders = [decoder(loaded, index, longest=10) for index in (0, *range(1, 1 + others))]
        events: list[Event] = []
        batches: list[SharedBatch] = []
        for place in range(20):
            if place == 4:
                assert decoders[0].set_edits(0, edits(loaded, "-3*truth")) == 4
            batches = together_now(batches, [each for each in decoders if not each.done])
            for each in decoders:
                if not each.done:
                    said = each.step()
                    events += said if each is decoders[0] else []
        return events

    assert_same(run(3), run(0))


def test_more_rows_than_a_pass_takes_are_several_batches(
    tiny_loaded: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.inference.shared_batch.batch_rows", lambda _loaded: 3)
    loaded = tiny_loaded("llama")
    decoders = [decoder(loaded, 0) for _ in range(5)]
    for each in decoders:
        each.step()
    batches = together_now([], decoders)
    assert [len(batch.members) for batch in batches] == [3, 2]
    for each in decoders:
        each.step()
    decoders[0].stop()
    batches = together_now(batches, decoders[1:])
    assert [len(batch.members) for batch in batches] == [2, 2]
    assert all(len([e for e in each.step() if isinstance(e, Token)]) <= 1 for each in decoders[1:])


def test_models_that_keep_states_or_windows_step_alone(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("gemma2")
    decoders = [decoder(loaded, 0) for _ in range(2)]
    for each in decoders:
        each.step()
    assert share([], decoders) == []
    assert all(not each.done for each in decoders)


def test_a_long_chat_does_not_make_padding_of_the_others(
    tiny_loaded: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.inference.shared_batch._LITTLE", 0)
    loaded = tiny_loaded("llama")
    short = [decoder(loaded, 0) for _ in range(3)]
    prompt = chat_prompt(loaded, "long " * 60)
    long = BatchDecoder(loaded, [DecodingRow(0, prompt, sampling=Sampling(max_new_tokens=4))])
    for each in (*short, long):
        each.step()
    assert [len(members) for _, members in share([], [*short, long])] == [3]


def test_what_stands_in_the_way_of_a_batch_leaves_each_what_it_has(
    tiny_loaded: Callable[[str], Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny_loaded("llama")
    expected = alone([decoder(loaded, index) for index in range(2)])
    decoders = [decoder(loaded, index) for index in range(2)]
    found: list[list[Event]] = [each.step() for each in decoders]

    def full(_parts: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("core.inference.shared_batch.merged", full)
        ((batch, members),) = share([], decoders)
        with pytest.raises(RuntimeError):
            batch.step(members)
    for events, each, wanted in zip(found, decoders, expected, strict=True):
        while not each.done:
            events += each.step()
        assert_same(events, wanted)
