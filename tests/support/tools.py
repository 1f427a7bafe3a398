"""The programs that tests drive and that Python does not bring: a browser and tmux.

Each is looked for on the system; where it is not, the package manager installs it if it can do so without asking (as root, or by a sudo
that wants no password), and a browser may at last be playwright's own download. What cannot be had is told apart from what is wrong with
the program: those tests are skipped with one sentence at the end, and fail where ``CI`` is set.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from core.install.environment import one_at_a_time

#: The first draws pages and nothing else: a page is there in two thirds of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Opens the browser that is named, playwright's own where none is: a program that is there and lacks a library is no browser.
_OPEN = (
    "import sys; from playwright.sync_api import sync_playwright\n"
    "with sync_playwright() as it: it.chromium.launch(executable_path=sys.argv[1] or None, args=sys.argv[2:]).close()"
)


@dataclass(frozen=True)
class Tool:
    """A program: its name, and what finds it (a path, empty for playwright's own browser) or says that it cannot be had."""

    name: str
    find: Callable[[], str | None]

    @property
    def reason(self) -> str:
        """Why a test that needs it is skipped."""
        return f"there is no {self.name} here"

    def bring(self) -> str:
        """The command by which a person gets it."""
        package = self.name.lower()
        if shutil.which("apt-get"):
            return f"`sudo apt install {package}` brings it"
        if self is CHROMIUM:
            return f"`{shlex.join([sys.executable, '-m', 'playwright', 'install', package])}` brings it"
        return "the system's package manager brings it"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A program without a keyboard; what it says is kept."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )


def chromium() -> str | None:
    """A Chromium that opens."""
    ways: tuple[Callable[[], bool], ...] = (lambda: True, lambda: apt(*BROWSERS[:2]), download)
    for way in ways:
        if way():
            programs = [program for program in map(shutil.which, BROWSERS) if program]
            for program in [*programs, ""]:
                if run(sys.executable, "-c", _OPEN, program, *FLAGS).returncode == 0:
                    return program
    return None


def tmux() -> str | None:
    """The terminal that other programs can drive."""
    return shutil.which("tmux") or (shutil.which("tmux") if apt("tmux") else None)


CHROMIUM = Tool("Chromium", chromium)
TMUX = Tool("tmux", tmux)


def as_root() -> list[str] | None:
    """What a command begins with to be run as root without a question; None where that cannot be done."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return []
    return ["sudo", "-n"] if shutil.which("sudo") and run("sudo", "-n", "true").returncode == 0 else None


def apt(*packages: str) -> bool:
    """Whether Debian's package manager has installed a package now: the first of them that it knows."""
    first = as_root() if shutil.which("apt-get") else None
    if first is None:
        return False
    _say(f"Installing {packages[-1]} by apt-get, since the tests need it.")
    get = [*first, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600"]
    # Where some list cannot be fetched anew, the old one may do.
    run(*get, "update")
    for package in packages:
        done = run(*get, "install", "-y", "--no-install-recommends", package)
        if done.returncode == 0:
            return True
    return _worked(f"apt-get could not install {package}", done)


def download() -> bool:
    """Whether playwright has downloaded its own Chromium now, with the libraries of the system where it may install them."""
    _say("Downloading playwright's own Chromium, since the tests need it.")
    install = [sys.executable, "-m", "playwright", "install"]
    if shutil.which("apt-get") and as_root() is not None and run(*install, "--with-deps", "chromium").returncode == 0:
        return True
    return _worked("playwright could not download its Chromium", run(*install, "chromium"))


def _worked(failure: str, done: subprocess.CompletedProcess[str]) -> bool:
    if done.returncode:
        lines = [line.strip().rstrip(".") for line in done.stdout.splitlines() if line.strip()]
        why = next(
            (line for line in lines if re.match(r"E: |.*\b(error|fail)", line, re.IGNORECASE)), "".join(lines[-1:])
        )
        _say(f"{failure} ({why or 'it said nothing'}).")
    return done.returncode == 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def found_once(tool: Tool, folder: Path, aloud: Callable[[], AbstractContextManager[None]]) -> str | None:
    """The tool, looked for and installed by one of the processes that share ``folder``; what it says is said ``aloud``."""
    kept = folder / f"{tool.name}.json"
    with one_at_a_time(str(kept)):
        if not kept.exists():
            with aloud():
                found = tool.find()
            kept.write_text(json.dumps(found), "utf-8")
    answer: str | None = json.loads(kept.read_text("utf-8"))
    return answer


def skipped(reasons: Iterable[str]) -> dict[Tool, int]:
    """How many tests were skipped for want of each tool, by the reasons that pytest reports."""
    every = list(reasons)
    counts = {tool: sum(reason.endswith(tool.reason) for reason in every) for tool in (CHROMIUM, TMUX)}
    return {tool: count for tool, count in counts.items() if count}


def sentence(counts: Mapping[Tool, int]) -> str:
    """How many tests were skipped, and what would run them; empty where all ran."""
    parts = [f"{count} for want of {tool.name} ({tool.bring()})" for tool, count in counts.items()]
    return f"Tests that were skipped: {' and '.join(parts)}." if parts else ""
