"""A figure is shown only where it was measured, as a change against the unsteered model, and in no power of ten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.artefacts.store import Card
from core.chat.settings import Column
from core.directions.card import sections
from core.directions.conclusion import direction_conclusion
from core.directions.slider_figures import beyond_use, figure, slider_figures
from core.recipes.language import parse

DOSE = {
    "strengths": [-2.0, -1.0, 0.0, 1.0, 2.0], "effect": [0.03, 0.03, 0.03, 0.72, 0.9], "damage": [0.1, 6.6e-8, 0.0, 0.1, 0.4],
    "broken": [0.0, 0.0, 0.0, 0.0, 1.0],
}  # fmt: skip


def card(name: str = "refusal", **details: object) -> Card:
    found = {"layer": 4, "dose_response": DOSE, "learns": name, **details}
    return Card(Path("refusal.safetensors"), "direction", name, "skiff", "dpo", found)


def words(recipe: str, checkpoint: str = "dpo", of: Card | None = None) -> str:
    known, column = of or card(), Column(checkpoint, parse(recipe))
    term = column.recipe.slider(known.name) or parse(f"1*{known.name}").terms[0]
    return slider_figures(known, term, column).words


def test_the_change_is_told_against_the_unsteered_model() -> None:
    assert words("1*refusal").startswith("P(refusal) 0.72 on harmless requests (unsteered 0.03), damage 0.1 nats, ")
    assert "100 of 100 replies broken, beyond the useful range" in words("2*refusal")
    # Where replies were counted, as in the direction's card, it is the counted ones, of as many as there were.
    counted = {"strengths": DOSE["strengths"], "groups": {"harmless": {"n": 32, "refuses": [0, 0, 1, 24, 32]}}}
    assert words("1*refusal", of=card(replies=counted)).startswith("refuses 24 of 32 harmless requests (unsteered 1), ")
    assert words("0.5*refusal", of=card(replies=counted)).startswith("refuses about 12 of 32 harmless requests")
    truth = card("truth", dose_response={**DOSE, "effect": [0.0, 0.0, -0.17, 0.73, 0.73]})
    assert words("1*truth", of=truth).startswith("P(TRUE) − P(FALSE) 0.73 (unsteered −0.17)")
    own = card("polite", dose_response={**DOSE, "effect": [0.0, 0.0, 2.0, 3.5, 4.0]})
    assert words("1*polite", of=own).startswith("leaning 3.5 nats (unsteered 2)")


def test_where_no_reply_was_counted_the_conclusion_says_the_probability() -> None:
    said = direction_conclusion(card())
    assert said.startswith("At strength 1 P(refusal) of harmless requests goes from 0.03 to 0.72. Useful from ")


def test_of_nothing_nothing_is_said_but_which_strengths_are_of_use() -> None:
    assert words("") == words("").strip() == slider_figures(card(), parse("1*refusal").terms[0], Column("dpo")).range
    assert "effect" not in words("")


@pytest.mark.parametrize(
    ("recipe", "checkpoint", "said"),
    [
        ("1*refusal:prompt", "dpo", "not measured for the prompt only"),
        ("1*refusal:reply", "dpo", "not measured for the reply only"),
        ("1*refusal[2]", "dpo", "not measured at layer 2"),
        ("1*refusal?truth>0.5", "dpo", "not measured behind a gate"),
        (
            "1*refusal@dpo",
            "sft",
            "not measured on sft for this slider, but on dpo, where it was learnt",
        ),
        ("1*refusal + !refusal", "dpo", "not measured together with its removal"),
    ],
)
def test_where_it_was_not_measured_there_is_no_figure(recipe: str, checkpoint: str, said: str) -> None:
    known, column = card(), Column(checkpoint, parse(recipe))
    found = slider_figures(known, column.recipe.terms[0], column)
    assert (found.words, found.dose) == (said, None)


def test_its_own_layer_by_name_is_where_it_was_measured() -> None:
    assert words("1*refusal[4]").startswith("P(refusal) 0.72")


def test_beyond_the_strengths_that_were_tried_and_beside_another_push() -> None:
    assert words("5*refusal").startswith("not measured beyond 2 · ")
    assert words("-3*refusal").startswith("not measured beyond −2 · ")
    assert words("1*refusal + 1*truth").startswith("alone: P(refusal) 0.72")


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("8*refusal", ["to be useful from 0 to 0.97; 8 is beyond that."]),
        (
            "-0.5*refusal + 1.7*refusal",
            ["to be useful from 0 to 0.97; −0.5 is beyond that.", "to be useful from 0 to 0.97; 1.7 is beyond that."],
        ),
        ("1*refusal + !neurons:entropy", []),
        # What is of use there is not known; what is further out than anything that was tried, is.
        ("8*refusal:reply", ["from −2 to 2, though not for the reply only; 8 is beyond that."]),
        ("8*refusal[1-2]", ["from −2 to 2, though not at layers 1-2; 8 is beyond that."]),
        ("8*refusal + !refusal", ["from −2 to 2, though not together with its removal; 8 is beyond that."]),
        ("1.5*refusal:reply", []),
        # Nothing is known of another's direction.
        *((each, []) for each in ("8*refusal@sft", "8*truth", "refusal=8")),
    ],
)
def test_a_strength_beyond_the_useful_range_is_told_of(recipe: str, said: list[str]) -> None:
    column = Column("dpo", parse(recipe))
    assert beyond_use({"refusal": card()}, column) == [f"refusal was measured {each}" for each in said]
    assert not beyond_use({"refusal": replace(card(), details={"layer": 4})}, column)


def test_a_quick_direction_says_that_it_was_not_measured() -> None:
    quick = replace(card(), details={"layer": 4, "effort": "quick"})
    assert words("1*refusal", of=quick) == "quick: not measured yet"
    assert slider_figures(None, parse("1*refusal").terms[0], Column("dpo")).words == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [(6.6e-8, "0"), (-1e-9, "0"), (0.00099, "0"), (-0.173, "−0.17"), (100.0, "100"), (2.0, "2"), (0.5, "0.5")],
)
def test_figures_have_one_format(value: float, said: str) -> None:
    assert figure(value) == said


def test_a_card_says_which_examples_it_was_not_learnt_from() -> None:
    known = card(contrast={"name": "refusal", "n": 314}, learnt_from={"positive": 154, "negative": 157})
    made = next(section for section in sections(known) if section.title == "How it was made").lines
    assert any(
        line.endswith(
            "157 negative examples; 3 more were left out, which the model does not refuse or follow as their kind"
        )
        for line in made
    ), made
    whole = card(contrast={"name": "refusal", "n": 311}, learnt_from={"positive": 154, "negative": 157})
    assert "left out" not in str(sections(whole))
