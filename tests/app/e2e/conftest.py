"""What every test in a browser gets: a browser and a server in which nothing goes on that the test before it began."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser_page import Opened
from tests.support.browser_server import Served
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def _its_own_work_alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """A page that is left open goes on listening and drawing. Learning goes on in the background once its sliders are there: it must
    not end in what the next test looks at.
    """
    browser: Browser | None = request.getfixturevalue("chromium") if "chromium" in request.fixturenames else None
    before = browser.contexts if browser else []
    yield
    shared, server = (request.node.funcargs.get(each) for each in ("opened", "server"))
    kept = [*before, *([shared.screen.page.context] if isinstance(shared, Opened) and shared.screen else [])]
    for context in browser.contexts if browser else ():
        if context not in kept:
            context.close()
    if not isinstance(server, Served):
        return
    for each in server.engine.family.checkpoints:
        server.engine.cancel_learning(each.name)
    wait_for(lambda: all(_over(server, each.name) for each in server.engine.family.checkpoints), "the end of learning")


def _over(server: Served, checkpoint: str) -> bool:
    view = server.engine.learning(checkpoint)
    return view is None or view.over
