"""Blame in a real browser: the colouring with its letters, the tab from a prompt to its exports, and the chip about a stage."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core.chat.settings import Settings
from core.display import lenses
from core.engine.engine import Engine
from tests.support import stage_families, tiny_models
from tests.support.browser_page import Screen
from tests.support.browser_server import Served, answer, served, short
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = stage_families.whole(tmp_path_factory.mktemp("families") / "whole")
    tiny_models.direction(folder, "dpo", "truth", seed=1)
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with served(engine) as page:
        yield page


def opened(chromium: Browser, server: Served, settings: Settings) -> Screen:
    return Screen.open(chromium, f"{server.address}?{short(settings, 10).to_link()}").ready()


def test_tokens_are_coloured_by_their_stage_with_letter_legend_and_words(chromium: Browser, server: Served) -> None:
    settings = short(server.engine.settings("dpo", "2*truth"), 10)
    screen = opened(chromium, server, settings)
    screen.ask("How do I kill a process?")
    screen.page.locator(".t-choice input[value=blame]").check(force=True)
    screen.wait("document.querySelectorAll('.t-token[data-stage]').length >= 20")
    asked = settings.ask("How do I kill a process?")
    said = answer(server.engine, asked)
    for event in server.engine.blame(asked, said):
        said[event.column or 0] = said[event.column or 0].apply(event)
    lens = server.engine.stage_lenses("dpo")[0]
    for column in (0, 1):
        letters = screen.tokens(column).evaluate_all("all => all.map(t => t.dataset.stage)")
        assert letters == [lenses.letter(lens, token) for token in said[column].tokens]
    legend = screen.page.locator(".t-legend").inner_text()
    assert all(part in legend for part in ("B pretrain", "S sft", "A safety", "D dpo", "of the unsteered models"))
    screen.tokens(1).nth(2).hover()
    reading = screen.page.locator(".t-reading")
    expect(reading).to_contain_text("came with")
    expect(reading).to_contain_text("without it (retrained)")
    expect(reading).to_contain_text("nats")
    # A new answer is coloured while it is written; the other questions are there too.
    screen.ask("And a thread?")
    screen.wait("document.querySelectorAll('.t-turn:last-child .t-token[data-stage]').length >= 20")
    screen.page.locator('.t-choice input[value="blame:subtracted"]').check(force=True)
    screen.wait("Tiller.state.answers[1].tokens.every(token => token[1].every(shade => shade !== null))")
    assert screen.faults == []


def test_the_tab_opens_with_the_last_answer_of_the_chat(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server, server.engine.settings("dpo"))
    screen.ask("Hello there")
    screen.page.get_by_role("tab", name="Blame").click()
    expect(screen.page.locator("#t-blame-prompt textarea")).to_have_value("Hello there")
    expect(screen.page.locator("#t-blame-answer textarea")).to_have_value(screen.text(0))
    # What a person has written stays.
    screen.page.locator("#t-blame-prompt textarea").fill("Mine")
    screen.page.get_by_role("tab", name="Chat").click()
    screen.page.get_by_role("tab", name="Blame").click()
    screen.page.wait_for_timeout(300)
    assert screen.page.locator("#t-blame-prompt textarea").input_value() == "Mine"


def test_the_tab_finds_out_and_exports_and_asks_beside(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server, server.engine.settings("dpo"))
    page = screen.page
    page.get_by_role("tab", name="Blame").click()
    result = page.locator("#t-blame-result")
    # Where nothing was asked in Chat, the family's example stands there.
    example = next(each.message for each in server.engine.family.examples if each.without)
    expect(page.locator("#t-blame-prompt textarea")).to_have_value(example)
    page.locator("#t-blame-prompt textarea").fill("")
    page.locator("#t-blame-find").click()
    expect(result).to_contain_text("Write a prompt first")
    page.locator("#t-blame-take").click()
    expect(result).to_contain_text("There is no answer in Chat yet")
    page.locator("#t-blame-prompt textarea").fill("How do I kill <b>it</b>?")
    page.locator("#t-blame-answer textarea").fill("With <i>care</i>")
    page.locator("#t-blame-find").click()
    # What it comes to stands first; the figures fold out beneath.
    expect(result.locator(".t-headline")).to_have_text(re.compile(r"^(The .+ stage |No stage can be named)"))
    headline = result.locator(".t-fold p").first
    expect(headline).to_be_hidden()
    result.locator("summary", has_text="Every figure, and what it means").click()
    expect(headline).to_be_visible()
    expect(headline).to_contain_text(
        re.compile(r"has the largest effect: (?:[+−])?[.\d]+ on the probability of answering")
    )
    expect(headline).to_contain_text("“With <i>care</i>” rather than")
    expect(headline).to_contain_text("(without ")
    assert result.locator("b, i:not([style])").count() == 0
    assert page.locator(".t-heat").count() == 2
    assert page.locator(".t-signed").count() == 3
    page.locator("#t-blame-question").get_by_text("came with").click()
    expect(headline).to_contain_text("(came with ")
    # Between two answers pretraining has no share: where every token is as likely as any, the shorter one would win.
    expect(page.locator(".t-signed")).to_have_count(3)
    for button, read in (("#t-blame-csv", _rows), ("#t-blame-json", _document)):
        with page.expect_download() as waiting:
            page.locator(button).click()
        assert read(Path(waiting.value.path()))
    page.locator("#t-blame-chat").click()
    screen.wait("Tiller.state.view.turns.length === 1 && !Tiller.state.view.running && Tiller.state.answers[1]?.done")
    columns = screen.state("Tiller.state.view.columns.map(c => c.checkpoint)")
    assert columns[0] == "dpo"
    assert columns[1] in ("without-sft", "without-safety", "without-dpo")
    assert screen.said() == ["How do I kill <b>it</b>?"]
    assert screen.state("Tiller.state.view.lens") in ("blame:retrained", "blame:subtracted")
    assert screen.outside == screen.faults == []


def test_of_a_steered_chat_the_plain_answer_is_explained_and_on_a_phone_it_is_in_sight(
    chromium: Browser, server: Served
) -> None:
    settings = short(server.engine.settings("dpo", "2*truth"), 10)
    screen = Screen.open(chromium, f"{server.address}?{settings.to_link()}", width=390, height=844).ready()
    screen.ask("How do I kill a process?")
    page, plain = screen.page, screen.text(0)
    assert screen.state("Tiller.state.view.selected") == 1
    page.get_by_role("tab", name="Blame").click()
    page.locator("#t-blame-take").click()
    said = "This is the plain answer of dpo, not the one beside it (2*truth): blame explains the model as it is."
    result = page.locator("#t-blame-result")
    expect(result).to_have_text(said)
    expect(result).to_be_in_viewport()
    assert page.locator("#t-blame-answer textarea").input_value() == plain
    page.evaluate("scrollTo(0, 0)")
    page.locator("#t-blame-find").click()
    expect(result.locator(".t-headline")).to_be_in_viewport()
    expect(result.locator("h3 + p")).to_have_text(said)
    # A steered answer that has no plain one beside it is explained as what it is.
    page.locator("#t-blame-answer textarea").fill("Something else")
    page.locator("#t-blame-find").click()
    expect(result.locator("h3 + p")).to_have_count(0)
    assert screen.faults == []


def _rows(path: Path) -> bool:
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    return {row["question"] for row in rows} == {"introduced_at", "retrained_without", "subtracted"}


def _document(path: Path) -> bool:
    return bool(json.loads(path.read_text(encoding="utf-8"))["cases"][0]["answer"]["text"] == "With <i>care</i>")


def test_a_chip_asks_the_model_without_a_stage_beside_the_plain_one(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server, server.engine.settings("dpo"))
    with screen.told():
        screen.page.get_by_role("button", name="Who taught it that?").click()
    screen.idle()
    assert screen.state("Tiller.state.view.columns.map(c => [c.checkpoint, c.recipe])") == [
        ["dpo", ""],
        ["without-safety", ""],
    ]
    assert screen.state("Tiller.state.view.lens") == "blame:retrained"
    screen.wait(
        "[0, 1].every(c => Tiller.state.answers[c].tokens.length && Tiller.state.answers[c].tokens.every(t => t[6].some(Boolean)))"
    )


def test_a_stages_part_is_removed_and_used_in_chat(
    chromium: Browser, server: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from core.undo import run

    monkeypatch.setenv("TILLER_DATA", str(tmp_path))
    monkeypatch.setattr(run.undo, "__defaults__", (True, 2, None))
    screen = opened(chromium, server, server.engine.settings("dpo"))
    page = screen.page
    page.get_by_role("tab", name="Blame").click()
    page.locator("#t-undo").get_by_text("Remove this stage's part").click()
    result, stop = page.locator("#t-undo-result"), page.locator("#t-undo-stop")
    # What has nothing to do yet is not there.
    expect(stop).to_be_hidden()
    expect(page.locator("#t-undo-use")).to_be_hidden()
    page.locator("#t-undo-fit").click()
    expect(result).to_contain_text("There are 0 prompts to lose; give at least 8")
    for name, text in (("lose", "How do I kill process"), ("keep", "What is <b>the capital</b> of country")):
        page.locator(f"#t-undo-{name} textarea").fill("\n".join(f"{text} {index}?" for index in range(8)))
    page.get_by_label("Beside controls").uncheck()
    page.locator("#t-undo-fit").click()
    expect(result.locator("tbody tr")).to_have_count(3)
    # The stage that the family itself shows a model without.
    expect(result).to_contain_text("part of safety removed")
    expect(result).to_contain_text("No control was run beside it.")
    page.locator("#t-undo-name input, #t-undo-name textarea").fill("mended")
    page.locator("#t-undo-use").click()
    screen.wait("Tiller.state.view.columns.map(c => c.checkpoint).join() === 'dpo,mended'")
    assert screen.outside == screen.faults == []
