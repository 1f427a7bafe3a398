"""Learning in the background: what a front end sees of it, and how it ends it. No torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from core import store
from core.examples import Wish
from core.families import Family
from core.steps import duration

#: What Chat offers to learn where a checkpoint has no directions yet.
OFFERED = ("refusal", "truth")

State = Literal["waiting", "running", "done", "cancelled", "failed"]


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
class JobView:
    """How far a job is: ``part`` from 0 to 1, what it does in a ``sentence``, ``left`` seconds to go, None before that is measured.

    Once the state is "failed", the sentence says what to do.
    """

    checkpoint: str
    kinds: tuple[str, ...]
    state: State = "waiting"
    part: float = 0.0
    sentence: str = "Waiting for the model."
    left: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "cancelled", "failed")

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


class Job:
    """A learning that goes on while nobody chats. It may be looked at and cancelled from any thread."""

    def __init__(self, checkpoint: str, kinds: tuple[str, ...], wish: Wish | None = None) -> None:
        self.wish = wish
        self.cancelled = threading.Event()
        self._view = JobView(checkpoint, kinds)
        self._changed = threading.Condition()

    @property
    def called(self) -> str:
        """What is learnt, in words."""
        return self.wish.name if self.wish is not None else " and ".join(self._view.kinds)

    @property
    def view(self) -> JobView:
        """How far it is now."""
        return self._view

    def __iter__(self) -> Iterator[JobView]:
        """Every view that is news when it is asked for, the last one included."""
        seen: JobView | None = None
        while seen is None or not seen.over:
            with self._changed:
                self._changed.wait_for(lambda before=seen: self._view is not before)  # type: ignore[misc]
                seen = self._view
            yield seen

    def wait(self, timeout: float | None = None) -> JobView:
        """Wait for the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._view.over, timeout)
        return self._view

    def cancel(self) -> None:
        """End it at its next slice. What was learnt whole stays; what was found out so far is kept for another time."""
        self.cancelled.set()

    # The engine's thread alone calls what follows.

    def publish(self, state: State, sentence: str, part: float | None = None, left: float | None = None) -> None:
        """Say how far it is; the part stays as it was where none is given. What is over stays so."""
        with self._changed:
            if not self._view.over:
                known = self._view.part if part is None else part
                self._view = replace(self._view, state=state, sentence=sentence, part=known, left=left)
                self._changed.notify_all()
