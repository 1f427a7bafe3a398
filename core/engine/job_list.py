"""Everything that goes on behind a family's chats, in one list: what it is and of whom, how far, how long yet, what waits. No torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from core.engine.jobs import JobView, MapView, View, Watched
from core.errors import TillerError
from core.util.figures import percent_text
from core.util.progress import Step, duration

_T = TypeVar("_T")


@dataclass(frozen=True)
class JobLine:
    """One of them: ``part`` from 0 to 1 and ``left`` in seconds, None where that is not known; ``sentence`` says what it is at, or waits
    for.
    """

    title: str
    waits: bool = False
    part: float | None = None
    left: float | None = None
    sentence: str = ""
    #: Whether it is a chat that is being answered, or something that is found out for one.
    chat: bool = False
    #: Ends it at its next slice; what was found out so far stays where it is kept. A chat is ended where it is answered.
    stop: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    @property
    def short(self) -> str:
        """What fits into a head: ``learning politeness on dpo, 35 %, about 20 min``."""
        far = f", {percent_text(self.part)}" if self.part is not None and not self.waits else ""
        return f"{self.title}{', waits' if self.waits else ''}{far}{f', about {duration(self.left)}' if self.left is not None else ''}"


class Errands:
    """What a person waits for without a job of its own: watched while its generator is advanced."""

    def __init__(self) -> None:
        self._present: list[Watched[View]] = []
        self._gate = threading.Lock()

    def run(self, title: str, work: Generator[Step, None, _T]) -> Generator[Step, None, _T]:
        """The same work; it stands in the list from its first slice to its end, however it ends.

        Raises:
            TillerError: it was cancelled from the list.
        """
        job: Watched[View] = Watched(View(), title)
        with self._gate:
            self._present.append(job)
        try:
            while True:
                try:
                    step = next(work)
                except StopIteration as stop:
                    found: _T = stop.value
                    return found
                if job.cancelled.is_set():
                    raise TillerError(f"{title[:1].upper()}{title[1:]} was cancelled.")
                job.publish("running", step.sentence)
                yield step
        finally:
            work.close()
            with self._gate:
                self._present.remove(job)

    def all(self) -> tuple[Watched[View], ...]:
        """Those that are under way."""
        with self._gate:
            return tuple(self._present)


def job_lines(answering: Iterable[str], jobs: Iterable[Watched[Any]]) -> tuple[JobLine, ...]:
    """The list: the chats that are ``answering``, each kind once and counted, then the jobs that are not over, those that run first."""
    kinds = list(answering)
    chats = [
        JobLine(kind + (f" ({count} at once)" if count > 1 else ""), chat=True) for kind in dict.fromkeys(kinds)
        for count in [kinds.count(kind)]
    ]  # fmt: skip
    found = [_line(job.title, job.view, job.cancel) for job in jobs if not job.view.over]
    return (*chats, *sorted(found, key=lambda line: line.waits))


def _line(title: str, view: View, stop: Callable[[], None]) -> JobLine:
    part, left = None, None
    if isinstance(view, JobView):
        part, left = view.part, view.left
    elif isinstance(view, MapView):
        part, left = view.traced.part, view.traced.left
    return JobLine(title, view.state == "waiting", part, left, view.sentence, stop=stop)
