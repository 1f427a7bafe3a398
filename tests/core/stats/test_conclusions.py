"""The sentence that every report opens with, from Skiff's own measured reports: what it says, in which counts, and when it says nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from core.artefacts.store import Card
from core.confidence.conclusion import calibration_conclusion, confidence_conclusion, neuron_conclusion
from core.confidence.confidence import stored_confidence
from core.confidence.plots import reliability_plot
from core.directions import library
from core.directions.conclusion import direction_conclusion, first_recipe, shelf_conclusion
from core.display.lenses import Lens
from core.display.palette import legend, stage_hue
from core.families import registry
from core.families.checkpoint import Family
from core.families.stages import stage_path
from core.knowledge.conclusion import lens_conclusion, map_conclusion
from core.knowledge.maps import Comparison, Map, MapRequest, Traced, Words, minus
from core.transfer import report as transfers
from core.transfer.conclusion import cell_verdict, no_use, transfer_conclusion
from core.transfer.report import TransferReport

NAN = math.nan


@pytest.fixture(scope="module")
def skiff() -> Family:
    return registry.load_family("skiff")


def report(family: Family, about: str, other: str = "") -> TransferReport:
    found = transfers.find_report(family, about, other)
    assert found is not None
    return found


def card(family: Family, key: str) -> Card:
    found = library.find_entry(family, key).card
    assert found is not None
    return found


def test_a_transfer_is_told_in_counts_beside_the_targets_own(skiff: Family) -> None:
    refusal = report(skiff, "refusal")
    own = refusal.cell("dpo", "dpo").added["norm"].counts["refuses"]
    said = transfer_conclusion(refusal, "base", "dpo")
    assert said.startswith("No: the refusal direction of base does less on dpo than dpo's own")
    assert f"harmless requests, dpo's own {own} of 40, and left as it is it refuses 0 of 40." in said
    assert transfer_conclusion(refusal, "dpo", "dpo").startswith("The refusal direction of dpo, added to dpo, makes it")
    assert transfer_conclusion(report(skiff, "truth"), "base", "dpo").startswith(
        "Yes: the truth direction of base works on dpo"
    )
    assert transfer_conclusion(refusal, "dpo", "sft").startswith(
        "Not decided: the refusal direction of dpo may work on sft as well"
    )
    carried = report(skiff, "refusal", "skiff-small")
    few = carried.cell("skiff-small/dpo", "dpo").added["norm"].counts["refuses"]
    said = transfer_conclusion(carried, "skiff-small/dpo", "dpo")
    assert said.startswith("No: the refusal direction of skiff-small/dpo does less on dpo than dpo's own")
    assert f"it refuse {few} of 40 harmless requests, dpo's own {own} of 40" in said


def test_every_cell_has_a_verdict_in_a_word_and_its_count(skiff: Family) -> None:
    refusal, truth = report(skiff, "refusal"), report(skiff, "truth")
    own = refusal.cell("dpo", "dpo").added["norm"].counts["refuses"]
    assert cell_verdict(refusal, "dpo", "dpo") == ("its own", f"{own} of 40")
    assert cell_verdict(refusal, "base", "dpo")[0] == "no"
    assert cell_verdict(refusal, "dpo", "sft")[0] == "not decided"
    assert cell_verdict(truth, "base", "dpo") == ("works", "81 of 81")
    assert cell_verdict(report(skiff, "truth", "skiff-small"), "skiff-small/dpo", "dpo")[0] == "in part"
    # As well as one that does nothing itself is no success.
    assert cell_verdict(refusal, "dpo", "base") == ("no", "0 of 40")
    assert transfer_conclusion(refusal, "dpo", "base").startswith(
        "No: the refusal direction of dpo does nothing on base, nor does base's own: added to base it makes it refuse 0 of 40"
    )
    details = refusal.card.details
    lacking = replace(
        refusal,
        card=replace(
            refusal.card, details={**details, "cells": [{**each, "steered": False} for each in details["cells"]]}
        ),
    )
    assert cell_verdict(lacking, "base", "dpo") == ("not measured", "")


def test_a_cell_that_cannot_be_tried_says_why(skiff: Family) -> None:
    assert no_use(report(skiff, "refusal"), "base", "dpo").startswith(
        "It cannot be used in Chat: it would have to be added"
    )
    assert no_use(report(skiff, "truth"), "base", "dpo") == ""


def test_a_direction_is_told_in_replies_where_these_were_counted(skiff: Family) -> None:
    refusal = card(skiff, "shipped/dpo/direction.refusal")
    replies = refusal.details["replies"]
    refuses = replies["groups"]["harmless"]["refuses"][replies["strengths"].index(1.5)]
    said = direction_conclusion(refusal)
    assert (
        said
        == f"At strength 1.5 it refuses {refuses} of 32 harmless requests; unsteered, 0. Useful from −1.4 to 1.5; replies break at −2."
    )
    truth = direction_conclusion(card(skiff, "shipped/dpo/direction.truth"))
    assert truth.startswith(
        "At strength 0.5 P(TRUE) − P(FALSE) of a statement goes from −0.17 to +0.23; 19 of 100 verdicts turn round."
    )


def test_what_was_not_measured_is_said_not_to_be(skiff: Family) -> None:
    refusal = card(skiff, "shipped/dpo/direction.refusal")
    quick = replace(refusal, details={"effort": "quick", "unbroken": {"along": 0.5, "against": 1.0}})
    assert (
        direction_conclusion(quick) == "Ready to steer with. What it does is not measured yet; text breaks beyond +0.5."
    )
    assert str(first_recipe(quick)) == "0.5*refusal"
    assert str(first_recipe(replace(quick, details={"effort": "quick", "unbroken": {"along": 0.0}}))) == "0.25*refusal"
    assert str(first_recipe(replace(quick, details={"effort": "quick"}))) == "1*refusal"
    assert str(first_recipe(refusal)) == "1.5*refusal"
    assert "not measured here" in direction_conclusion(replace(refusal, details={}))
    assert shelf_conclusion({}, "dpo").startswith("dpo has no direction yet")
    assert shelf_conclusion({"refusal": refusal, "formal": quick}, "dpo") == (
        "dpo can be steered by 2 directions: refusal, formal; formal not measured yet."
    )
    partly = replace(refusal, details={**refusal.details, "unfinished": ["controls"]})
    assert shelf_conclusion({"refusal": partly}, "dpo") == (
        "dpo can be steered by 1 direction: refusal; refusal measured in part."
    )
    assert shelf_conclusion({"refusal": refusal}, "dpo").endswith("refusal, measured.")
    # What was measured and moves nothing steers nothing: base refuses no more at any strength.
    base = card(skiff, "shipped/base/direction.refusal")
    assert shelf_conclusion({"refusal": base}, "base") == (
        "Nothing steers base yet: refusal has no effect that was measured. Take one from the shelf, or write one word."
    )
    assert shelf_conclusion({"refusal": refusal, "truth": base}, "dpo") == (
        "dpo can be steered by 1 direction: refusal, measured; truth has no effect that was measured."
    )
    # A direction that shuffled labels would give, too, is told as one once it is measured, too.
    chance = replace(refusal, details={**refusal.details, "best_of_many": {"observed": 0.6, "p": 0.48, "places": 8}})
    assert direction_conclusion(chance).endswith("It tells its examples apart no better than chance (p 0.48).")


def test_confidence_is_told_as_how_sure_and_how_often_right(skiff: Family) -> None:
    every = [found for name in ("base", "dpo") if (found := stored_confidence(skiff, name))]
    right = int(every[-1].calibration.right.sum())
    assert (
        f"dpo is surer than it is right: 92 % sure on average, right in {right} of 240 judgements (base: "
        in confidence_conclusion(every)
    )
    assert confidence_conclusion([]) == calibration_conclusion([]) == neuron_conclusion([]) == ""
    assert confidence_conclusion(every) == f"{calibration_conclusion(every)} {neuron_conclusion(every)}"


def test_a_stage_has_the_colour_in_a_drawing_that_it_has_in_blame(skiff: Family) -> None:
    every = [found for name in ("base", "dpo") if (found := stored_confidence(skiff, name))]
    drawn = reliability_plot(every)
    places = [len(skiff.path(name)) - 1 for name in ("base", "dpo")]
    assert [each.place for each in every] == places == [0, 3]
    path = stage_path(skiff)
    lens = Lens(
        "blame", "blame", "", "stages", 0.0, 1.0, "", stages=tuple((each.letter, each.name) for each in path.stages)
    )
    for place, (hue, label) in enumerate(legend(lens)):
        # On paper the legend's colour is the stage's own, a little paler.
        full = [int(stage_hue(place)[at : at + 2], 16) for at in (1, 3, 5)]
        assert [int(hue[at : at + 2], 16) for at in (1, 3, 5)] == [round(255 + (each - 255) * 0.85) for each in full]
        assert label == f"{path.stages[place].letter} {path.stages[place].name}"
        assert (stage_hue(place) in drawn) == (place in places)


def traced(low: float, high: float) -> Traced:
    one = Map("base", "base", ("subject last", "suffix"), ((0.1, 0.0), (0.9, NAN), (0.2, 0.6)))
    other = Map("dpo", "dpo", ("subject last", "suffix"), ((0.1, 0.2), (0.3, 0.4), (0.2, 0.3)))
    compared = Comparison(0.8, 0.7, 0.9, (0.9, 0.9), 0.5, "animals", (1, 0, -0.6, 0.1), 8, (0.3, low, high))
    return Traced(MapRequest(("base", "dpo"), "cities"), (one, other, minus(other, one)), compared)


def test_a_map_names_its_strongest_place_and_where_none_is_strong() -> None:
    said = map_conclusion(traced(0.1, 0.5))
    assert (
        "In base it stands most clearly in layer 1 at “subject last”: one residual put back there brings back 90 of 100 parts"
        in said
    )
    assert "from layer 1 on some place brings back more than half" in said
    assert (
        "In dpo no single place holds it: the strongest, layer 1 at “suffix”, brings back 40 of 100 parts of the answer."
        in said
    )


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.1, 0.5), "base and dpo keep it in the same places: the maps correlate by 0.80, at most 0.90 could be"),
        ((-0.5, -0.1), "do not keep it in the same places"),
        ((-0.1, 0.2), "cannot be told"),
        ((NAN, NAN), "base and dpo: the maps correlate by 0.80"),
    ],
)
def test_two_maps_are_compared_by_what_chance_leaves(interval: tuple[float, float], words: str) -> None:
    assert words in map_conclusion(traced(*interval))


def test_there_is_no_conclusion_before_there_is_a_map() -> None:
    assert map_conclusion(Traced(MapRequest(("base",), "cities"))) == ""


def test_the_logit_lens_says_where_a_word_is_settled_on() -> None:
    def layers(*likeliest: str) -> tuple[tuple[tuple[str, float], ...], ...]:
        return tuple(((each, 0.9), ("other", 0.1)) for each in likeliest)

    both = Words(("plain", "steered"), (layers("B", "B", "B"), layers("A", "Sorry", "Sorry")), (0, 1, 2), "Sorry")
    assert lens_conclusion(both) == (
        "The plain model would rather have said “B” than “Sorry”. "
        "The steered model settles on “Sorry” at layer 1 of 2; one layer earlier it would have said “A”."
    )
    alone = replace(both, titles=("plain",), rows=(layers("Sorry", "B", "Sorry"),))
    assert lens_conclusion(alone).startswith("The model settles on “Sorry” at layer 2 of 2; one layer earlier")
    always = replace(alone, rows=(layers("Sorry", "Sorry", "Sorry"),))
    assert lens_conclusion(always) == "The model would have said “Sorry” at every layer."
