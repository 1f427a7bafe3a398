"""What a transfer report says: every figure of carrying a direction from one checkpoint to another, and the two checks. No torch.

A report is an artefact, ``vectors/<family>/shared/transfer.<kind>.safetensors``: the layer profiles are its tensors [sources, targets,
layers], everything else is in its document. :mod:`core.transfer.measure` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from core.artefacts import store
from core.artefacts.store import Array, Card
from core.errors import StoreError
from core.families.checkpoint import Family
from core.families.commands import family_option
from core.inference.reply_classes import CLASSES
from core.stats.rates import Rate
from core.stats.similarity import Similarity
from core.util.figures import figure_text
from core.util.program import program

TRANSFER_KIND = "transfer"
#: The layer profiles of a cell, and what they are called; the shared ones only where checkpoints have templates of their own.
PROFILES = {
    "cosine": "cosine",
    "winsorised": "cosine, largest coordinates cut",
    "ceiling": "ceiling: what noise leaves",
    "null": "null: shuffled labels",
    "shared": "cosine at a shared template",
    "shared_ceiling": "ceiling at a shared template",
    "shared_null": "null at a shared template",
    "probe": "probe, category left out",
    "recentred": "probe with the target's own midpoint",
}
#: How a direction from elsewhere is made as strong as the target's own.
SCALINGS = {"norm": "equal norm", "projection": "equal target projection"}

#: A value with its 95 % interval.
Bounded = tuple[float, float, float]


@dataclass(frozen=True)
class Pushed:
    """Truth pushed both ways: NIE and flip rate from true to false (``down``) and back (``up``), and the mass that is left of each."""

    nie_down: float
    nie_up: float
    down: Rate
    up: Rate
    mass_down: float
    mass_up: float
    #: Both ways together, with an interval by group; None in a report of an earlier version.
    turned: Rate | None = None
    #: The flip rate less that of the target's own direction on the same statements, with its paired interval.
    less: Bounded | None = None

    @property
    def nie(self) -> float:
        """The mean of both ways."""
        return (self.nie_down + self.nie_up) / 2

    @property
    def flips(self) -> Rate:
        """Both ways together."""
        return self.turned or Rate(self.down.hits + self.up.hits, self.down.n + self.up.n)

    @property
    def mass(self) -> float:
        """The smaller of the two."""
        return min(self.mass_down, self.mass_up)


@dataclass(frozen=True)
class Classes:
    """How many replies are of each class; ``refused`` is the part that refuses, with an interval by group, where that is known."""

    counts: Mapping[str, int]
    refused: Rate | None = None

    @property
    def n(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def rate(self, kind: str) -> Rate:
        """The part of one class."""
        if kind == "refuses" and self.refused is not None:
            return self.refused
        return Rate(self.counts.get(kind, 0), self.n)

    def __str__(self) -> str:
        """The four parts in words."""
        return ", ".join(f"{kind} {figure_text(self.rate(kind).value)}" for kind in CLASSES if self.counts.get(kind))


@dataclass(frozen=True)
class Cell:
    """A direction of ``source`` on ``target``, at the target's layer ``layer``; ``low`` and ``high`` are the cosine's interval.

    ``pushed`` (truth), ``added`` (refusal) and ``recipes`` are by scaling; a scaling that cannot be reached is missing. ``ablated`` are
    the replies to harmful requests without the source's direction. ``freed`` is the cosine freed of noise, ``shared_freed`` that at a
    shared template. What ends in ``less`` is a rate less that of the target's own direction on the same examples, with its paired interval;
    of ``kept_less`` it is the own one's less this one's. None is what was not measured.
    """

    source: str
    target: str
    layer: int
    cosine: float
    low: float
    high: float
    winsorised: float
    ceiling: float
    null: float
    shared: float
    probe: Rate
    recentred: Rate
    pushed: Mapping[str, Pushed]
    added: Mapping[str, Classes]
    ablated: Classes | None
    recipes: Mapping[str, str]
    #: Whether the target was steered by it; where the time was up before, what is known of both directions stands alone.
    steered: bool = True
    freed: Similarity | None = None
    shared_freed: Similarity | None = None
    recentred_less: Bounded | None = None
    refused_less: Mapping[str, Bounded | None] = field(default_factory=dict)
    kept_less: Bounded | None = None
    #: Of a source of another family: its rate less that of the same source with nothing learnt, on the same examples.
    beyond_untrained: Bounded | None = None

    @property
    def recipe(self) -> str:
        """What Chat is opened with: the direction as long as the target's own, or "" where no recipe can be so strong."""
        return self.recipes.get("norm", "")


@dataclass(frozen=True)
class Target:
    """What is measured of a target without anything from elsewhere.

    ``strength`` is in gaps of its own direction at ``layer``. ``plain`` are the replies as it is, to ``harmless`` and ``harmful``
    requests. ``controls`` are the rates that controls reach, by what they do and how they are made, and ``control_n`` how many trials
    stand behind each rate. ``compared`` are those that the sources reach in the same trials, and ``along`` says how far controls of a kind
    lie along the target's own direction: the median of the cosine without its sign.
    """

    name: str
    layer: int
    strength: float
    own_accuracy: Mapping[str, Rate]
    plain: Mapping[str, Classes]
    controls: Mapping[str, tuple[float, ...]]
    control_n: int
    compared: Mapping[str, float] = field(default_factory=dict)
    along: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TransferReport:
    """All cells of a direction's transfer."""

    card: Card
    profiles: Mapping[str, Array]

    @property
    def kind(self) -> str:
        """Which direction it is about: truth or refusal."""
        return str(self.card.details["about"])

    @property
    def other(self) -> str:
        """The family that the sources with a slash in their names come from, or ""."""
        return str(self.card.details.get("other", ""))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the directions come from, in order."""
        return tuple(self.card.details["sources"])

    @property
    def targets(self) -> tuple[str, ...]:
        """Which checkpoints they are used on, in order."""
        return tuple(self.card.details["targets"])

    def cell(self, source: str, target: str) -> Cell:
        """One cell. Raises KeyError for one that is not there."""
        return self._cells[source, target]

    @cached_property
    def _cells(self) -> dict[tuple[str, str], Cell]:
        found = [_cell(each) for each in self.card.details["cells"]]
        return {(each.source, each.target): each for each in found}

    @property
    def unfinished(self) -> str:
        """What is said where the time was up before all was measured; else empty."""
        lacking = self.card.details.get("unfinished")
        if not lacking:
            return ""
        cells, targets = lacking["cells"], lacking["targets"]
        return (
            f"Measured in part: {cells[0]} of {cells[1]} cells are steered, {targets[0]} of {targets[1]} checkpoints with all their "
            "controls; cosines are all there. Measured again, it goes on from there."
        )

    @property
    def started(self) -> str:
        """What is said where the checkpoints' tokenizers begin a bare text differently, so that states are read behind other tokens."""
        alike: dict[str, list[str]] = {}
        for name, start in self.card.details.get("starts", {}).items():
            alike.setdefault(start, []).append(name)
        if len(alike) < 2:
            return ""
        said = "; ".join(f"{' and '.join(names)} with {start or 'nothing'}" for start, names in alike.items())
        return f"Statements begin differently, as each tokenizer does it ({said}): part of what differs between them may be that."

    @property
    def cautions(self) -> list[str]:
        """What is said before any figure."""
        return [said for said in (self.unfinished, self.started) if said]

    @property
    def steered(self) -> tuple[str, ...]:
        """The targets on which steering has begun; all of them where the report is whole."""
        return tuple(name for name in self.targets if name in self.card.details["of_targets"])

    def target(self, name: str) -> Target:
        """What is known of a target. Raises KeyError for one that is not there."""
        said = self.card.details["of_targets"][name]
        return Target(
            name,
            said["layer"],
            said["strength"],
            {key: Rate(*value) for key, value in said["own_accuracy"].items()},
            {key: Classes(value) for key, value in said["plain"].items()},
            {key: tuple(value) for key, value in said["controls"].items()},
            said["control_n"],
            said.get("compared", {}),
            said.get("along", {}),
        )

    def profile(self, source: str, target: str) -> dict[str, list[float]]:
        """What is known of a cell at every layer, by the names of :data:`PROFILES`."""
        at = self.sources.index(source), self.targets.index(target)
        return {name: [float(each) for each in values[at]] for name, values in self.profiles.items()}

    def maps(self) -> Mapping[str, Any]:
        """Between families: R² and layers of every map, by ``source>target``."""
        return dict(self.card.details.get("maps", {}))


def _cell(said: Mapping[str, Any]) -> Cell:
    pushed = {
        how: Pushed(
            each["nie"][0], each["nie"][1], Rate(*each["down"]), Rate(*each["up"]), each["mass"][0], each["mass"][1],
            Rate(*each["flips"]) if "flips" in each else None, _figure(each.get("less")),
        )
        for how, each in said.get("pushed", {}).items()
    }  # fmt: skip
    refused = {how: Rate(*each) for how, each in said.get("refused", {}).items()}
    kept = Rate(*said["kept"]) if "kept" in said else None
    return Cell(
        source=said["source"],
        target=said["target"],
        layer=said["layer"],
        cosine=said["cosine"],
        low=said["interval"][0],
        high=said["interval"][1],
        winsorised=said["winsorised"],
        ceiling=said["ceiling"],
        null=said["null"],
        shared=math.nan if said["shared"] is None else said["shared"],
        probe=Rate(*said["probe"]),
        recentred=Rate(*said["recentred"]),
        pushed=pushed,
        added={how: Classes(each, refused.get(how)) for how, each in said.get("added", {}).items()},
        ablated=Classes(said["ablated"], kept) if said.get("ablated") else None,
        recipes=said["recipes"],
        steered=bool(said.get("steered", True)),
        freed=_similarity(said.get("freed")),
        shared_freed=_similarity(said.get("shared_freed")),
        recentred_less=_figure(said.get("recentred_less")),
        refused_less={how: _figure(each) for how, each in said.get("refused_less", {}).items()},
        kept_less=_figure(said.get("kept_less")),
        beyond_untrained=_figure(said.get("beyond_untrained")),
    )


def _figure(said: Sequence[float] | None) -> Bounded | None:
    return (said[0], said[1], said[2]) if said else None


def _similarity(said: Sequence[float] | None) -> Similarity | None:
    return Similarity(*said) if said else None


def report_name(about: str, other: str = "") -> str:
    """An artefact's name: ``truth``, or ``truth.skiff-small`` for sources of another family."""
    return f"{about}.{other}" if other else about


def find_report(family: Family, about: str, other: str = "") -> TransferReport | None:
    """The stored report, a person's own first; None where none was made. Raises StoreError when it cannot be read."""
    path = store.find_shared(family.places, TRANSFER_KIND, report_name(about, other))
    return load_report(path, family_option(family)) if path is not None else None


def there(family: Family) -> tuple[tuple[str, str], ...]:
    """Which reports there are: (direction, other family or "")."""
    cards = store.shared_cards(family.places, TRANSFER_KIND)
    return tuple((str(card.details.get("about", "")), str(card.details.get("other", ""))) for card in cards)


def load_report(path: Path, option: str = "") -> TransferReport:
    """A report from its file; ``option`` names its family on a command line (:func:`core.families.commands.family_option`).

    Raises StoreError when it is unreadable, cut off, or of another kind.
    """
    card = store.read_card(path)
    if card.kind != TRANSFER_KIND:
        raise StoreError(f"{path.name} holds a {card.kind}, not a transfer report.")
    try:
        profiles = {name: np.asarray(values, np.float32) for name, values in load_file(path).items()}
        report = TransferReport(card, {name: profiles[name] for name in PROFILES if name in profiles})
        for source in report.sources:
            for target in report.targets:
                report.cell(source, target)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise StoreError(
            f"{path.name} is cut off or of another version; measure it again in Transfer "
            f"(on the command line: `{program()} transfer{option} --again`)."
        ) from error
    return report
