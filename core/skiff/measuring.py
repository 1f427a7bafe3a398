"""Every measure of a Skiff family, and how they are shared among processes: a small model is quicker twice than on two threads."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace

import torch

from core.errors import TillerError
from core.skiff.agreement import agreement_figures
from core.skiff.measure_chat import CHAT_MEASURES
from core.skiff.measure_neurons import neuron_figures
from core.skiff.measure_speed import speed_figures
from core.skiff.measure_steering import STEERING_MEASURES
from core.skiff.measure_world import fact_figures, judging_figures, probe_figures
from core.skiff.rates import Figure
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

    With one process they run here, on the threads that torch has.

    Raises:
        TillerError: a checkpoint or a direction that a measure needs is not there.
    """
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
