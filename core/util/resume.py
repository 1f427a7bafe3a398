"""What a long piece of work has found so far, on disk, so that it goes on where it was interrupted. No torch, nothing unpickled.

A notebook is a folder in the user's cache, named by a hash of everything that its notes depend on: the weights' fingerprint, the
quantization, the examples, the method. It is removed when the work is done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from core.errors import StoreError
from core.util.files import cache_folder, read_json, remove_old, write_bytes
from core.util.progress import Learning, Slices, Step, told

_T = TypeVar("_T")
Arrays = Mapping[str, NDArray[np.float64]]

#: Notes of work that nobody has gone on with for so long are removed, in seconds.
FORGOTTEN = 60 * 24 * 3_600


class ResumeNotes:
    """Notes by name. Without a folder nothing is kept.

    Methods raise StoreError when a note cannot be written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @classmethod
    def of(cls, **depends_on: object) -> ResumeNotes:
        """The notebook of the work that depends on these values."""
        text = json.dumps(depends_on, sort_keys=True, default=str)
        return cls(cache_folder() / "notes" / hashlib.sha256(text.encode()).hexdigest()[:32])

    def part(self, name: str) -> ResumeNotes:
        """Notes of a part that depends on more, as ``name`` says it; they go with the others."""
        return ResumeNotes(self.folder / name if self.folder is not None else None)

    def once(self, name: str, work: Callable[[], Slices[_T]], sentence: str) -> Learning[_T]:
        """The result of ``work`` (of what JSON can hold), remembered when it was done before."""
        note = self.recall(name)
        if note is not None:
            yield Step(int(note["tokens"]), sentence, remembered=True)
            found: _T = note["value"]
            return found
        tokens = 0
        steps = told(work(), sentence)
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: _T = stop.value
                break
            tokens += step.tokens
            yield step
        self.keep(name, {"tokens": tokens, "value": result})
        return result

    def recall(self, name: str) -> dict[str, Any] | None:
        """A note, None where there is none; one that is cut off counts as none, and is made again."""
        if self.folder is None:
            return None
        try:
            found = read_json(self.folder / f"{name}.json")
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"tokens", "value"} <= set(found) else None

    def keep(self, name: str, note: Mapping[str, Any]) -> None:
        """Write a note."""
        if self.folder is not None:
            self._write(f"{name}.json", json.dumps(note).encode())

    def recall_arrays(self, name: str) -> Arrays | None:
        """Arrays, bit for bit as they were kept; None where there are none that can be read."""
        if self.folder is None:
            return None
        try:
            return dict(load_file(self.folder / f"{name}.safetensors"))
        except (OSError, SafetensorError, ValueError, KeyError):
            return None

    def keep_arrays(self, name: str, arrays: Arrays) -> None:
        """Write arrays."""
        if self.folder is not None:
            whole = {key: np.ascontiguousarray(value, np.float64) for key, value in arrays.items()}
            self._write(f"{name}.safetensors", save(whole))

    def _write(self, name: str, blob: bytes) -> None:
        assert self.folder is not None
        try:
            write_bytes(self.folder / name, blob)
        except StoreError as error:
            raise StoreError(f"{str(error).rstrip('.')}; started again, the work goes on from here.") from error

    def forget(self) -> None:
        """The work is done: remove its notes, and those of work that was given up long ago."""
        if self.folder is None:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        remove_old((each for each in self.folder.parent.glob("*") if each.is_dir()), FORGOTTEN)
