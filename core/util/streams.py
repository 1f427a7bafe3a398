"""The standard streams, fit for whatever shell started the program: closed ones, full ones, and those of any encoding."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys

#: What results hold that another encoding may lack, as it writes them: a sign that is lost would turn a figure round.
_SIGNS = {
    "−": "-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "←": "<-", "↓": "v", "Δ": "d", "✓": "+", "✗": "x", "⏎": "\\n",
    "“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "–": "-", "—": "-", "·": "|", "×": "x", "█": "#", "■": "#",
}  # fmt: skip


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """What stands in the place of characters that an encoding lacks; ? for those that have no other way of writing."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(
        # Half a character, out of the name of a file that is no text, is told by its number.
        each.encode("ascii", "backslashreplace").decode() if "\ud800" <= each <= "\udfff" else _SIGNS.get(each, "?")
        for each in lacking
    ), error.end


codecs.register_error("tiller.spelt", _spelt)


class _Remarks(io.TextIOWrapper):
    """stderr: what cannot be written there is lost, and no result with it."""

    def write(self, text: str) -> int:
        """Write, or not. Returns how many characters were given."""
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Hand over what was written, or not."""
        with contextlib.suppress(OSError):
            super().flush()


def prepare_streams() -> None:
    """Put something in the place of streams that a shell has closed, and let none of them fail over what it cannot show."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # In this order it gets the closed one's own number; else the next file that is opened would, and be written into.
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A pipe or console of another encoding than UTF-8 (Windows') spells what it lacks; a result is not lost over it.
        sys.stdout.reconfigure(errors="tiller.spelt")
    # A stream that somebody has put there (a test) is theirs. The first one is kept by Python, so that its file is not closed.
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr is sys.__stderr__:
        sys.stderr = _Remarks(
            sys.stderr.buffer, encoding=sys.stderr.encoding, errors="tiller.spelt", line_buffering=True
        )
