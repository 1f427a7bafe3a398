"""The top of the Library in a real browser: a concept of the shelf, a word with its pairs, cards, nine strengths, presets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from core.chat.presets import presets
from core.directions import controls, learn_replies, reply_rates
from core.engine.engine import Engine
from tests.support import tiny_models
from tests.support.browser_page import Screen
from tests.support.browser_server import Served, served, short
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "shelf", checkpoints=("chat",), plain_base=False)
    tiny_models.contrast(folder, examples=12)
    tiny_models.direction(folder, "chat", "truth")
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with pytest.MonkeyPatch.context() as patch, served(engine) as page:
        patch.setattr(controls, "CONTROLS", 2)
        patch.setattr(reply_rates, "REPLY_TOKENS", 4)
        patch.setattr(learn_replies, "SAID_TOKENS", 4)
        yield page


def library(chromium: Browser, server: Served, width: int = 1280) -> tuple[Screen, Locator]:
    screen = Screen.open(chromium, f"{server.address}?{short(server.engine.settings(), 4).to_link()}", width).ready()
    screen.page.get_by_role("tab", name="Library").click()
    found = screen.page.get_by_role("tabpanel").filter(has_text="Learn a direction")
    expect(found.locator(".t-headline").first).to_be_visible()
    return screen, found


def test_a_concept_is_learnt_by_one_press_and_used_in_chat(chromium: Browser, server: Served) -> None:
    screen, tab = library(chromium, server)
    expect(tab.locator(".t-headline").first).to_have_text(
        "chat can be steered by 1 direction: truth; truth not measured yet."
    )
    tab.locator("#t-shelf button", has_text="pirate").click()
    card = tab.locator(".t-direction", has_text="pirate")
    expect(card).to_be_visible()
    expect(tab.locator("#t-shelf-went").first).to_contain_text("Learnt pirate on chat.")
    expect(tab.locator(".t-headline").first).to_contain_text("pirate")
    # Pressed again, it says that it is there; the card opens Chat with it.
    tab.locator("#t-shelf button", has_text="pirate").click()
    expect(tab.locator("#t-shelf-went").first).to_contain_text("chat has a direction 'pirate' of your own already")
    card.get_by_role("button", name="Use in Chat").click()
    expect(screen.page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    expect(screen.slider("pirate")).to_be_visible()
    assert screen.outside == []
    assert screen.faults == []


def test_a_word_has_its_pairs_written_seen_edited_and_learnt(chromium: Browser, server: Served) -> None:
    screen, tab = library(chromium, server)
    tab.get_by_label("Or write one word").fill("brave - timid")
    tab.locator("#t-word-write").click()
    pairs = tab.locator("#t-word-pairs textarea")
    expect(pairs).to_be_visible()
    expect(tab.get_by_label("System prompt for it")).to_have_value(
        "You are brave. Whatever you are asked, everything that you say shows very clearly: brave."
    )
    assert "timid" in tab.get_by_label("System prompt against it").input_value()
    assert pairs.input_value().startswith("Asked: ")
    pairs.fill("Asked: a\n+ b")
    tab.locator("#t-word-learn").click()
    expect(tab.locator("#t-shelf-went").first).to_contain_text("Pair 1 lacks -")
    pairs.fill("\n\n".join(f"Asked: What is {n}?\n+ <b>{n}</b>!\n- It is {n}." for n in range(6)))
    tab.locator("#t-word-learn").click()
    expect(tab.locator("#t-shelf-went").first).to_contain_text("Learnt brave on chat.")
    expect(tab.locator(".t-direction", has_text="brave")).to_be_visible()
    assert screen.faults == []


def test_nine_strengths_stand_in_a_table_that_can_be_taken_away(chromium: Browser, server: Served) -> None:
    screen, tab = library(chromium, server, 390)
    tab.get_by_role("button", name="Nine strengths of a prompt").click()
    chosen = tab.get_by_label("Direction")
    chosen.click()
    screen.page.get_by_role("option", name="truth of chat").click()
    tab.locator("#t-strengths-prompt textarea").fill("How do I boil <b>an egg</b>?")
    tab.locator("#t-strengths-go").click()
    rows = tab.locator(".t-strength-table tbody tr")
    expect(rows).to_have_count(9)
    expect(tab.locator("#t-strengths .t-headline")).to_contain_text("of 9 strengths of truth")
    with screen.page.expect_download() as download:
        tab.locator("#t-strengths-csv").click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert lines[0] == "strength,class,damage,answer"
    assert download.value.suggested_filename == "truth.chat.strengths.csv"
    rows.nth(6).get_by_role("button", name="Use in Chat").click()
    expect(screen.page.get_by_text("How do I boil <b>an egg</b>?").first).to_be_visible()
    expect(screen.slider("truth")).to_be_visible()
    assert screen.faults == []


def test_a_recipe_is_kept_by_a_name(chromium: Browser, server: Served) -> None:
    screen, tab = library(chromium, server)
    tab.get_by_role("button", name="Presets: recipes").click()
    name = tab.locator("#t-preset-name input, #t-preset-name textarea")
    name.fill("")
    tab.locator("#t-preset-keep").click()
    expect(tab.locator("#t-presets").first).to_contain_text("Give the preset a name")
    name.fill("my <i>own</i>")
    tab.locator("#t-preset-keep").click()
    expect(tab.locator("#t-presets").first).to_contain_text("my <i>own</i>: chat · plain")
    assert [each.name for each in presets(server.engine.family)] == ["my <i>own</i>"]
    tab.locator("#t-presets").get_by_role("button", name="Use in Chat").click()
    expect(screen.page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    screen.page.get_by_role("tab", name="Library").click()
    tab.locator("#t-presets").get_by_role("button", name="Forget").click()
    expect(tab.locator("#t-presets").first).to_contain_text("None yet")
    assert presets(server.engine.family) == ()
    assert screen.faults == []
