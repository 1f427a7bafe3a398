"""Every measure of a Skiff family, and how they are shared among processes: a small model is quicker twice than on two threads.

What a measure found is kept until a file that it may depend on changes, weights, directions, examples or this program, so that an
evaluation that was interrupted goes on, and one to which a seed was added measures that seed alone.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from core.artefacts import store
from core.errors import TillerError
from core.skiff.evaluate.measure_chat import CHAT_MEASURES
from core.skiff.evaluate.measure_neurons import neuron_figures
from core.skiff.evaluate.measure_speed import speed_figures
from core.skiff.evaluate.measure_steering import STEERING_MEASURES
from core.skiff.evaluate.measure_world import fact_figures, judging_figures, probe_figures
from core.skiff.evaluate.scorer_agreement import agreement_figures
from core.skiff.evaluate.subjects import Subjects
from core.training.card_figures import CardTarget, Figure
from core.util.files import write_bytes

SKIFF_MEASURES: dict[str, Callable[[Subjects], Iterator[Figure]]] = {
    "facts": fact_figures,
    "judging": judging_figures,
    "probe": probe_figures,
    **CHAT_MEASURES,
    **STEERING_MEASURES,
    "neurons": neuron_figures,
    "speed": speed_figures,
    "scoring": lambda _subjects: agreement_figures(),
}
#: What is also measured on the other seeds of the stages after the base, where the family has them.
SEEDED = frozenset({*CHAT_MEASURES, *STEERING_MEASURES})
#: What has the machine to itself, after everything else.
ALONE = frozenset({"speed"})
#: Files that are the program: what a measure found is measured again when one of them changes. Data files are among them.
_PROGRAM = frozenset({".py", ".toml", ".csv", ".txt"})


@dataclass(frozen=True)
class Task:
    """One measure of one training of the family; seed 0 is the training that is shipped."""

    measure: str
    seed: int = 0


@dataclass(frozen=True)
class _Done:
    """What a measure found, and the seconds that it took; or the sentence that says why it could not be made."""

    task: Task
    figures: tuple[Figure, ...] = ()
    seconds: float = 0.0
    problem: str = ""


def tasks(names: Sequence[str], seeds: Sequence[int]) -> list[Task]:
    """Every measure of the shipped training followed by the same of the other seeds, where it is made of them."""
    return [Task(name, seed) for name in names for seed in (0, *(seeds if name in SEEDED else ()))]


def measured(subjects: Subjects, wanted: Sequence[Task], processes: int) -> Iterator[_Done]:
    """Carry tasks out, ``processes`` at once with one thread each, and yield what they found in their order.

    With one process they run here, on the threads that torch has. What is kept of an earlier run is not measured again.

    Raises:
        TillerError: a checkpoint or a direction that a measure needs is not there.
    """
    kept = Kept(subjects)
    known = {task: found for task in wanted if (found := kept.get(task)) is not None}
    fresh = _measured(subjects, [task for task in wanted if task not in known], processes)
    for task in wanted:
        while task not in known:
            done = next(fresh)
            if done.problem:
                raise TillerError(done.problem)
            kept.add(done)
            known[done.task] = done
        yield known[task]


def _measured(subjects: Subjects, wanted: Sequence[Task], processes: int) -> Iterator[_Done]:
    """What is done, as soon as it is: what has to be alone comes last."""
    shared = [task for task in wanted if task.measure not in ALONE]
    if processes <= 1 or len(shared) <= 1:
        yield from (_carry_out(subjects, task) for task in shared)
    else:
        yield from _at_once(subjects, shared, processes)
    yield from (_carry_out(subjects, task) for task in wanted if task.measure in ALONE)


def _at_once(subjects: Subjects, wanted: Sequence[Task], processes: int) -> Iterator[_Done]:
    # Spawned and not forked, for a fork copies torch's threads' locks without the threads.
    context = multiprocessing.get_context("spawn")
    begun = (replace(subjects, _loaded={}),)
    before = multiprocessing.active_children()
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=begun)
    try:
        for future in as_completed([pool.submit(_in_process, task) for task in wanted]):
            yield future.result()
    except BrokenProcessPool as error:
        raise TillerError(
            "A process that measured was ended from outside, most likely for want of memory; --threads 1 measures in one process, and "
            "what was found so far is kept."
        ) from error
    finally:
        # Whoever stops listening, Ctrl-C or an error ends what is running, too, which may take minutes.
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            if child not in before:
                child.terminate()


class Kept:
    """What measures found, in a file of the user's own; nothing is kept of a steered family, or of one on another device.

    Speed is of the day, and never kept.
    """

    def __init__(self, subjects: Subjects) -> None:
        self._family = subjects.family
        self._own = store.user_folder() / subjects.family.name
        self._path = self._own / "evaluation.json"
        self._prints: dict[Path, str] = {}
        usual = (subjects.only, str(subjects.recipe), subjects.device, subjects.dtype) == ("", "", "cpu", "float32")
        every = tasks([name for name in SKIFF_MEASURES if name not in ALONE], tuple(subjects.seeds())) if usual else []
        self._keys = {task: self._key(task) for task in every}
        self._found = self._read()

    def _read(self) -> dict[Task, _Done]:
        """What there is of these weights and this program; of others nothing stays when something is added."""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                task: _Done(
                    task, tuple(_figure(each) for each in document[key]["figures"]), float(document[key]["seconds"])
                )
                for task, key in self._keys.items()
                if key in document
            }
        except (OSError, ValueError, TypeError, KeyError):
            # There is none yet, or it is of no use: everything is measured.
            return {}

    def get(self, task: Task) -> _Done | None:
        """What a task found; None where it has to be carried out."""
        return self._found.get(task)

    def add(self, done: _Done) -> None:
        """Keep what a task found."""
        if done.task in self._keys:
            self._found[done.task] = done
            document = {
                self._keys[task]: {"figures": [asdict(each) for each in found.figures], "seconds": found.seconds}
                for task, found in self._found.items()
            }
            write_bytes(self._path, json.dumps(document).encode())

    def _key(self, task: Task) -> str:
        """A hash of the task, of what the family is made of, and of every file that it may depend on; of other seeds only its own."""
        program = Path(__file__).parents[2]
        files = [(program, each) for each in program.rglob("*") if each.suffix in _PROGRAM]
        for folder in (self._family.folder, self._own):
            files += [
                (folder, each) for each in folder.rglob("*") if each.is_file() and self._matters(task, folder, each)
            ]
        prints = sorted((each.relative_to(folder).as_posix(), self._print(each)) for folder, each in files)
        made_of = [repr(each) for each in self._family.choices if _seed(each.name) in (None, task.seed)]
        whole = [task.measure, task.seed, torch.__version__, made_of, prints]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()

    def _matters(self, task: Task, folder: Path, file: Path) -> bool:
        """Whether a measure may read a file: not what lies at the top, which says what was found, nor reports and other seeds; of the
        user's own folder only artefacts."""
        parts = file.relative_to(folder).parts
        if len(parts) < 2 or parts[0] == "shared" or any(part.startswith(".") for part in parts):
            return False
        if folder == self._own and "artefacts" not in parts:
            return False
        return _seed(file.name) in (None, task.seed)

    def _print(self, path: Path) -> str:
        if path not in self._prints:
            self._prints[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._prints[path]


def _seed(name: str) -> int | None:
    """The other seed that a checkpoint or its file is of."""
    found = re.match(r"seed-(\d+)", name)
    return int(found[1]) if found else None


def _figure(data: dict[str, Any]) -> Figure:
    aims = {key: CardTarget(**data[key]) if data[key] else None for key in ("target", "first")}
    return Figure(**{**data, **aims, "runs": tuple(data["runs"]), "seeds": tuple(data["seeds"])})


def _carry_out(subjects: Subjects, task: Task) -> _Done:
    started = time.monotonic()
    view = subjects.seeds()[task.seed] if task.seed else subjects
    try:
        return _Done(task, tuple(SKIFF_MEASURES[task.measure](view)), time.monotonic() - started)
    except TillerError as error:
        # As a sentence, for an error of a class with its own arguments cannot be sent from one process to another.
        return _Done(task, problem=str(error))


#: What a process of the pool measures.
_mine: list[Subjects] = []


def _begin(subjects: Subjects) -> None:
    # Ctrl-C reaches every process of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _mine[:] = [subjects]


def _end_with_parent() -> None:
    """A first process that was killed ends nobody: those that it began look for themselves whether it is there."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _in_process(task: Task) -> _Done:
    return _carry_out(_mine[0], task)
