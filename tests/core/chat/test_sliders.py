"""Sliders over recipes: which term each one moves, what it remembers while it stands at 0, and by which steps it goes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from core.chat.answers import Answer
from core.chat.session import Session
from core.chat.settings import Column, Settings
from core.chat.slider_cache import Scrubs, scrub_key
from core.chat.sliders import FINE, SLIDER_STRENGTHS, STEP, SliderBank, snapped, stepped
from core.errors import TillerError
from core.recipes.language import Recipe, parse
from core.util.limits import MAX_TERMS


class Learnt:
    """Directions by the checkpoints that have them; ``twin`` is a checkpoint that means those of ``chat``."""

    def __init__(self, **sources: Sequence[str]) -> None:
        self.known = sources
        self.refused = ""

    def sources(self, direction: str) -> Sequence[str]:
        return self.known.get(direction, ())

    def own(self, checkpoint: str) -> str:
        return "chat" if checkpoint == "twin" else checkpoint

    def explain(self, recipe: Recipe, checkpoint: str) -> str:
        if self.refused:
            raise TillerError(self.refused)
        return ""


def bank() -> SliderBank:
    return SliderBank(Learnt(truth=("base", "chat"), refusal=("base", "sft")))


def settings(recipe: str = "", checkpoint: str = "chat") -> Settings:
    return Settings("tiny", (Column("chat"), Column(checkpoint, parse(recipe))), selected=1)


def test_a_new_slider_takes_the_columns_own_direction_else_the_last_there_is() -> None:
    sliders = bank()
    assert str(sliders.move(settings(), "truth", 1.5)) == "1.5*truth"
    assert sliders.source(settings(), "truth") == "chat"
    assert str(sliders.move(settings(), "refusal", -1.0)) == "-1*refusal@sft"
    assert str(bank().move(settings(checkpoint="twin"), "truth", 1.0)) == "1*truth"
    with pytest.raises(TillerError, match="no direction 'zeal'"):
        sliders.move(settings(), "zeal", 1.0)


def test_a_slider_at_rest_remembers_its_source_its_layers_and_its_scope() -> None:
    sliders = bank()
    at_zero = settings(str(sliders.move(settings("2*truth@base[1]:reply + refusal@sft"), "truth", 0.0)))
    assert str(at_zero.column.recipe) == "1*refusal@sft"
    assert sliders.source(at_zero, "truth") == "base"
    assert str(sliders.move(at_zero, "truth", 0.5)) == "1*refusal@sft + 0.5*truth@base[1]:reply"
    # Each column has sliders of its own.
    assert sliders.source(Settings("tiny", at_zero.columns, selected=0), "truth") == "chat"
    sliders.forget(0)
    assert sliders.source(at_zero, "truth") == "base"
    sliders.forget()
    assert sliders.source(at_zero, "truth") == "chat"


def test_a_typed_recipe_says_all_and_one_that_cannot_be_read_forgets_nothing() -> None:
    sliders = bank()
    at_zero = settings(str(sliders.move(settings("2*truth@base"), "truth", 0.0)))
    with pytest.raises(TillerError):
        sliders.write(at_zero, "2*")
    assert sliders.source(at_zero, "truth") == "base"
    assert str(sliders.write(at_zero, "1.5*refusal@sft")) == "1.5*refusal@sft"
    assert sliders.source(at_zero, "truth") == "chat"


def test_a_source_is_chosen_at_zero_too_and_one_that_was_refused_is_not_remembered() -> None:
    learnt = Learnt(truth=("base", "chat"))
    sliders = SliderBank(learnt)
    assert str(sliders.set_source(settings(), "truth", "base")) == ""
    assert str(sliders.move(settings(), "truth", 1.0)) == "1*truth@base"
    assert str(sliders.set_source(settings("2*truth@base"), "truth", "chat")) == "2*truth"
    learnt.refused = "It does not fit."
    with pytest.raises(TillerError, match="does not fit"):
        sliders.set_source(settings(), "truth", "base")
    assert sliders.source(settings(), "truth") == "chat"
    with pytest.raises(TillerError, match="No direction truth was learnt on 'sft'"):
        sliders.set_source(settings(), "truth", "sft")


def test_the_next_source_goes_round_beginning_with_the_columns_own() -> None:
    sliders = SliderBank(Learnt(truth=("base", "sft", "chat")))
    found, now = [], settings("1*truth")
    for _ in range(4):
        now = settings(str(sliders.next_source(now, "truth")))
        found.append(str(now.column.recipe))
    assert found == ["1*truth@base", "1*truth@sft", "1*truth", "1*truth@base"]


def test_a_direction_is_ablated_from_the_sliders_source_and_let_be_again() -> None:
    sliders = bank()
    without = settings(str(sliders.ablate(settings("2*truth@base"), "truth", on=True)))
    assert str(without.column.recipe) == "2*truth@base + !truth@base"
    assert sliders.ablated(without, "truth")
    assert not sliders.ablated(without, "refusal")
    assert str(sliders.ablate(without, "truth", on=False)) == "2*truth@base"
    # Asked for twice, it is there once.
    assert str(sliders.ablate(without, "truth", on=True)) == str(without.column.recipe)


def test_a_strength_out_of_range_changes_and_remembers_nothing() -> None:
    sliders = bank()
    for recipe in ("", "1*truth"):
        with pytest.raises(TillerError, match="A strength lies between -10 and 10"):
            sliders.move(settings(recipe), "truth", 10.5)
    assert sliders.term(settings(), "truth").value == 1.0


def test_the_answers_at_hand_are_those_of_the_slider_also_where_it_rests() -> None:
    sliders, scrubs = bank(), Scrubs(SLIDER_STRENGTHS)
    session = Session(settings("1*truth@base[1]").ask("Well?").answered(0, "Yes.").answered(1, "No."))
    key = sliders.key(session.settings, "truth")
    scrubs.kept[key] = {4: Answer(reason="end"), 8: Answer(reason="end", note="two")}
    session.set_recipe(sliders.move(session.settings, "truth", 2.0))
    assert sliders.key(session.settings, "truth") == key
    assert sliders.show_computed(session, scrubs, "truth")
    assert session.answers[1].note == "two"
    session.set_recipe(sliders.move(session.settings, "truth", 0.0))
    assert sliders.key(session.settings, "truth") == key
    assert sliders.show_computed(session, scrubs, "truth")
    session.set_recipe(sliders.move(session.settings, "truth", 0.3))
    assert not sliders.show_computed(session, scrubs, "truth")
    assert sliders.key(session.settings, "refusal") != key


def test_a_recipe_without_room_for_a_slider_still_shows_it() -> None:
    sliders, full = bank(), settings("+".join(["1*refusal@sft"] * MAX_TERMS))
    assert sliders.key(full, "truth") != sliders.key(full, "refusal")
    assert sliders.key(full, "truth") == scrub_key(full, 1, "truth")
    assert not sliders.moves(full, "truth")
    assert sliders.moves(full, "refusal")
    with pytest.raises(TillerError, match="at most 64 terms; leave some out"):
        sliders.along(full, "truth")
    almost = settings("+".join(["1*refusal@sft"] * (MAX_TERMS - 1)))
    assert sliders.moves(almost, "truth")
    assert sliders.key(almost, "truth") == scrub_key(sliders.along(almost, "truth"), 1, "truth")


def test_what_is_scrubbed_moves_along_the_resting_term() -> None:
    sliders = bank()
    sliders.set_source(settings(), "truth", "base")
    assert str(sliders.along(settings(), "truth").column.recipe) == "1*truth@base"
    assert str(sliders.along(settings("2*truth"), "truth").column.recipe) == "1*truth"


def test_steps_land_on_the_strengths_that_are_computed_beforehand() -> None:
    assert {snapped(each + 0.2) for each in SLIDER_STRENGTHS} == set(SLIDER_STRENGTHS)
    assert stepped(0.0, STEP) == 0.5
    assert stepped(0.3, STEP) == 0.5
    assert stepped(0.3, -STEP) == 0.0
    assert stepped(-0.5, -FINE) == -0.6
    assert stepped(9.9, STEP) == 10.0
    assert stepped(10.0, STEP) == 10.0
    assert stepped(-10.0, -STEP) == -10.0


def test_a_reset_takes_everything_along_the_direction_away_and_nothing_else() -> None:
    sliders = bank()
    chosen = settings("2*truth@base:reply + !truth + 1*refusal@sft + !neurons:truth")
    assert str(sliders.reset(chosen, "truth")) == "1*refusal@sft + !neurons:truth"
    assert sliders.source(settings("1*refusal@sft"), "truth") == "chat", "it rests as a new one does"
