"""The Transfer tab in a real browser: measuring with progress and cancel, the matrix, a cell, and its recipe in Chat."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser, Locator, expect

from core.artefacts import store
from core.engine.engine import Engine
from core.engine.transfer_jobs import TransferJobs
from core.transfer import report as transfers
from core.transfer.conclusion import cell_verdict, transfer_conclusion
from core.transfer.report import TransferReport
from core.transfer.task import Sizes, TransferTask
from tests.support import tiny_models
from tests.support.browser_page import Screen
from tests.support.browser_server import Served, served
from tests.support.waiting import PATIENCE

SIZES = Sizes(statements=3, choosing=3, requests=2, reply=4, controls=2, control_statements=2, control_requests=2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tiny_models.family(tmp_path_factory.mktemp("families") / "carried")
    tiny_models.contrast(folder, examples=4)
    for seed, name in enumerate(("base", "chat")):
        tiny_models.direction(folder, name, "truth", seed=seed, position={"offset": -1, "of": "statement"}, template="")
        tiny_models.direction(
            folder, name, "refusal", seed=seed, position={"offset": -1, "of": "prompt"}, template=tiny_models.CHAT
        )
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"

    def small(self: TransferJobs, about: str) -> TransferTask:
        return TransferTask(self._families.family, about, store.user_folder(), sizes=SIZES)

    with pytest.MonkeyPatch.context() as patch, served(engine) as page:
        patch.setattr(TransferJobs, "task", small)
        yield page


def chosen(pane: Locator, label: str) -> Locator:
    return pane.get_by_label(label, exact=True)


def test_a_direction_is_carried_and_tried_in_chat(chromium: Browser, server: Served) -> None:
    screen = Screen.open(chromium, server.address).ready()
    screen.page.get_by_role("tab", name="Transfer").click()
    pane = screen.page.get_by_role("tabpanel").filter(has_text="Whether a direction learnt on one")
    expect(pane).to_contain_text("Nothing has been carried yet")
    use = pane.get_by_role("button", name="Use in Chat")
    expect(use).to_be_hidden()
    # There is nothing to cancel yet, and nothing any more at the end.
    cancel = pane.get_by_role("button", name="Cancel")
    expect(cancel).to_be_hidden()
    # A measuring that is cancelled at once, and one that goes to its end.
    job = server.engine.transfers.start("truth")
    job.cancel()
    assert job.wait(PATIENCE).state == "cancelled"
    pane.get_by_role("button", name="Measure").click()
    expect(pane).to_contain_text("Carried truth from every checkpoint to every other.")
    expect(cancel).to_be_hidden()
    # What it comes to stands first, in counts, with a picture of every verdict; a press on one chooses it.
    headline, picture = pane.locator(".t-headline"), pane.locator(".t-verdicts")
    expect(headline).to_contain_text("the truth direction of base")
    expect(headline).to_contain_text("verdicts on statements round")
    expect(picture.locator("td")).to_have_count(4)
    report = _report(server)
    words = [cell_verdict(report, *each) for each in product(("base", "chat"), repeat=2)]
    assert picture.locator("td").all_inner_texts() == [f"{word}\n{count}".strip() for word, count in words]
    assert picture.locator("[aria-pressed=true]").count() == 1
    picture.get_by_role("button").nth(2).click()
    expect(picture.get_by_role("button").nth(2)).to_have_attribute("aria-pressed", "true")
    expect(headline).to_have_text(transfer_conclusion(report, "chat", "base"))
    picture.get_by_role("button").nth(1).click()
    expect(headline).to_have_text(transfer_conclusion(report, "base", "chat"))
    matrix = pane.locator(".t-matrix")
    expect(matrix).to_be_hidden()
    pane.get_by_text("The same as figures").click()
    expect(matrix.locator("tbody tr")).to_have_count(2)
    expect(matrix.locator("td.chosen")).to_have_count(1)
    expect(matrix).to_contain_text("1.00 (1.00 to 1.00)")
    # A phone has room for the numbers alone.
    within = matrix.locator("td.chosen > span")
    expect(within).to_be_visible()
    screen.page.set_viewport_size({"width": 390, "height": 844})
    expect(within).to_be_hidden()
    screen.page.set_viewport_size({"width": 1280, "height": 900})
    expect(pane).to_contain_text("base → chat")
    expect(pane).to_contain_text("controls, isotropic")
    expect(pane).to_contain_text("The truth direction is similar and transfers (base, chat)")
    # The layers fold out.
    expect(pane.locator("svg[role=img]")).to_be_hidden()
    pane.locator("summary", has_text="Layer by layer").click()
    expect(pane.locator("svg[role=img]")).to_be_visible()
    chosen(pane, "what the matrix shows").click()
    screen.page.get_by_role("option", name="flip rate, equal norm").click()
    expect(pane).to_contain_text("How many verdicts turn round")
    use.click()
    expect(screen.page.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    expect(screen.recipe).to_have_value(report.cell("base", "chat").recipe)
    assert screen.outside == []
    assert screen.faults == []


def _report(server: Served) -> TransferReport:
    report = transfers.find_report(server.engine.family, "truth")
    assert report is not None
    return report
