"""The library: every direction, map and score that is here for a family, one's own and shipped ones. Only headers are read; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.artefacts import store
from core.artefacts.store import Card
from core.directions.effort import QUICK
from core.errors import StoreError
from core.families.checkpoint import Family
from core.util.figures import figure_text, interval_text

#: What :attr:`Entry.row` says, in its order.
HEADINGS = ("name", "kind", "learnt on", "method", "layer", "test accuracy", "examples", "made", "weights", "whose")
_NOTHING = "–"


@dataclass(frozen=True)
class Entry:
    """One file. ``card`` is ``None`` where it cannot be read, and ``problem`` says why; ``own`` are a person's own, which hide others of
    the same name (``hidden``); of these, ``shipped`` came with the family, and the rest is what a server's owner has made."""

    path: Path
    checkpoint: str
    kind: str
    name: str
    own: bool
    card: Card | None = None
    problem: str = ""
    hidden: bool = False
    shipped: bool = True

    @property
    def key(self) -> str:
        """What tells it from every other entry of its family."""
        return f"{'own' if self.own else 'shipped'}/{self.checkpoint}/{self.kind}.{self.name}"

    @property
    def title(self) -> str:
        """What a list of choices calls it."""
        remark = ", hidden by your own" if self.hidden else ", yours" if self.own else ""
        source, target = self.mapped
        whose = f"{source} for {target}" if source else f"from {self._other}" if self._other else self.checkpoint
        return f"{self.called} ({self.kind} {'' if whose.startswith('from ') else 'of '}{whose}{remark})"

    @property
    def mapped(self) -> tuple[str, str]:
        """Where a direction of another family comes from, and the checkpoint that it was mapped into; two empty strings of any other."""
        details = self.card.details if self.card is not None else {}
        origin = details.get("mapped")
        return (
            (str(origin.get("from", "")), str(details.get("checkpoint", ""))) if isinstance(origin, dict) else ("", "")
        )

    @property
    def called(self) -> str:
        """What a recipe or a screen calls it; where another family has a part in it, its file name says more."""
        if self.card is not None and self._other:
            return str(self.card.details.get("about", self.card.name))
        return self.name

    @property
    def _other(self) -> str:
        """The other family, or its checkpoint, that it comes from."""
        details = self.card.details if self.card is not None else {}
        return self.mapped[0] or str(details.get("other") or "")

    @property
    def _method(self) -> str:
        """How it was learnt, and that this was done quickly; of a mapped one, where it comes from."""
        said = self.card.details if self.card else {}
        if not said.get("method"):
            return f"from {self._other}" if self._other else _NOTHING
        return f"{said['method']}{', quick' * (said.get('effort') == QUICK.name)}"

    @property
    def row(self) -> tuple[str, ...]:
        """What the library's table says of it, by :data:`HEADINGS`."""
        whose = "yours" if self.own else "shipped" if self.shipped else "the server's"
        whose += ", hidden by yours" if self.hidden else ""
        if self.card is None:
            return (self.name, self.kind, self.checkpoint, self.problem, *[_NOTHING] * 5, whose)
        said = self.card.details
        layer = f"{said['layer']} of {said['layers']}" if {"layer", "layers"} <= set(said) else _NOTHING
        made = " · ".join(str(said[key]) for key in ("date", "program") if said.get(key))
        target = self.mapped[1]
        return (
            self.called,
            self.kind,
            f"→ {target}" if target else self.checkpoint,
            self._method,
            layer,
            _score(self.card),
            _examples(self.card),
            made or _NOTHING,
            str(said.get("fingerprint") or _NOTHING)[:12],
            whose,
        )


def entries(family: Family) -> tuple[Entry, ...]:
    """Everything there is for a family, by checkpoint in the family's order, then by kind and name."""
    own = family.root / family.name
    found: list[Entry] = []
    for checkpoint in (*(each.name for each in family.choices), "shared"):
        mine: set[tuple[str, str]] = set()
        keys: set[str] = set()
        for folder in dict.fromkeys(each.resolve() for each in family.places):
            is_own = folder == own.resolve()
            there = [_entry(path, checkpoint, is_own, mine) for path in _files(folder, checkpoint)]
            mine |= {(each.kind, each.name) for each in there} if is_own else set()
            # What is hidden behind a server's owner's own, a visitor cannot reach in any way.
            there = [each for each in there if each.key not in keys]
            keys |= {each.key for each in there}
            found += [replace(each, shipped=folder == family.folder.resolve()) for each in there]
    return tuple(found)


def first(family: Family, found: Sequence[Entry]) -> Entry | None:
    """What is shown before anything is chosen: a direction of the final checkpoint, the one that is chatted with."""
    own = (each for each in found if each.checkpoint == family.final.name and each.kind == "direction")
    return next(own, next(iter(found), None))


def usable(family: Family, found: Sequence[Entry]) -> tuple[Entry, ...]:
    """The directions that a recipe can name, those of the final checkpoint first: what is shown as cards."""
    order = [each.name for each in reversed(family.checkpoints)]
    there = [
        each
        for each in found
        if each.kind == "direction"
        and each.card
        and not each.hidden
        and not each.mapped[0]
        and each.checkpoint in order
    ]
    return tuple(sorted(there, key=lambda each: order.index(each.checkpoint)))


def find_entry(family: Family, key: str) -> Entry:
    """An entry by its key. Raises StoreError when it is not there any more."""
    for entry in entries(family):
        if entry.key == key:
            return entry
    raise StoreError(f"{key.rpartition('/')[2]} is not in the library any more; choose another.")


def _files(folder: Path, checkpoint: str) -> list[Path]:
    inner = folder / checkpoint if checkpoint == "shared" else folder / checkpoint / "artefacts"
    return sorted(inner.glob("*.*.safetensors"))


def _entry(path: Path, checkpoint: str, own: bool, mine: set[tuple[str, str]]) -> Entry:
    kind, _, name = path.name.removesuffix(".safetensors").partition(".")
    hidden = not own and (kind, name) in mine
    try:
        return Entry(path, checkpoint, kind, name, own, store.read_card(path), hidden=hidden)
    except StoreError as error:
        return Entry(path, checkpoint, kind, name, own, None, str(error), hidden)


def _score(card: Card) -> str:
    """The accuracy on the test split, with its interval where the card has one."""
    held, test = card.details.get("held_out"), card.details.get("test") or {}
    if held:
        return interval_text(held["accuracy"], *held["interval"])
    known = test.get("held_out_category_accuracy", test.get("accuracy"))
    return figure_text(known) if isinstance(known, float) else _NOTHING


def _examples(card: Card) -> str:
    contrast = card.details.get("contrast")
    if not isinstance(contrast, dict) or "name" not in contrast:
        return _NOTHING
    return f"{contrast['name']}, {contrast['n']}" if "n" in contrast else str(contrast["name"])
