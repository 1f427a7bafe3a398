"""How tests wait for what has to come, and keep something going until they have done what they do meanwhile.

No test depends on how fast the machine is: what has to come gets an age, and what must not be over too soon is held, not hoped to last.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds. Whoever waits so long waits for something that never comes.
PATIENCE = 300.0


def wait_for(condition: Callable[[], object], what: str = "it") -> None:
    """Wait until something is so; fail when it never is."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.01)


@contextmanager
def answers_held(steps: int) -> Iterator[None]:
    """Answers get so many steps, and go on when the block has ended; to be stopped and to change its recipe, a run gets its step.

    Random models write much that is no whole letter yet: some steps say nothing.
    """
    from core.engine.answering import Active, Answering

    step, taken, free = Answering.step, itertools.count(), threading.Event()

    def held(answering: Answering, active: Active) -> None:
        run = active.run
        if free.is_set() or run.cancelled.is_set() or run.changes or active.changed or next(taken) < steps:
            step(answering, active)
        else:
            time.sleep(0.005)

    Answering.step = held  # type: ignore[method-assign]
    try:
        yield
    finally:
        free.set()
        Answering.step = step  # type: ignore[method-assign]


@contextmanager
def learning_held(part: float) -> Iterator[None]:
    """What is learnt comes that far, and goes on when the block has ended; chats go on meanwhile, and it can be cancelled."""
    from core.engine.background import LearningTask

    step, free = LearningTask.step, threading.Event()

    def held(lesson: LearningTask) -> None:
        if free.is_set() or lesson.cancelled or lesson.job.view.part < part:
            step(lesson)
        else:
            time.sleep(0.005)

    LearningTask.step = held  # type: ignore[method-assign]
    try:
        yield
    finally:
        free.set()
        LearningTask.step = step  # type: ignore[method-assign]
