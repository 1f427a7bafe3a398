"""The terminal command: one app after the other, a new one for each family that is opened from the one before."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from core.chat.settings import Settings
from core.errors import TillerError
from tui.app import NOT_OPENED, TillerApp

if TYPE_CHECKING:
    from core.cli.options import Options


def start(options: Options, link: str | None) -> int:
    """Run the app, and a new one for each family that is opened from it; returns the exit status.

    A link that cannot be read is said before anything is painted.
    """
    try:
        settings = Settings.from_link(link) if link else None
    except TillerError as error:
        print(error, file=sys.stderr)
        return NOT_OPENED
    app = TillerApp(options, settings)
    former: Options | None = None
    while True:
        chosen = app.run()
        if chosen is not None:
            former, options = _of(options, app.family), _of(options, chosen)
        elif app.return_code == NOT_OPENED and former is not None:
            # What was open is opened again, and says why it is not the other one.
            options = former
            former = None
            if app.engine is not None:
                app.engine.close()
        else:
            return _end(app)
        app = TillerApp(options, complaint=app.farewell, returns=former is not None)


def _of(options: Options, family: str) -> Options:
    """The same, but of another family, whose chat is the one that it was left with."""
    return replace(options, family=family, checkpoint="", recipe="", template_vars=(), link=None)


def _end(app: TillerApp) -> int:
    sys.stdout.flush()
    if app.farewell:
        print(app.farewell, file=sys.stderr)
    status = app.return_code or 0
    if app.engine is not None and app.engine.status.state in ("starting", "loading"):
        # PyTorch is being imported in the engine's thread, which nothing can interrupt; an ordinary exit would wait for it.
        sys.stderr.flush()
        os._exit(status)
    if app.engine is not None:
        app.engine.close()
    return status
