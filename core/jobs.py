"""Learning in the background: what a front end sees of it, and how it ends it. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from core import store
from core.checkpoints import Family
from core.examples import Wish
from core.steps import duration
from core.watching import State, View, Watched

#: What Chat offers to learn where a checkpoint has no directions yet.
OFFERED = ("refusal", "truth")


@dataclass(frozen=True)
class Offer:
    """What could be learnt on a checkpoint. ``seconds`` is how long it would take, measured on a batch; None until it is measured."""

    checkpoint: str
    kinds: tuple[str, ...]
    seconds: float | None = None

    @property
    def lacking(self) -> str:
        """What the checkpoint has not."""
        return f"direction{'s' * (len(self.kinds) > 1)} for {' and '.join(self.kinds)}"

    @property
    def sentence(self) -> str:
        """What the button says."""
        long = f" (about {duration(self.seconds)})" if self.seconds is not None else ""
        return f"Learn {' and '.join(self.kinds)} now{long}"


@dataclass(frozen=True)
class JobView(View):
    """How far a job is: ``part`` from 0 to 1, ``left`` seconds to go, None before that is measured."""

    checkpoint: str
    kinds: tuple[str, ...]
    part: float = 0.0
    left: float | None = None

    @property
    def said(self) -> str:
        """All of it in words."""
        if self.over:
            return self.sentence
        left = f" · about {duration(self.left)} left" if self.left is not None else ""
        return f"{self.part:.0%}{left} · {self.sentence}"


def offered(family: Family, checkpoint: str) -> tuple[str, ...]:
    """What a checkpoint lacks that could be learnt; only headers are read."""
    own = family.directions_of(checkpoint)
    there = {card.name for card in store.cards(family.name, own, folder=family.folder)}
    return tuple(kind for kind in OFFERED if kind not in there)


class Job(Watched[JobView]):
    """A learning. What was learnt whole before it was cancelled stays; what was found out so far is kept for another time."""

    def __init__(self, checkpoint: str, kinds: tuple[str, ...], wish: Wish | None = None) -> None:
        super().__init__(JobView(checkpoint, kinds))
        self.wish = wish

    @property
    def called(self) -> str:
        """What is learnt, in words."""
        return self.wish.name if self.wish is not None else " and ".join(self.view.kinds)

    def publish(self, state: State, sentence: str, part: float | None = None, left: float | None = None) -> None:
        """Say how far it is; the part stays as it was where none is given, and what is done is whole."""
        whole = 1.0 if state == "done" else self.view.part if part is None else part
        self._show(state=state, sentence=sentence, part=whole, left=left)
