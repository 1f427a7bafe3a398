"""Files that are written whole or not at all, and read again only when they have changed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

from core.errors import StoreError

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


def write_bytes(path: Path, blob: bytes) -> None:
    """Write a file in one step: nobody ever sees half of it. Raises StoreError when it cannot be written."""
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        # mkstemp makes files for the owner alone; artefacts are ordinary files.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise StoreError(
            f"{path} cannot be written ({error.strerror}); free some space or choose another folder."
        ) from error
