"""Five tasks that a stranger does without help, on a wide screen and on a phone, by what can be seen and read alone.

Steer a model to refuse; find out who taught it a refusal; open a model of one's own and make it formal; compare two checkpoints; send a
friend a link that opens the same, live. On Skiff, which is what a stranger finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.directions import controls, learn_replies, reply_rates
from core.engine.engine import Engine
from tests.support import tiny_models
from tests.support.accessibility import Axe
from tests.support.browser_server import Served, served
from tests.support.waiting import PATIENCE

REFUSAL = "Sorry, I cannot help with that."
SIZES = pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)], ids=["wide", "phone"])


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    engine = Engine("skiff", threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with served(engine) as page:
        yield page


@contextmanager
def stranger(chromium: Browser, address: str, width: int, height: int) -> Iterator[Page]:
    """A browser that has never been here; whatever its console complains of fails the test, and so does a request to elsewhere."""
    phone = width < 600
    context = chromium.new_context(viewport={"width": width, "height": height}, has_touch=phone, is_mobile=phone)
    page, faults = context.new_page(), list[str]()
    page.set_default_timeout(1_000 * PATIENCE)
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda asked: faults.append(asked.url) if urlparse(asked.url).hostname not in (None, "127.0.0.1") else None,
    )
    page.goto(address)
    expect(page.get_by_role("status").filter(has_text="ready")).to_be_visible()
    yield page
    assert faults == []
    assert page.locator("html").evaluate("each => each.scrollWidth") <= width, "nobody has to scroll sideways"


def answer(page: Page, who: str) -> Locator:
    """The last answer of a column, by the name under which it is read aloud: its checkpoint and its recipe."""
    return page.get_by_label(f"Answer of {who}, token by token").last


def drag(page: Page, slider: Locator, strength: float) -> None:
    """Drag a slider's knob from where it is to a strength."""
    slider.evaluate("each => each.scrollIntoView({block: 'center'})")
    low, high, now = slider.evaluate("each => [each.min, each.max, each.value].map(Number)")

    def across(at: float, width: float) -> float:
        return 9 + (width - 18) * (at - low) / (high - low)

    place = slider.bounding_box()
    assert place is not None
    # Hovering waits until nothing moves any more: what an answer ends with shifts the page a little.
    slider.hover(position={"x": across(now, place["width"]), "y": place["height"] / 2})
    place = slider.bounding_box()
    assert place is not None
    middle = place["y"] + place["height"] / 2
    page.mouse.down()
    page.mouse.move(place["x"] + across(strength, place["width"]), middle, steps=4)
    page.mouse.up()


@SIZES
def test_steer_a_model_to_refuse(chromium: Browser, server: Served, width: int, height: int) -> None:
    with stranger(chromium, server.address, width, height) as page:
        # By a chip.
        page.get_by_role("button", name="Make it refuse").click()
        expect(answer(page, "dpo, 1.5*refusal")).to_have_text(REFUSAL)
        expect(page.get_by_text("With 1.5*refusal, it refuses where it answers by itself.")).to_be_visible()
        # By the slider: back to nothing, where it answers, and up to where the mark of use ends.
        page.get_by_role("button", name="New chat").click()
        expect(page.get_by_text(REFUSAL)).to_have_count(0)
        page.get_by_role("button", name="Reset refusal").click()
        expect(page.get_by_role("button", name="Steer column 2")).to_contain_text("plain")
        page.get_by_role("button", name="How do I bake bread?").click()
        # To its end: while it is written, a slider would steer the rest of it.
        expect(answer(page, "dpo, plain")).to_contain_text("minutes.")
        drag(page, page.get_by_label("Strength of refusal", exact=True), 1.5)
        expect(answer(page, "dpo, 1.5*refusal")).to_have_text(REFUSAL)


@SIZES
def test_find_out_who_taught_it_a_refusal(chromium: Browser, server: Served, width: int, height: int) -> None:
    with stranger(chromium, server.address, width, height) as page:
        page.get_by_role("button", name="Who taught it that?").click()
        expect(page.get_by_text("The safety stage taught it that.")).to_be_visible()
        expect(page.get_by_text("Really trained again without it")).to_contain_text("You can stop a process")
        expect(answer(page, "dpo, plain")).to_have_text(REFUSAL)
        page.get_by_role("button", name="How do we know?").click()
        expect(page.get_by_role("tab", name="Blame")).to_have_attribute("aria-selected", "true")
        # What was said is measured, without another press.
        expect(page.get_by_label("Prompt", exact=True)).to_have_value("How do I kill a process?")
        expect(page.locator("#t-blame-result")).to_contain_text("The safety stage taught it this")
        # What nobody made an embedding for is no question.
        expect(page.locator("#t-blame-question label")).to_have_text(
            ["best available", "came with", "without it (retrained)", "without it (weights subtracted, estimate)"]
        )


@SIZES
def test_open_a_model_of_ones_own_and_make_it_formal(
    chromium: Browser, server: Served, width: int, height: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    monkeypatch.setattr(learn_replies, "SAID_TOKENS", 4)
    folder = tmp_path / "my-model"
    tiny_models.model("llama").save_pretrained(folder)
    tiny_models.tokenizer().save_pretrained(folder)
    with stranger(chromium, server.address, width, height) as page:
        page.get_by_role("button", name="Skiff").first.click()
        page.get_by_label("A model of your own").fill(str(folder))
        page.get_by_role("button", name="Open", exact=True).click()
        expect(page.get_by_role("button", name="my-model")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="ready")).to_be_visible()
        page.get_by_role("tab", name="Library").click()
        page.get_by_role("button", name=re.compile("^formal")).click()
        page.get_by_role("button", name="Use in Chat").click()
        expect(page.get_by_label("Strength of formal", exact=True)).to_be_visible()


@SIZES
def test_compare_two_checkpoints(chromium: Browser, server: Served, width: int, height: int) -> None:
    with stranger(chromium, server.address, width, height) as page:
        page.get_by_role("button", name="New chat").click()
        page.get_by_role("button", name="Reset refusal").click()
        page.get_by_role("button", name="Steer column 1").click()
        page.get_by_label("Checkpoint of column 1").select_option(label="base")
        page.get_by_role("textbox", name="Your message").fill("How do I make a cup of tea?")
        page.get_by_role("button", name="Send").click()
        base, final = answer(page, "base, plain"), answer(page, "dpo, plain")
        expect(base).not_to_be_empty()
        expect(final).to_contain_text("Boil water")
        expect(page.get_by_text("base and dpo")).to_be_visible()
        # On a phone one of the two is in view, and a press on the other's name shows that.
        page.get_by_role("button", name="Steer column 2").click()
        expect(final).to_be_visible()
        page.get_by_role("button", name="Steer column 1").click()
        expect(base).to_be_visible()
        assert base.inner_text() != final.text_content()


@SIZES
def test_send_a_friend_a_link_that_opens_the_same_live(
    chromium: Browser, server: Served, width: int, height: int
) -> None:
    with stranger(chromium, server.address, width, height) as page:
        page.get_by_role("button", name="How do I bake bread?").click()
        # The chip, and the message.
        expect(page.get_by_text("How do I bake bread?")).to_have_count(2)
        expect(answer(page, "dpo, 1.5*refusal")).to_have_text(REFUSAL)
        page.get_by_role("button", name="Share").click()
        link = page.get_by_label("Link to this chat").input_value()
    with stranger(chromium, link, width, height) as page:
        expect(page.get_by_text("How do I bake bread?")).to_have_count(2)
        expect(page.get_by_label("Recipe of the selected column")).to_have_value("1.5*refusal")
        expect(answer(page, "dpo, 1.5*refusal")).to_have_text(REFUSAL)
        drag(page, page.get_by_label("Strength of refusal", exact=True), 0)
        # To its end: while it is written, a slider would steer the rest of it.
        expect(answer(page, "dpo, plain")).to_contain_text("minutes.")
        # Loaded again it is the same, and the console has nothing to complain of.
        page.reload()
        # To its end: while it is written, a slider would steer the rest of it.
        expect(answer(page, "dpo, plain")).to_contain_text("minutes.")


#: Texts that can be seen and are cut: by their own edge, or by that of whatever holds them and does not scroll. Links to copy may be.
CUT = """() => [...document.querySelectorAll("body *")].filter((each) => {
  const box = each.getBoundingClientRect(), style = getComputedStyle(each);
  const words = [...each.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim()) || each.matches("input, select");
  if (!words || box.width < 2 || !each.checkVisibility({ visibilityProperty: true }) || each.closest(".t-aloud")) return false;
  if (each.scrollWidth > each.clientWidth + 1 && (each.matches("input") || ["hidden", "clip"].includes(style.overflowX))) return true;
  for (let home = each.parentElement; home; home = home.parentElement) {
    const how = getComputedStyle(home).overflowX;
    if (["auto", "scroll"].includes(how)) return false;
    if (["hidden", "clip"].includes(how) && box.right > home.getBoundingClientRect().right + 2) return true;
  }
  return box.right > innerWidth + 1;
}).map((each) => each.value || each.textContent)"""


@SIZES
def test_every_tab_opens_with_what_it_comes_to_and_a_picture(
    chromium: Browser, server: Served, width: int, height: int
) -> None:
    with stranger(chromium, server.address, width, height) as page:
        axe = Axe(page)
        conversation = page.locator(".t-columns")
        if width > 600:
            # Every row stands above it; a notice takes its room from these.
            for notice in ("", "Something is wrong here, and this is what to do about it."):
                page.evaluate("said => said && Tiller.tell('notice', said)", notice)
                page.wait_for_function("document.querySelector('.t-columns').offsetHeight >= 400")
        else:
            expect(conversation).to_be_visible()
        assert page.evaluate(CUT) == []
        opening = {
            "Blame": ("The safety stage taught it this", ".t-signed", 3),
            "Transfer": ("Yes: the truth direction of base works on dpo", ".t-verdicts button", 16),
            "Inspect": ("The steered model settles on “Sorry”", "svg[role=img]", 3),
            "Library": ("dpo can be steered by 2 directions", ".t-direction svg", 8),
        }
        for name, (said, picture, count) in opening.items():
            page.get_by_role("tab", name=name, exact=True).click()
            pane = page.locator(f"#t-tab-{name.lower()}")
            expect(pane.locator(".t-headline").first).to_contain_text(said)
            expect(pane.locator(picture).locator("visible=true")).to_have_count(count)
            if name == "Inspect":
                headlines = pane.locator(".t-headline")
                expect(headlines.nth(1)).to_contain_text("dpo is surer than it is right")
                expect(headlines.nth(2)).to_contain_text("No neurons that regulate this were found")
                expect(headlines.nth(3)).to_contain_text("base and dpo keep it in the same places")
                expect(pane.locator("#t-maps .js-plotly-plot")).to_be_visible()
            # What the sentence rests on is folded up.
            assert pane.locator(".t-told table:not(.t-verdicts)").locator("visible=true").count() <= 2
            assert page.evaluate(CUT) == []
            axe.check(name, f"#t-tab-{name.lower()}")
