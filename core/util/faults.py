"""Errors that nobody foresaw, of the program's own or of a library: one sentence for the screen, everything for a file. No torch."""

from __future__ import annotations

import contextlib
import datetime
import sys
import traceback
from pathlib import Path

from core.util.files import cache_folder
from core.util.version import VERSION

#: How large the file may become before it is begun anew, in bytes.
_LARGEST = 10**6


def fault_log() -> Path:
    """Where everything about such errors is written."""
    return cache_folder() / "errors.log"


def fault(doing: str, error: Exception, kept: str = "") -> str:
    """What is said of an error by which something stopped, as one sentence with what would do; the traceback is written to a file.

    Args:
        doing: what stopped, as a sentence begins.
        kept: what a person need not fear for, as half a sentence.
    """
    reason = " ".join(str(error).split())[:200]
    what = f"{doing} stopped with an error ({type(error).__name__}{reason and f': {reason}'})"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "not enough memory" in reason:
        what = f"{doing} stopped, since there is not enough memory"
        fix = "use --quantize 4bit, a smaller model or shorter texts"
    elif any(name.startswith("transformers_modules.") for name in sys.modules):
        fix = "the Python code that the model brings may be made for another version of transformers: take a model that needs none"
    else:
        fix = "try again, or restart Tiller"
    where = f"; the whole of it is in {path}" if (path := _written(doing, error)) else ""
    return f"{what}; {kept and f'{kept}, '}{fix}{where}."


def _written(doing: str, error: Exception) -> Path | None:
    """The file, once the traceback stands in it; None where nothing can be written."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    # The sentence is more important than the file: a full disk may be what is wrong, or that nothing is installed yet.
    with contextlib.suppress(OSError, ImportError):
        path = fault_log()
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = "w" if path.exists() and path.stat().st_size > _LARGEST else "a"
        with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{now} Tiller {VERSION}, Python {sys.version.split()[0]}: {doing} stopped\n")
            file.write("".join(traceback.format_exception(error)) + "\n")
        return path
    return None
