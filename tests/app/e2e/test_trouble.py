"""What a page says when something is wrong with everything: a server that is gone, a model that is none. And what goes on behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from core.chat.events import Status
from core.engine.engine import DIRECTIONS, Engine
from core.engine.jobs import Job
from tests.support.browser_page import Screen
from tests.support.browser_server import Served, family, served

BROKEN = "owner/model is not whole on this computer, and the Hugging Face Hub cannot be reached; connect once, and start again."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    # Its engine is never started: what it says of itself is what the tests let it say.
    with served(Engine(str(family(tmp_path_factory.mktemp("families") / "tinyfam")), threads=1)) as there:
        yield there


def test_a_server_that_is_gone_is_red_and_the_draft_stays(chromium: Browser, server: Served) -> None:
    screen = Screen.open(chromium, server.address)
    screen.wait("Tiller.state.status")
    screen.box.fill("What was being written")
    screen.page.context.set_offline(True)
    screen.wait("Tiller.state.gone")
    expect(screen.page.locator(".t-status")).to_contain_text("the server is gone")
    assert screen.page.locator(".t-light").get_attribute("data-state") == "failed"
    expect(screen.page.locator("#t-columns .t-trouble")).to_contain_text("Tiller's server does not answer.")
    screen.box.press("Enter")
    assert screen.notice().startswith("Tiller's server does not answer.")
    assert screen.box.input_value() == "What was being written"
    assert not screen.page.locator(".toast-wrap").is_visible()
    # The other tabs say it, too, where they are looked at; Chat says it once.
    head = screen.page.locator(".t-header .t-trouble")
    expect(head).to_be_hidden()
    screen.page.get_by_role("tab", name="Library", exact=True).click()
    expect(head).to_be_visible()
    expect(head).to_contain_text("Tiller's server does not answer.")
    screen.page.get_by_role("tab", name="Chat", exact=True).click()
    screen.page.context.set_offline(False)
    screen.page.reload()
    screen.wait("window.Tiller && Tiller.state.view && Tiller.state.status")
    expect(screen.box).to_have_value("What was being written")
    expect(screen.page.locator("#t-columns .t-trouble")).to_be_hidden()


def test_a_page_that_is_left_open_draws_next_to_nothing(chromium: Browser, server: Served) -> None:
    """Gradio's wheel of waiting would go on for ever, sixty times a second, behind the page that has come."""
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.add_init_script(
            "window.frames_asked = 0; const native = requestAnimationFrame.bind(window);"
            "window.requestAnimationFrame = (draw) => { window.frames_asked += 1; return native(draw); };"
        )
        page.goto(server.address)
        page.wait_for_function("window.Tiller && Tiller.state.view && Tiller.state.status")
        page.wait_for_timeout(3_000)
        begun = page.evaluate("window.frames_asked = 0, performance.now()")
        page.wait_for_timeout(3_000)
        asked, now = page.evaluate("[window.frames_asked, performance.now()]")
        assert asked <= 25 * (now - begun) / 1_000
    finally:
        context.close()


def test_a_model_that_cannot_be_loaded_is_said_whole_in_the_middle(chromium: Browser, server: Served) -> None:
    before = server.engine.status
    screen = Screen.open(chromium, f"{server.address}?s={server.engine.settings().to_link()[2:]}")
    expect(screen.page.locator(".t-welcome")).to_be_visible()
    server.engine._publish(Status("failed", BROKEN))
    try:
        expect(screen.page.locator("#t-columns .t-trouble")).to_have_text(BROKEN)
        expect(screen.page.locator(".t-status")).to_contain_text("no model")
        expect(screen.page.locator(".t-welcome")).to_be_hidden()
    finally:
        server.engine._publish(before)


def test_the_head_lists_what_goes_on_and_what_waits(chromium: Browser, server: Served) -> None:
    learning, waiting = Job("chat", ("politeness",)), Job("", ("truth",), doing="measuring the transfer of")
    server.engine._jobs["chat", DIRECTIONS] = learning
    server.engine.transfers._jobs["truth"] = waiting
    learning.publish("running", "Trying layer 3 at token -4.", 0.35, 1200.0)
    screen = Screen.open(chromium, server.address)
    head = screen.page.locator(".t-jobs summary")
    expect(head).to_have_text("learning politeness on chat, 35 %, about 20 min · 1 more")
    head.click()
    lines = screen.page.locator(".t-jobs li")
    assert lines.all_inner_texts() == [
        "learning politeness on chat, 35 %, about 20 min\nCancel\nTrying layer 3 at token -4.",
        "measuring the transfer of truth, waits\nCancel\nWaiting for the model.",
    ]
    # It is the same list in every tab, and ends the one that is meant.
    screen.page.get_by_role("tab", name="Library", exact=True).click()
    expect(head).to_be_visible()
    head.click()
    cancel = screen.page.get_by_role("button", name="Cancel measuring the transfer of truth")
    cancel.click()
    expect(cancel).to_be_disabled()
    expect(lines.nth(1)).to_contain_text("It is being cancelled.")
    assert [job.cancelled.is_set() for job in (learning, waiting)] == [False, True]
    for job in (learning, waiting):
        job.publish("done", "Done.")
    expect(screen.page.locator(".t-jobs")).to_be_hidden()
