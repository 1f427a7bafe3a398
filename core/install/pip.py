"""Running pip so that a person sees what goes on, and understands what went wrong. Standard library only."""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TextIO

from core.errors import TillerError

#: The environment of the pip processes: no questions, no installation for the user, lines as they come.
_SETTINGS = {
    "PIP_NO_INPUT": "1",
    "PIP_USER": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTHONUNBUFFERED": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",
}
#: The first pip that reports its progress in a form that a program can read.
_PIP_WITH_PROGRESS = (24, 1)


class InstallProblem(TillerError):
    """pip could not install; ``str()`` is one sentence that names the fix."""


def install(
    python: Path, files: Sequence[Path], torch_index: str | None, log: Path, before_unpacking: Callable[[], None]
) -> None:
    """Install requirements files into the environment of ``python``, with progress on stderr; pip's own words go to ``log``.

    ``torch_index`` is the package index that PyTorch, and nothing else, is installed from. ``before_unpacking`` is called as soon as
    pip begins to change the environment.

    Raises:
        InstallProblem: one sentence.
        OSError: the log cannot be written.
        KeyboardInterrupt: Ctrl-C; pip has ended by then.
    """
    command = [str(python), "-m", "pip", "install"]
    with open(log, "w", encoding="utf-8") as said, _Line(lambda: _packages(python)) as line:

        def run(arguments: Sequence[str], index: str | None = None) -> None:
            _run([*command, *arguments], said, line, index, before_unpacking)

        line.note("Installing what Tiller needs; this takes a few minutes, once.")
        if _pip_version(python) < _PIP_WITH_PROGRESS:
            # An old pip installs just as well, it only cannot count bytes. What keeps a new one away, the next step says.
            with contextlib.suppress(InstallProblem):
                run(["--progress-bar", "off", "--retries", "1", "pip>=" + ".".join(map(str, _PIP_WITH_PROGRESS))])
        counts = _pip_version(python) >= _PIP_WITH_PROGRESS
        command += ["--progress-bar", "raw" if counts else "off"]
        if torch_index:
            run(["--index-url", torch_index, _pin_of_torch(files)], torch_index)
        elif sys.platform == "linux" and not _has_nvidia() and not _has_torch(python):
            line.note(
                "(No NVIDIA GPU here: README.md tells how to get PyTorch's smaller CPU build with --torch-index.)"
            )
        run([part for file in files for part in ("-r", str(file))])
        line.note(f"Installed in {line.seconds:.0f} s.")


def _pin_of_torch(files: Iterable[Path]) -> str:
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            if re.match(r"torch\b", line):
                return line.partition("#")[0].strip()
    raise InstallProblem("requirements.txt names no torch, so --torch-index has nothing to install; restore the file.")


def _has_torch(python: Path) -> bool:
    """Whether the environment (on POSIX) holds a PyTorch already."""
    return any(python.parent.parent.glob("lib/python*/site-packages/torch"))


def _packages(python: Path) -> int:
    """How many packages the environment holds."""
    return sum(
        1 for lib in ("lib/python*", "Lib") for _ in python.parent.parent.glob(f"{lib}/site-packages/*.dist-info")
    )


def _has_nvidia() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()


def _pip_version(python: Path) -> tuple[int, ...]:
    """pip's version in that environment. An environment without pip (uv makes them) gets the one that Python brings."""

    def ask() -> str:
        return subprocess.run(
            [str(python), "-m", "pip", "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL
        ).stdout

    said = ask()
    if not said:
        subprocess.run([str(python), "-m", "ensurepip", "--default-pip"], capture_output=True, stdin=subprocess.DEVNULL)
        said = ask()
    found = re.match(r"pip (\d+)\.(\d+)", said)
    if not found:
        raise InstallProblem(f"The environment of {python} has no pip that works; delete its folder and start again.")
    return int(found[1]), int(found[2])


def _run(
    command: Sequence[str], log: TextIO, line: _Line, index: str | None, before_unpacking: Callable[[], None]
) -> None:
    environment = {**os.environ, **_SETTINGS}
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said: list[str] = []
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
    try:
        while True:
            try:
                text = lines.get(timeout=0.5)
            except queue.Empty:
                line.tick()
                continue
            if text is None:
                break
            if not text.startswith("Progress "):
                said.append(text)
                print(text, file=log, flush=True)
            if text.startswith("Installing collected packages"):
                before_unpacking()
            line.follow(text)
        code = process.wait()
    finally:
        # After Ctrl-C (which pip gets too) and after a failure to write the log, nothing goes on in the background.
        _end(process)
    if code:
        raise InstallProblem(explain("\n".join(said), code, index))


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for text in process.stdout:
        lines.put(text.rstrip())
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# -------------------------------------------------------------------------------------------------------- what went wrong

_FULL = r"no space left on device|errno 28\b|disk quota exceeded|not enough space on the disk"
_REFUSED = r"permission denied|read-only file system|access is denied"
_CERTIFICATE = r"certificate_verify_failed|sslcertverificationerror"
_PROXY = r"proxyerror|tunnel connection failed|cannot connect to proxy"
_NETWORK = (
    r"failed to establish a new connection|name resolution|name or service not known|getaddrinfo failed|network is unreachable|"
    r"connection refused|connecttimeout|read timed out|connection reset|remotedisconnected|newconnectionerror|nodename nor servname|"
    r"connection to .* timed out|max retries exceeded|incompleteread|connection broken|http error 5\d\d"
)


def explain(said: str, code: int, index: str | None = None) -> str:
    """What pip's output means, in one sentence that names the fix. ``index`` is the package index it was told to use, if any."""
    low = said.lower()
    if re.search(_FULL, low):
        return (
            f"The disk is full (the environment needs about 2 GB, with GPU support 8 GB, and pip unpacks in {tempfile.gettempdir()}); "
            f"make room, or set TMPDIR to a folder with room, and start again."
        )
    if code in (-9, 137):
        return (
            "The system ended the installation, most likely for want of memory; close other programs and start again."
        )
    if "operation cancelled by user" in low:
        return "The installation was interrupted; start again to finish it."
    if re.search(_CERTIFICATE, low):
        return "The package index's certificate was not accepted; set PIP_CERT to your network's certificate file and start again."
    if re.search(_PROXY, low):
        return "The proxy did not let pip through; correct HTTPS_PROXY and start again."
    if re.search(_NETWORK, low):
        where = f"the package index {index}" if index else "the package index"
        return f"No connection to {where}; connect this machine to the network (behind a proxy, set HTTPS_PROXY) and start again."
    nothing = re.search(r"no matching distribution found for ([^\s(]+)", low)
    if nothing:
        name = re.split(r"[<>=!~\[;]", nothing[1])[0]
        where = f" in {index}" if index else ""
        return (
            f"There is no {name} that fits this machine{where} (Python {platform.python_version()}, {platform.system()} "
            f"{platform.machine()}); Python 3.11 or 3.12 of 64 bits fits on Linux, Windows and Macs with Apple's chips."
        )
    if re.search(_REFUSED, low):
        return "The environment's folder may not be written to; delete .venv, or give yourself the right to write there, and start again."
    errors = [text.partition(":")[2].strip() for text in said.splitlines() if text.lower().startswith("error:")]
    reason = f" ({errors[-1].rstrip('.')})" if errors and errors[-1] else ""
    return f"pip could not install what Tiller needs{reason}; its words are in .venv/tiller-install.log, and deleting .venv starts afresh."


# ------------------------------------------------------------------------------------------------------------ the progress


class _Line:
    """One line on stderr that says what pip does now: rewritten in a terminal, a line for each larger step elsewhere."""

    def __init__(self, packages: Callable[[], int] = lambda: 0) -> None:
        #: Counts the packages that are in the environment: pip says nothing while it unpacks, for a minute or two.
        self.packages = packages
        self.unpacking: tuple[int, int] | None = None
        self.start = time.monotonic()
        self.live = sys.stderr.isatty()
        self.doing = "starting"
        self.done = ""
        self.drawn = 0.0

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._wipe()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    def note(self, text: str) -> None:
        """A line that stays."""
        self._wipe()
        self._write(text + "\n")

    def follow(self, text: str) -> None:
        """Take in a line of pip's."""
        words = text.split()
        if text.startswith("Progress ") and len(words) == 4 and words[1].isdigit() and words[3].isdigit():
            self.done = f", {int(words[1]) / 1e6:.0f} of {int(words[3]) / 1e6:.0f} MB"
            self.tick()
            return
        step = self._step(text.strip(), words)
        if not step:
            return
        self.done = ""
        self.unpacking = (self.packages(), len(words) - 3) if step.startswith("unpacking") else None
        if step != self.doing and not self.live and not step.startswith("looking"):
            self._write(f"  {step}\n")
        self.doing = step
        self.tick(force=True)

    @staticmethod
    def _step(text: str, words: list[str]) -> str:
        """What a line of pip's says is being done; empty for lines that say nothing new."""
        size = re.search(r"\(([\d.]+ [kMG]B)\)$", text)
        if text.startswith("Collecting "):
            return f"looking for {words[1]}"
        if text.startswith("Downloading ") and size and size[1].endswith(("MB", "GB")):
            name = re.match(r"[^-\s]+-[^-\s]+", words[1].rpartition("/")[2])
            return f"downloading {name[0] if name else words[1]} ({size[1]})"
        if text.startswith("Installing collected packages"):
            return f"unpacking {len(words) - 3} packages"
        retry = re.search(r"Retrying \(Retry\(total=(\d+)", text)
        if retry:
            return f"no answer from the package index; trying again (tries left: {retry[1]})"
        return ""

    def tick(self, force: bool = False) -> None:
        """Redraw, ten times a second at most."""
        if not self.live or (not force and time.monotonic() - self.drawn < 0.1):
            return
        self.drawn = time.monotonic()
        if self.unpacking:
            before, total = self.unpacking
            self.done = f", {min(max(self.packages() - before, 0), total)} done"
        width = shutil.get_terminal_size().columns - 1
        self._write("\r\x1b[K" + f"  {self.seconds:4.0f} s  {self.doing}{self.done}"[:width])

    def _wipe(self) -> None:
        if self.live:
            self._write("\r\x1b[K")

    @staticmethod
    def _write(text: str) -> None:
        # A closed terminal must not end an installation half-way.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
