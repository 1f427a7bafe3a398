"""What may go wrong, made to go wrong thousands of times: spoilt input, and kills in the middle of writing."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import gguf
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from benchmarks import fuzzing
from benchmarks.fuzz_readers import readers
from core.artefacts import store
from core.artefacts.direction import load_direction
from core.chat.kept import kept_document
from core.chat.session import Session
from core.chat.settings import Column, Settings
from core.errors import TillerError
from core.recipes.language import parse
from core.util.files import json_text, read_json, write_bytes
from core.util.resume import ResumeNotes

#: Cases of each reader; kills.
CASES, KILLS = 10_000, 500
#: Bytes of addresses that reading a small file may take, PyTorch's own among them.
MOST_MEMORY = 12 << 30


def faults(options: argparse.Namespace) -> bool:
    """Print a table of each; whether all held."""
    return all([_fuzzed(), _killed()])


def said(what: str, result: str, good: bool) -> bool:
    """A row of the table; ``good`` again."""
    print(f"| {what} | {result} | {'held' if good else 'BROKEN'} |", flush=True)
    return good


# ---------------------------------------------------------------------------------------------------------- spoilt input


def _fuzzed() -> bool:
    good = True
    if sys.platform != "win32":
        import resource

        # What would take all of the machine's memory is an error here, and is said with its case.
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ["TILLER_DATA"] = folder
        for name, (make, read) in readers(Path(folder)).items():
            found = fuzzing.fuzz(make, read, CASES)
            for fault, case in found.faults.items():
                print(f"{name}: {fault}: {case[:300]!r}")
            result = f"{found.read:,} read, {found.refused:,} refused, the slowest {found.slowest:.2f} s"
            good = said(f"{CASES:,} spoilt {name}", result, not found.faults) and good
    return good


# ----------------------------------------------------------------------------------------------------------------- kills


def _writers(folder: Path) -> dict[str, Callable[[int], object]]:
    """What writes files of a person's, each by its own way to them: artefacts, notes, saved state, chats, presets, exports."""
    from core.chat.kept import KeptChats
    from core.chat.presets import keep_preset
    from core.exchange.exchange import export_direction
    from core.families import registry
    from tui import state as saved

    rows = np.ones((64, 512), np.float32)
    card = {"kind": "direction", "name": "x", "family": "f", "checkpoint": "c", "layer": 1, "fingerprint": ""}
    notes, chats = ResumeNotes(folder / "notes"), KeptChats(folder / "chats")
    family = registry.load_family("skiff")
    settings = Settings("skiff", (Column("dpo", parse("1*refusal")),)).ask("Hello " * 2_000)

    def artefact(number: int) -> None:
        path = folder / f"direction.x{number % 3}.safetensors"
        store.save_artefact(path, {"vectors": rows * number, "positive": rows * number, "negative": 0 * rows}, card)

    def chat(number: int) -> None:
        session = Session(settings)
        session.id = f"{number % 3:016x}"
        chats.put(kept_document(session, float(number)))

    def export(number: int) -> None:
        to = folder / f"out{number % 3}.gguf"
        to.unlink(missing_ok=True)
        export_direction(family, "dpo", "refusal", to)

    return {
        "artefacts": artefact,
        "notes": lambda number: notes.keep(f"n{number % 3}", {"tokens": number, "value": [number] * 20_000}),
        "arrays of notes": lambda number: notes.keep_arrays(
            f"a{number % 3}", {"rows": np.full((64, 512), float(number))}
        ),
        "saved state": lambda number: saved.save_looks(saved.Looks()),
        "chats": chat,
        "presets": lambda number: keep_preset(family, f"preset {number % 9}", settings),
        "exports": export,
        "texts": lambda number: write_bytes(folder / f"report{number % 3}.json", json_text(["x" * 999] * 99).encode()),
    }


def _killed() -> bool:
    """Kill processes that do nothing but write, and read everything that they have left after each."""
    what = f"{KILLS} kills while something is written"
    if not hasattr(os, "fork"):
        return said(what, "not tried: this system has no fork", True)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in ("STATE", "DATA"):
            os.environ[f"TILLER_{name}"] = str(folder / name.lower())
        writers = _writers(folder)
        read, broken = killed(list(writers.values()), folder, KILLS)
        left = sum(1 for _ in folder.rglob(".writing-*"))
    result = f"{', '.join(writers)}: {read:,} files read, {len(broken)} not whole {broken[:3] or ''}, {left} unfinished ones beside them"
    return said(what, result, not broken)


def killed(writers: Sequence[Callable[[int], object]], folder: Path, kills: int) -> tuple[int, list[str]]:
    """Kill a process that writes, so many times; how many files were read, and what is wrong with those that were not whole."""
    chance, read, broken = random.Random(0), 0, []
    for kill in range(kills):
        child = os.fork()
        if not child:
            for number in range(10**9):
                writers[(kill + number) % len(writers)](kill + number)
        time.sleep(chance.uniform(0.002, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        # What is torn now may be written whole again by the next one.
        for path in (each for each in folder.rglob("*") if each.is_file() and not each.name.startswith(".writing-")):
            read += 1
            try:
                _read_back(path)
            except (TillerError, OSError, ValueError, SafetensorError) as error:
                broken.append(f"{path.name}: {error}")
    return read, broken


def _read_back(path: Path) -> None:
    if path.suffix == ".json":
        read_json(path)
    elif path.suffix == ".gguf":
        gguf.GGUFReader(path)
    elif path.name.startswith("direction."):
        load_direction(path)
    elif path.suffix == ".safetensors":
        load_file(path)
    else:
        path.read_text(encoding="utf-8")
