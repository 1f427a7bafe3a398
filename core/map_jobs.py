"""Knowledge maps in the background: what a front end sees of them, and how it ends them. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.maps import MapOrder, Traced
from core.steps import duration
from core.watching import State, View, Watched


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
        return f"{self.traced.part:.0%}{left} · {self.sentence}"


class MapJob(Watched[MapView]):
    """Maps that are computed while nobody chats. The rows that were there before it was cancelled stay."""

    def __init__(self, order: MapOrder) -> None:
        super().__init__(MapView(Traced(order)))
        self.order = order

    def publish(self, state: State, sentence: str, traced: Traced | None = None) -> None:
        """Say how far it is; the maps stay as they were where none are given."""
        self._show(state=state, sentence=sentence, traced=self.view.traced if traced is None else traced)
