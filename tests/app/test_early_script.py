"""A page's first script, and what passes by it unchanged."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.early_script import EarlyScript


def answer(request: Request) -> Response:
    kind = request.path_params["kind"]
    if kind == "streamed":
        return StreamingResponse(iter(["<html><head>", "<head>", "</html>"]), media_type="text/html")
    return {
        "page": HTMLResponse("<html><head><meta></head>ö</html>"),
        "text": PlainTextResponse("<head>"),
        "squeezed": HTMLResponse(b"<head>", headers={"content-encoding": "br"}),
        "headless": HTMLResponse("<p>"),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("page", "<html><head><script>say('ä')</script><meta></head>ö</html>"),
        ("streamed", "<html><head><script>say('ä')</script><head></html>"),
        ("text", "<head>"),
        ("squeezed", "<head>"),
        ("headless", "<p>"),
    ],
)
def test_a_page_has_it_first_in_its_head_and_nothing_else_changes(kind: str, body: str) -> None:
    client = TestClient(EarlyScript(Starlette(routes=[Route("/{kind}", answer)]), "say('ä')"))
    if kind == "squeezed":
        with client.stream("GET", "/squeezed") as found:
            assert b"".join(found.iter_raw()) == b"<head>"
        return
    found = client.get(f"/{kind}")
    assert found.text == body
    if kind != "streamed":
        assert int(found.headers["content-length"]) == len(body.encode())
        assert client.head(f"/{kind}").headers["content-length"] == found.headers["content-length"]
