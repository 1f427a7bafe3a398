"""A run while it is being answered: what the engine's thread keeps of it between two steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from core.attribution.streaming import TokenAttribution
from core.chat.events import Done, Event, Token
from core.engine.run import Run
from core.inference.decoding import BatchDecoder


@dataclass(eq=False)
class Active:
    """A run in progress: a stream for each checkpoint that is in memory, and what has been said so far.

    ``waiting`` are the checkpoints whose turn comes later; ``blocked`` what was in use when there was no room for the next of them.
    """

    run: Run
    waiting: list[str] = field(default_factory=list)
    blocked: frozenset[str] | None = None
    note: str = ""
    streams: dict[str, BatchDecoder] = field(default_factory=dict)
    prompts: dict[int, tuple[int, ...]] = field(default_factory=dict)
    said: dict[int, list[Token]] = field(default_factory=dict)
    held: list[Event] = field(default_factory=list)
    #: By column, what finds out which training stage its tokens are owed to; and the columns of which that cannot be found out.
    blaming: dict[int, TokenAttribution] = field(default_factory=dict)
    unblamed: set[int] = field(default_factory=set)
    #: What changed before the next step, since the recipes that a person gave were taken; None where they were not yet.
    changed: list[Event] | None = None
    #: The columns whose answer is complete.
    ended: set[int] = field(default_factory=set)
    tokens: int = 0
    started: float = field(default_factory=time.perf_counter)
    #: When the last answer was complete.
    answered: float = field(default_factory=time.perf_counter)

    def stopped(self) -> list[Event]:
        """What ends every column now: those that are being written, and those whose turn has not come."""
        ended: list[Event] = [event for stream in self.streams.values() for event in stream.stop()]
        settings = self.run.settings
        late = [column for column in self.run.columns if settings.columns[column].checkpoint in self.waiting]
        return ended + [Done(column, "stopped", 0, 0.0) for column in late]

    def publish(self, events: list[Event]) -> None:
        """Pass events on; a scrub's Done waits for the scores that come before it."""
        for event in events:
            if isinstance(event, Token):
                self.tokens += 1
                self.said.setdefault(event.column, []).append(event)
            if isinstance(event, Done):
                self.ended.add(event.column)
                self.answered = time.perf_counter()
            if isinstance(event, Done) and self.run.scrub:
                self.said.setdefault(event.column, [])
                self.held.append(event)
            else:
                self.run.publish(event)
