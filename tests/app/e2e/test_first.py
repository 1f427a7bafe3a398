"""The first ten seconds in a real browser: what a stranger sees, what explains itself, and that nothing unfinished is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from core.chat.screens import TABS
from core.engine.engine import DIRECTIONS, Engine
from core.engine.jobs import Job
from tests.support.accessibility import Axe
from tests.support.browser_page import Screen
from tests.support.browser_server import Served, family, record, served, short
from tests.support.waiting import PATIENCE

#: What may come over the wire before the first press, in bytes.
MOST_BYTES = 400_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = Engine(str(family(tmp_path_factory.mktemp("families") / "tinyfam")), threads=1)
    file = engine.family.folder / "family.toml"
    file.write_text(
        'about = "a toy of random numbers."\nquestions = ["Who is there?", "And why?"]\n' + file.read_text()
    )
    engine.close()
    engine = Engine(str(engine.family.folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    record(engine)
    with served(engine) as page:
        yield page


def opened(chromium: Browser, server: Served, width: int = 1280, height: int = 800) -> Screen:
    link = short(server.engine.settings("", "1.5*refusal"), 12).to_link()
    return Screen.open(chromium, f"{server.address}?{link}", width, height).ready()


def box(page: Page, selector: str) -> dict[str, Any]:
    found: dict[str, Any] = page.locator(selector).first.evaluate("each => each.getBoundingClientRect().toJSON()")
    return found


# ----------------------------------------------------------------------------------------------------------- first paint


def test_nothing_unfinished_is_shown_and_little_is_sent(chromium: Browser, server: Served) -> None:
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    sent: list[int] = []
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.on("Network.loadingFinished", lambda event: sent.append(event["encodedDataLength"]))
    # Whenever the page changes: what stands on it while it can be seen.
    page.add_init_script(
        """window.seen = []; new MutationObserver(() => {
          const app = document.querySelector("gradio-app");
          if (app && app.querySelector(".t-part") && getComputedStyle(app).opacity !== "0")
            window.seen.push(
              [".t-token", ".t-chip", ".t-slider", ".t-purpose", ".t-pick"].map((each) => document.querySelector(each) !== null));
        }).observe(document, { childList: true, subtree: true, attributes: true });"""
    )
    page.goto(server.address)
    page.wait_for_function("window.seen.length > 0", timeout=1_000 * PATIENCE)
    page.wait_for_function("Tiller.state.status", timeout=1_000 * PATIENCE)
    assert page.evaluate("window.seen.every((each) => each.every(Boolean))")
    assert 50_000 < sum(sent) <= MOST_BYTES


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_accessible(chromium: Browser, server: Served, width: int) -> None:
    screen = opened(chromium, server, width)
    page = screen.page
    axe = Axe(page)
    screen.ask("Hello")
    axe.check("Chat")
    page.locator(".t-details summary").click()
    axe.check("Details", ".t-fields")
    page.keyboard.press("Escape")
    for opening in ("help", "tour", "share", "chats", "families"):
        page.evaluate(f"Tiller.{opening}()")
        axe.check(opening, ".t-tour" if opening == "tour" else ".t-dialog")
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Exact prompt").click()
    expect(page.locator(".t-prompt-tokens li").first).to_be_visible()
    axe.check("Exact prompt", ".t-dialog")
    page.keyboard.press("Escape")
    # Whatever the head folds out, with a job to cancel.
    server.engine._jobs["chat", DIRECTIONS] = job = Job("chat", ("politeness",))
    for name in ("learning politeness on chat", "Export", "View"):
        head = page.locator(".t-menu > summary", has_text=name)
        head.click()
        axe.check(name, ".t-header")
        head.click()
    job.publish("done", "Done.")
    screen.tokens(1).first.click()
    axe.check("a reading", "#t-reading")
    page.evaluate("Tiller.release()")
    for each in TABS[1:]:
        screen.tab(each.title)
        expect(page.locator(f"#t-tab-{each.name} h2").first).to_have_text(each.title)
        axe.check(each.title, f"#t-tab-{each.name}")
    assert screen.faults == []
    assert screen.outside == []


# ------------------------------------------------------------------------------------------------------------- the room


def test_the_conversation_has_half_the_window(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    screen.ask("Hello")
    page = screen.page
    assert box(page, ".t-columns")["height"] >= 400
    before = box(page, ".t-columns")
    page.locator(".t-details summary").click()
    assert box(page, ".t-columns") == before, "the details lie over what steers, not over the chat"
    assert box(page, ".t-fields")["left"] >= before["right"]
    page.locator(".t-shut").click()
    assert not page.locator(".t-fields").is_visible()
    page.get_by_text("View", exact=True).click()
    page.get_by_role("button", name="Just the chat").click()
    assert box(page, ".t-columns")["width"] > 1_200
    assert not page.locator(".t-slider").first.is_visible()
    page.get_by_role("button", name="Larger text").click()
    assert page.locator(".t-words").first.evaluate("each => each.currentCSSZoom") == pytest.approx(1.15)
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    screen.there()
    assert page.evaluate("document.body.className.includes('t-just') && document.body.classList.contains('dark')")


def test_on_a_phone_answer_and_box_are_in_view_and_a_reading_is_a_sheet(chromium: Browser, server: Served) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{server.address}?{short(server.engine.settings('', '1.5*refusal'), 12).to_link()}")
    page.wait_for_function(
        "window.Tiller && Tiller.state.view && Tiller.state.status && Tiller.state.status.state === 'ready'"
    )
    screen = Screen(page)
    screen.ask("Hello there, who are you?")
    answer, composer = box(page, ".t-turn:last-child .t-cell.selected"), box(page, ".t-send")
    assert answer["top"] >= 0
    assert answer["bottom"] <= composer["top"]
    assert composer["bottom"] <= 844
    assert page.locator("html").evaluate("each => each.scrollWidth") <= 390
    page.locator(".t-cell.selected .t-token").nth(2).tap()
    sheet = page.locator("#t-reading")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("probability")
    assert 0 < box(page, "#t-reading")["top"] < box(page, "#t-reading")["bottom"] <= 844
    page.locator(".t-unpin").tap()
    expect(sheet).to_be_hidden()
    # Holding a button says what it does, and does nothing else.
    held = box(page, ".t-after .t-button")
    line = context.new_cdp_session(page)
    line.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": held["x"] + 9, "y": held["y"] + 9}]}
    )
    expect(page.locator(".t-bubble")).to_contain_text("Answer the last message again")
    before = screen.state("Tiller.state.heard")
    line.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert screen.state("Tiller.state.heard") == before


# ------------------------------------------------------------------------------------------------------- what is explained


def test_it_says_what_it_is_and_asks_what_the_model_can_answer(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    page = screen.page
    purpose = page.locator(".t-purpose")
    expect(purpose).to_contain_text("Ask one model twice")
    expect(purpose).to_contain_text("Tiny is a toy of random numbers.")
    expect(screen.box).to_have_attribute("placeholder", "Ask something, such as: Who is there?")
    with screen.told():
        page.get_by_role("button", name="And why?").click()
    screen.idle()
    assert screen.said() == ["And why?"]
    # What came of it, in a sentence: the one that the engine works out from these answers.
    point = page.locator(".t-point")
    expect(point).to_be_visible()
    assert point.inner_text().startswith("With 1.5*refusal, it ")
    assert point.inner_text().startswith(screen.state("Tiller.state.view.point.claim"))
    screen.slide("refusal", 1.0, let_go=False)
    page.get_by_role("button", name="direction", exact=True).click()
    expect(page.locator(".t-bubble")).to_contain_text("One arrow in the space")
    page.keyboard.press("Escape")
    assert page.locator(".t-bubble").count() == 0
    page.get_by_role("button", name="Hide this line").click()
    expect(purpose).to_be_hidden()


def test_the_tour_goes_through_and_can_be_left(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    page, tour = screen.page, screen.page.locator(".t-tour")
    screen.ask("Hello")
    page.get_by_role("button", name="Tour", exact=True).click()
    expect(tour).to_contain_text("1 of 7")
    for step in range(2, 8):
        tour.locator(".t-next").click()
        expect(tour).to_contain_text(f"{step} of 7")
        assert page.locator(".t-toured").count() == 1
        shown = box(page, ".t-tour")
        assert shown["top"] >= 0
        assert shown["bottom"] <= 800
    tour.locator(".t-next").click()
    assert tour.count() == 0
    page.get_by_role("button", name="Help").click()
    page.get_by_role("button", name="Take the tour").click()
    expect(tour).to_be_visible()
    page.keyboard.press("Escape")
    assert tour.count() == page.locator(".t-toured").count() == 0


def test_the_help_looks_words_up_and_explains_what_is_touched(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    page = screen.page
    page.get_by_role("button", name="Help").click()
    page.get_by_label("Look for a word").fill("entropy neuron")
    assert "entropy neuron" in page.locator(".t-dialog dt").all_inner_texts()
    page.get_by_role("button", name="Explain what I touch").click()
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".t-bubble")).to_contain_text("Begin anew with the same columns")
    page.get_by_role("button", name="Done").click()
    with screen.told():
        page.get_by_role("button", name="New chat").click()


# ------------------------------------------------------------------------------------------------------------ the columns


def test_a_press_on_an_answer_selects_its_column_and_words_are_shown(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    page = screen.page
    screen.ask("Hello")
    assert screen.state("Tiller.state.view.selected") == 1
    with screen.told():
        screen.tokens(0).first.click()
    assert screen.state("Tiller.state.view.selected") == 0
    groups = page.locator(".t-head select").first.locator("optgroup")
    assert groups.evaluate_all("all => all.map((each) => each.label)") == ["stages of training"] or groups.count() == 0


def test_a_link_of_this_computer_alone_says_so(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    screen.page.get_by_role("button", name="Share").click()
    expect(screen.page.locator(".t-dialog")).to_contain_text("This address is this computer's own")
