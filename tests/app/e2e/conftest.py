"""What every test in a browser gets: a server on which nothing goes on that the test before it began."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser_server import Served
from tests.support.waiting import wait_for


@pytest.fixture(autouse=True)
def _its_own_work_alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Learning goes on in the background once its sliders are there: it must not end in what the next test looks at."""
    yield
    server = request.node.funcargs.get("server")
    if not isinstance(server, Served):
        return
    for each in server.engine.family.checkpoints:
        server.engine.cancel_learning(each.name)
    wait_for(lambda: all(_over(server, each.name) for each in server.engine.family.checkpoints), "the end of learning")


def _over(server: Served, checkpoint: str) -> bool:
    view = server.engine.learning(checkpoint)
    return view is None or view.over
