"""Starting and stopping the browser app: the page first, the model behind it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.access import Access
from core.engine import family_choice
from core.engine.engine import Engine
from core.errors import TillerError
from core.util.limits import MAX_UPLOAD

if TYPE_CHECKING:
    import gradio as gr

    from app.families import FamilyPages
    from core.cli.options import Options

FIRST_PORT = 7860
_TRIES = 100
#: What a shell reports for a program that Ctrl-C ended.
INTERRUPTED = 130
#: Gradio keeps a copy of the page, a third of a megabyte, for so many sessions, the latest.
SESSIONS = 300
#: How hard what is sent is compressed: a thirtieth more bytes than at the most, in half the time.
SQUEEZE = 5
_ICON = Path(__file__).parent / "assets" / "icon.svg"


def serve(options: Options) -> int:
    """Serve the page until Ctrl-C; returns the exit status, 130 as everywhere. Raises TillerError for what cannot be started."""
    engine = Engine(options.family, **options.engine)
    engine.settings(options.checkpoint, options.recipe)
    host, port = place(options.host, options.port)
    page: gr.Blocks | None = None
    access = Access(options)
    # What is uploaded goes when the server ends, and not only with the next start of the computer. Gradio reads this when it is imported.
    os.environ.setdefault("GRADIO_TEMP_DIR", str(access.uploads))
    pages = family_pages(engine, options, access)
    try:
        page = launch(engine, options, host, port, pages)
        engine.start()
        family_choice.remember(engine.family.name)
        print(f"Tiller is open at {page.local_url}  (Ctrl-C ends it)", flush=True)
        if page.share_url:
            print(f"Anyone with this address can use it: {page.share_url}", flush=True)
        if access.public:
            print(access.sentence, flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        print("\nStopped.", flush=True)
    finally:
        if page is not None:
            page.close(verbose=False)
        pages.close()
    return INTERRUPTED


def family_pages(engine: Engine, options: Options, access: Access | None = None) -> FamilyPages:
    """The pages of a server, of which there is one so far. Nothing of them is fetched from, or told to, another machine."""
    # Gradio reads this when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from app.families import FamilyPages
    from app.page import build

    pages = FamilyPages(engine, options, lambda own, wanted: build(own, wanted, pages).queue(max_size=64), access)
    return pages


def launch(
    engine: Engine, options: Options, host: str | None, port: int | None, pages: FamilyPages | None = None
) -> gr.Blocks:
    """The page, served in the background, beside those of other families that are opened later."""
    others = pages or family_pages(engine, options)
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.routing import BaseRoute, Mount, Route

    from app.components import early
    from app.early_script import EarlyScript
    from app.families import ADDRESSES, FamilyPage
    from app.gate import Gate, Names, host_name
    from app.page import build, look
    from app.sessions import forget_closed, keep_small, log_strangers_errors_briefly
    from app.status import status_route
    from app.uploads import Uploads
    from app.v1.routes import OpenAIRoutes

    page, names = build(engine, options, others), Names(options)
    # Without _frontend, Gradio ends the program where a slow machine does not answer itself within three seconds.
    served = partial(
        page.queue(max_size=64).launch, share=options.share, ssr_mode=False, prevent_thread_lock=True, quiet=True,
        footer_links=[], favicon_path=_ICON, show_error=True, state_session_capacity=SESSIONS, max_file_size=MAX_UPLOAD, _frontend=False,
        mcp_server=options.mcp,
        app_kwargs={"middleware": [
            Middleware(Gate, names=names, access=others.access), Middleware(GZipMiddleware, compresslevel=SQUEEZE),
            Middleware(EarlyScript, script=early()),
        ]},
        **look(),
    )  # fmt: skip
    try:
        served(server_name=host, server_port=port)
    except OSError:
        # Another program has taken the port since it was found free, which takes a start of Tiller beside this one.
        again = place(host, port)
        if again == (host, port):
            raise
        served(server_name=again[0], server_port=again[1])
    keep_small(page)
    log_strangers_errors_briefly()
    if page.share_url:
        names.outside.add(host_name(urlsplit(page.share_url).netloc))

    uploads = Uploads(Path(page.app.uploaded_file_dir), others.access.owner)

    def own_routes(blocks: gr.Blocks, of: Engine) -> list[BaseRoute]:
        return [uploads.route(blocks), status_route(others.visits[of].status, others.access.told)]

    def mount(other: gr.Blocks, opened: FamilyPage) -> Callable[[], object]:
        path = opened.path.rstrip("/")
        other.state_session_capacity = SESSIONS
        routes, lifespan = page.app.router.routes, page.app.router.lifespan_context
        gr.mount_gradio_app(
            page.app,
            other,
            path,
            footer_links=[],
            show_error=True,
            ssr_mode=False,
            max_file_size=MAX_UPLOAD,
            root_path=page.app.root_path and f"{page.app.root_path}{path}",
            **look(),
        )
        keep_small(other)
        # The server has begun, and would only keep the page by this for ever.
        page.app.router.lifespan_context = lifespan
        # Before the addresses of pages that are not served yet, which this one was.
        served = routes.pop()
        assert isinstance(served, Mount)
        served.routes[:0] = own_routes(other, opened.engine)
        routes.insert(0, served)
        loop = asyncio.get_running_loop()

        def unmount() -> None:
            routes.remove(served)
            other.close(verbose=False)
            forget_closed()

        return lambda: loop.call_soon_threadsafe(unmount)

    others.mount = mount
    page.app.router.routes.extend(Route(each, others.address) for each in ADDRESSES)
    api = OpenAIRoutes(
        lambda: [each.engine for each in list(others.pages.values())], others.access.told, options.api_key
    )
    page.app.router.routes[:0] = [*api.routes(), *own_routes(page, engine)]
    return page


def place(host: str | None, port: int | None) -> tuple[str | None, int | None]:
    """Where to serve: an address and a free port. ``None`` leaves it to Gradio's own variables, as on a Space. Raises as :func:`hold`."""
    if host is None and (os.environ.get("GRADIO_SERVER_NAME") or os.environ.get("SPACE_ID")):
        return None, port
    with hold(host, port) as found:
        name, free = found.getsockname()[:2]
    return host or name, free


def hold(host: str | None, port: int | None) -> socket.socket:
    """A listening socket, at the first free port from the one wanted on.

    Raises:
        TillerError: when no port is free, or the address is not one of this machine.
    """
    address = host or "127.0.0.1"
    wanted = port or int(os.environ.get("GRADIO_SERVER_PORT", FIRST_PORT))
    for candidate in range(wanted, min(wanted + _TRIES, 65_536)):
        if found := _listening(address, candidate):
            if candidate != wanted:
                print(f"Port {wanted} is in use; this is port {candidate}.", flush=True)
            return found
    raise TillerError(f"The ports {wanted} to {wanted + _TRIES - 1} are all in use; choose another with --port.")


def _listening(address: str, port: int) -> socket.socket | None:
    held = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    # A port that was left a moment ago is free, which only this option says; Gradio's server sets it too.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((address, port))
        held.listen()
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            return None
        if error.errno == errno.EACCES:
            raise TillerError(f"Port {port} may not be used by you; choose one above 1023 with --port.") from error
        raise TillerError(f"This machine has no address {address!r}; leave --host out or give 0.0.0.0.") from error
    return held
