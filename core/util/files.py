"""Files of a person's: read as text with one sentence for what is wrong, read again only when they have changed, written whole or not
at all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

from core.errors import StoreError, TillerError

_T = TypeVar("_T")
#: So many files are remembered by each reader, the latest.
_KEPT = 512


def read_when_changed(read: Callable[[Path], _T]) -> Callable[[Path], _T]:
    """A reader that reads a file again only when its inode, size or time says that it has changed. From any thread.

    What cannot be read is tried anew each time. Whoever calls it shares what was read, and so must not change it.
    """

    @lru_cache(maxsize=_KEPT)
    def kept(path: Path, *_identity: int) -> _T:
        return read(path)

    @wraps(read)
    def found(path: Path) -> _T:
        try:
            now = path.stat()
        except OSError:
            # The reader itself knows what to say of a file that is not there.
            return read(path)
        return kept(path, now.st_mtime_ns, now.st_size, now.st_ino)

    return found


def read_text(path: Path, fix: str) -> str:
    """The text of a file in UTF-8, without the mark that some editors put first.

    Raises:
        TillerError: it is in another encoding, or cannot be read, for which ``fix`` says what to do instead.
    """
    try:
        return path.expanduser().read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TillerError(f"{path} is not UTF-8; save it as UTF-8.") from error
    except (OSError, ValueError, RuntimeError) as error:
        # A name may hold a null character, or begin with ~ and a person that is not there.
        raise TillerError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); {fix}.") from error


def text_items(text: str) -> tuple[str, ...]:
    """What a text of one item a line holds, without the space round each; empty lines are none."""
    return tuple(item for line in text.splitlines() if (item := line.strip()))


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a text file, one a line. Raises TillerError when it cannot be read or has none."""
    return prompts_in(read_text(path, "give a text file with one prompt a line"))


def prompts_in(text: str) -> tuple[str, ...]:
    """The prompts of a text, one a line. Raises TillerError when there is none."""
    found = text_items(text)
    if not found:
        raise TillerError("The file has no prompt; write one on each line.")
    return found


def write_bytes(path: Path, blob: bytes, private: bool = False) -> None:
    """Write a file in one step: nobody ever sees half of it, and of a ``private`` one nobody else sees anything.

    Raises:
        StoreError: it cannot be written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        if not private:
            # mkstemp makes files for the owner alone; artefacts are ordinary files.
            os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise StoreError(
            f"{path} cannot be written ({error.strerror}); free some space or choose another folder."
        ) from error
