"""People who chat with one checkpoint at the same time share its passes; what one says, does or breaks is nothing to the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.chat.events import Event, Failed, RecipeChanged, Token
from core.engine.engine import Engine
from core.inference import shared_batch
from core.recipes.language import parse
from tests.core.engine.test_engine import answers, chat, engine, folder, ids, until_end  # noqa: F401 (fixtures)
from tests.support.waiting import answers_held

RECIPES = ("", "1.5*truth", "-1*truth", "!refusal", "1*truth + -0.5*refusal")


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of every pass for several decoders, how many they were."""
    found: list[int] = []
    forward = shared_batch.SharedBatch.foresee

    def foresee(batch: shared_batch.SharedBatch) -> None:
        found.append(len(batch.members))
        forward(batch)

    monkeypatch.setattr(shared_batch.SharedBatch, "foresee", foresee)
    return found


def test_runs_share_passes_and_say_what_they_say_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    asked = [chat(engine, recipe, message=f"What is {place}?", seed=place) for place, recipe in enumerate(RECIPES)]
    alone = [ids(until_end(engine.submit(each))) for each in asked]
    passes = counted(monkeypatch)
    with answers_held(0):
        runs = [engine.submit(each) for each in asked]
    assert [ids(until_end(run)) for run in runs] == alone
    assert max(passes) == len(RECIPES)


def test_a_recipe_that_changes_on_the_way_does_so_at_the_token_that_is_named(engine: Engine) -> None:  # noqa: F811
    asked, other = chat(engine, "", message="Hello"), chat(engine, "1*truth", message="What is bread?")

    def changed(beside: bool) -> list[Event]:
        with answers_held(0):
            run = engine.submit(asked)
            second = engine.submit(other) if beside else None
            run.set_recipe(0, parse("-2*truth"))
        events = until_end(run)
        if second is not None:
            assert ids(until_end(second)) == ids(until_end(engine.submit(other)))
        return events

    one, both = changed(False), changed(True)
    assert ids(one) == ids(both)
    joins = [[event.index for event in events if isinstance(event, RecipeChanged)] for events in (one, both)]
    assert joins[0] == joins[1]
    assert len(joins[0]) == 1


def test_whoever_leaves_changes_nothing_for_the_others(engine: Engine) -> None:  # noqa: F811
    asked = [chat(engine, recipe, message="Tell me of towns", max_new_tokens=40) for recipe in RECIPES[:3]]
    alone = [ids(until_end(engine.submit(each))) for each in asked[:2]]
    runs = [engine.submit(each) for each in asked]
    next(event for event in runs[2] if isinstance(event, Token))
    runs[2].cancel()
    assert [ids(until_end(run)) for run in runs[:2]] == alone
    assert answers(until_end(runs[2]))[0].reason in ("stopped", "length", "end")


def test_what_breaks_is_said_to_those_whom_it_concerns(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    asked = [chat(engine, recipe) for recipe in RECIPES[:2]]
    forward: Callable[..., Any] = shared_batch.forward_rows

    def broken(*given: Any, **more: Any) -> Any:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(shared_batch, "forward_rows", broken)
    with answers_held(0):
        runs = [engine.submit(each) for each in asked]
    for run in runs:
        assert isinstance(until_end(run)[-1], Failed)
    monkeypatch.setattr(shared_batch, "forward_rows", forward)
    assert answers(until_end(engine.submit(asked[0])))[0].reason is not None


def test_readings_come_without_a_shadow_where_nobody_asks_for_it(engine: Engine) -> None:  # noqa: F811
    asked = chat(engine, "1*truth")
    plain, read = until_end(engine.submit(asked, shadows=False)), until_end(engine.submit(asked))
    assert ids(plain) == ids(read)
    assert all(event.shadow is None for event in plain if isinstance(event, Token))
    assert all(event.shadow is not None for event in read if isinstance(event, Token))


def test_an_engine_goes_on_when_rows_cannot_be_put_together(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    asked = [chat(engine, recipe) for recipe in RECIPES[:2]]

    def full(_parts: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(shared_batch, "merged", full)
        with answers_held(0):
            runs = [engine.submit(each) for each in asked]
        for run in runs:
            assert isinstance(until_end(run)[-1], Failed)
    assert answers(until_end(engine.submit(asked[0])))[0].reason is not None
    assert engine.call(lambda worker: worker.answering._batches).result(60) == []
