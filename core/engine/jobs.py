"""What goes on in the background (learning, knowledge maps) as a front end sees it: looked at, waited for and cancelled from any
thread. No torch.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from core.artefacts import store
from core.directions.effort import MEASURED, suffices
from core.directions.request import LearnRequest
from core.engine.allowance import Allowance
from core.families.checkpoint import Family
from core.knowledge.maps import MapRequest, Traced
from core.util.figures import percent_text
from core.util.progress import duration

State = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True, kw_only=True)
class View:
    """How far it is: in a ``sentence`` what is being done, or, once the state is "failed", what to do."""

    state: State = "waiting"
    sentence: str = "Waiting for the model."

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "cancelled", "failed")


V = TypeVar("V", bound=View)
_NUMBERS = itertools.count(1)


class Watched(Generic[V]):
    """Something that goes on while nobody chats."""

    def __init__(self, view: V, title: str) -> None:
        #: By which a list of several names it.
        self.key = str(next(_NUMBERS))
        self.cancelled = threading.Event()
        #: How long it may compute; it counts while it does.
        self.budget = Allowance().budget()
        #: Who has begun it: whoever waits behind others' work is not told what that is.
        self.whose: Allowance | None = None
        #: What it is and of whom, as a list of several has it: ``learning politeness on dpo``.
        self.title = title
        self._view = view
        self._changed = threading.Condition()

    @property
    def view(self) -> V:
        """How far it is now."""
        return self._view

    def __iter__(self) -> Iterator[V]:
        """Every view that is news when it is asked for, the last one included."""
        seen: V | None = None
        while seen is None or not seen.over:
            with self._changed:
                self._changed.wait_for(lambda before=seen: self._view is not before)  # type: ignore[misc]
                seen = self._view
            yield seen

    def wait(self, timeout: float | None = None) -> V:
        """Wait for the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._view.over, timeout)
        return self._view

    def cancel(self) -> None:
        """End it at its next slice; what is there stays."""
        self.cancelled.set()

    def publish(self, state: State, sentence: str) -> None:
        """Say how far it is, for whoever does it. What is over stays so."""
        self._show(state=state, sentence=sentence)

    def _show(self, **fields: Any) -> None:
        """Change fields of the view, unless it is over."""
        with self._changed:
            if not self._view.over:
                self._view = replace(self._view, **fields)
                self._changed.notify_all()


# --------------------------------------------------------------------------------------------------------------- learning

#: What Chat offers to learn where a checkpoint has no directions yet.
OFFERED = ("refusal", "truth")


@dataclass(frozen=True)
class Offer:
    """What could be learnt on a checkpoint. ``seconds`` is how long it would take, measured on a batch; None until it is measured."""

    checkpoint: str
    kinds: tuple[str, ...]
    seconds: float | None = None
    #: Whether they are there, and only not measured whole yet.
    there: bool = False

    @property
    def lacking(self) -> str:
        """What the checkpoint has not."""
        if self.there:
            return f"whole measurement of {' and '.join(self.kinds)}"
        return f"direction{'s' * (len(self.kinds) > 1)} for {' and '.join(self.kinds)}"

    @property
    def sentence(self) -> str:
        """What the button says."""
        if self.there:
            return f"Measure what {' and '.join(self.kinds)} do{'es' * (len(self.kinds) == 1)}"
        long = f" (about {duration(self.seconds)})" if self.seconds is not None else ""
        return f"Learn {' and '.join(self.kinds)} now{long}"


@dataclass(frozen=True)
class JobView(View):
    """How far a job is: ``part`` from 0 to 1, ``left`` seconds to go, None before that is measured.

    ``usable`` says that one can steer by what is learnt, which is measured now; ``written`` counts how often something to show was
    written.
    """

    checkpoint: str
    kinds: tuple[str, ...]
    part: float = 0.0
    left: float | None = None
    usable: bool = False
    written: int = 0

    @property
    def said(self) -> str:
        """All of it in words."""
        if self.over:
            return self.sentence
        left = f" · about {duration(self.left)} left" if self.left is not None else ""
        ready = "Ready to steer by; what it does is being measured: " if self.usable else ""
        return f"{ready}{percent_text(self.part)}{left} · {self.sentence}"


def learnable(family: Family, checkpoint: str) -> tuple[str, ...]:
    """What a checkpoint lacks that could be learnt; only headers are read."""
    own = family.directions_of(checkpoint)
    there = {card.name for card in store.cards(family.places, own)}
    return tuple(kind for kind in OFFERED if kind not in there)


def half_measured(family: Family, checkpoint: str) -> tuple[str, ...]:
    """What a person has learnt on a checkpoint and not measured whole; only headers are read."""
    own = family.directions_of(checkpoint)
    cards = {card.name: card for card in store.cards(family.places, own)}
    learnt = [kind for kind in OFFERED if kind in cards and not cards[kind].details.get("imported")]
    return tuple(kind for kind in learnt if not suffices(cards[kind].details, MEASURED))


class Job(Watched[JobView]):
    """A learning. What was learnt whole before it was cancelled stays; what was found out so far is kept for another time."""

    def __init__(
        self, checkpoint: str, kinds: tuple[str, ...], wish: LearnRequest | None = None, doing: str = "learning"
    ) -> None:
        self.wish = wish
        called = wish.name if wish is not None else " and ".join(kinds)
        super().__init__(JobView(checkpoint, kinds), f"{doing} {called}" + (f" on {checkpoint}" if checkpoint else ""))

    def count(self) -> None:
        """Something to show was written."""
        self._show(written=self.view.written + 1)

    @property
    def called(self) -> str:
        """What is learnt, in words."""
        return self.wish.name if self.wish is not None else " and ".join(self.view.kinds)

    def publish(
        self,
        state: State,
        sentence: str,
        part: float | None = None,
        left: float | None = None,
        usable: bool | None = None,
    ) -> None:
        """Say how far it is; the part and whether it is usable stay as they were where they are not given, and what is done is whole."""
        whole = 1.0 if state == "done" else self.view.part if part is None else part
        ready = self.view.usable if usable is None else usable
        self._show(state=state, sentence=sentence, part=whole, left=left, usable=ready)


# ------------------------------------------------------------------------------------------------------------ knowledge maps


@dataclass(frozen=True)
class MapView(View):
    """How far maps are, and everything that is computed so far."""

    traced: Traced

    @property
    def said(self) -> str:
        """All of it in words."""
        if self.state != "running":
            return self.sentence
        left = f" · about {duration(self.traced.left)} left" if self.traced.left is not None else ""
        return f"{percent_text(self.traced.part)}{left} · {self.sentence}"


class MapJob(Watched[MapView]):
    """Maps that are computed while nobody chats. The rows that were there before it was cancelled stay."""

    def __init__(self, order: MapRequest) -> None:
        what = order.set or "a pair of sentences"
        super().__init__(MapView(Traced(order)), f"tracing {what} on {' and '.join(order.checkpoints)}")
        self.order = order

    def publish(self, state: State, sentence: str, traced: Traced | None = None) -> None:
        """Say how far it is; the maps stay as they were where none are given."""
        self._show(state=state, sentence=sentence, traced=self.view.traced if traced is None else traced)
