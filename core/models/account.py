"""What all pools of a program hold together: whoever lacks room is given what nobody computes with, of whichever family it is. No torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

from core.models import memory
from core.models.memory import Room


class SharingPool(Protocol):
    """What a pool (:mod:`core.models.pool`) tells others of itself, and gives up for them."""

    turns: int
    asked: float
    unread: int

    @property
    def size(self) -> int:
        """The bytes of all that is in memory, and of what is being loaded."""

    @property
    def idle(self) -> list[str]:
        """What others may take, the longest unused first."""

    def takes(self, name: str) -> int:
        """The bytes of a checkpoint that is in memory."""

    def drop(self, name: str) -> Callable[[], object]:
        """Give a checkpoint up; what is returned gives None once nobody holds it any more."""


class MemoryAccount:
    """The memory of the pools that share it, which load to the same places under one limit (``--max-memory``).

    Each pool belongs to a thread of its own. Whoever holds ``gate`` may look into every pool, and take from it what its thread does not
    use; nobody holds it while something is loaded or computed.

    Raises:
        MemoryTextError: the limit cannot be read.
    """

    def __init__(self, max_memory: str = "") -> None:
        self._limits = memory.parse_memory(max_memory)
        self._pools: WeakSet[SharingPool] = WeakSet()
        self.gate = threading.RLock()
        #: Where checkpoints go; a device that is to be chosen is known with the first pool.
        self.places: tuple[str, ...] = ("cpu",)

    def join(self, pool: SharingPool, places: tuple[str, ...]) -> None:
        """One more pool, for as long as there is somebody who uses it."""
        with self.gate:
            self.places = places
            self._pools.add(pool)

    @property
    def size(self) -> int:
        """The bytes of all that is in memory, and of what is being loaded."""
        with self.gate:
            return sum(each.size for each in self._pools)

    @property
    def unread(self) -> int:
        """The bytes of what is being loaded that are not in memory yet."""
        with self.gate:
            return sum(each.unread for each in self._pools)

    def room(self) -> Room:
        """What there is for one more checkpoint."""
        with self.gate:
            return memory.room(self.places, self._limits, self.size, self.unread)

    def idle(self, asks: SharingPool) -> list[tuple[SharingPool, str]]:
        """What nobody computes with in the pools beside the one that asks, the longest unused pool's first."""
        with self.gate:
            return [(pool, name) for pool in self._others(asks) for name in pool.idle]

    def wait_for_turns(self, asks: SharingPool, seconds: float) -> None:
        """Wait until the other pools' threads have come to the end of a turn, where they use anything, but no longer than so."""
        with self.gate:
            turns = {pool: pool.turns for pool in self._others(asks) if pool.size > sum(map(pool.takes, pool.idle))}
        end = time.monotonic() + seconds
        while any(pool.turns == turn for pool, turn in turns.items()) and time.monotonic() < end:
            time.sleep(0.01)

    def _others(self, asks: SharingPool) -> list[SharingPool]:
        return sorted((each for each in self._pools if each is not asks), key=lambda each: each.asked)
