"""A run: what was asked, and the stream of events that answers it. No torch here."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping

from core.chat.beginnings import Beginning
from core.chat.drawing import TokenDrawing
from core.chat.events import Event
from core.chat.settings import BLAME, Settings
from core.families.checkpoint import Family
from core.recipes.language import Recipe

_PLAIN = TokenDrawing()
#: What a run does, as a list says it.
ANSWERING, AHEAD, BLAMING = (
    "answering",
    "computing a slider's answers ahead",
    "finding out which stage tokens are owed to",
)
#: A run that nobody reads stops computing when so many events wait; it goes on when they are read.
MAX_WAITING = 2_048


class Run:
    """A stream of events that can be steered and cancelled from any thread."""

    def __init__(
        self, family: Family, settings: Settings, columns: tuple[int, ...], prefixes: Mapping[int, Beginning], scrub: bool,
        given: Mapping[int, tuple[int, ...]] | None = None, drawing: TokenDrawing = _PLAIN, shadows: bool = True,
    ) -> None:  # fmt: skip
        #: The family as whoever asks sees it, which says whose directions its recipes name.
        self.family = family
        self.settings = settings
        self.columns = columns
        self.prefixes = dict(prefixes)
        self.scrub = scrub
        #: Token ids by column, when nothing is to be said and only the blame of what was said before is wanted.
        self.given = given
        self.drawing = drawing
        #: Whether the unsteered model reads along, so that a recipe may change on the way, and every token has both readings.
        self.shadows = shadows
        #: Whether every token is to be told which training stage it is owed to; may be set while the run goes on.
        self.blame = given is not None or settings.lens.startswith(BLAME)
        self.cancelled = threading.Event()
        self.changes: deque[tuple[int, Recipe]] = deque()
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._ended = False

    @property
    def doing(self) -> str:
        """What it does."""
        return AHEAD if self.scrub else BLAMING if self.given is not None else ANSWERING

    def __iter__(self) -> Iterator[Event]:
        """Wait for the next event until the last one has come."""
        while not self._ended:
            event = self._events.get()
            if event is None:
                self._ended = True
            else:
                yield event

    def poll(self, timeout: float = 0.0) -> list[Event]:
        """The events that are there, after waiting up to ``timeout`` seconds for the first one."""
        found: list[Event] = []
        while not self._ended:
            try:
                event = self._events.get(timeout=timeout) if timeout and not found else self._events.get_nowait()
            except queue.Empty:
                break
            if event is None:
                self._ended = True
            else:
                found.append(event)
        return found

    @property
    def patient(self) -> bool:
        """Whether chats go first."""
        return self.scrub or self.given is not None

    @property
    def finished(self) -> bool:
        """Whether every event has been read and no more will come."""
        return self._ended

    def set_recipe(self, column: int, recipe: Recipe) -> None:
        """Steer ``column`` by another recipe from the next token on; a RecipeChanged or Failed event follows."""
        self.changes.append((column, recipe))

    def cancel(self) -> None:
        """End the run at its next step; every unfinished column gets ``Done("stopped")``."""
        self.cancelled.set()

    # The engine's thread alone calls what follows.

    def publish(self, event: Event) -> None:
        """Add an event for the readers."""
        self._events.put(event)

    def end(self) -> None:
        """Say that no more events come."""
        self._events.put(None)

    @property
    def crowded(self) -> bool:
        """Whether so many events wait unread that the run should pause."""
        return self._events.qsize() > MAX_WAITING
