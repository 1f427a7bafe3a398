"""A server that others reach, in a real browser: two visitors beside each other, and the owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from safetensors.numpy import save_file

from core.engine.engine import Engine
from tests.support import tiny_models
from tests.support.browser_page import Screen, library_pane
from tests.support.browser_server import Served, served, short
from tests.support.waiting import PATIENCE

AUTH = "ada:lovelace1815"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "shared", checkpoints=("chat",), plain_base=False)
    tiny_models.contrast(folder, examples=2)
    tiny_models.direction(folder, "chat", "truth")
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    with served(engine, public=True, auth=AUTH) as page:
        yield page


def library(page: Page) -> Locator:
    found = library_pane(page)
    expect(found.locator("#t-library-all table")).to_contain_text("truth")
    return found


def test_what_a_visitor_imports_is_on_his_page_alone(chromium: Browser, server: Served, tmp_path: Path) -> None:
    file = tmp_path / "happy.safetensors"
    save_file({"direction.1": np.ones(tiny_models.WIDTH, np.float32)}, file)
    link = f"{server.address}?{short(server.engine.settings(), 4).to_link()}"
    ada, bob = (Screen.open(chromium, link).ready() for _ in range(2))
    mine = library(ada.page)
    mine.locator("input[type=file]").set_input_files(file)
    expect(mine.get_by_role("row", name="happy.safetensors")).to_be_visible()
    mine.get_by_label("call it, in recipes").fill("happy")
    mine.get_by_role("button", name="Import", exact=True).click()
    expect(mine.locator(".t-moved").last).to_contain_text("happy is now a direction of shared/chat")
    row = mine.locator(".t-wide tr").filter(has_text="happy")
    expect(row).to_contain_text("yours")
    ada.page.get_by_role("tab", name="Chat").click()
    expect(ada.slider("happy")).to_be_visible()
    # The other visitor sees what everybody has; so does the owner, until he signs in, and afterwards.
    expect(library(bob.page).locator("#t-library-all table")).not_to_contain_text("happy")
    owner = chromium.new_context(http_credentials={"username": "ada", "password": "lovelace1815"})
    page = owner.new_page()
    page.goto(f"{server.address}owner")
    Screen(page).there()
    assert urlparse(page.url).path == "/"
    assert [each["name"] for each in owner.cookies()] == ["tiller-owner"]
    expect(library(page).locator("#t-library-all table")).not_to_contain_text("happy")
    assert server.engine.catalogue.cards("chat").keys() == {"truth"}
    for screen in (ada, bob):
        assert screen.outside == []
        assert screen.faults == []
    owner.close()
