"""Figures that are measured once on certain weights of a family and hold for no others. No torch, nothing unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from core.artefacts import store
from core.artefacts.store import Array
from core.util.version import PROGRAM


@dataclass(frozen=True)
class KeptFigure:
    """Where such a figure lies: ``<family>/shared/<kind>.<checkpoint>[.<variant>].safetensors``, a person's own before the shipped one.

    ``folder`` is the family's own, ``fingerprints`` name the weights that it has to have been measured on.
    """

    family: str
    folder: Path
    kind: str
    checkpoint: str
    fingerprints: Mapping[str, str]
    variant: str = ""
    #: The only folder, in the layout of ``vectors/``, where it is looked for: what is shipped is nobody's own.
    only: Path | None = None

    @property
    def _name(self) -> str:
        return f"{self.checkpoint}.{self.variant}" if self.variant else self.checkpoint

    def read(self) -> Mapping[str, Any] | None:
        """What was kept with the figure; None where none was measured on these weights. Raises StoreError for a damaged file."""
        found = self._found()
        return found[1] if found else None

    def arrays(self) -> dict[str, Array]:
        """The tensors of the figure that :meth:`read` reads; none where there is none."""
        found = self._found()
        return load_file(found[0]) if found else {}

    def _found(self) -> tuple[Path, Mapping[str, Any]] | None:
        own = [self.only / self.family] if self.only else store.family_folders(self.family, self.folder)
        for root in own:
            file = root / "shared" / f"{self.kind}.{self._name}.safetensors"
            if file.is_file():
                details = store.read_card(file).details
                if details.get("fingerprints") == dict(self.fingerprints):
                    return file, details
        return None

    def write(self, details: Mapping[str, Any], tensors: Mapping[str, Array], root: Path | None = None) -> None:
        """Keep it; below ``root`` instead of the data folder, in the layout of ``vectors/``. Raises StoreError."""
        own = {
            "kind": self.kind, "name": self.checkpoint, "family": self.family, "checkpoint": self.checkpoint,
            "fingerprints": dict(self.fingerprints), "program": PROGRAM,
        }  # fmt: skip
        path = store.shared_path(root or store.user_folder(), self.family, self.kind, self._name)
        store.save_artefact(path, tensors, {**own, **details})
