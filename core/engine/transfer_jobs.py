"""Making a transfer report in the background of a front end: a slice at a time on the engine's thread, between the steps of chats."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import TYPE_CHECKING

from core.engine.allowance import Allowance, time_is_up, wait_turn
from core.engine.jobs import Job, JobView
from core.engine.thread import EngineThread
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import Family, FamilyRef
from core.models.placement import Placing
from core.transfer import matrix
from core.transfer.task import TransferTask, parted
from core.util.faults import fault
from core.util.progress import Pace, Step

if TYPE_CHECKING:
    from core.engine.worker import Worker
    from core.models.loading import Loaded
    from core.transfer.report import TransferReport


class TransferJobs:
    """The reports that are being made for a family, at most one of a direction at a time. May be asked from any thread."""

    def __init__(
        self, thread: EngineThread[Worker], families: FamilyRef, placing: Placing, allowance: Allowance
    ) -> None:
        self._thread, self._families, self._placing, self._allowance = thread, families, placing, allowance
        self._jobs: dict[str, Job] = {}
        self._gate = threading.Lock()

    def start(self, about: str) -> Job:
        """Make the report on one of :func:`core.transfer.task.choices`; while it is being made, that one.

        It goes on from an earlier try.

        What stands in the way is said in the job's view, that a visitor has begun something else, which is not over, too.
        """
        with self._gate:
            present = self._jobs.get(about)
            if present is not None and not present.view.over:
                return present
            job = self._jobs[about] = Job("", (about,), doing="measuring the transfer of")
            try:
                self.task(about)
                self._allowance.begin(lambda: not job.view.over)
            except TillerError as error:
                job.publish("failed", str(error))
                return job
            job.budget, job.whose = self._allowance.budget(), self._allowance
        threading.Thread(target=self._run, args=(job, about), name=f"tiller-transfer-{about}", daemon=True).start()
        return job

    def all(self) -> tuple[Job, ...]:
        """Every report that is or was being made."""
        return tuple(self._jobs.values())

    def view(self, about: str) -> JobView | None:
        """How far it is, or how the last one ended; None when none was begun."""
        job = self._jobs.get(about)
        return job.view if job is not None else None

    def cancel(self, about: str) -> None:
        """End it at its next slice; what was found out is kept for the next time."""
        if (job := self._jobs.get(about)) is not None:
            job.cancel()

    def close(self) -> None:
        """End everything that goes on."""
        for job in self._jobs.values():
            job.cancel()

    def task(self, about: str) -> TransferTask:
        """What is made: every checkpoint to every other, and from the other family that is named; into the user's data folder.

        Raises:
            TillerError: another family that is not found by its name.
        """
        kind, other = parted(about)
        source = registry.load_family(other) if other else None
        return TransferTask(
            self._families.family, kind, self._families.family.root, source, quantize=self._placing.quantize
        )

    def stale(self, about: str) -> str:
        """What is said of a report that belongs to other directions, weights or examples than are there now; else empty."""
        try:
            task = self.task(about)
        except TillerError:
            # A family that was named by its folder is not found by its name: nothing is known of it.
            return ""
        return matrix.stale(task)

    def _run(self, job: Job, about: str) -> None:
        work: Generator[Step, None, TransferReport] | None = None
        try:
            if not wait_turn(self._allowance, job, job.cancelled, lambda said: job.publish("waiting", said)):
                job.publish("cancelled", "Measuring was cancelled before it had begun.")
                return
            work = self._thread.call(lambda worker: self._begin(worker, about, job)).result()
            job.publish("running", "Looking at the checkpoints and the examples.")
            if self._all(job, work, about):
                job.publish("done", f"Carried {about} from every checkpoint to every other.")
            else:
                job.publish("cancelled", "Measuring was cancelled; what was found out is kept for the next time.")
        except TillerError as error:
            job.publish("failed", str(error))
        except Exception as error:
            # A fault of ours or of a library's: written down whole, and said in one sentence.
            job.publish("failed", fault("Measuring", error))
        finally:
            self._allowance.leave(job)
            if work is not None:
                # What holds a model is closed where models are held.
                self._thread.call(lambda _worker: work.close())

    def _begin(self, worker: Worker, about: str, job: Job) -> Generator[Step, None, TransferReport]:
        from core.models.pool import ModelPool
        from core.transfer import measure

        task = self.task(about)
        account = worker.pool.account
        beside = ModelPool(FamilyRef(task.other), self._placing, account=account) if task.other is not None else None

        def load(family: Family, name: str) -> Loaded:
            return beside.get(name) if beside is not None and family == task.other else worker.load(name)

        return measure.transfer_in_slices(task, load, written=job.count)

    def _all(self, job: Job, work: Generator[Step, None, TransferReport], about: str) -> bool:
        """Whether it came to its end."""

        def begin(_worker: Worker) -> int:
            from core.transfer import cross_steering

            return cross_steering.expected(self.task(about))

        pace = Pace(self._thread.call(begin).result())
        while not job.cancelled.is_set():
            pace.go()
            if job.budget.over():
                raise TillerError(time_is_up(job.budget))
            job.budget.go()
            step = self._thread.call(lambda _worker: next(work, None)).result()
            job.budget.pause()
            if step is None:
                return True
            pace.add(step)
            job.publish("running", step.sentence, pace.part, pace.left)
        return False
