"""An engine of a benchmark's own, with its final checkpoint in memory."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from core.engine.engine import Engine
from core.errors import TillerError


@contextmanager
def ready_engine(options: argparse.Namespace) -> Iterator[Engine]:
    """Until the block ends. Raises TillerError where it cannot be loaded."""
    engine = Engine(options.family, **options.engine)
    try:
        engine.start()
        status = engine.wait_ready(3_600)
        if status.state != "ready":
            raise TillerError(status.detail)
        yield engine
    finally:
        engine.close()
