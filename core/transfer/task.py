"""What is to be carried from where to where, and whether a report of it is there that belongs to what is there now. No torch."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.directions import contrast
from core.errors import StoreError, TillerError
from core.families.checkpoint import Family
from core.families.commands import family_option
from core.transfer import report as transfers
from core.transfer.report import TransferReport
from core.util.program import program

#: The directions that can be carried: those whose effect is known how to be measured.
ABOUT = ("truth", "refusal")
#: Reports of another version are made again; those from another family have one of their own.
TRANSFER_VERSION, MAPPED_VERSION = 3, 2
#: What follows a source's name where its weights' numbers are dealt anew: a control of the map.
UNTRAINED = " untrained"
#: What the name of a kind of controls begins with that belongs to one source of another family.
MAPPED = "mapped:"
_FROM = " from "


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    ``statements`` and ``requests`` of a class are taken from the test split, ``choosing`` from validation; a reply has at most ``reply``
    tokens. Of each kind of control there are ``controls``, tried on ``control_statements`` of a class and on ``control_requests``.
    """

    statements: int = 48
    choosing: int = 24
    requests: int = 40
    reply: int = 64
    controls: int = 100
    control_statements: int = 12
    control_requests: int = 8


@dataclass(frozen=True)
class TransferTask:
    """Which direction is carried, from where to where, and below which folder the report is written.

    ``other`` is another family whose directions are mapped into this one; without it the sources are the targets themselves.
    ``quantize`` is how the checkpoints are loaded.
    """

    family: Family
    about: str
    root: Path
    other: Family | None = None
    sizes: Sizes = field(default_factory=Sizes)
    quantize: str = "none"

    @property
    def name(self) -> str:
        """The report's name."""
        return transfers.report_name(self.about, self.other.name if self.other else "")

    @property
    def targets(self) -> tuple[str, ...]:
        """The checkpoints that are steered."""
        return tuple(each.name for each in self.family.present)

    def telling(self, first: str) -> list[str]:
        """The targets, the most telling first: the final checkpoint or the one that is named, its root, then the others."""
        final = first or self.family.final.name
        pair = (final, self.family.path(final)[0].name)
        return list(dict.fromkeys((*pair, *self.targets)))

    @property
    def foreign(self) -> tuple[str, ...]:
        """The sources of the other family, as a recipe names them: ``family/checkpoint``."""
        return tuple(f"{self.other.name}/{each.name}" for each in self.other.checkpoints) if self.other else ()

    @property
    def directed(self) -> tuple[str, ...]:
        """All that have a direction: the family's own first, which the others are compared with."""
        return (*self.targets, *self.foreign)

    @property
    def untrained(self) -> tuple[str, ...]:
        """The other family's sources once more, with nothing learnt."""
        return tuple(f"{source}{UNTRAINED}" for source in self.foreign)

    @property
    def sources(self) -> tuple[str, ...]:
        """All of these."""
        return (*self.directed, *self.untrained)

    def place(self, source: str) -> tuple[Family, str]:
        """The family and the checkpoint of a source."""
        source = trained(source)
        if self.other is not None and source in self.foreign:
            return self.other, source.partition("/")[2]
        return self.family, source

    @property
    def path(self) -> Path:
        """Where the report is written."""
        return store.shared_path(self.root, self.family.name, transfers.TRANSFER_KIND, self.name)


def trained(source: str) -> str:
    """A source as it is, of one with nothing learnt."""
    return source.removesuffix(UNTRAINED)


def choices(family: Family) -> tuple[str, ...]:
    """What the screens offer: the directions within the family, and what was carried from others (``truth from other``)."""
    there = transfers.there(family)
    return (*ABOUT, *(f"{about}{_FROM}{other}" for about, other in there if other and about in ABOUT))


def parted(choice: str) -> tuple[str, str]:
    """The direction and the other family, or "", of one of :func:`choices`. Raises TillerError for anything else."""
    about, _, other = choice.partition(_FROM)
    if about not in ABOUT:
        raise TillerError(f"There is no report on {choice[:60]!r}; there is one on {' and on '.join(ABOUT)}.")
    return about, other


def stored_direction(task: TransferTask, source: str) -> Direction:
    """The direction of a source. Raises TillerError when there is none, or when it cannot be read."""
    family, name = task.place(source)
    path = store.find_artefact(family.places, name, "direction", task.about)
    if path is None:
        raise TillerError(
            f"{source} has no direction {task.about!r} to carry; learn it first, in Library "
            f"(on the command line: `{program()} precompute{family_option(family)}`)."
        )
    return load_direction(path)


def digest(direction: Direction) -> str:
    """What tells a direction from another one: its vectors and its layer."""
    said = direction.vectors.tobytes() + str(direction.card.layer).encode()
    return hashlib.sha256(said).hexdigest()[:16]


def marks(task: TransferTask) -> dict[str, Any]:
    """What a report belongs to: the directions with the weights that each was learnt on, the examples, how much is measured.

    A report with other marks is out of date. Raises TillerError when a direction is missing.
    """
    found = {source: stored_direction(task, source) for source in task.directed}
    return {
        "directions": {source: digest(each) for source, each in found.items()},
        "fingerprints": {source: each.card.details.get("fingerprint") for source, each in found.items()},
        "contrast": contrast.load_contrast(task.family, task.about).digest,
        "sizes": asdict(task.sizes),
        "quantize": task.quantize,
        "version": [TRANSFER_VERSION, MAPPED_VERSION] if task.other else TRANSFER_VERSION,
    }


def fresh(task: TransferTask) -> TransferReport | None:
    """The report that is there, if it belongs to what is there now. Raises TillerError when a direction is missing."""
    now = marks(task)
    try:
        report = transfers.find_report(task.family, task.about, task.other.name if task.other else "")
    except StoreError:
        # What is cut off or of another version is made again.
        return None
    return report if report is not None and report.card.details.get("marks") == now and not report.unfinished else None
