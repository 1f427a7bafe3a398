"""A port for a server that a benchmark or a test starts."""

from __future__ import annotations

import random
import socket

#: Below what systems hand out to outgoing connections (32768 on Linux, 49152 elsewhere): a browser's own connections would take
#: a port from there between the moment it is found free and the moment it is served.
_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of this machine that nobody holds, drawn by chance: processes that ask at the same time get different ones."""
    while True:
        port = random.SystemRandom().randrange(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
