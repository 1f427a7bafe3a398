"""Chats that the browser keeps, their versions, and what stands beside each message, done as a person would do it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.chat import documents
from core.engine.engine import Engine
from tests.support.browser_page import Screen
from tests.support.browser_server import MARKUP, Served, family, served, short
from tests.support.waiting import PATIENCE, answers_held

READ = "new Promise(found => { const all = indexedDB.open('tiller', 1); all.onsuccess = () => { const heads = "
READ += (
    "all.result.transaction('heads').objectStore('heads').getAll(); heads.onsuccess = () => found(heads.result); }; })"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = Engine(str(family(tmp_path_factory.mktemp("families") / "tinyfam")), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with served(engine) as page:
        yield page


@pytest.fixture
def screen(chromium: Browser, server: Served) -> Iterator[Screen]:
    chat = short(server.engine.settings("", "-1*truth"), 12)
    shown = Screen.open(chromium, server.address + "?" + chat.to_link()).ready()
    yield shown
    assert shown.outside == []
    assert shown.faults == []


def kept(screen: Screen, turns: int = 1) -> list[dict[str, object]]:
    """The chats that the browser holds, once the open one is among them with so many messages and nothing is being written."""
    screen.wait(
        f"async turns => (await {READ}).some(each => each.id === Tiller.state.view.kept && each.turns === turns)",
        turns,
    )
    found: list[dict[str, object]] = screen.page.evaluate(READ)
    return found


def reload(screen: Screen) -> None:
    screen.page.reload()
    screen.wait("window.Tiller && Tiller.state.view && Tiller.state.view.turns.length")
    screen.idle()
    # What Gradio says of a stream that a reload cuts off.
    screen.faults = [each for each in screen.faults if "AbortError" not in each and "errored out" not in each]


def press(screen: Screen, name: str) -> None:
    """Press what stands beside a message or over the conversation, and wait until nothing is being written."""
    with screen.told():
        screen.page.get_by_role("button", name=name, exact=True).first.click()
    screen.idle()


def pages(screen: Screen) -> list[str]:
    return [" ".join(each.split()) for each in screen.page.locator(".t-pager").all_inner_texts()]


# ------------------------------------------------------------------------------------------------------------- versions


def test_an_answer_drawn_again_can_be_paged_through_and_keeps_its_seed(screen: Screen) -> None:
    screen.details("Temperature", "1.5")
    screen.ask("A town")
    first = screen.text(1)
    press(screen, "Retry")
    assert screen.text(1) != first
    assert "seed 1" in screen.foot(1)
    assert pages(screen) == ["‹ 2 / 2 ›"]
    press(screen, "The version before this one")
    assert (screen.text(1), pages(screen)) == (first, ["‹ 1 / 2 ›"])
    assert "seed 0" in screen.foot(1)
    press(screen, "The version after this one")
    assert screen.text(1) != first


def test_a_greedy_answer_is_drawn_again_with_a_sentence_and_no_version(screen: Screen) -> None:
    screen.ask("A town")
    press(screen, "Retry")
    assert "always takes the likeliest word" in screen.notice()
    assert pages(screen) == []


def test_an_edit_branches_and_what_came_after_it_comes_back(screen: Screen) -> None:
    for message in ("One", "Two"):
        screen.ask(message)
    screen.page.locator(".t-edit").first.click()
    screen.page.locator(".t-editing textarea").fill("Uno")
    press(screen, "Send")
    screen.wait("Tiller.state.view.turns[0].user === 'Uno'")
    screen.idle()
    assert (screen.said(), pages(screen)) == (["Uno"], ["‹ 2 / 2 ›"])
    press(screen, "The version before this one")
    assert (screen.said(), pages(screen)) == (["One", "Two"], ["‹ 1 / 2 ›"])


def test_an_answer_that_was_cut_off_goes_on(screen: Screen) -> None:
    screen.ask("On and on")
    before = screen.text(1)
    screen.page.locator(".t-cell").nth(1).get_by_role("button", name="Continue").click()
    screen.wait("Tiller.state.answers[1].tokens.length === 24")
    screen.idle()
    assert screen.text(1).startswith(before)
    assert screen.page.locator(".t-token.given").count() == 0
    assert screen.tokens(0).count() == 12


def test_a_person_writes_the_models_answer_and_the_model_goes_on(screen: Screen) -> None:
    screen.ask("One")
    screen.page.locator(".t-cell").nth(1).get_by_role("button", name="Rewrite").click()
    screen.page.get_by_label("The model's answer, edited").fill("My own")
    press(screen, "Go on from this")
    assert screen.text(1).startswith("My own")
    assert screen.page.locator(".t-token.given").count() > 0
    screen.page.locator(".t-cell").nth(1).get_by_role("button", name="Rewrite").click()
    screen.page.get_by_label("The model's answer, edited").fill("All of it.")
    press(screen, "Keep as it is")
    assert screen.text(1) == "All of it."
    screen.ask("Two")
    assert screen.state("Tiller.state.view.turns[0].replies[1]") == "All of it."
    assert pages(screen) == ["‹ 3 / 3 ›"]


# ----------------------------------------------------------------------------------------------------------- copy, text


def test_every_message_and_the_recipe_can_be_copied(screen: Screen) -> None:
    screen.ask("Copy me")
    screen.page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text; }")
    said = {
        "Copy this message": "Copy me",
        "Copy the recipe": screen.recipe.input_value(),
        "Copy this answer": screen.text(0),
    }
    for name, text in said.items():
        screen.page.get_by_role("button", name=name).first.click()
        assert screen.page.evaluate("window.copied") == text


def test_text_shows_headings_and_code_and_nothing_of_a_models_is_markup(screen: Screen) -> None:
    screen.ask("One")
    screen.page.locator(".t-cell").nth(1).get_by_role("button", name="Rewrite").click()
    written = f"# Head\n\nso **it** is {MARKUP} ![p](https://elsewhere.example/p.png)\n\n```\nx < 1\n```\n\n[bad](javascript:alert(1))"
    screen.page.get_by_label("The model's answer, edited").fill(written)
    press(screen, "Keep as it is")
    screen.page.get_by_text("Text", exact=True).click()
    text = screen.page.locator(".t-cell").nth(1).locator(".t-text")
    expect(text.locator("strong")).to_have_text("it")
    expect(text.locator("pre")).to_have_text("x < 1\n", use_inner_text=False)
    expect(text.locator("h1")).to_have_text("Head")
    expect(text).to_contain_text(MARKUP)
    assert screen.page.locator(".t-cell img, .t-cell script, .t-cell a[href^='javascript']").count() == 0
    assert screen.page.evaluate("window.hurt") is None
    expect(screen.tokens(1).first).to_be_hidden()
    # Streaming: what is being written is set, too; the choice outlasts the page.
    screen.ask("Two")
    expect(screen.page.locator(".t-turn:last-child .t-text").first).not_to_be_empty()
    reload(screen)
    expect(screen.page.locator(".t-turn:last-child .t-text").first).not_to_be_empty()
    screen.page.get_by_text("Tokens", exact=True).click()
    expect(screen.tokens(1).first).to_be_visible()


# ----------------------------------------------------------------------------------------------------------------- kept


def test_a_chat_too_long_for_its_address_comes_back_whole_with_its_versions(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_ADDRESS", 100)
    screen.details("Temperature", "1")
    screen.details("System prompt", "You are kind.")
    screen.ask("One")
    press(screen, "Retry")
    assert not screen.state("Tiller.state.view.whole")
    assert pages(screen) == ["‹ 2 / 2 ›"]
    text, system = screen.text(1), screen.state("Tiller.state.view.system")
    kept(screen)
    reload(screen)
    assert (screen.said(), screen.text(1), pages(screen)) == (["One"], text, ["‹ 2 / 2 ›"])
    assert screen.state("Tiller.state.view.system") == system
    assert screen.page.locator(".t-banner").count() == 0


def test_what_was_being_written_comes_back_and_what_was_sent_does_not(screen: Screen) -> None:
    screen.ask("One")
    assert screen.box.input_value() == ""
    screen.box.fill("half a sent")
    kept(screen)
    reload(screen)
    expect(screen.box).to_have_value("half a sent")
    screen.ask("half a sentence")
    kept(screen, 2)
    reload(screen)
    assert screen.box.input_value() == ""


def test_an_answer_that_a_reload_cut_off_is_written_to_its_end(screen: Screen) -> None:
    with answers_held(6):
        screen.write("A town")
        expect(screen.tokens(1).first).to_be_visible()
        kept(screen)
        screen.page.reload()
    screen.wait("window.Tiller && Tiller.state.view && Tiller.state.view.turns.length")
    expect(screen.tokens(1)).to_have_count(12)
    screen.idle()
    assert "stopped" not in screen.page.locator(".t-turn:last-child").inner_text()
    screen.faults = [each for each in screen.faults if "AbortError" not in each and "errored out" not in each]


def test_a_stream_that_a_newer_one_overtook_changes_nothing(screen: Screen) -> None:
    screen.ask("A town")
    count = screen.tokens(1).count()
    tell = "text => Tiller.wire('answers', { value: text }, () => {})"
    screen.page.evaluate(tell, json.dumps({"stream": 7}) + '\n{"c": 1, "t": [["old", [], [], [], 3, 0, [], 0]]}')
    screen.page.evaluate(tell, json.dumps({"stream": 7}))
    assert screen.tokens(1).count() == count
    newer = screen.state("Tiller.state.view.version") + 10**9
    screen.page.evaluate(tell, json.dumps({"stream": newer}) + '\n{"c": 1, "t": [["new", [], [], [], 3, 0, [], 0]]}')
    expect(screen.tokens(1)).to_have_count(1)


def test_the_box_is_emptied_though_the_message_is_the_recorded_one(chromium: Browser, server: Served) -> None:
    from tests.support.browser_server import record

    record(server.engine)
    screen = Screen.open(chromium, server.address).ready()
    screen.ask("How do I boil an egg?")
    assert screen.box.input_value() == ""


def test_chats_are_listed_searched_renamed_deleted_and_opened(screen: Screen) -> None:
    screen.ask("Tell me of whales")
    kept(screen)
    press(screen, "New chat")
    screen.ask("Tell me of towns")
    assert [each["title"] for each in kept(screen)].count("Tell me of towns") == 1
    screen.page.get_by_role("button", name="Chats").click()
    rows = screen.page.locator(".t-kept li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Tell me of towns")
    screen.page.get_by_label("Search the chats").fill("WHALES tell")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("button", name="Rename").click()
    screen.page.get_by_label("Title of the chat").fill("The sea")
    screen.page.get_by_label("Title of the chat").press("Enter")
    expect(rows.first).to_contain_text("The sea")
    rows.first.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(1)
    screen.page.get_by_role("button", name="Bring it back").click()
    expect(rows.first).to_contain_text("The sea")
    with screen.told():
        rows.first.get_by_role("button", name="The sea", exact=True).click()
    assert screen.said() == ["Tell me of whales"]
    assert screen.state("Tiller.state.view.title") == "The sea"
    # Undo goes back to the other one.
    press(screen, "Undo")
    assert screen.said() == ["Tell me of towns"]


def test_all_chats_leave_in_one_file_and_come_back_in_another_browser(
    screen: Screen, chromium: Browser, server: Served, tmp_path: Path
) -> None:
    screen.ask("Tell me of whales")
    kept(screen)
    screen.page.get_by_role("button", name="Chats").click()
    with screen.page.expect_download() as waiting:
        screen.page.get_by_role("button", name="Export all").click()
    path = tmp_path / "all.json"
    waiting.value.save_as(path)
    assert len(json.loads(path.read_text(encoding="utf-8"))["chats"]) == 1
    other = Screen.open(chromium, server.address).ready()
    other.page.get_by_role("button", name="Chats").click()
    other.page.get_by_label("A file of chats").set_input_files(path)
    expect(other.page.locator(".t-kept li")).to_contain_text("Tell me of whales")
    expect(other.page.locator(".t-dialog [role=status]")).to_have_text("1 chat imported.")
    bad = tmp_path / "bad.json"
    bad.write_text("nonsense", encoding="utf-8")
    other.page.get_by_label("A file of chats").set_input_files(bad)
    expect(other.page.locator(".t-dialog [role=status]")).to_contain_text("not JSON")
    other.page.get_by_role("button", name="Tell me of whales", exact=True).click()
    other.wait("Tiller.state.view.turns.length === 1 && !Tiller.state.view.recorded")
    assert other.text(1) == screen.text(1)
