"""How much memory there is for checkpoints, and what ``--max-memory`` says of it. torch is imported for GPUs alone."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import TillerError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_GROUPS = Path("/sys/fs/cgroup")
#: Left free beside the checkpoints, for what answering takes: a tenth of the free memory, and no more than this.
_ROOM_TO_WORK = 10**9


class MemoryTextError(TillerError):
    """A ``--max-memory`` that cannot be read."""


@dataclass(frozen=True)
class Room:
    """What there is for checkpoints: ``free`` bytes at each place (``cpu``, ``cuda:0`` …) by its name, and how many may be used in
    all; whether a person's limit is less than what is free."""

    free: Mapping[str, int]
    usable: int
    limited: bool = False

    @property
    def where(self) -> str:
        """The places, as a person reads them."""
        return " + ".join(self.free)


def parse_memory(text: str) -> dict[str, int]:
    """What ``20GB`` or ``0:20GB,cpu:30GB`` allows, in bytes by place: ``cuda:0``, ``cpu``, or "" for whichever device is used.

    Raises:
        MemoryTextError: with what would do.
    """
    found: dict[str, int] = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        read = re.fullmatch(
            r"(?:(?:(?:cuda:)?([0-9]{1,3})|(cpu)):)?([0-9]+(?:\.[0-9]+)?)([KMGT]?I?)B?", part, re.IGNORECASE
        )
        unit = read[4].upper() if read else "I"
        if read is None or unit not in _UNITS:
            raise MemoryTextError(f"{part!r} is no amount of memory; write 20GB, or 0:20GB,cpu:30GB for each device.")
        place = f"cuda:{int(read[1])}" if read[1] else "cpu" if read[2] else ""
        # Digits without end are infinite, and no more than all there is.
        found[place] = int(min(float(read[3]) * _UNITS[unit], sys.maxsize))
    if "" in found and len(found) > 1:
        raise MemoryTextError(f"{text!r} limits one device without naming it; write 0:20GB,cpu:30GB.")
    return found


def room(places: tuple[str, ...], limits: Mapping[str, int], held: int = 0, unread: int = 0) -> Room:
    """What is free at ``places`` now, no more than ``limits`` allow in all.

    Args:
        held: bytes of the checkpoints that are there or being loaded; they count against a limit.
        unread: how many of these are still free, and meant for what is being loaded.
    """
    free = {place: _free(place) for place in places}
    usable = max(0, sum(max(0, each - min(_ROOM_TO_WORK, each // 10)) for each in free.values()) - unread)
    limit = sum(limits.get(place, limits.get("", each)) for place, each in free.items())
    allowed = max(0, limit - held)
    return Room(free, min(usable, allowed) if limits else usable, bool(limits) and allowed < usable)


def _free(place: str) -> int:
    if place.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(place)[0])
    return free_cpu()


def free_cpu() -> int:
    """Bytes that this process may still take of the machine's memory, or of its control group's."""
    import psutil

    available = int(psutil.virtual_memory().available)
    return min([available, *_group_free()])


def _group_free() -> Iterator[int]:
    """What the control groups of version 2 and 1 leave, where they limit this process: its own group's and the one round all."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        number, kinds, path = line.split(":", 2)
        if number == "0" or kinds == "memory":
            root = _GROUPS if number == "0" else _GROUPS / "memory"
            for folder in {root, root / path.lstrip("/")}:
                yield from _left_in(
                    folder, *(("max", "current") if number == "0" else ("limit_in_bytes", "usage_in_bytes"))
                )


def _left_in(folder: Path, limit: str, used: str) -> Iterator[int]:
    try:
        most = (folder / f"memory.{limit}").read_text(encoding="ascii").strip()
        taken = int((folder / f"memory.{used}").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        # This group has no limit of its own; the machine's memory stands.
        return
    if most != "max":
        # Files that were read, and are kept in case they are wanted again, give way at once.
        yield max(0, int(most) - taken + int(stat.get("total_inactive_file", stat.get("inactive_file", "0"))))


def release(circles: bool = True) -> None:
    """Give what nobody holds any more back to the system, so that it is free for the next checkpoint; a model is held by ``circles`` of
    its own parts, which take a while to be found."""
    if circles:
        gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()


def trim() -> None:
    """Give the pages back that glibc keeps of what was freed; other C libraries have no such function and need none."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@dataclass(frozen=True)
class MemoryUse:
    """What models ``held`` of a memory, and what is ``free`` beside them, in bytes; None where that is not known."""

    held: int
    free: int | None

    @property
    def words(self) -> str:
        """Both as a person reads them: ``17 MB of 14.4 GB``, or the first alone."""
        held = size_in_words(self.held)
        return held if self.free is None else f"{held} of {size_in_words(self.held + self.free)}"


def size_in_words(size: int) -> str:
    """A number of bytes as a person reads it: ``5.6 GB``."""
    if size >= 10**9:
        return f"{size / 10**9:.1f} GB"
    if size >= 10**6:
        return f"{size / 10**6:.0f} MB"
    return f"{size / 10**3:.0f} kB" if size >= 10**3 else f"{size} B"
