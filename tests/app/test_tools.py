"""The tools that programs use (Model Context Protocol), called by the protocol's own client over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from core.directions import controls
from core.engine.engine import Engine
from tests.support import tiny_models
from tests.support.browser_server import DOSE, Served, served
from tests.support.waiting import PATIENCE


def family(folder: Any) -> Engine:
    tiny_models.family(folder)
    tiny_models.contrast(folder, examples=12)
    for checkpoint in ("base", "chat"):
        tiny_models.direction(folder, checkpoint, "truth", dose_response=DOSE)
    engine = Engine(str(folder), threads=1)
    engine.start()
    assert engine.wait_ready(PATIENCE).state == "ready"
    return engine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with (
        pytest.MonkeyPatch.context() as patch,
        served(family(tmp_path_factory.mktemp("families") / "tools"), mcp=True) as page,
    ):
        patch.setattr(controls, "CONTROLS", 2)
        yield page


async def asked(server: Served, *calls: tuple[str, Mapping[str, Any]]) -> list[tuple[bool, str]]:
    """What each call of a tool gives: whether it went wrong, and its text."""
    found = []
    async with (
        streamable_http_client(f"{server.address}gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        for name, arguments in calls:
            result = await session.call_tool(name, dict(arguments))
            found.append((bool(result.isError), "".join(getattr(each, "text", "") for each in result.content)))
    return found


async def test_every_tool_is_listed_with_its_parameters_in_words(server: Served) -> None:
    async with (
        streamable_http_client(f"{server.address}gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        listed = {each.name: each for each in (await session.list_tools()).tools}
    assert {"steer", "blame", "learn", "inspect"} <= set(listed)
    for each in listed.values():
        assert each.description
        assert all(told["description"] for told in each.inputSchema["properties"].values()), each.name
    assert listed["steer"].inputSchema["required"] == ["message"]


async def test_they_do_what_the_page_does(server: Served) -> None:
    examples = {
        side: "\n".join(f"{word} {n}" for n in range(8)) for side, word in (("for_it", "Tea"), ("against_it", "Stone"))
    }
    (wrong, there), plain, recipe, unknown, learnt, by_it, (failed, blamed) = await asked(
        server,
        ("inspect", {}),
        ("steer", {"message": "Hello"}),
        ("steer", {"message": "Hello", "recipe": "2*"}),
        ("steer", {"message": "Hello", "checkpoint": "nobody"}),
        ("learn", {"word": "tea", "checkpoint": "base", **examples}),
        ("steer", {"message": "Hello", "recipe": "1*tea", "checkpoint": "base"}),
        ("blame", {"message": "Hello", "answer": "Hi"}),
    )
    assert not wrong
    assert "base → chat" in there
    assert "chat (final)\n  truth: " in there
    assert not plain[0]
    assert recipe[0]
    assert "Character 3" in recipe[1]
    assert unknown[0]
    assert "nobody" in unknown[1]
    assert learnt[1].startswith("Learnt tea on base. Steer with the recipe ")
    assert not by_it[0]
    assert not failed
    assert "the probability of answering “Hi” rather than" in blamed.splitlines()[0]


async def test_a_stranger_learns_nothing_for_everybody(tmp_path: Any) -> None:
    with served(family(tmp_path / "strangers"), mcp=True, public=True) as page:
        steered, learnt = await asked(
            page, ("steer", {"message": "Hello", "recipe": "1*truth"}), ("learn", {"word": "formal"})
        )
    assert not steered[0]
    assert learnt == (True, learnt[1])
    assert "Only the owner of this server may do that" in learnt[1]
