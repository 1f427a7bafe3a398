"""The Library in a real browser: the list, a card with its curves, and a direction learnt from two boxes of examples."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import tiny
from browser_page import Screen, browser
from browser_server import Served, served, short
from playwright.sync_api import Browser, Locator, expect

from core import controls, learning_refusal
from core.engine import Engine
from core.notebook import Notebook

expect.set_options(timeout=60_000)
POLITE = "\n".join(f"Could you please say {index}?" for index in range(5))
RUDE = "\n".join(f"Say {index} <b>now</b>." for index in range(5))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny.family(tmp_path_factory.mktemp("families") / "shelf", checkpoints=("chat",), plain_base=False)
    tiny.contrast(folder, examples=2)
    tiny.direction(folder, "chat", "truth")
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(60).state == "ready"
    with pytest.MonkeyPatch.context() as patch, served(engine) as page:
        patch.setattr(learning_refusal, "MOST_POSITIONS", 1)
        patch.setattr(controls, "CONTROLS", 2)
        yield page


def pane(screen: Screen) -> Locator:
    screen.page.get_by_role("tab", name="Library").click()
    found = screen.page.get_by_role("tabpanel").filter(has_text="Learn a direction")
    expect(found.get_by_role("button", name="Learn", exact=True)).to_be_visible()
    return found


def test_a_direction_is_learnt_from_two_boxes(
    chromium: Browser, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Notebook.keep

    def slowly(self: Notebook, name: str, note: dict[str, object]) -> None:
        time.sleep(0.05)
        keep(self, name, note)

    monkeypatch.setattr(Notebook, "keep", slowly)
    link = short(server.engine.settings(), 4).to_link()
    screen = Screen.open(chromium, f"{server.address}?{link}").ready()
    library = pane(screen)
    # What is there, with a card that has few figures.
    expect(library.locator("table")).to_contain_text("truth")
    expect(library.locator(".t-card:not(.block)")).to_contain_text("truth of shelf chat")
    learn, went = library.get_by_role("button", name="Learn", exact=True), library.locator(".t-went:not(.block)")
    # What is wrong is one sentence, and what was written stays.
    library.get_by_label("name, for recipes").fill("politeness")
    library.get_by_label("positive examples").fill(POLITE)
    learn.click()
    expect(went).to_contain_text(
        "The box of negative examples is empty; write at least 5 negative examples, one a line."
    )
    assert library.get_by_label("positive examples").input_value() == POLITE
    library.get_by_label("layer").fill("first")
    learn.click()
    expect(went).to_contain_text("The layer is a whole number from 0 on, or nothing for the best one, not 'first'.")
    library.get_by_label("layer").fill("")
    # Progress, cancel, and again.
    library.get_by_label("negative examples").fill(RUDE)
    learn.click()
    expect(went.get_by_role("progressbar")).to_be_visible()
    library.get_by_role("button", name="Cancel").click()
    expect(went).to_contain_text("Learning was cancelled; what was found out is kept for the next time.")
    monkeypatch.setattr(Notebook, "keep", keep)
    learn.click()
    expect(went).to_contain_text("Learnt politeness on chat.")
    card = library.locator(".t-card:not(.block)")
    for text in (
        "politeness of shelf chat",
        "only 3 positive and 3 negative",
        "Three answers",
        "At strength 1, beside it",
    ):
        expect(card).to_contain_text(text)
    expect(library.locator("table")).to_contain_text("politeness, 6")
    for title in ("Scores of every layer", "What each strength does"):
        expect(library.locator(".js-plotly-plot").filter(has_text=title)).to_be_visible()
    # Its name is taken now, and it can be steered by at once.
    learn.click()
    expect(went).to_contain_text("chat has a direction 'politeness' of your own already; give this one another name")
    screen.page.get_by_role("tab", name="Chat").click()
    expect(screen.slider("politeness")).to_be_visible()
    assert screen.outside == []
    assert screen.faults == []
