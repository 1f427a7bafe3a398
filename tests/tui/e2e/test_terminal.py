"""The real program in a real terminal: an answer, and a terminal left as it was found."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.paths import ROOT
from tests.support.terminal import steerable
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return steerable(tmp_path_factory.mktemp("families") / "tiny")


def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1",
        "TILLER_STATE": str(tmp_path / "state"), "TILLER_DATA": str(tmp_path / "data"),
    }  # fmt: skip


class Tmux:
    """A terminal of its own, on a server of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self.start = [program, "-L", f"tiller-{uuid.uuid4().hex[:8]}", "-f", "/dev/null"]
        self.folder = folder

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.start, *arguments], capture_output=True, text=True, check=True, env=environment(self.folder)
        )
        return done.stdout

    def screen(self) -> str:
        return self("capture-pane", "-p", "-t", "tiller")

    def until(self, text: str) -> str:
        end = time.monotonic() + PATIENCE
        while text not in (screen := self.screen()):
            assert time.monotonic() < end, f"{text!r} never came:\n{screen}"
            time.sleep(0.05)
        return screen


@pytest.fixture
def tmux(tmux_program: str, tmp_path: Path) -> Iterator[Tmux]:
    terminal = Tmux(tmux_program, tmp_path)
    terminal("new-session", "-d", "-s", "tiller", "-x", "80", "-y", "24", "-c", str(ROOT), "sh")
    # A prompt and an echo that the program cannot have written.
    terminal("send-keys", "-t", "tiller", "PS1='left> '; stty -a | grep -o ' echo ' ; clear", "Enter")
    terminal.until("left>")
    yield terminal
    terminal("kill-server")


def start(tmux: Tmux, family: Path) -> None:
    command = f"{shlex.join([sys.executable, 'launch.py', 'tui', '--family', str(family), '--threads', '1'])}; echo status is $?"
    tmux("send-keys", "-t", "tiller", command, "Enter")


def test_it_starts_answers_and_ctrl_c_leaves_the_terminal_clean(tmux: Tmux, family: Path) -> None:
    start(tmux, family)
    tmux.until("Tiny")
    tmux.until("ready")
    tmux("send-keys", "-t", "tiller", "Hello there", "Enter")
    tmux.until("tok/s")
    screen = tmux.until("reached the longest")
    assert "you  Hello there" in screen
    assert screen.count("plain · chat") == 2
    tmux("send-keys", "-t", "tiller", "C-c")
    screen = tmux.until("status is 130")
    # The alternate screen is gone, what was typed before is there again, and typing is echoed.
    assert "Hello there" not in screen
    tmux("send-keys", "-t", "tiller", "echo a$((40+2))b", "Enter")
    screen = tmux.until("a42b")
    assert "echo a$((40+2))b" in screen
    assert (
        tmux("display-message", "-p", "-t", "tiller", "#{alternate_on}#{cursor_flag}#{mouse_any_flag}").strip() == "010"
    )


def test_ctrl_c_while_the_model_loads_leaves_at_once(tmux: Tmux, family: Path) -> None:
    start(tmux, family)
    tmux.until("Tiny")
    tmux("send-keys", "-t", "tiller", "C-c")
    screen = tmux.until("status is 130")
    assert "Traceback" not in screen


def test_a_signal_leaves_the_terminal_clean_too(tmux: Tmux, family: Path) -> None:
    start(tmux, family)
    tmux.until("ready")
    shell = int(tmux("display-message", "-p", "-t", "tiller", "#{pane_pid}"))
    child = int(
        subprocess.run(["pgrep", "-P", str(shell)], capture_output=True, text=True, check=True).stdout.split()[0]
    )
    os.kill(child, signal.SIGTERM)
    tmux.until("status is 143")
    assert tmux("display-message", "-p", "-t", "tiller", "#{alternate_on}#{cursor_flag}").strip() == "01"


def test_a_terminal_that_is_closed_takes_the_program_along(tmux: Tmux, family: Path) -> None:
    start(tmux, family)
    tmux.until("ready")
    shell = int(tmux("display-message", "-p", "-t", "tiller", "#{pane_pid}"))
    child = psutil.Process(shell).children(recursive=True)[-1]
    tmux("new-session", "-d", "-s", "other")
    # Both, as a terminal does that goes while something runs in it.
    child.send_signal(signal.SIGHUP)
    tmux("kill-session", "-t", "tiller")
    child.wait(PATIENCE)


def test_a_link_or_a_family_that_cannot_be_opened_is_one_sentence(tmux: Tmux) -> None:
    tmux(
        "send-keys",
        "-t",
        "tiller",
        f"{shlex.quote(sys.executable)} launch.py tui 's=broken'; echo status is $?",
        "Enter",
    )
    screen = tmux.until("status is 2")
    assert "This is not a whole link" in screen
    assert "Traceback" not in screen
    start(tmux, Path("nowhere"))
    tmux.until("There is no family 'nowhere'")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("TERM=dumb", "This terminal cannot place text on its screen (TERM is dumb)"),
        ("LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0", "This terminal is said to show ascii alone"),
    ],
)
def test_a_terminal_that_cannot_show_the_app_is_one_sentence(tmux: Tmux, setting: str, said: str) -> None:
    tmux(
        "send-keys",
        "-t",
        "tiller",
        f"{setting} {shlex.quote(sys.executable)} launch.py tui; echo status is $?",
        "Enter",
    )
    screen = tmux.until("status is 2")
    assert said in screen.replace("\n", "")
