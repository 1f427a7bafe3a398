"""Seeds of what comes from outside, spoilt at random: whatever reads them (:mod:`benchmarks.fuzz_readers`) answers, or refuses with one
sentence, soon.
"""

from __future__ import annotations

import contextlib
import json
import random
import struct
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import TillerError

#: Seconds of computing that no small input may take.
SOON = 5.0
#: Pieces of text that have been trouble somewhere, for the readers of text.
_PIECES = (
    "", "\x00", "\ud800", "\ufeff", "é", "漢", "🏴\u200d☠️", "\n", "\r\n", "-", "+", "*", "@", "[", "]", ":", "!", "?", "=", ">", "<",
    ",", ".", "/", "0", "9" * 30, "9" * 5_000, "1e999", "nan", "inf", "-0", "neurons", "truth", "all", "reply", "_", "a.b-c/d", "٣", "²",
    "\u2028", "\t", '"', "'", "\\", "{", "}", "#", "[" * 3_000, "{a=" * 600, "~", "CON", "../../etc",
)  # fmt: skip
#: Values that a document of JSON or TOML may hold in place of any other.
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 10**400, 1e308, 1e-320, float("nan"), float("inf"), "", "x", "\x00", "\ud800", "9" * 5_000, [],
    [[]], {}, {"a": 1}, [None], ["x"], [{}], [[1]], [[10**400, 1]], "1.5*refusal", "a[0-9999]", [0, 10**30], [10**30], [10**9, 0],
)  # fmt: skip


class Spoiler:
    """Spoils seeds, the same ones in the same way for the same ``seed``."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, seed: str) -> str:
        """A text with pieces put in, taken out, doubled, or changed."""
        letters = list(seed)
        for _ in range(self.random.randint(1, 3)):
            at, chance = self.random.randint(0, len(letters)), self.random.random()
            if chance < 0.4:
                letters[at:at] = self.random.choice(_PIECES)
            elif chance < 0.6:
                del letters[at : at + self.random.randint(1, 4)]
            elif chance < 0.8:
                letters[at:at] = letters[at : at + 8]
            else:
                letters[at : at + 1] = chr(
                    self.random.choice([self.random.randint(0, 0x24F), self.random.randint(0, 0x10FFFF)])
                )
        return "".join(letters)

    def blob(self, seed: bytes) -> bytes:
        """Bytes changed, taken out, put in, cut off, or numbers among them made enormous."""
        found = bytearray(seed)
        for _ in range(self.random.randint(1, 6)):
            # What describes a file stands at its beginning.
            at = (
                self.random.randrange(len(found) + 1)
                if self.random.random() < 0.5
                else self.random.randint(0, min(400, len(found)))
            )
            chance = self.random.random()
            if chance < 0.4:
                found[at : at + 1] = self.random.randbytes(1)
            elif chance < 0.6:
                number = self.random.choice([0, 1, 255, 2**31, 2**32, 2**63, 2**64 - 1, self.random.getrandbits(20)])
                found[at : at + 8] = struct.pack("<Q", number)
            elif chance < 0.7:
                del found[at : at + self.random.randint(1, 20)]
            elif chance < 0.9:
                found[at:at] = self.random.randbytes(self.random.randint(1, 20))
            else:
                del found[at:]
        return bytes(found)

    def document(self, seed: Any) -> Any:
        """A document of JSON with some of its parts changed for others, taken out, or repeated."""
        if isinstance(seed, dict) and seed and self.random.random() < 0.85:
            key, found = self.random.choice(list(seed)), dict(seed)
            if self.random.random() < 0.12:
                del found[key]
            elif self.random.random() < 0.1:
                found[self.random.choice(["x", "", "0"])] = self.random.choice(_VALUES)
            else:
                found[key] = self.document(found[key])
            return found
        if isinstance(seed, list) and seed and self.random.random() < 0.85:
            at, items = self.random.randrange(len(seed)), list(seed)
            if self.random.random() < 0.2:
                items += [items[at]] * self.random.choice([1, 4, 60])
            else:
                items[at] = self.document(items[at])
            return items
        if isinstance(seed, str) and self.random.random() < 0.5:
            return self.text(seed)
        return self.random.choice(_VALUES)

    def json(self, seed: Any) -> bytes:
        """Such a document in text, now and then no JSON any more."""
        for _ in range(self.random.randint(1, 4)):
            seed = self.document(seed)
        blob = json.dumps(seed).encode()
        chance = self.random.random()
        return self.blob(blob) if chance < 0.1 else b"[" * 100_000 if chance < 0.12 else blob


@dataclass
class Found:
    """What came of a reader's cases: how many it read, how many it refused; by the kind of anything else, the smallest case of it."""

    read: int = 0
    refused: int = 0
    faults: dict[str, bytes] = field(default_factory=dict)
    slowest: float = 0.0

    @property
    def cases(self) -> int:
        """All of them."""
        return self.read + self.refused


#: Makes a case out of nothing but chance; reads one.
Make = Callable[[Spoiler], bytes]
Read = Callable[[bytes], object]


def fuzz(make: Make, read: Read, cases: int, seed: int = 0) -> Found:
    """Read so many spoilt cases."""
    with contextlib.suppress(Exception):
        # What it imports is not counted.
        read(make(Spoiler(seed)))
    spoiler, found = Spoiler(seed), Found()
    for _ in range(cases):
        case = make(spoiler)
        begun = time.process_time()
        try:
            read(case)
            found.read += 1
        except TillerError as error:
            found.refused += 1
            # That it stands on one line, the error itself sees to.
            if not str(error).strip():
                _note(found, f"no sentence: {type(error).__name__}", case)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            _note(
                found, f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {str(error)[:80]}", case
            )
        took = time.process_time() - begun
        found.slowest = max(found.slowest, took)
        if took > SOON:
            _note(found, "longer than it may take", case)
    return found


def _note(found: Found, kind: str, case: bytes) -> None:
    if kind not in found.faults or len(case) < len(found.faults[kind]):
        found.faults[kind] = case
