"""How the program is called, for usage and sentences: by its file, or by the command that an installation makes of it."""

from __future__ import annotations

import sys
from pathlib import Path

COMMAND = "tiller"
#: The family that opens where none is named.
DEFAULT_FAMILY = "skiff"


def program() -> str:
    """``tiller`` where that command was typed, else ``python launch.py``."""
    return COMMAND if Path(sys.argv[0] if sys.argv else "").stem == COMMAND else "python launch.py"
