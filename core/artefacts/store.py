"""Artefacts on disk: safetensors files with one JSON document of metadata. No torch, numpy only to write; nothing unpickled.

Format 1. Tensors are float32. The safetensors metadata holds one key, ``tiller``: a JSON document with format, kind, name,
family, checkpoint, fingerprint of the model, method, contrast set with its split and hash, template text, token position,
layer scores, chosen layer, dose-response, program version and date. Files are written to a temporary name and renamed.
Shipped artefacts lie in ``vectors/<family>/<checkpoint>/artefacts/<kind>.<name>.safetensors``; a person's own lie in the same
layout in the user's data folder and hide shipped ones of the same name.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from core.artefacts.safetensors_header import read_header
from core.errors import StoreError
from core.util.files import parsed_json, read_when_changed, write_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT = 1
#: The kind of file that holds what a stage of training left in the final weights.
STAGE_EMBEDDING = "stage-embedding"
SHIPPED = Path(__file__).resolve().parents[2] / "vectors"

#: The file that says which folder a family was opened by whose artefacts lie beside it, and those folders by the families' names.
_OWNER = "folder.txt"
_HOMES: dict[str, Path] = {}

Array: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True)
class Card:
    """What is known about an artefact without reading its tensors. ``details`` is the whole metadata document."""

    path: Path
    kind: str
    name: str
    family: str
    checkpoint: str
    details: Mapping[str, Any]

    @property
    def layer(self) -> int:
        """The chosen layer, 0-based (directions only)."""
        return int(self.details["layer"])

    @property
    def reading_range(self) -> tuple[float, float] | None:
        """Between which readings unsteered replies stand, in gaps round their median; None where it was not measured."""
        found = self.details.get("reading_range")
        return (float(found[0]), float(found[1])) if found else None


def user_folder() -> Path:
    """Where a person's own artefacts lie: ``TILLER_DATA`` or the platform's data folder."""
    if chosen := os.environ.get("TILLER_DATA"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_data_dir("tiller", appauthor=False)) / "vectors"


def roots() -> tuple[Path, ...]:
    """Where artefacts are looked for, first one first."""
    return (user_folder(), SHIPPED)


def artefact_path(root: Path, family: str, checkpoint: str, kind: str, name: str) -> Path:
    """``root/<family>/<checkpoint>/artefacts/<kind>.<name>.safetensors``."""
    return root / family / checkpoint / "artefacts" / f"{kind}.{name}.safetensors"


def shared_path(root: Path, family: str, kind: str, name: str) -> Path:
    """``root/<family>/shared/<kind>.<name>.safetensors``: what belongs to several checkpoints."""
    return root / family / "shared" / f"{kind}.{name}.safetensors"


def embedding_path(root: Path, family: str, whole: str, stage: str) -> Path:
    """Where the embedding of a stage, named by the checkpoint that it led to, in the weights of ``whole`` is kept."""
    return shared_path(root, family, STAGE_EMBEDDING, f"{stage}.in.{whole}")


def stage_embedding(places: Iterable[Path], whole: str, stage: str) -> Path | None:
    """The file of that embedding in the first of a family's places that has it; None where there is none."""
    files = (place / "shared" / f"{STAGE_EMBEDDING}.{stage}.in.{whole}.safetensors" for place in places)
    return next((each for each in files if each.is_file()), None)


def mapped_path(root: Path, family: str, name: str, source: str, target: str) -> Path:
    """Where a direction of another family's checkpoint, ``source`` = ``family/checkpoint``, lies that was mapped into ``target``."""
    return shared_path(root, family, "direction", f"{name}.{source.replace('/', '.')}.into.{target}")


def find_mapped(places: Sequence[Path], name: str, source: str, target: str) -> Path | None:
    """The file of :func:`mapped_path` in the first of ``places`` (:attr:`core.families.checkpoint.Family.places`) that has it, or
    ``None``."""
    return find_shared(places, "direction", f"{name}.{source.replace('/', '.')}.into.{target}")


def find_shared(places: Sequence[Path], kind: str, name: str) -> Path | None:
    """Where an artefact of several checkpoints lies, in the first of ``places`` that has it, or ``None``."""
    for root in places:
        path = root / "shared" / f"{kind}.{name}.safetensors"
        if path.is_file():
            return path
    return None


def shared_cards(places: Sequence[Path], kind: str) -> tuple[Card, ...]:
    """Every artefact of a kind that belongs to several checkpoints, from the first of ``places`` that has it; what cannot be read is left
    out."""
    found: dict[str, Card] = {}
    for root in places:
        for path in sorted((root / "shared").glob(f"{kind}.*.safetensors")):
            try:
                found.setdefault(path.name, read_card(path))
            except StoreError:
                continue
    return tuple(found.values())


def cards(places: Sequence[Path], checkpoint: str, kind: str = "direction") -> tuple[Card, ...]:
    """Every artefact of a kind for a checkpoint, from the first of ``places`` that has it; only headers are read.

    A file that cannot be read is left out here and named by :func:`load_direction` when it is asked for by name.
    """
    found: dict[str, Card] = {}
    for root in places:
        for path in sorted((root / checkpoint / "artefacts").glob(f"{kind}.*.safetensors")):
            name = path.name.removeprefix(f"{kind}.").removesuffix(".safetensors")
            try:
                found.setdefault(name, read_card(path))
            except StoreError:
                continue
    return tuple(found.values())


def find_artefact(places: Sequence[Path], checkpoint: str, kind: str, name: str) -> Path | None:
    """Where an artefact lies, in the first of ``places`` that has it, or ``None``.

    A checkpoint of another family, mapped into one of this one, is named as ``family/checkpoint>this one`` (:func:`mapped_path`).
    """
    if "/" in checkpoint:
        source, _, target = checkpoint.partition(">")
        return find_mapped(places, name, source, target)
    for root in places:
        path = root / checkpoint / "artefacts" / f"{kind}.{name}.safetensors"
        if path.is_file():
            return path
    return None


def drawer_of(folder: Path) -> str:
    """The name under which a family that is opened by its folder's path keeps what is learnt on it: the folder's own, and what tells it
    from another folder of this name that has kept something there before."""
    home = folder.resolve()
    name = home.name
    if home.parent in (root.resolve() for root in roots()):
        return name
    try:
        other = Path((user_folder() / name / _OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Nothing is kept yet, or an earlier version kept it and did not say whose it is.
        other = home
    # A folder that was moved keeps its name, and what was learnt.
    if other != home and (other / "family.toml").is_file():
        name = f"{name}-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"
    _HOMES[name] = home
    return name


def _claim(path: Path) -> None:
    """Say whose a new folder of a person's own artefacts is."""
    own = user_folder()
    drawer = own / path.relative_to(own).parts[0] if path.is_relative_to(own) else None
    if drawer is not None and drawer.name in _HOMES and not drawer.exists():
        write_bytes(drawer / _OWNER, str(_HOMES[drawer.name]).encode())


def family_folders(family: str, folder: Path | None) -> tuple[Path, ...]:
    """Where a family's artefacts are looked for: a person's own, then its own folder, or the shipped one of its name."""
    own = user_folder() / family
    return (own, folder) if folder is not None else (own, SHIPPED / family)


@read_when_changed
def read_card(path: Path) -> Card:
    """An artefact's metadata, read again only when its file has changed.

    Raises:
        StoreError: missing, cut off, a Git LFS pointer, or not Tiller's.
    """
    details = read_metadata(path)
    if not isinstance(details, dict):
        raise StoreError(f"{path.name} is a safetensors file but not one of Tiller's; import it instead of copying it.")
    if details.get("format") != FORMAT:
        raise StoreError(
            f"{path.name} has format {details.get('format')}, this version reads {FORMAT}; make it again with precompute."
        )
    kind, name, family, checkpoint = (str(details.get(key, "")) for key in ("kind", "name", "family", "checkpoint"))
    if not (kind and name and family and checkpoint):
        raise StoreError(
            f"{path.name} does not say its kind, name, family and checkpoint; make it again with precompute."
        )
    return Card(path, kind, name, family, checkpoint, details)


def read_metadata(path: Path) -> dict[str, Any] | None:
    """What Tiller wrote into a safetensors file; None for one that others made. Raises StoreError for what is not whole."""
    metadata = read_header(path).metadata
    try:
        details = parsed_json(metadata.get("tiller", "null"))
    except (ValueError, TypeError, AttributeError):
        return None
    return details if isinstance(details, dict) else None


def save_artefact(path: Path, tensors: Mapping[str, Array], details: Mapping[str, Any]) -> Card:
    """Write an artefact: to a temporary name first, then renamed, so that a half-written file never has the name.

    Raises:
        StoreError: a full disk or a folder that cannot be written to, or numbers that are not finite.
    """
    # Not before something is written: the terminal's first paint comes without it.
    import numpy as np
    from safetensors.numpy import save

    document = {"format": FORMAT, **details}
    arrays = {key: np.ascontiguousarray(value, np.float32) for key, value in tensors.items()}
    try:
        text = json.dumps(document, allow_nan=False)
        good = all(bool(np.isfinite(each).all()) for each in arrays.values())
    except ValueError:
        good = False
    if not good:
        raise StoreError(
            f"{path.name} would hold numbers that are not finite, and is not stored; make it with other numbers (--dtype bfloat16)."
        )
    _claim(path)
    write_bytes(path, save(arrays, metadata={"tiller": text}))
    return read_card(path)


def folder_fingerprint(folder: Path) -> str:
    """A hash of a model folder: its config and its weights' bytes (:func:`fingerprint_of`).

    Raises:
        StoreError: when the folder holds no safetensors weights or no config.json.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise StoreError(f"{folder} holds no safetensors weights.")
    if not (folder / "config.json").is_file():
        raise StoreError(f"{folder} holds no config.json.")
    return fingerprint_of([(folder / "config.json").read_bytes(), *map(_digest, weights)])


def fingerprint_of(parts: Iterable[bytes]) -> str:
    """What weights are known by that consist of these parts: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
