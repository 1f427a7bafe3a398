"""Knowledge maps in the background: what a front end sees of them, and how it ends them. No torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from core.maps import MapOrder, Traced
from core.steps import duration

State = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True)
class MapView:
    """How far maps are: everything that is computed so far, and in ``sentence`` what is being done, or why it failed."""

    traced: Traced
    state: State = "waiting"
    sentence: str = "Waiting for the model."

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "cancelled", "failed")

    @property
    def said(self) -> str:
        """All of it in words."""
        if self.state != "running":
            return self.sentence
        left = f" · about {duration(self.traced.left)} left" if self.traced.left is not None else ""
        return f"{self.traced.part:.0%}{left} · {self.sentence}"


class MapJob:
    """Maps that are computed while nobody chats. It may be looked at and cancelled from any thread."""

    def __init__(self, order: MapOrder) -> None:
        self.order = order
        self.cancelled = threading.Event()
        self._view = MapView(Traced(order))
        self._changed = threading.Condition()

    @property
    def view(self) -> MapView:
        """How far they are now."""
        return self._view

    def __iter__(self) -> Iterator[MapView]:
        """Every view that is news when it is asked for, the last one included."""
        seen: MapView | None = None
        while seen is None or not seen.over:
            with self._changed:
                self._changed.wait_for(lambda before=seen: self._view is not before)  # type: ignore[misc]
                seen = self._view
            yield seen

    def wait(self, timeout: float | None = None) -> MapView:
        """Wait for the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._view.over, timeout)
        return self._view

    def cancel(self) -> None:
        """End it at its next slice; the rows that are there stay."""
        self.cancelled.set()

    # The engine's thread alone calls what follows.

    def publish(self, state: State, sentence: str, traced: Traced | None = None) -> None:
        """Say how far it is; the maps stay as they were where none are given. What is over stays so."""
        with self._changed:
            if not self._view.over:
                known = self._view.traced if traced is None else traced
                self._view = replace(self._view, state=state, sentence=sentence, traced=known)
                self._changed.notify_all()
