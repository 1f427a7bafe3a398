"""Cold starts: new processes, from the moment of starting to the page, to a steered token, to the terminal's first paint.

Each is printed beside the bare import of the library it cannot do without, so that the ratio means the same on a slow machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ports import free_port
from benchmarks.ratios import Timed
from core.artefacts import store
from core.errors import TillerError
from core.families import registry
from core.families.commands import family_option
from core.util.program import program

ROOT = Path(__file__).resolve().parent.parent
#: Every repetition starts six processes, which takes half a minute where the machine is slow.
REPETITIONS = 5
#: The terminal app paints in this many seconds (the design's promise).
PAINT = 0.5
_LONGEST = 120.0


def starting(options: argparse.Namespace) -> bool:
    """Time every cold start in turn with the import it needs; True when the terminal's first paint keeps its limit."""
    print(f"starting: cold starts in turn with the imports they need, {REPETITIONS} times", flush=True)
    model = ["--family", options.family, *(["--checkpoint", options.checkpoint] if options.checkpoint else [])]
    things: dict[str, Callable[[], float]] = {
        "import gradio": lambda: _importing("gradio"),
        "page": lambda: _page(model),
        "import torch, transformers' Llama": lambda: _importing("torch", "transformers.models.llama.modeling_llama"),
        "steered token": lambda: _steered_token(model, _steering(options)),
        "import textual.app": lambda: _importing("textual.app"),
    }
    if os.name == "posix":
        things["first paint"] = lambda: _paint(model)
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for thing in things.values():
        # Once unmeasured: the first start after a boot reads everything from the disk.
        thing()
    for _ in range(REPETITIONS):
        for name, thing in things.items():
            seconds[name].append(thing())
    timed = {name: Timed(tuple(each)) for name, each in seconds.items()}
    _say("served page", timed["page"], "import gradio", timed)
    _say("first steered token", timed["steered token"], "import torch, transformers' Llama", timed)
    if "first paint" not in timed:
        print("  the terminal's first paint is timed on Linux and on a Mac only", flush=True)
        return True
    _say("the terminal's first paint", timed["first paint"], "import textual.app", timed)
    kept = timed["first paint"].median <= PAINT
    print(f"  limit of the first paint: {PAINT} s: {'kept' if kept else 'MISSED'}", flush=True)
    return kept


def _say(what: str, own: Timed, bare: str, timed: dict[str, Timed]) -> None:
    ratio, low, high = own.over(timed[bare])
    print(
        f"  {what:<30} {own.median:5.2f} s = {ratio:4.2f} x `{bare}` ({timed[bare].median:.2f} s; quartiles {low:.2f} to {high:.2f})",
        flush=True,
    )


def _steering(options: argparse.Namespace) -> str:
    """The recipe that was given, else one with a direction that is there."""
    if options.recipe:
        return str(options.recipe)
    family = registry.load_family(options.family)
    name = options.checkpoint or family.final.name
    cards = store.cards(family.places, name)
    if not cards:
        raise TillerError(
            f"{name} has no direction to steer by; run `{program()} precompute{family_option(family)}` first."
        )
    return f"0.5*{cards[0].name}"


def _importing(*modules: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True, env=_quiet())
    return time.perf_counter() - start


def _quiet() -> dict[str, str]:
    """The environment without what would make a start different from a person's, who has Python keep its compiled files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "GRADIO_ANALYTICS_ENABLED": "False"}


@contextmanager
def _started(arguments: list[str], **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """``launch.py`` with these arguments, ended as a person would end it: by Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "launch.py"), *arguments],
        env=_quiet(),
        stdin=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _page(model: list[str]) -> float:
    """Seconds until the page's HTML has come whole."""
    start = time.perf_counter()
    with serving(model):
        return time.perf_counter() - start


@contextmanager
def serving(model: list[str]) -> Iterator[str]:
    """The address of a browser app in a process of its own, once its page has come whole."""
    port = free_port()
    address, start = f"http://127.0.0.1:{port}/", time.perf_counter()
    with _started([*model, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while not _served(address):
            if process.poll() is not None:
                assert process.stderr is not None
                said = process.stderr.read().decode("utf-8", "replace").strip()
                raise TillerError(f"The benchmark's page was not served; the program said: {said}")
            _check(time.perf_counter() - start < _LONGEST, "the page was never served")
            time.sleep(0.02)
        yield address


def _served(address: str) -> bool:
    with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(address) as answer:
        return b"</html>" in answer.read()
    return False


def _steered_token(model: list[str], recipe: str) -> float:
    """Seconds until the first token of a steered answer is on stdout."""
    start = time.perf_counter()
    arguments = ["chat", "What is the capital of France?", "--json", "--recipe", recipe, *model]
    with _started(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "Token":
                return time.perf_counter() - start
        said = process.stderr.read().decode("utf-8", "replace").strip()
    raise TillerError(f"The benchmark's chat gave no token; it said: {said}")


def _paint(model: list[str]) -> float:
    """Seconds until the terminal app has drawn its title into a terminal of 100 x 30 cells."""
    import fcntl
    import pty
    import select
    import struct
    import termios

    start = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        arguments = [sys.executable, str(ROOT / "launch.py"), "tui", *model]
        os.execve(sys.executable, arguments, {**_quiet(), "TERM": "xterm-256color"})
    said = b""
    seconds = 0.0
    while time.perf_counter() - start < _LONGEST:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                said += os.read(terminal, 65536)
            except OSError:
                # Linux says so when the other side has closed.
                break
        if re.search(rb"Tiller", said):
            seconds = time.perf_counter() - start
            break
    _leave(pid, terminal)
    _check(seconds > 0, f"the terminal app drew nothing; it said {said[-300:].decode('utf-8', 'replace')!r}")
    return seconds


def _leave(pid: int, terminal: int) -> None:
    """End the terminal app and take away its terminal; what it still draws has to be read, or it would wait for ever."""
    import select

    os.kill(pid, signal.SIGTERM)
    end = time.perf_counter() + 10
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.perf_counter() > end:
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            if select.select([terminal], [], [], 0.05)[0]:
                os.read(terminal, 65536)
    os.close(terminal)


def _check(good: bool, sentence: str) -> None:
    if not good:
        raise TillerError(f"The benchmark cannot go on: {sentence}.")
