"""What of a checkpoint is on this computer, and how large it is; nothing is fetched, and only headers are read. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import TillerError
from core.families.checkpoint import Checkpoint, Family
from core.families.registry import load_family
from core.models import files as sources
from core.models import hub, memory
from core.util.files import sizes

_ADAPTER = "adapter_model.safetensors"
#: About how many bytes a parameter takes at each ``--quantize``; embeddings and norms stay as they are.
BYTES = {"none": 2.0, "8bit": 1.2, "4bit": 0.75}


@dataclass(frozen=True)
class Local:
    """What of a checkpoint is on this computer: its weights' files (none, where not all are), and how many numbers they hold."""

    files: tuple[Path, ...]
    parameters: int

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(sizes(self.files).values())


def local(checkpoint: Checkpoint) -> Local:
    """What of a checkpoint is on this computer, by its folder or the Hub's cache; nothing is fetched, and only headers are read."""
    folder = hub.hub_folder(checkpoint.weights)
    if folder is None:
        return Local((), 0)
    try:
        files = sources.weight_files(folder)
        if not files or not all(path.is_file() for path in files):
            return Local((), 0)
        parameters = sum(each.elements for each in sources.stored_tensors(checkpoint, folder).values())
    except TillerError:
        # Files that are damaged are not usable here; opening the checkpoint says what is wrong with them.
        return Local((), 0)
    adapters = [hub.here(each, _ADAPTER) for each in checkpoint.adapters]
    if not all(adapters):
        return Local((), 0)
    return Local((*files, *(path for path in adapters if path)), parameters)


def open_family(name: str) -> Family:
    """A family by its name or folder (:func:`core.families.registry.load_family`), with what of it cannot be had here."""
    return told_what_is_absent(load_family(name))


def told_what_is_absent(family: Family) -> Family:
    """A family with why some of its checkpoints cannot be had here: they are on the Hub alone, and that cannot be reached.

    Only asked where its final checkpoint is here, so that it can be talked to without them.
    """
    if not family.final.local and not local(family.final).files:
        return family
    far = [each for each in family.checkpoints if not each.local and not local(each).files]
    if not far or hub.reachable():
        return family
    why = "--offline keeps Tiller from fetching it" if hub.offline() else "the Hugging Face Hub cannot be reached"
    return replace(
        family,
        absent=tuple((each.name, f"{each.source} is not on this computer, and {why}") for each in far),
    )


def parameter_count(parameters: int) -> str:
    """A number of parameters: 4.3 M, 135 M, 1.5 B."""
    for unit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if parameters >= unit:
            value = parameters / unit
            return f"{value:.1f} {letter}" if value < 100 else f"{value:.0f} {letter}"
    return str(parameters)


def parameters_said(text: str) -> int:
    """A number of parameters as a family.toml says it ("8.0 B"); 0 where it says none."""
    read = re.fullmatch(r"([0-9.]+) ?([BMk]?)", text.strip())
    return int(float(read[1]) * {"B": 10**9, "M": 10**6, "k": 10**3, "": 1}[read[2]]) if read else 0


def fitting(parameters: int) -> str:
    """How a checkpoint fits into the memory that is free now: yes, only in 8bit or 4bit, or no; "?" where its size is not known."""
    room = memory.room(("cpu",), {}).usable
    # As loading does it: small models in float32, others in bfloat16; quantized, most of a model takes a half or a third of that.
    sizes = {"yes": parameters * (4 if parameters < 60_000_000 else BYTES["none"])}
    sizes |= {how: parameters * BYTES[how] for how in ("8bit", "4bit")}
    return next((how for how, size in sizes.items() if size <= room), "no") if parameters else "?"
