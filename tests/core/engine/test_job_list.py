"""One list of everything that goes on: what runs, of whom, how far, how long yet, what waits and for what."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from core.engine.allowance import VisitorAllowance, WaitingLine
from core.engine.engine import CONFIDENCE, Engine
from core.engine.job_list import Errands, JobLine, job_lines
from core.engine.jobs import Job, MapJob
from core.engine.run import ANSWERING
from core.errors import TillerError
from core.knowledge.maps import MapRequest
from core.util.progress import Step
from tests.support.terminal import steerable


def test_what_runs_stands_first_with_how_far_and_how_long() -> None:
    learning, tracing, over = (
        Job("dpo", ("refusal", "truth")),
        MapJob(MapRequest(("base", "dpo"), set="cities")),
        Job("base", ("truth",)),
    )
    tracing.publish("waiting", f"Waits for the end of {learning.title}.")
    learning.publish("running", "Trying layer 3.", 0.351, 1200.0)
    over.publish("done", "Learnt.")
    found = job_lines([ANSWERING, ANSWERING], [tracing, learning, over])
    assert [each.short for each in found] == [
        "answering (2 at once)",
        "learning refusal and truth on dpo, 35 %, about 20 min",
        "tracing cities on base and dpo, waits",
    ]
    assert [each.chat for each in found] == [True, False, False]
    assert found[2].sentence == "Waits for the end of learning refusal and truth on dpo."


def test_an_errand_stands_there_from_its_first_slice_to_its_end() -> None:
    errands = Errands()

    def work() -> Generator[Step, None, str]:
        yield Step(1, "Asking dpo.")
        yield Step(1, "Asking sft.")
        return "found"

    running = errands.run("finding out who", work())
    assert errands.all() == ()
    assert next(running).sentence == "Asking dpo."
    assert job_lines((), errands.all()) == (JobLine("finding out who", sentence="Asking dpo."),)
    next(running)
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert ended.value.value == "found"
    assert errands.all() == ()
    # One that is left is closed, and stands there no longer.
    left = errands.run("finding out who", work())
    next(left)
    left.close()
    assert errands.all() == ()


def test_measuring_confidence_is_another_job_than_learning_and_cancels_alone(tmp_path: Path) -> None:
    # Not started: nothing is computed, what is asked for waits.
    engine = Engine(str(steerable(tmp_path / "tiny")))
    learning = engine.learn("chat", ("truth",))
    assert engine.learning("chat", CONFIDENCE) is None, "there is nothing to cancel yet"
    measuring = engine.learn("chat", ("confidence",))
    assert measuring is not learning
    assert [each.title for each in engine.jobs()] == ["learning truth on chat", "measuring confidence on chat"]
    engine.cancel_learning("chat", CONFIDENCE)
    assert measuring.cancelled.is_set()
    assert not learning.cancelled.is_set()
    engine.close()


def test_what_waits_says_for_what(tmp_path: Path) -> None:
    engine = Engine(str(steerable(tmp_path / "tiny")), threads=1)
    worker = engine.make_worker()
    jobs = Job("chat", ("truth",)), Job("base", ("truth",)), MapJob(MapRequest(("base",), set="cities"))
    for job in jobs[:2]:
        worker.learn(job, engine.family)
    worker.trace(jobs[2])
    assert [job.view.sentence for job in jobs] == [
        "Waiting for the model.",
        "Waits for the end of learning truth on chat.",
        "Waits for the end of learning truth on base.",
    ]
    jobs[1].cancel()
    worker._learn()
    assert jobs[1].view.state == "cancelled"
    assert jobs[2].view.sentence == "Waits for the end of learning truth on chat."
    # What somebody else has begun is not told.
    jobs[0].whose = VisitorAllowance(60.0, WaitingLine())
    worker.learn(Job("base", ("truth",)), engine.family)
    assert jobs[2].view.sentence == "1 before you."


def test_what_is_in_the_list_can_be_ended_from_it(tmp_path: Path) -> None:
    errands, closed = Errands(), []

    def work() -> Generator[Step, None, str]:
        try:
            while True:
                yield Step(1, "Asking dpo.")
        finally:
            closed.append(True)

    running = errands.run("finding out who", work())
    next(running)
    (line,) = job_lines([], errands.all())
    assert line.stop is not None
    line.stop()
    with pytest.raises(TillerError, match=r"^Finding out who was cancelled\.$"):
        next(running)
    assert (closed, errands.all()) == ([True], ())
    engine = Engine(str(steerable(tmp_path / "tiny")))
    learning = engine.learn("chat", ("truth",))
    (line,) = engine.jobs()
    assert line.stop is not None
    line.stop()
    assert learning.cancelled.is_set()
    engine.close()
    # How a chat is ended, only who answers it knows.
    assert job_lines([ANSWERING], [])[0].stop is None
