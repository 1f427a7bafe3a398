"""Data and cache folders that are a benchmark's own: nothing that was made before is found, and nothing is left behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.artefacts.store import user_folder


@contextmanager
def scratch_folders(*, weights: bool = False) -> Iterator[None]:
    """Until the block ends; with ``weights`` what was downloaded and converted is found all the same."""
    before = {name: os.environ.get(name) for name in ("TILLER_DATA", "TILLER_CACHE")}
    there = [each for each in ("fetched", "converted") if weights and (user_folder() / each).is_dir()]
    with tempfile.TemporaryDirectory(prefix="tiller-bench-") as text:
        folder = Path(text)
        (folder / "data").mkdir()
        for each in there:
            (folder / "data" / each).symlink_to((user_folder() / each).absolute(), target_is_directory=True)
        os.environ.update(TILLER_DATA=str(folder / "data"), TILLER_CACHE=str(folder / "cache"))
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
