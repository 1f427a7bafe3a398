"""The checkpoints that are in memory: loaded when first needed, kept while memory allows, the longest unused one given up first."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.errors import TillerError
from core.families.checkpoint import Family, FamilyRef
from core.models import gguf_model, loading, memory, placement, weight_swap
from core.models.files import LoadingCancelled, Progress
from core.models.load_errors import explained
from core.models.loading import Loaded
from core.models.memory import Room
from core.models.placement import DoesNotFit, Need, Placing, Plan
from core.models.weight_swap import Difference
from core.util.progress import finished

#: Told what is being loaded, in a sentence, and how much of it is there, from 0 to 1.
Say = Callable[[str, float | None], None]


class NoRoomNow(DoesNotFit):
    """A checkpoint that will fit once others, which are in use now, are not in use any more."""


class ModelPool:
    """A family's checkpoints in memory; the engine's thread alone calls it, so that none is ever loaded twice at once.

    ``busy`` gives the names that runs are using now, which are never given up. ``cancel`` ends what is being loaded when it is set.
    """

    def __init__(
        self,
        families: FamilyRef,
        placing: Placing,
        *,
        busy: Callable[[], Collection[str]] = tuple,
        say: Say = lambda _sentence, _part: None,
        cancel: threading.Event | None = None,
    ) -> None:
        self._families, self.placing = families, placing
        self.cancel = cancel or threading.Event()
        self._busy, self._say = busy, say
        self._kept: OrderedDict[str, Loaded] = OrderedDict()
        self._held: Counter[str] = Counter()
        # Of a quantized checkpoint to others, by both names; and what each takes, from when its making is begun.
        self._differences: OrderedDict[tuple[str, str], Difference] = OrderedDict()
        self._beside: dict[tuple[str, str], int] = {}
        self._needs: dict[tuple[str, str], Need] = {}
        self._places = loading.places(placing.device, placing.max_memory)
        self._limits = memory.parse_memory(placing.max_memory)

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
        return placement.make(self.family, names, self._room(), self._alike, self.placing.quantize)

    def get(self, name: str, wanted: Callable[[], bool] = lambda: True) -> Loaded:
        """A checkpoint, from memory or from disk.

        Args:
            wanted: asked at every tensor; once it says no, loading ends.

        Raises:
            LoadingCancelled: nobody wants it any more, or ``cancel`` was set.
            NoRoomNow: what is in use leaves no room for it.
            DoesNotFit, LoadError: it never fits, or cannot be loaded.
        """
        if name not in self._kept:
            self.cancel.clear()
            self._make_room(self._need(name, self.placing.quantize))
            self._kept[name] = self._load(name, wanted)
        self._kept.move_to_end(name)
        return self._kept[name]

    def together(self, names: Collection[str]) -> bool:
        """Whether so many checkpoints fit into memory at once, beside those that are in use. Raises LoadError."""
        used = {each for each in self._kept if each in self._busy() or self._held[each]}
        size = sum(self._need(each, self.placing.quantize).size for each in {*names} - used)
        free = sum(self._need(each, self.placing.quantize).size for each in self._kept if each not in used)
        return size <= self._room().usable + free

    @contextmanager
    def held(self, name: str) -> Iterator[Loaded]:
        """A checkpoint that is not given up inside the ``with``, for work that takes several turns."""
        loaded = self.get(name)
        self._held[name] += 1
        try:
            yield loaded
        finally:
            self._held[name] -= 1

    def drop(self, name: str) -> None:
        """Give a checkpoint up, and its memory back."""
        self._kept.pop(name, None)
        for key in [key for key in self._differences if key[0] == name]:
            self._forget(key)
        memory.release()

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
            self._make_room(need, own)
            self._beside[key] = need.size
            try:
                self._differences[key] = yield from weight_swap.between(loaded, key[1])
            finally:
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
        self._differences.pop(key, None)
        self._beside.pop(key, None)

    # ---------------------------------------------------------------------------------------------------------- loading

    def _load(self, name: str, wanted: Callable[[], bool]) -> Loaded:
        title = f"{self.family.title} {self.family.checkpoint(name).name}"
        self._say(f"Looking for the files of {title}.", None)

        def watch(progress: Progress) -> None:
            if self.cancel.is_set() or not wanted():
                raise LoadingCancelled(f"Loading {title} was cancelled; send a message to load it after all.")
            if progress.shards and progress.done >= progress.total:
                # All is read, and of what comes now nobody knows how long it takes.
                self._say(f"Setting {title} up.", None)
            else:
                self._say(_told(title, progress), progress.done / progress.total if progress.total else None)

        ended = ""
        try:
            return loading.load_model(self.family, name, self.placing, watch=watch)
        except LoadingCancelled as error:
            ended = str(error)
        # What was loaded so far hangs on the error that has ended it; only now is it free.
        memory.release()
        raise LoadingCancelled(ended)

    def _make_room(self, need: Need, beside: str = "") -> None:
        """Give up what is not in use until there is room; ``beside`` is a checkpoint without which what is needed is of no use."""
        while (room := self._room()).usable < need.size:
            others = [each for each in self._kept if each != beside]
            free = [each for each in others if each not in self._busy() and not self._held[each]]
            if self._differences:
                # Sooner read again than a checkpoint.
                self._forget(next(iter(self._differences)))
                memory.release()
            elif room.usable + sum(self._need(each, self.placing.quantize).size for each in free) >= need.size:
                self.drop(free[0])
            elif len(free) < len(others):
                raise NoRoomNow(
                    f"{need.name} needs {memory.size_in_words(need.size)}, and what is answering now leaves "
                    f"{memory.size_in_words(room.usable)}; wait for it."
                )
            elif beside:
                raise DoesNotFit(
                    f"{need.name} needs {memory.size_in_words(need.size)}, and {memory.size_in_words(room.usable)} can be used on "
                    f"{room.where}; free some "
                    f"memory or take a smaller family than {self.family.title}."
                )
            else:
                # Says what would fit.
                placement.make(self.family, [need.name], self._with_all(room), self._need, self.placing.quantize)

    def _with_all(self, room: Room) -> Room:
        return replace(room, usable=room.usable + self.size)

    def _room(self) -> Room:
        return memory.room(self._places, self._limits, self.size)

    @property
    def size(self) -> int:
        """The bytes of all that is in memory."""
        held = sum(self._need(each, self.placing.quantize).size for each in self._kept)
        return held + sum(self._beside.values())

    def _need(self, name: str, quantize: str) -> Need:
        if (name, quantize) not in self._needs:
            self._convert(name)
            find = partial(
                placement.need,
                self.family.checkpoint(name),
                self._places[0].partition(":")[0],
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


def _told(title: str, progress: Progress) -> str:
    if not progress.shards:
        return f"Downloading {title}: {memory.size_in_words(progress.done)} of {memory.size_in_words(progress.total)}."
    shard = f": shard {progress.shard} of {progress.shards}" if progress.shards > 1 else ""
    return f"Loading {title}{shard}."
