"""Running uv or pip so that a person sees what goes on, and understands what went wrong. Standard library only."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from core.errors import TillerError

#: What pip and uv run with: no questions, no installation for the user, no Python but the one that is there.
SETTINGS = {
    "PIP_NO_INPUT": "1",
    "PIP_USER": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "UV_PYTHON_DOWNLOADS": "never",
}
#: The settings of pip, which uv does not read, and of uv that say where packages come from.
_TOLD_PIP = r"index-url|extra-index-url|no-index|find-links|constraint|cert|client-cert|proxy|trusted-host"
_TOLD_UV = r"UV_(.*INDEX.*|FIND_LINKS|CONSTRAINT|OFFLINE|CONFIG_FILE)"
#: What uv says of its progress where it cannot draw.
_PROGRESS = r"\s*(Resolved|Downloading|Building|Prepared|Installed) "


class InstallProblem(TillerError):
    """The packages could not be installed; ``str()`` is one sentence that names the fix."""


def uv(base: str) -> str | None:
    """uv, where it is on PATH: it is several times faster. Where only pip was told where packages come from, pip has to be used."""
    program = shutil.which("uv")
    if program is None or any(re.fullmatch(_TOLD_UV, name) for name in os.environ):
        return program
    told = [name[4:].lower().replace("_", "-") for name in os.environ if name.startswith("PIP_")]
    # A Python without pip has no files of settings for it either.
    listed = subprocess.run(
        [base, "-m", "pip", "config", "list"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    told += re.findall(r"\.([a-z-]+)=", listed.stdout)
    return None if any(re.fullmatch(_TOLD_PIP, name) for name in told) else program


def install(python: Path, files: Sequence[Path], torch_index: str | None, log: Path, uv: str | None) -> None:
    """Install requirements files into the environment of ``python`` by ``uv``, else by its pip; all of their words go to ``log``.

    ``torch_index`` is the package index that PyTorch, and nothing else, is installed from.

    Raises:
        InstallProblem: one sentence.
        OSError: the log cannot be written.
        KeyboardInterrupt: Ctrl-C; the installer has ended by then.
    """
    began = time.monotonic()
    _note("Installing what Tiller needs; this takes a few minutes, once.")
    log.write_text("", "utf-8")
    if uv:
        command = [uv, "pip", "install", "--color", "never", "--python", str(python)]
    else:
        _see_to_pip(python)
        command = [str(python), "-m", "pip", "--log", str(log), "install"]
    if torch_index:
        _run(
            [*command, "--default-index" if uv else "--index-url", torch_index, _pin_of_torch(files)], log, torch_index
        )
    elif sys.platform == "linux" and not _has_nvidia() and not _has_torch(python):
        _note("(No NVIDIA GPU here: README.md tells how to get PyTorch's smaller CPU build with --torch-index.)")
    _run([*command, *(part for file in files for part in ("-r", str(file)))], log)
    _note(f"Installed in {time.monotonic() - began:.0f} s.")


def _note(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # A closed terminal must not end an installation half-way.
        return


def _pin_of_torch(files: Iterable[Path]) -> str:
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            if re.match(r"torch\b", line):
                return line.partition("#")[0].strip()
    raise InstallProblem("requirements.txt names no torch, so --torch-index has nothing to install; restore the file.")


def _has_torch(python: Path) -> bool:
    """Whether the environment (on POSIX) holds a PyTorch already."""
    return any(python.parent.parent.glob("lib/python*/site-packages/torch"))


def _has_nvidia() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()


def _see_to_pip(python: Path) -> None:
    """An environment without pip (uv needs none) gets the one that Python brings."""

    def works(*words: str) -> bool:
        return (
            subprocess.run([str(python), "-m", *words], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
        )

    if not works("pip", "--version") and not (works("ensurepip", "--default-pip") and works("pip", "--version")):
        raise InstallProblem(f"The environment of {python} has no pip that works; delete its folder and start again.")


def _run(command: Sequence[str], log: Path, index: str | None = None) -> None:
    """Run the installer: pip draws its progress itself (on its stdout, which is stderr here), and says on stderr what went wrong."""
    by = "pip" if "--log" in command else "uv"
    # uv takes an index of its settings before the one that its command line names.
    dropped = [name for name in os.environ if index is not None and re.fullmatch(r"UV_.*INDEX.*", name)]
    process = subprocess.Popen(
        command,
        env={**{name: value for name, value in os.environ.items() if name not in dropped}, **SETTINGS},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    said: list[str] = []
    try:
        assert process.stderr is not None
        for text in process.stderr:
            said.append(text.rstrip())
            retry = re.search(r"Retrying \(Retry\(total=(\d+)", text)
            if retry:
                _note(f"  no answer from the package index; trying again (tries left: {retry[1]})")
            elif re.match(_PROGRESS, text):
                _note(f"  {text.strip()}")
        code = process.wait()
    finally:
        # After Ctrl-C (which the installer gets too) nothing goes on in the background.
        end(process)
    if by == "uv":
        with open(log, "a", encoding="utf-8") as file:
            file.write("\n".join([*said, ""]))
    if code:
        raise InstallProblem(explain("\n".join(said), code, index, by))


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that may still run; it is gone behind this."""
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
_CERTIFICATE = r"certificate_verify_failed|sslcertverificationerror|invalid peer certificate"
_PROXY = r"proxyerror|tunnel connection failed|cannot connect to proxy|tunnel error|unsuccessful tunnel"
_NETWORK = (
    r"failed to establish a new connection|name resolution|name or service not known|getaddrinfo failed|network is unreachable|"
    r"connection refused|connecttimeout|read timed out|connection reset|remotedisconnected|newconnectionerror|nodename nor servname|"
    r"connection to .* timed out|max retries exceeded|incompleteread|connection broken|http error 5\d\d|"
    r"error sending request|dns error|operation timed out|network was disabled"
)
_NOTHING = (
    r"no matching distribution found for ([\w.-]+)|because (?:only (?:the following versions of )?|there (?:is|are) no versions? of )"
    r"([\w.-]+)|because (?:all versions of )?([\w.-]+)\S* (?:was not found|ha(?:s|ve) no )"
)
_REASON = r"^\s*(?:error:|cause:|caused by:|╰─▶)\s*(.+)$"


Cause = Literal["full", "memory", "cancelled", "certificate", "proxy", "network", "nothing", "refused", "unknown"]


def cause(said: str, code: int) -> Cause:
    """What kept pip or uv from doing it, by their words and their exit code."""
    low = " ".join(said.lower().split())
    if re.search(_FULL, low):
        return "full"
    if code in (-9, 137):
        return "memory"
    kinds: dict[Cause, str] = {
        "cancelled": "operation cancelled by user", "certificate": _CERTIFICATE, "proxy": _PROXY, "network": _NETWORK,
        "nothing": _NOTHING, "refused": _REFUSED,
    }  # fmt: skip
    return next((kind for kind, words in kinds.items() if re.search(words, low)), "unknown")


def explain(said: str, code: int, index: str | None = None, by: str = "pip") -> str:
    """What the words of pip or uv mean, in one sentence that names the fix. ``index`` is the package index it was told to use, if any."""
    place, room, certificate = (
        (tempfile.gettempdir(), "TMPDIR", "PIP_CERT") if by == "pip" else ("its cache", "UV_CACHE_DIR", "SSL_CERT_FILE")
    )
    match cause(said, code):
        case "full":
            return (
                f"The disk is full (the environment needs about 2 GB, with GPU support 8 GB, and {by} unpacks in {place}); "
                f"make room, or set {room} to a folder with room, and start again."
            )
        case "memory":
            return "The system ended the installation, most likely for want of memory; close other programs and start again."
        case "cancelled":
            return "The installation was interrupted; start again to finish it."
        case "certificate":
            return (
                f"The package index's certificate was not accepted; set {certificate} to your network's certificate file and start "
                "again."
            )
        case "proxy":
            return f"The proxy did not let {by} through; correct HTTPS_PROXY and start again."
        case "network":
            where = f"the package index {index}" if index else "the package index"
            return f"No connection to {where}; connect this machine to the network (behind a proxy, set HTTPS_PROXY) and start again."
        case "nothing":
            nothing = re.search(_NOTHING, " ".join(said.lower().split()))
            where = f" in {index}" if index else ""
            return (
                f"There is no {nothing[nothing.lastindex or 0] if nothing else 'package'} that fits this machine{where} (Python "
                f"{platform.python_version()}, {platform.system()} {platform.machine()}); Python 3.11 to 3.13 of 64 bits fits on Linux, "
                "Windows and Macs with Apple's chips."
            )
        case "refused":
            return (
                "The environment's folder may not be written to; delete .venv, or give yourself the right to write there, "
                "and start again."
            )
        case _:
            pass
    reasons = re.findall(_REASON, said, re.IGNORECASE | re.MULTILINE)
    reason = f" ({reasons[-1].strip().rstrip('.')})" if reasons else ""
    return f"{by} could not install what Tiller needs{reason}; its words are in .venv/tiller-install.log, and deleting .venv starts afresh."
