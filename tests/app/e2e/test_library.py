"""The Library in a real browser: the list, a card with its curves, and a direction learnt from two boxes of examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from safetensors.numpy import save_file

from core.artefacts import store
from core.directions import controls, learn_refusal, reply_rates
from core.engine.engine import Engine
from tests.support import tiny_models
from tests.support.browser_page import Screen, library_pane
from tests.support.browser_server import Served, served, short
from tests.support.waiting import PATIENCE, learning_held

POLITE = "\n".join(f"Could you please say {index}?" for index in range(5))
RUDE = "\n".join(f"Say {index} <b>now</b>." for index in range(5))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "pool", checkpoints=("chat",), plain_base=False)
    tiny_models.contrast(folder, examples=2)
    tiny_models.direction(folder, "chat", "truth")
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with pytest.MonkeyPatch.context() as patch, served(engine) as page:
        patch.setattr(learn_refusal, "MOST_POSITIONS", 1)
        patch.setattr(controls, "CONTROLS", 2)
        patch.setattr(reply_rates, "REPLY_TOKENS", 4)
        yield page


def test_a_direction_is_learnt_from_two_boxes(chromium: Browser, server: Served) -> None:
    link = short(server.engine.settings(), 4).to_link()
    screen = Screen.open(chromium, f"{server.address}?{link}").ready()
    library = library_pane(screen.page)
    # What is there, with a card that has few figures.
    expect(library.locator("#t-library-all table")).to_contain_text("truth")
    expect(library.locator(".t-card:not(.block)")).to_contain_text("truth of pool chat")
    learn, went = (
        library.get_by_role("button", name="Learn", exact=True),
        library.locator("#t-library-boxes .t-went:not(.block)"),
    )
    # What is wrong is one sentence, and what was written stays.
    library.locator("#t-library-boxes").get_by_label("name, for recipes").fill("politeness")
    library.get_by_label("positive examples").fill(POLITE)
    learn.click()
    expect(went).to_contain_text(
        "The box of negative examples is empty; write at least 5 negative examples, one a line."
    )
    assert library.get_by_label("positive examples").input_value() == POLITE
    library.get_by_label("layer", exact=True).fill("first")
    learn.click()
    expect(went).to_contain_text("The layer is a whole number from 0 on, or nothing for the best one, not 'first'.")
    library.get_by_label("layer", exact=True).fill("")
    # Progress, cancel, and again.
    library.get_by_label("negative examples").fill(RUDE)
    with learning_held(0.2):
        learn.click()
        expect(went.get_by_role("progressbar")).to_be_visible()
        library.locator("#t-library-boxes").get_by_role("button", name="Cancel").click()
        expect(went).to_contain_text("Learning was cancelled; what was found out is kept for the next time.")
    learn.click()
    expect(went).to_contain_text("Learnt politeness on chat.")
    card = library.locator(".t-card:not(.block)")
    for text in (
        "politeness of pool chat",
        "only 3 positive and 3 negative",
        "Three answers",
        "At strength 1, beside it",
    ):
        expect(card).to_contain_text(text)
    expect(library.locator("#t-library-all table")).to_contain_text("politeness, 6")
    for title in ("Scores of every layer", "What each strength does"):
        drawn = library.locator(".t-plots svg").filter(has_text=title).first
        expect(drawn).to_be_visible()
        # What a mark shows is read where the mouse rests on it.
        assert drawn.locator("path > title").count() > 3
    # Its name is taken now, and it can be steered by at once.
    learn.click()
    expect(went).to_contain_text("chat has a direction 'politeness' of your own already; give this one another name")
    screen.page.get_by_role("tab", name="Chat").click()
    expect(screen.slider("politeness")).to_be_visible()
    assert screen.outside == []
    assert screen.faults == []


def test_directions_are_taken_in_and_out(chromium: Browser, server: Served, tmp_path: Path) -> None:
    file = tmp_path / "happy.safetensors"
    save_file(
        {"direction.1": np.ones(tiny_models.WIDTH, np.float32), "direction.2": np.ones(tiny_models.WIDTH, np.float32)},
        file,
    )
    screen = Screen.open(chromium, f"{server.address}?{short(server.engine.settings(), 4).to_link()}").ready()
    library = library_pane(screen.page)
    said, chosen = library.locator(".t-moved"), library.get_by_label("Show the card of")
    expect(chosen).to_have_value("truth (direction of chat)")
    # Out: the chosen one, as others read it. What came with the family stays.
    library.get_by_role("button", name="Export", exact=True).click()
    expect(said.first).to_contain_text("truth of pool/chat as a control vector")
    with screen.page.expect_download() as download:
        library.locator("#t-library-all a[download]").first.click()
    assert download.value.path().read_bytes().startswith(b"GGUF")
    assert download.value.suggested_filename == "truth.chat.gguf"
    library.get_by_role("button", name="Delete …").click()
    expect(said.first).to_contain_text("What came with the family stays")
    # In: what is wrong is one sentence; what is right can be steered by at once.
    bring = library.get_by_role("button", name="Import", exact=True)
    bring.click()
    expect(said.last).to_contain_text("Choose a file first.")
    library.locator("input[type=file]").set_input_files(file)
    expect(library.get_by_role("row", name="happy.safetensors")).to_be_visible()
    library.get_by_label("call it, in recipes").fill("truth")
    bring.click()
    expect(said.last).to_contain_text("chat has a direction 'truth' that everybody uses")
    library.get_by_label("call it, in recipes").fill("happy")
    library.get_by_label("layer (empty: what the file").fill("2")
    bring.click()
    expect(said.last).to_contain_text(
        "happy is now a direction of pool/chat, from a safetensors file of repeng's kind."
    )
    expect(library.locator("#t-library-all .t-wide table")).to_contain_text("happy")
    expect(chosen).to_have_value("happy (direction of chat, yours)")
    # What is chosen stays so when the tab is opened again, and is what the buttons act on.
    chosen.click()
    screen.page.get_by_role("option", name="truth (").click()
    expect(library.locator(".t-card:not(.block)")).to_contain_text("truth of pool chat")
    screen.page.get_by_role("tab", name="Chat").click()
    expect(screen.slider("happy")).to_be_visible()
    library = library_pane(screen.page)
    library.get_by_role("button", name="Export", exact=True).click()
    expect(said.first).to_contain_text("truth of pool/chat as a control vector")
    expect(chosen).to_have_value("truth (direction of chat)")
    # Away again, when asked twice.
    chosen.click()
    screen.page.get_by_role("option", name="happy (").click()
    expect(library.locator(".t-card:not(.block)")).to_contain_text("happy of pool chat")
    library.get_by_role("button", name="Delete …").click()
    library.get_by_role("button", name="Delete happy for good").click()
    expect(said.first).to_contain_text("happy (direction of chat) is deleted.")
    expect(library.locator("#t-library-all .t-wide table")).not_to_contain_text("happy")
    assert store.find_artefact(store.family_folders("pool", None), "chat", "direction", "happy") is None
    screen.page.get_by_role("tab", name="Chat").click()
    expect(screen.slider("happy")).to_be_hidden()
    assert screen.outside == []
    assert screen.faults == []
