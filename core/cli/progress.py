"""What a verb is at, on one line of a terminal that goes away again; nothing in a pipe. No torch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from core.util.figures import percent_text
from core.util.progress import Pace, Step, duration

if TYPE_CHECKING:
    from rich.progress import Progress


class TerminalProgress:
    """One line on stderr, where that is a terminal: a bar with how long it still takes where the ``pace`` is known, and a sentence.

    As a context manager it is gone behind its block, whatever ends it: Ctrl-C, too, and errors.
    """

    def __init__(self, pace: Pace | None = None, title: str = "") -> None:
        self.pace, self.title = pace, title
        self._shown: Progress | None = None

    def __enter__(self) -> TerminalProgress:
        return self

    def __exit__(self, *_error: object) -> None:
        self.clear()

    def step(self, step: Step) -> None:
        """A slice is done (what :func:`core.util.progress.finished` tells)."""
        if self.pace:
            self.pace.add(step)
        self.say(step.sentence)

    def say(self, sentence: str) -> None:
        """Show what is going on now."""
        if not sys.stderr.isatty():
            return
        pace = self.pace
        left = f"about {duration(pace.left)} left · " if pace and pace.left is not None else ""
        part = f"{percent_text(pace.part)} · " if pace else ""
        said = f"{part}{left}{f'{self.title}: ' if self.title else ''}{sentence}"
        if self._shown is None:
            self._shown = _line(pace is not None)
            self._shown.add_task(said, total=1)
            self._shown.start()
        self._shown.update(self._shown.task_ids[0], completed=pace.part if pace else 0, description=said)

    def clear(self) -> None:
        """Make room for something else; the next sentence draws the line again."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None


def foretold(seconds: float, budget: float | None) -> str:
    """What is said of work before it begins: how long it takes, by a trial of its parts, and what of it there is time for."""
    if not seconds:
        return "Nothing is left to do."
    whole = f"About {duration(seconds)} on this machine, by a trial of every part"
    if budget is None or budget >= seconds:
        return f"{whole}."
    return f"{whole}; of it {duration(budget)} now, and the same command goes on from there."


def _line(bar: bool) -> Progress:
    # Not needed in a pipe, and it takes a moment to import.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
    from rich.table import Column

    console = Console(stderr=True, force_terminal=True)
    # The ^C that a terminal writes behind the line has to fit, or the line would be torn in two.
    console.width -= 3
    text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    return Progress(
        BarColumn(20) if bar else SpinnerColumn(),
        text,
        # What is printed goes where it belongs, not to stderr with the line.
        console=console,
        redirect_stdout=False,
        transient=True,
    )
