"""The checkpoints that are in memory: loaded when first needed, kept while memory allows, the longest unused one given up first."""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.errors import TillerError
from core.families.checkpoint import Family, FamilyRef
from core.models import gguf_model, loading, memory, placement, weight_swap
from core.models.account import MemoryAccount, SharingPool
from core.models.files import LoadingCancelled, Progress
from core.models.load_errors import explained
from core.models.loading import Loaded
from core.models.memory import Room
from core.models.placement import DoesNotFit, Need, Placing, Plan
from core.models.weight_swap import Difference
from core.util.progress import finished

#: Seconds in which another thread ends its turn, or lets go of a checkpoint that it has stopped computing with: long ones, since a turn of
#: a large model is a pass through it.
_LET_GO = 10.0
#: Told what is being loaded, in a sentence, and how much of it is there, from 0 to 1.
Say = Callable[[str, float | None], None]


class NoRoomNow(DoesNotFit):
    """A checkpoint that will fit once others, which are in use now, are not in use any more."""


class ModelPool:
    """A family's checkpoints in memory; the engine's thread alone calls it, so that none is ever loaded twice at once.

    ``busy`` gives the names that runs are using now, which are never given up. ``cancel`` ends what is being loaded when it is set. Pools
    of other families may share its ``account``: where one lacks room, it takes what idles in the others first.
    """

    def __init__(
        self,
        families: FamilyRef,
        placing: Placing,
        *,
        busy: Callable[[], Collection[str]] = tuple,
        say: Say = lambda _sentence, _part: None,
        cancel: threading.Event | None = None,
        account: MemoryAccount | None = None,
    ) -> None:
        self._families, self.placing = families, placing
        self.cancel = cancel or threading.Event()
        self._busy, self._say = busy, say
        self._kept: OrderedDict[str, Loaded] = OrderedDict()
        self._held: Counter[str] = Counter()
        # What its own thread may be computing with, as far as others know: nothing of it is taken.
        self._used: set[str] = set()
        # Of a quantized checkpoint to others, by both names.
        self._differences: OrderedDict[tuple[str, str], Difference] = OrderedDict()
        # What each of these takes from when its making is begun, and what a checkpoint does, whose name stands there twice.
        self._sizes: dict[tuple[str, str], int] = {}
        self._needs: dict[tuple[str, str], Need] = {}
        #: How often its thread has come to the end of a turn.
        self.turns = 0
        #: When a checkpoint was last asked for.
        self.asked = time.monotonic()
        #: The bytes of what is being loaded that are still to be read.
        self.unread = 0
        places = loading.places(placing.device, placing.max_memory)
        self._kind = places[0].partition(":")[0]
        self.account = account or MemoryAccount(placing.max_memory)
        self.account.join(self, places)

    @property
    def family(self) -> Family:
        """The family as it is now."""
        return self._families.family

    @property
    def names(self) -> tuple[str, ...]:
        """What is in memory, the longest unused first."""
        return tuple(self._kept)

    def plan(self) -> Plan:
        """What all checkpoints of the family take, against what is free now.

        Raises:
            DoesNotFit: not even one at a time, with the nearest plan that does.
            LoadError: the final checkpoint is not there.
        """
        names = [each.name for each in self.family.present]
        return placement.make(
            self.family, names, self._with_all(self.account.room()), self._alike, self.placing.quantize
        )

    def get(self, name: str, wanted: Callable[[], bool] = lambda: True) -> Loaded:
        """A checkpoint, from memory or from disk.

        Args:
            wanted: asked at every tensor; once it says no, loading ends.

        Raises:
            LoadingCancelled: nobody wants it any more, or ``cancel`` was set.
            NoRoomNow: what is in use leaves no room for it.
            DoesNotFit, LoadError: it never fits, or cannot be loaded.
        """
        with self.account.gate:
            self.asked = time.monotonic()
            self._used.add(name)
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        self.cancel.clear()
        self._make_room(self._need(name, self.placing.quantize), (name, name))
        try:
            loaded = self._load(name, wanted)
            with self.account.gate:
                self._kept[name] = loaded
        finally:
            self.unread = 0
            if name not in self._kept:
                self._forget((name, name))
        return loaded

    def together(self, names: Collection[str]) -> bool:
        """Whether so many checkpoints fit into memory at once, beside those that are in use. Raises LoadError."""
        with self.account.gate:
            idle = self._idle_everywhere()
            used = {*self._kept} - {name for pool, name in idle if pool is self}
            free = self.account.room().usable + sum(pool.takes(name) for pool, name in idle)
        return sum(self._need(each, self.placing.quantize).size for each in {*names} - used) <= free

    @contextmanager
    def held(self, name: str) -> Iterator[Loaded]:
        """A checkpoint that is not given up inside the ``with``, for work that takes several turns."""
        loaded = self.get(name)
        self._held[name] += 1
        try:
            yield loaded
        finally:
            self._held[name] -= 1

    def settle(self) -> None:
        """Nothing is used from here on but what ``busy`` names and what is held: the rest may be taken by others."""
        self._used = {*self._busy(), *+self._held}
        self.turns += 1

    @property
    def idle(self) -> list[str]:
        """What others may take, the longest unused first; to be asked by who holds the account's gate."""
        return [each for each in self._kept if each not in self._used]

    def takes(self, name: str) -> int:
        """The bytes of a checkpoint that is in memory, with its differences to others."""
        return sum(size for key, size in self._sizes.items() if key[0] == name)

    def drop(self, name: str) -> Callable[[], object]:
        """Give a checkpoint up, and its memory back, which is free once what is returned gives None: nobody holds the model any more."""
        with self.account.gate:
            found = self._kept.pop(name, None)
            left: Callable[[], object] = weakref.ref(found.model) if found is not None else lambda: None
            found = None
            for key in [key for key in self._sizes if key[0] == name]:
                self._forget(key)
            memory.release()
        return left

    def prepare(self, own: str, name: str) -> Generator[None, None, None]:
        """Read what the quantized checkpoint ``own`` needs to be ``name``, a tensor at a time; it is kept while memory allows.

        Raises:
            NoRoomNow: what is in use leaves no room for it.
            DoesNotFit, LoadError: it never fits, or the weights cannot be read.
        """
        key = (own, weight_swap.alike(self.family, name))
        if key[1] == own:
            return
        if key in self._differences:
            self._differences.move_to_end(key)
            return
        with self.held(own) as loaded:
            # In int8 with a scale a row, as weights of 8 bits are.
            need = replace(self._need(key[1], "8bit"), name=f"Asking {key[1]} beside {own}")
            self._make_room(need, key)
            try:
                self._differences[key] = yield from weight_swap.between(loaded, key[1])
            finally:
                self.unread = 0
                if key not in self._differences:
                    self._forget(key)

    @contextmanager
    def swapped(self, own: str, name: str) -> Iterator[Loaded]:
        """The quantized checkpoint ``own`` with what makes it ``name``, prepared now where it was not before. Raises as :meth:`prepare`."""
        finished(self.prepare(own, name))
        with self.held(own) as loaded:
            difference = self._differences.get((own, weight_swap.alike(self.family, name)))
            with weight_swap.swapped_weights(loaded, name, difference) as found:
                yield found

    def _forget(self, key: tuple[str, str]) -> None:
        with self.account.gate:
            self._differences.pop(key, None)
            self._sizes.pop(key, None)

    # ---------------------------------------------------------------------------------------------------------- loading

    def _load(self, name: str, wanted: Callable[[], bool]) -> Loaded:
        title = f"{self.family.title} {self.family.checkpoint(name).name}"
        self._say(f"Looking for the files of {title}.", None)

        def watch(progress: Progress) -> None:
            if self.cancel.is_set() or not wanted():
                raise LoadingCancelled(f"Loading {title} was cancelled; send a message to load it after all.")
            if progress.shards and progress.done >= progress.total:
                # All is read, and of what comes now nobody knows how long it takes.
                self.unread = 0
                self._say(f"Setting {title} up.", None)
            else:
                if progress.shards and progress.total:
                    self.unread = int(self._sizes[name, name] * (1 - progress.done / progress.total))
                self._say(_told(title, progress), progress.done / progress.total if progress.total else None)

        ended = ""
        try:
            return loading.load_model(self.family, name, self.placing, watch=watch)
        except LoadingCancelled as error:
            ended = str(error)
        # What was loaded so far hangs on the error that has ended it; only now is it free.
        memory.release()
        raise LoadingCancelled(ended)

    def _make_room(self, need: Need, key: tuple[str, str]) -> None:
        """Give up what is not in use until there is room, which is then meant for what ``key`` stands for in the sizes."""
        waited = False
        while not self._reserved(need, key):
            try:
                with self.account.gate:
                    pool, name = self._dispensable(need, self.account.room(), key[0])
                    left = pool.drop(name)
            except NoRoomNow:
                if waited:
                    raise
                # What has just been done with there is known to be so at the end of the turn.
                self.account.wait_for_turns(self, _LET_GO)
                waited = True
            else:
                if pool is not self:
                    _wait(left)

    def _reserved(self, need: Need, key: tuple[str, str]) -> bool:
        """Whether there is room for something, which is then meant for it; what is sooner read again than a checkpoint makes way."""
        with self.account.gate:
            while self.account.room().usable < need.size:
                if not self._differences:
                    return False
                self._forget(next(iter(self._differences)))
                memory.release()
            self._sizes[key] = self.unread = need.size
        return True

    def _dispensable(self, need: Need, room: Room, beside: str) -> tuple[SharingPool, str]:
        """What to give up next; what is needed is of no use without the checkpoint ``beside``, where that is there. Raises DoesNotFit."""
        idle = self._idle_everywhere(beside)
        if idle and room.usable + sum(pool.takes(name) for pool, name in idle) >= need.size:
            return idle[0]
        if room.usable + self.account.size - self.takes(beside) >= need.size:
            raise NoRoomNow(
                f"{need.name} needs {memory.size_in_words(need.size)}, and what is answering now leaves "
                f"{memory.size_in_words(room.usable)}; wait for it."
            )
        if beside not in self._kept:
            # Says what would fit.
            placement.make(self.family, [need.name], self._with_all(room), self._need, self.placing.quantize)
        raise DoesNotFit(
            f"{need.name} needs {memory.size_in_words(need.size)}, and {memory.size_in_words(room.usable)} can be used on "
            f"{room.where}; free some "
            f"memory or take a smaller family than {self.family.title}."
        )

    def _idle_everywhere(self, beside: str = "") -> list[tuple[SharingPool, str]]:
        """What could be given up: that of other families before this one's, of which ``beside`` stays."""
        used = {*self._busy(), *+self._held, beside}
        return [*self.account.idle(self), *((self, each) for each in self._kept if each not in used)]

    def _with_all(self, room: Room) -> Room:
        return replace(room, usable=room.usable + self.account.size)

    @property
    def size(self) -> int:
        """The bytes of all that is in memory, and of what is being loaded."""
        return sum(self._sizes.values())

    def _need(self, name: str, quantize: str) -> Need:
        if (name, quantize) not in self._needs:
            self._convert(name)
            find = partial(
                placement.need,
                self.family.checkpoint(name),
                self._kind,
                self.placing.dtype,
                quantize,
            )
            self._needs[name, quantize] = explained(self.family.checkpoint(name), find)
        return self._needs[name, quantize]

    def _convert(self, name: str) -> None:
        """Fill the folder of a checkpoint that comes from a GGUF file, where that is still to be done."""
        checkpoint = self.family.checkpoint(name)
        title = f"{self.family.title} {name}"

        def told(done: int, size: int) -> None:
            if self.cancel.is_set():
                raise LoadingCancelled(f"Converting {title} was cancelled; send a message to open it after all.")
            sizes = f"{memory.size_in_words(done)} of {memory.size_in_words(size)}"
            self._say(f"Converting {title}, this once: {sizes}.", done / size if size else None)

        if checkpoint.local:
            if gguf_model.unconverted(Path(checkpoint.source)):
                # That takes memory of its own, and is done once.
                with self.account.gate:
                    left = [pool.drop(each) for pool, each in self.account.idle(self)]
                for each in left:
                    _wait(each)
            gguf_model.make_whole(Path(checkpoint.source), told)

    def _alike(self, name: str, quantize: str) -> Need:
        """What a checkpoint takes, by its own headers where it is at hand; else it is made like the final one."""
        if self.family.checkpoint(name).local:
            try:
                return self._need(name, quantize)
            except TillerError:
                # It is named when it is asked for; the others can still be talked to.
                if name == self.family.final.name:
                    raise
        return replace(self._need(self.family.final.name, quantize), name=name)


def _wait(left: Callable[[], object]) -> None:
    """Until the thread that used a model has let go of it, which it does at the end of what it does now."""
    end = time.monotonic() + _LET_GO
    while left() is not None and time.monotonic() < end:
        time.sleep(0.02)
        memory.release()


def _told(title: str, progress: Progress) -> str:
    if not progress.shards:
        return f"Downloading {title}: {memory.size_in_words(progress.done)} of {memory.size_in_words(progress.total)}."
    shard = f": shard {progress.shard} of {progress.shards}" if progress.shards > 1 else ""
    return f"Loading {title}{shard}."
