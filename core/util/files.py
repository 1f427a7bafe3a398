"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from core.errors import StoreError


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
