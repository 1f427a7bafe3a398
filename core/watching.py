"""What goes on in the background, as a front end sees it: looked at, waited for and cancelled from any thread. No torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

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


class Watched(Generic[V]):
    """Something that goes on while nobody chats."""

    def __init__(self, view: V) -> None:
        self.cancelled = threading.Event()
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
