"""The button that learns, in a real browser: offered, pressed, watched, cancelled, and the sliders that are there afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from core.artefacts import store
from core.confidence import measure
from core.directions import controls, learn_refusal, reply_rates
from core.engine.engine import Engine
from tests.support import tiny_models
from tests.support.browser_page import Screen
from tests.support.browser_server import Served, served, short
from tests.support.waiting import PATIENCE, learning_held


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A tiny family without directions; each test has a data folder of its own, where none was learnt yet."""
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "bare")
    tiny_models.contrast(folder, examples=2)
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with pytest.MonkeyPatch.context() as patch, served(engine) as page:
        patch.setattr(learn_refusal, "MOST_POSITIONS", 1)
        patch.setattr(controls, "CONTROLS", 2)
        patch.setattr(reply_rates, "REPLY_TOKENS", 4)
        yield page


def opened(chromium: Browser, server: Served) -> Screen:
    link = short(server.engine.settings(), 4).to_link()
    return Screen.open(chromium, f"{server.address}?{link}").ready()


def test_one_button_learns_and_the_sliders_are_there(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    line = screen.page.locator(".t-learning")
    expect(line).to_contain_text("chat has no directions for refusal and truth yet.")
    button = screen.page.get_by_role("button", name="Learn refusal and truth now (about")
    expect(button).to_be_enabled()
    assert screen.page.locator(".t-slider").count() == 0
    screen.ask("Hello")
    button.click()
    # Without a restart, and without a reload of the page.
    expect(screen.slider("truth")).to_be_visible()
    expect(screen.slider("refusal")).to_be_visible()
    expect(line).to_be_hidden()
    expect(screen.page.locator(".t-lens")).to_contain_text("refusal")
    assert {card.name for card in server.engine.directions("chat")} == {"truth", "refusal"}
    assert all(card.path.is_relative_to(store.user_folder()) for card in server.engine.directions("chat"))
    with screen.told():
        screen.slide("truth", 1.0)
    screen.idle()
    assert screen.recipe.input_value() == "1*truth"
    assert screen.tokens(0).count() == 4
    # The other checkpoint still lacks them, and says so when its column is selected.
    with screen.told():
        screen.slide("truth", 0.0)
    screen.idle()
    with screen.told():
        screen.page.locator(".t-columns select").nth(0).select_option("base")
    expect(line).to_contain_text("base has no directions for refusal and truth yet.")
    assert screen.outside == []
    assert screen.faults == []


def test_progress_is_shown_and_cancel_ends_it(chromium: Browser, server: Served) -> None:
    screen = opened(chromium, server)
    line = screen.page.locator(".t-learning")
    with learning_held(0.2):
        screen.page.get_by_role("button", name="Learn refusal and truth now").click()
        expect(line).to_contain_text("% · about")
        expect(line).to_contain_text("left")
        bar = line.get_by_role("progressbar")
        expect(bar).to_be_visible()
        screen.wait("document.querySelector('.t-learning progress').value > 0.1")
        # A chat goes on meanwhile.
        screen.ask("Hello")
        assert screen.tokens(0).count() == 4
        line.get_by_role("button", name="Cancel").click()
        expect(line).to_contain_text("Learning was cancelled; what was found out is kept for the next time.")
        expect(bar).to_be_hidden()
        assert list(store.user_folder().rglob("*.safetensors")) == []
    screen.page.get_by_role("button", name="Learn refusal and truth now").click()
    expect(screen.slider("truth")).to_be_visible()
    assert screen.faults == []


def test_what_goes_wrong_is_said_in_the_line(chromium: Browser, server: Served) -> None:
    examples = server.engine.family.folder / "contrast" / "truth.csv"
    whole = examples.read_text()
    examples.write_text(whole.replace("train", "tain"))
    screen = opened(chromium, server)
    screen.page.get_by_role("button", name="Learn refusal and truth now").click()
    expect(screen.page.locator(".t-learning .wrong")).to_contain_text("a split train, validation or test are needed")
    expect(screen.page.get_by_role("button", name="Learn refusal and truth now")).to_be_enabled()
    # Once that is mended, the same button learns.
    examples.write_text(whole)
    screen.page.get_by_role("button", name="Learn refusal and truth now").click()
    expect(screen.slider("truth")).to_be_visible()
    assert screen.faults == []


def test_confidence_is_measured_shown_and_ablated_in_the_chat(
    chromium: Browser, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SETS", "MATCHED"):
        monkeypatch.setattr(measure, name, 2)
    screen = opened(chromium, server)
    page = screen.page
    page.get_by_role("tab", name="Inspect").click()
    expect(page.locator("#t-confidence-said")).to_contain_text("base and chat: not measured yet")
    # Nothing is known that could be taken out.
    box = page.locator("#t-confidence-ablate")
    expect(box).to_be_hidden()
    page.locator("#t-confidence-measure").click()
    expect(page.locator("#t-confidence-tables table").first).to_contain_text("has entropy neurons among its candidates")
    expect(page.locator(".t-plots svg:visible")).to_have_count(2)
    expect(page.get_by_text("neurons.chat").first).to_be_visible()
    page.locator("summary", has_text="Entropy-neuron candidates of chat").click()
    expect(page.get_by_text("norm / ln LogitVar").last).to_be_visible()
    # The box says no more than the sentence above it.
    found = page.locator(".t-headline", has_text="It has neurons that regulate this").count()
    expect(box).to_contain_text("these neurons" if found else "the candidates, which were not shown to do this")
    box.locator("input").click()
    expect(page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    assert screen.recipe.input_value() == "!neurons:entropy"
    expect(page.locator(".t-lens input[name=t-lens]:checked")).to_have_value("entropy")
    assert screen.outside == []
    assert screen.faults == []
