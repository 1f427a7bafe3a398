"""``launch.py serve``: the addresses of :mod:`app.v1.routes` alone, without a page. No Gradio."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.access import Access
from app.gate import Gate, Names
from app.v1.routes import OpenAIRoutes
from core.engine.engine import Engine

if TYPE_CHECKING:
    from core.cli.options import Options


def api_app(engine: Engine, options: Options, access: Access) -> Starlette:
    """The application of one engine."""
    api = OpenAIRoutes(lambda: [engine], access.told, options.api_key)
    return Starlette(routes=api.routes(), middleware=[Middleware(Gate, names=Names(options), access=access)])


def serve_api(options: Options, listening: socket.socket) -> None:
    """Answer at a socket until Ctrl-C. Raises TillerError for a family or a recipe that cannot be used."""
    engine = Engine(options.family, **options.engine)
    engine.settings(options.checkpoint, options.recipe)
    access = Access(options)
    try:
        engine.start()
        host, port = listening.getsockname()[:2]
        print(
            f"{engine.family.title} answers at http://{f'[{host}]' if ':' in host else host}:{port}/v1  (Ctrl-C ends it)",
            flush=True,
        )
        uvicorn.Server(
            uvicorn.Config(api_app(engine, options, access), log_level="warning", timeout_graceful_shutdown=2)
        ).run(sockets=[listening])
    except KeyboardInterrupt:
        # uvicorn has ended what was going on, and passes the signal on.
        pass
    finally:
        engine.close()
        access.close()
