"""What is piped into the program."""

from __future__ import annotations

import sys

from core.errors import UsageError
from core.util.files import decoded


def piped_text(nothing: str) -> str:
    """All that comes on stdin, in UTF-8 or marked UTF-16.

    Raises:
        UsageError: nothing is piped, of which ``nothing`` says what to do instead; or it is in another encoding.
    """
    source = sys.stdin
    # Python has none where the shell has closed it.
    if source is None or source.isatty():
        raise UsageError(nothing)
    try:
        # By its bytes: in some locales Python reads anything without a complaint.
        text = decoded(source.buffer.read()) if hasattr(source, "buffer") else source.read()
    except UnicodeDecodeError as error:
        raise UsageError("What was piped in is not UTF-8; send it in UTF-8.") from error
    if not text.strip():
        raise UsageError(nothing)
    return text
