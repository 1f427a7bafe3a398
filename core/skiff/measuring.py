"""Every measure of a Skiff family, and how they are shared among processes: a small model is quicker twice than on two threads.

What a measure found is kept until a file that it may depend on changes, weights, directions, examples or this program, so that an
evaluation that was interrupted goes on, and one to which a seed was added measures that seed alone.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from core import store
from core.errors import TillerError
from core.skiff.agreement import agreement_figures
from core.skiff.measure_chat import CHAT_MEASURES
from core.skiff.measure_neurons import neuron_figures
from core.skiff.measure_speed import speed_figures
from core.skiff.measure_steering import STEERING_MEASURES
from core.skiff.measure_world import fact_figures, judging_figures, probe_figures
from core.skiff.rates import Figure, Target
from core.skiff.subjects import Subjects

MEASURES: dict[str, Callable[[Subjects], Iterator[Figure]]] = {
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


@dataclass(frozen=True)
class Task:
    """One measure of one training of the family; seed 0 is the training that is shipped."""

    measure: str
    seed: int = 0


@dataclass(frozen=True)
class Done:
    """What a measure found, and the seconds that it took; or the sentence that says why it could not be made."""

    task: Task
    figures: tuple[Figure, ...] = ()
    seconds: float = 0.0
    problem: str = ""


def tasks(names: Sequence[str], seeds: Sequence[int]) -> list[Task]:
    """Every measure of the shipped training followed by the same of the other seeds, where it is made of them."""
    return [Task(name, seed) for name in names for seed in (0, *(seeds if name in SEEDED else ()))]


def measured(subjects: Subjects, wanted: Sequence[Task], processes: int) -> Iterator[Done]:
    """Carry tasks out, ``processes`` at once with one thread each, and yield what they found in their order.

    With one process they run here, on the threads that torch has. What is kept of an earlier run is not measured again.

    Raises:
        TillerError: a checkpoint or a direction that a measure needs is not there.
    """
    kept = Kept(subjects)
    known = {task: found for task in wanted if (found := kept.get(task)) is not None}
    fresh = _measured(subjects, [task for task in wanted if task not in known], processes)
    for task in wanted:
        if task in known:
            yield known[task]
        else:
            done = next(fresh)
            kept.add(done)
            yield done


def _measured(subjects: Subjects, wanted: Sequence[Task], processes: int) -> Iterator[Done]:
    if processes <= 1 or len(wanted) <= 1:
        for task in wanted:
            yield _whole(_carry_out(subjects, task))
        return
    # Spawned and not forked, for a fork copies torch's threads' locks without the threads.
    context = multiprocessing.get_context("spawn")
    begun = (replace(subjects, _loaded={}),)
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=begun)
    try:
        running: dict[Task, Future[Done]] = {
            task: pool.submit(_in_process, task) for task in wanted if task.measure not in ALONE
        }
        for task in wanted:
            if task.measure in ALONE:
                wait(running.values())
                yield _whole(_carry_out(subjects, task))
            else:
                yield _whole(running[task].result())
    finally:
        # Whoever stops listening, or an error, ends what has not begun.
        pool.shutdown(cancel_futures=True)


class Kept:
    """What measures found, in a file of the user's own; nothing is kept of a steered family, or of one on another device."""

    def __init__(self, subjects: Subjects) -> None:
        self._family = subjects.family
        self._own = store.user_folder() / subjects.family.name
        self._path = self._own / "evaluation.json"
        usual = (subjects.only, str(subjects.recipe), subjects.device, subjects.dtype) == ("", "", "cpu", "float32")
        self._found: dict[str, dict[str, Any]] | None = {} if usual else None
        self._prints: dict[Path, str] = {}
        if usual:
            try:
                self._found = dict(json.loads(self._path.read_text(encoding="utf-8")))
            except (OSError, ValueError):
                # There is none yet, or it is of no use: everything is measured.
                self._found = {}

    def get(self, task: Task) -> Done | None:
        """What a task found; None where it has to be carried out. Speed is of the day, and never kept."""
        if self._found is None or task.measure in ALONE:
            return None
        found = self._found.get(self._key(task))
        if found is None:
            return None
        return Done(task, tuple(_figure(each) for each in found["figures"]), float(found["seconds"]))

    def add(self, done: Done) -> None:
        """Keep what a task found."""
        if self._found is not None and done.task.measure not in ALONE:
            figures = [asdict(each) for each in done.figures]
            self._found[self._key(done.task)] = {"figures": figures, "seconds": done.seconds}
            store.write_bytes(self._path, json.dumps(self._found).encode())

    def _key(self, task: Task) -> str:
        """A hash of the task and of every file that it may depend on; of other seeds' weights only its own seed's."""
        program = Path(__file__).parents[1]
        files = [(program, each) for each in program.rglob("*.py")]
        for folder in (self._family.folder, self._own):
            files += [
                (folder, each) for each in folder.rglob("*") if each.is_file() and self._matters(task, folder, each)
            ]
        prints = sorted((each.relative_to(folder).as_posix(), self._print(each)) for folder, each in files)
        return hashlib.sha256(json.dumps([task.measure, task.seed, prints]).encode()).hexdigest()

    def _matters(self, task: Task, folder: Path, file: Path) -> bool:
        """Whether a measure may read a file: not what lies at the top, which says what was found, nor reports and other seeds; of the
        user's own folder only artefacts."""
        parts = file.relative_to(folder).parts
        if len(parts) < 2 or parts[0] == "shared" or any(part.startswith(".") for part in parts):
            return False
        if folder == self._own and "artefacts" not in parts:
            return False
        seed = re.match(r"seed-(\d+)", file.name)
        return seed is None or int(seed[1]) == task.seed

    def _print(self, path: Path) -> str:
        if path not in self._prints:
            self._prints[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._prints[path]


def _figure(data: dict[str, Any]) -> Figure:
    aims = {key: Target(**data[key]) if data[key] else None for key in ("target", "first")}
    return Figure(**{**data, **aims, "runs": tuple(data["runs"]), "seeds": tuple(data["seeds"])})


def _carry_out(subjects: Subjects, task: Task) -> Done:
    started = time.monotonic()
    view = subjects.seeds()[task.seed] if task.seed else subjects
    try:
        return Done(task, tuple(MEASURES[task.measure](view)), time.monotonic() - started)
    except TillerError as error:
        # As a sentence, for an error of a class with its own arguments cannot be sent from one process to another.
        return Done(task, problem=str(error))


def _whole(done: Done) -> Done:
    if done.problem:
        raise TillerError(done.problem)
    return done


#: What a process of the pool measures.
_mine: list[Subjects] = []


def _begin(subjects: Subjects) -> None:
    torch.set_num_threads(1)
    _mine[:] = [subjects]


def _in_process(task: Task) -> Done:
    return _carry_out(_mine[0], task)
