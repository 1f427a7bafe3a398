"""The browser front end. Importing this package imports nothing heavy; :func:`serve` starts the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cli.options import Options


def serve(options: Options) -> int:
    """Serve the page until Ctrl-C; returns the exit status. Raises TillerError for a family or a recipe that cannot be used."""
    from app.quick_import import leave_out_stubs

    leave_out_stubs()
    from app.server import serve

    return serve(options)


def serve_api(options: Options) -> int:
    """Serve the API alone until Ctrl-C; returns the exit status. Raises TillerError for a family or a recipe that cannot be used."""
    from app.server import INTERRUPTED, hold

    with hold(options.host, options.port) as listening:
        from app.v1.server import serve_api

        serve_api(options, listening)
    print("Stopped.", flush=True)
    return INTERRUPTED
