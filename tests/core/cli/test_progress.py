"""The line of a terminal that says what a verb is at."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from core.cli.progress import TerminalProgress
from core.util.progress import Pace, Step, finished

SHOWN, HIDDEN = "\x1b[?25h", "\x1b[?25l"


def work() -> Iterator[Step]:
    yield Step(30, "Reading [bold] prompts.")
    yield Step(30, "Trying layers.")
    return "done"


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_in_a_pipe_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalProgress(Pace(60)) as progress:
        assert finished(work(), progress.step) == "done"
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_how_far_it_is_and_nothing_is_left_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    ticks = iter(range(0, 1000, 2))
    with TerminalProgress(Pace(120, lambda: float(next(ticks))), "base") as progress:
        finished(work(), progress.step)
        progress.clear()
        print("a line for stdout")
        progress.say("Going on.")
    out, err = capsys.readouterr()
    assert out == "a line for stdout\n"
    assert "50 % · about 4 s left · base: Trying layers." in plain(err)
    assert "base: Going on." in plain(err)
    assert err.count(HIDDEN) == err.count(SHOWN) == 2
    assert plain(err.rpartition("\x1b[2K")[2]).strip() == "", "the line is empty in the end"


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ValueError])
def test_what_ends_the_work_ends_the_line(
    ending: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    def stopped() -> Iterator[Step]:
        yield Step(1, "Beginning.")
        raise ending

    with pytest.raises(ending), TerminalProgress() as progress:
        finished(stopped(), progress.step)
    print("Interrupted.", file=sys.stderr)
    err = capsys.readouterr().err
    assert "Beginning." in err
    assert plain(err.rpartition("\x1b[2K")[2]) == "Interrupted.\n"
