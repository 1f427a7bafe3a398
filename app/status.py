"""How the server is, which every open page asks once a second: a plain request, since an event of Gradio's costs both sides far more
(``python launch.py bench page``)."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.util.text import encodable


def status_route(status: Callable[[gr.Request], str], told: Callable[[str], str]) -> Route:
    """The address beside a page where its status stands; ``told`` is what strangers may read of a text."""

    def answer(request: Request) -> Response:
        page = gr.Request(request, session_hash=request.query_params.get("page", ""))
        return PlainTextResponse(told(encodable(status(page))), headers={"cache-control": "no-store"})

    return Route("/status", answer)
