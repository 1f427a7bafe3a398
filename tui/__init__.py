"""The terminal front end. Importing this package imports nothing heavy; :func:`run` starts the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cli.options import Options


def run(options: Options, link: str | None = None) -> int:
    """Run the terminal app until the person leaves it; returns the exit status (130 after Ctrl-C).

    ``link`` (or ``options.link``) is a link copied from Share, in the browser or here: its state is opened.
    """
    from tui.start import start

    return start(options, link or options.link)
