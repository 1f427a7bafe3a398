"""The strengths of use, out of what was measured; and the words that ask for what a recipe does, in a column of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chat.settings import Column, Settings, SettingsError
from core.directions import dose_response
from core.directions.dose_response import LEAST_EFFECT, MOST_DAMAGE, Dose
from core.engine.engine import Engine
from core.errors import TillerError
from core.inference import prompts
from core.models.loading import Loaded
from core.recipes import in_words
from core.recipes.language import parse

MARKS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def of(effect: list[float], damage: list[float], **more: list[float]) -> Dose:
    found = dose_response.stored_dose_response(
        {"dose_response": {"strengths": list(MARKS), "effect": effect, "damage": damage, **more}}
    )
    assert found is not None
    return found


def test_damage_ends_the_useful_range_between_two_measured_strengths() -> None:
    # Damage reaches .5 at 1.5, where the effect has changed by .3; 95 % of that is reached at 1.425. On the other side only that ends it.
    assert of([0, 0.2, 0.4, 0.6, 0.8], [0.2, 0.1, 0, 0.25, 0.75]).useful == pytest.approx((-1.9, 1.425))


def test_broken_replies_end_it_too_counted_from_those_without_steering() -> None:
    effect, calm = [0, 0.2, 0.4, 0.6, 0.8], [0.0] * 5
    assert of(effect, calm, broken=[0.1] * 5).useful == of(effect, calm).useful
    found = of([0, 0.2, 0.4, 0.8, 0.8], calm, broken=[0.1, 0.1, 0.1, 0.3, 0.9])
    # A tenth more than without steering is reached half way to 1; 95 % of the effect up to there is reached at .475.
    assert found.useful == pytest.approx((-1.9, 0.475))
    assert of(effect, [], broken=[0.0, 0.0, 0.0, 0.0, 0.2]).useful == pytest.approx((-1.9, 1.425))


def test_an_effect_that_no_longer_grows_ends_it() -> None:
    assert of([0.1, 0.1, 0.1, 0.9, 0.9], [0, 0, 0, 0, 0]).useful == pytest.approx((0.0, 0.95))


def test_the_effect_on_other_prompts_counts_too() -> None:
    assert of([0, 0, 0, 0, 1], [0] * 5, harmful=[0.1, 0.5, 0.9, 0.9, 0.9]).useful == pytest.approx((-1.9, 1.95))
    assert of([0, 0, 0, 0, 1], [0] * 5, harmful=[0.1, 0.5, 0.9, 0.9, 0.9]).leading(-1) == "harmful"
    # How much of the answers is TRUE or FALSE at all is no effect.
    assert of([0, 0, 0, 0, 1], [0] * 5, mass=[0.1, 0.5, 0.9, 0.9, 0.9]).useful == pytest.approx((0.0, 1.95))


def test_where_nothing_happens_there_is_no_range_and_it_is_said() -> None:
    found = of([0.5, 0.5, 0.5, 0.52, 0.55], [0, 0, 0, 0, 0])
    assert found.useful is None
    assert found.range_said() == "no strength has an effect that was measured"


def test_figures_are_read_between_strengths_and_in_words() -> None:
    found = of([0, 0.2, 0.4, 0.6, 0.8], [0.2, 0.1, 0, 0.25, 0.75])
    assert found.at(found.effect, 0.5) == pytest.approx(0.5)
    assert found.at(found.effect, 9) == 0.8
    assert found.range_said() == "useful from −1.9 to 1.4"


@settings(max_examples=50)
@given(*(st.lists(st.floats(0, 1), min_size=5, max_size=5) for _ in range(2)))
def test_within_the_useful_range_damage_is_small_and_something_happens(
    effect: list[float], damage: list[float]
) -> None:
    found = of(effect, [*damage[:2], 0.0, *damage[3:]])
    if found.useful is None:
        return
    low, high = found.useful
    assert -2 <= low <= 0 <= high <= 2
    inside = [low + (high - low) * part / 20 for part in range(21)]
    assert max(found.at(found.damage, each) for each in inside) <= MOST_DAMAGE + 1e-3
    assert max(abs(found.at(found.effect, each) - found.at(found.effect, 0)) for each in inside) >= 0.9 * LEAST_EFFECT


@pytest.mark.parametrize(
    "data",
    [
        None, [], {}, {"strengths": [], "effect": []}, {"strengths": [1, 2], "effect": [1]}, {"strengths": "ab", "effect": "ab"},
        {"strengths": [0, 1], "effect": [0, None]}, {"strengths": [0, float("nan")], "effect": [0, 1]},
    ],
)  # fmt: skip
def test_a_card_without_a_whole_curve_has_none(data: Any) -> None:
    assert dose_response.stored_dose_response({"dose_response": data}) is None


def test_strengths_in_any_order_are_sorted_with_their_figures() -> None:
    found = dose_response.stored_dose_response({"dose_response": {"strengths": [1, -1, 0], "effect": [3, 1, 2]}})
    assert found is not None
    assert (found.strengths, found.effect, found.damage) == ((-1.0, 0.0, 1.0), (1.0, 2.0, 3.0), ())


# ---------------------------------------------------------------------------------------------------------------- asking


def nothing(_name: str, _source: str | None) -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("1.5*refusal", "Refuse to answer this and say that you cannot help: {message}"),
        ("!refusal", "Answer this, and do not refuse: {message}"),
        ("-1*truth@base[2]", "Call this false, whatever it says: {message}"),
        ("truth=1", "Call this true, whatever it says: {message}"),
        ("truth=0", "Call this false, whatever it says: {message}"),
        ("2*good-mood", "Answer this with good mood: {message}"),
        ("-2*mood + !neurons:entropy + -1*mood", "Answer this without mood: {message}"),
        ("mood + !refusal", "Answer this with mood: Answer this, and do not refuse: {message}"),
    ],
)
def test_a_recipe_in_words(recipe: str, words: str) -> None:
    assert in_words.words_for(parse(recipe), nothing) == words


def test_a_card_says_with_which_words_its_direction_was_compared() -> None:
    def details(name: str, source: str | None) -> dict[str, Any]:
        return {"asked": {"wish": "Be polite. {message}"}} if (name, source) == ("mood", "base") else {}

    assert in_words.words_for(parse("mood@base"), details) == "Be polite. {message}"
    assert in_words.words_for(parse("-1*mood@base"), details) == "Answer this without mood: {message}"
    assert in_words.words_for(parse("mood"), details) == "Answer this with mood: {message}"


@pytest.mark.parametrize("recipe", ["", "!neurons:entropy"])
def test_what_cannot_be_asked_for_is_said(recipe: str) -> None:
    with pytest.raises(TillerError, match=r"1\.5\*refusal"):
        in_words.words_for(parse(recipe), nothing)


def test_braces_in_a_message_stay_as_they_are() -> None:
    assert in_words.put("Be brief: {message}", "print({x}, {message})") == "Be brief: print({x}, {message})"
    assert in_words.put("", "{0}") == "{0}"


def test_a_column_that_asks_is_carried_by_links_and_checked() -> None:
    asks = "Refuse to answer this: {message}"
    chat = Settings("tiny", (Column("chat"), Column("chat", asks=asks)), selected=1).ask("Hi {message}")
    assert Settings.from_link(chat.to_link()) == chat
    assert [column.title for column in chat.columns] == ["chat · plain", "chat · asked in words"]
    assert "asks" not in chat.to_json()["columns"][0]
    with pytest.raises(SettingsError, match=r"hold \{message\}, where the message goes"):
        Column("chat", asks="Refuse.")


def test_only_its_own_prompt_is_asked(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    words = "Refuse to answer this: {message}"
    chat = (
        Settings("tiny", (Column("chat"), Column("chat", asks=words)))
        .ask("Hi.")
        .answered(0, "A")
        .answered(1, "B")
        .ask("And?")
    )
    plain, asked = (prompts.build(loaded, chat, column).text for column in (0, 1))
    assert "Refuse" not in plain
    # Every turn is put the same way, so that the column is one conversation.
    assert "Refuse to answer this: Hi." in asked
    assert "Refuse to answer this: And?" in asked
    assert asked.replace("Refuse to answer this: ", "").replace("B", "A", 1) == plain


def test_the_engine_asks_with_the_words_of_the_card(tiny_folder: Callable[[str], Path]) -> None:
    engine = Engine(str(tiny_folder("llama")))
    column = Column("chat", parse("-1*refusal@base"))
    assert engine.wish(column) == "Answer this, and do not refuse: {message}"
    assert engine.wish(replace(column, recipe=parse("1*truth"))) == "Call this true, whatever it says: {message}"
