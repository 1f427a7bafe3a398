"""Nothing that is older passes for what a column says: links live by themselves, a wrong recipe sends nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import gradio as gr

from core.chat.session import Session
from core.chat.settings import Sampling
from core.engine.engine import Engine
from core.util.limits import MAX_TERMS
from tests.app.test_app import Hand, engine, folder, hand  # noqa: F401  The fixtures.
from tests.support.browser_server import answer, short


def test_a_link_is_answered_anew_once_and_says_the_same(hand: Hand) -> None:  # noqa: F811
    hand.do(hand.chat.send, message="Hello there")
    said = [hand.visit.session.answers[column].text for column in (0, 1)]
    link = hand.visit.settings.to_link()
    other = Hand(hand.engine, short(hand.engine.settings("", ""), 12))
    request = gr.Request(None, session_hash="another page")
    assert json.loads(other.chat.view(other.chat.visits.get("another page", link)))["relive"]
    other.key = "another page"
    assert not other.view(other.steering.select, column=0)["relive"], "it is told once"
    view = other.view(other.chat.relive)
    assert [other.visit.session.answers[column].text for column in (0, 1)] == said
    assert all(column["older"] == "" for column in view["columns"])
    assert other.do(other.chat.relive)[-1][1] == gr.skip(), "what is live stays as it is"
    assert request.session_hash == other.key


def test_another_checkpoint_beside_a_recorded_run_is_answered_by_itself(engine: Engine) -> None:  # noqa: F811
    settings = short(engine.settings("", "-1*truth"), 6).ask("Hello there")
    recorded = answer(engine, settings)
    page = Hand(engine, settings)
    page.chat.visits._fresh = lambda: Session.of(settings, dict(recorded), recorded=True)
    view = page.view(page.steering.checkpoint, column=0, checkpoint="base")
    assert not view["recorded"]
    based = answer(engine, settings.with_column(replace(settings.columns[0], checkpoint="base"), 0))
    assert [page.visit.session.answers[column].text for column in (0, 1)] == [based[0].text, recorded[1].text]
    assert based[0].text != recorded[0].text


def test_a_link_with_as_many_terms_as_there_may_be_opens(hand: Hand) -> None:  # noqa: F811
    full = " + ".join(["0.01*refusal"] * MAX_TERMS)
    link = hand.engine.settings("", full).ask("Hello there").to_link()
    view = json.loads(hand.chat.view(hand.chat.visits.get("a full page", link)))
    assert [each["name"] for each in view["sliders"]] == ["truth", "refusal"]
    assert view["columns"][-1]["recipe"].count("refusal") == MAX_TERMS
    # Nothing is computed ahead for a slider that the recipe has no room for, and moving it says so.
    hand.key = "a full page"
    hand.visit.relive = False
    assert "missed" in str(hand.do(hand.chat.scrub, direction="truth", key="k")[-1])
    view = hand.view(hand.steering.slide, direction="truth", strength=1.0)
    assert "A recipe has at most 64 terms; leave some out." in view["recipeError"]


def test_other_sampling_leaves_the_answer_and_names_who_wrote_it(hand: Hand) -> None:  # noqa: F811
    hand.do(hand.chat.send, message="Hello there")
    details = {**vars(Sampling()), "max_new_tokens": 12, "system": "", "stop": "", "temperature": 3.0}
    view = hand.view(hand.chat.details, **details)
    assert [column["older"] for column in view["columns"]] == ["written at temperature 0"] * 2
    assert "Above a temperature of 2" in view["fields"]["temperature"]
    assert view["wrong"] == []
    view = hand.view(hand.chat.relive)
    assert [column["older"] for column in view["columns"]] == ["", ""]


def test_settings_from_another_tab_are_answered_on_the_page(hand: Hand) -> None:  # noqa: F811
    hand.do(hand.chat.send, message="Hello there")
    visit = hand.visit
    visit.session.settings = visit.settings.with_column(replace(visit.settings.columns[0], checkpoint="base"), 0)
    visit.relive = True
    view = json.loads(hand.chat.view(visit))
    assert (view["relive"], view["columns"][0]["older"]) == (True, "written by chat, plain")


def test_a_wrong_recipe_sends_nothing_and_says_what_was_meant(hand: Hand) -> None:  # noqa: F811
    view = hand.view(hand.steering.typing, recipe="1,5*refusal")
    assert view["recipeMeant"] == "1.5*refusal"
    assert view["recipeError"].startswith("Character 2: ")
    view = hand.view(hand.chat.send, message="Hello there")
    assert view["notice"].startswith("The recipe cannot be read. Character 2")
    assert (view["draft"], view["turns"]) == ("Hello there", [])
    view = hand.view(hand.steering.typing, recipe="refusel")
    assert "no direction 'refusel'" in view["recipeError"]
    assert view["recipeMeant"] == "1*refusal"
    assert hand.view(hand.steering.revise, kind="recipe", recipe="1.5*refusal")["recipeMeant"] == ""


def test_a_reset_undoes_a_removal(hand: Hand) -> None:  # noqa: F811
    hand.do(hand.steering.revise, kind="ablate", direction="truth", on=True)
    assert "!truth" in str(hand.visit.settings.column.recipe)
    assert hand.view(hand.steering.revise, kind="reset", direction="truth")["columns"][1]["recipe"] == ""
