"""Streams that are closed, full or gone, and the signals that end a program: no result is lost, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the shells of other systems close streams")


def start(body: str, **more: object) -> subprocess.Popen[str]:
    """The program, with something else in its verbs' place."""
    lines = "".join(f"\n    {line}" for line in body.splitlines())
    script = f"import sys, launch\ndef run(argv):{lines}\n    return 0\nlaunch.run = run\nsys.exit(launch.console())"
    return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, text=True, **more)  # type: ignore[call-overload,no-any-return]


TALK = 'print("one", flush=True)\nprint("a remark", file=sys.stderr)\nprint("two")'


@pytest.mark.parametrize("closed", [(2,), (0, 2), (0,)])
def test_a_closed_stream_costs_no_result(closed: tuple[int, ...], tmp_path: Path) -> None:
    file = tmp_path / "own.txt"
    body = f"{TALK}\nopen({str(file)!r}, 'w').write(str(sys.stderr.isatty()))\nassert sys.stdin.read(0) == ''"
    process = start(body, stdout=subprocess.PIPE, preexec_fn=lambda: [os.close(each) for each in closed])
    assert (process.communicate()[0], process.returncode) == ("one\ntwo\n", 0)
    # What is said goes into no file of the program's own that has got the closed one's number.
    assert file.read_text() == "False"


def test_a_closed_output_ends_as_usual() -> None:
    process = start(TALK, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert (process.communicate()[1], process.returncode) == ("a remark\n", 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_remarks_that_nobody_can_keep_cost_no_result() -> None:
    with open("/dev/full", "w") as full:
        process = start(TALK, stdout=subprocess.PIPE, stderr=full)
        assert (process.communicate()[0], process.returncode) == ("one\ntwo\n", 0)


def test_a_reader_of_remarks_that_goes_away_costs_no_result() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = start(TALK, stdout=subprocess.PIPE, stderr=writing)
    os.close(writing)
    assert (process.communicate()[0], process.returncode) == ("one\ntwo\n", 0)


HOLD = "import tempfile, time\nkept = tempfile.TemporaryDirectory()\nprint(kept.name, flush=True)\ntime.sleep(600)"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_what_is_ended_from_outside_removes_its_temporary_folders(name: str) -> None:
    number = getattr(signal, name)
    # Tests that are started by nohup, too, have it ended.
    process = start(HOLD, stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir()
    process.send_signal(number)
    assert process.wait() == 128 + number
    assert not folder.exists()


def test_what_nohup_ignores_stays_ignored() -> None:
    body = "import signal\nprint(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    process = start(
        body,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        restore_signals=False,
    )
    assert process.communicate()[0] == "True\n"
