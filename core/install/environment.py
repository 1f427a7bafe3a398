"""The environment that Tiller runs in: is everything of requirements.txt there, and if not, make it in ``.venv``.

Standard library only. What can go wrong on a stranger's machine is an :class:`EnvironmentProblem`, one sentence that names the
fix. ``.venv/tiller.json`` is the stamp: which requirements files were installed there, by their hashes, with which Python. While
packages are installed, the stamp says so, and an environment in which that was cut off is made anew, because pip would take a package
that lies there in half for a whole one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from core.errors import TillerError

# What only an installation needs is imported where it is needed: every start of the program runs this file first.

#: Set for the process that replaces this one, so that an environment that does not work ends in a sentence and not in a circle.
RESTARTED = "TILLER_RESTARTED"
STAMP = "tiller.json"
OLDEST = (3, 11)

_State = Literal["absent", "broken", "outdated", "ready"]


class EnvironmentProblem(TillerError):
    """The environment cannot be made or used; ``str()`` is one sentence that names the fix."""


def prepare(root: Path, argv: Sequence[str], *, tests: bool = False, torch_index: str | None = None) -> int | None:
    """Make sure that this process, or the one that replaces it, has everything of the requirements files.

    Returns ``None`` when this interpreter can go on. Otherwise ``launch.py`` with ``argv`` runs again inside ``.venv``: on POSIX in
    place of this process, on Windows as a child whose exit code is returned.

    Raises:
        EnvironmentProblem: one sentence.
        KeyboardInterrupt: the person pressed Ctrl-C while packages were installed.
    """
    restarted = os.environ.pop(RESTARTED, "")
    if os.environ.get("SPACE_ID"):
        return None
    if _is_a_package(root):
        if tests:
            raise EnvironmentProblem(
                "The tests are no part of an installed Tiller; run `python launch.py test` in a checkout of it."
            )
        return None
    wanted = _wanted(root, tests)
    folder = root / ".venv"
    inside = _same(Path(sys.prefix), folder)
    if not inside and not missing(wanted.values()):
        return None
    # The stamp is there, yet the interpreter in .venv does not see its own packages: its pyvenv.cfg is damaged.
    damaged = restarted == "entered" and not inside

    def goes_on(state: _State) -> bool:
        return inside and (state == "ready" or (state == "outdated" and not missing(wanted.values())))

    try:
        state = _glance(folder, wanted)
        if goes_on(state):
            return None
        if state == "ready" and not damaged and restarted != "installed":
            if torch_index:
                print(
                    f"PyTorch is installed already; to install another build of it, delete {folder} first.",
                    file=sys.stderr,
                )
            return _run_inside(folder, root, argv, "entered")
        with one_at_a_time(str(root)):
            # Another start may have done the work while this one waited its turn, or have been in the middle of it before.
            state = "broken" if damaged else examine(folder, wanted)
            if goes_on(state):
                return None
            if restarted == "installed":
                raise EnvironmentProblem(
                    f"The environment in {folder} does not work; delete that folder and start again."
                )
            if state != "ready":
                _make(folder, wanted, torch_index, anew=state == "broken")
        return _run_inside(folder, root, argv, "installed")
    except OSError as problem:
        raise _about_the_folder(folder, problem) from problem


# ---------------------------------------------------------------------------------------------------------- what is there


def _is_a_package(root: Path) -> bool:
    """Whether pip put this launch.py where it lies, with all that it needs."""
    import importlib.metadata

    if (root / "requirements.txt").exists():
        return False
    try:
        installed = importlib.metadata.distribution("tiller").locate_file("launch.py")
    except importlib.metadata.PackageNotFoundError:
        return False
    return _same(Path(str(installed)), root / "launch.py")


def _wanted(root: Path, tests: bool) -> dict[str, Path]:
    """The requirements files, by the name under which the stamp knows them."""
    names = ["requirements.txt", *(["tests/requirements.txt"] if tests else [])]
    for name in names:
        if not (root / name).is_file():
            raise EnvironmentProblem(
                f"The file {name} is missing in {root}; get the whole of Tiller again, not only a part of it."
            )
    return {name: root / name for name in names}


def missing(files: Iterable[Path]) -> list[str]:
    """The distributions of the requirements files that this interpreter lacks or has in a version that does not fit."""
    import importlib.metadata

    try:
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        # It comes with what Tiller needs: where it is not, nothing is installed yet.
        return ["packaging"]
    lacking = []
    for file in files:
        for line in filter(None, (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())):
            try:
                wanted = Requirement(line)
            except InvalidRequirement as problem:
                raise EnvironmentProblem(
                    f"The file {file} has a line that is no requirement: {line!r}; restore the file."
                ) from problem
            if wanted.marker and not wanted.marker.evaluate():
                continue
            try:
                fits = wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True)
            except importlib.metadata.PackageNotFoundError:
                fits = False
            if not fits:
                lacking.append(wanted.name)
    return lacking


def _glance(folder: Path, wanted: dict[str, Path]) -> _State:
    """What ``.venv`` looks like while another start may be making it: what is no environment may be one when that is done."""
    with contextlib.suppress(EnvironmentProblem):
        return examine(folder, wanted)
    return "broken"


def examine(folder: Path, wanted: dict[str, Path]) -> _State:
    """What ``.venv`` is: not there, broken, not (yet) installed for these requirements, or ready.

    Raises:
        EnvironmentProblem: something that is no environment has its name.
    """
    if not folder.exists() and not folder.is_symlink():
        return "absent"
    if not (folder / "pyvenv.cfg").is_file():
        if folder.is_dir() and not any(folder.iterdir()):
            return "absent"
        raise EnvironmentProblem(f"What lies at {folder} is no Python environment; move it away and start again.")
    if not python_of(folder).exists():
        return "broken"
    stamp = _read_stamp(folder)
    if not stamp:
        return "outdated"
    if stamp.get("state") != "ready":
        return "broken"
    if _same(Path(sys.prefix), folder) and stamp.get("python") != _python():
        return "broken"
    installed = stamp.get("installed")
    fits = isinstance(installed, dict) and all(installed.get(name) == _hash(file) for name, file in wanted.items())
    return "ready" if fits else "outdated"


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def _python() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def _same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return False


def _read_stamp(folder: Path) -> dict[str, object]:
    try:
        stamp = json.loads((folder / STAMP).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(folder: Path, stamp: dict[str, object]) -> None:
    half = folder / f"{STAMP}.{os.getpid()}"
    half.write_text(json.dumps(stamp, indent=1), "utf-8")
    half.replace(folder / STAMP)


# ------------------------------------------------------------------------------------------------------------- making it


def _make(folder: Path, wanted: dict[str, Path], torch_index: str | None, anew: bool) -> None:
    """Create ``.venv`` where it is not there or broken, and install the requirements files into it."""
    from core.install import pip

    base = str(getattr(sys, "_base_executable", None) or sys.executable)
    uv = pip.uv(base)
    if anew or examine(folder, wanted) == "absent":
        _create(folder, anew, [base, "-m", "venv", *(["--without-pip"] if uv else [])])
    python = python_of(folder)
    version = _version_of(python, folder)
    before, there = _read_stamp(folder), _contents(folder)
    _write_stamp(folder, {"state": "installing", "python": version, "installed": {}})
    try:
        pip.install(python, list(wanted.values()), torch_index, folder / "tiller-install.log", uv)
    except BaseException:
        # What was cut off before it changed anything leaves the environment as whole as it was.
        if _contents(folder) == there:
            _write_stamp(folder, before)
        raise
    already = before.get("installed")
    # What was installed before stays known: the tests' requirements are not forgotten when the others change.
    installed = dict(already) if isinstance(already, dict) else {}
    installed.update({name: _hash(file) for name, file in wanted.items()})
    _write_stamp(folder, {"state": "ready", "python": version, "installed": installed})


def _contents(folder: Path) -> set[str]:
    """The names of what is installed, the installer aside."""
    found = (path.name for lib in ("lib/python*", "Lib") for path in folder.glob(f"{lib}/site-packages/*"))
    return {name for name in found if not name.startswith(("pip", "__pycache__"))}


def _create(folder: Path, anew: bool, command: Sequence[str]) -> None:
    import shutil
    import subprocess

    if anew:
        print(f"The environment in {folder} is not whole; making it again.", file=sys.stderr)
        shutil.rmtree(folder)
    else:
        print(f"First start: making an environment in {folder}.", file=sys.stderr)
    made = folder.exists()
    try:
        # Asked for first, because venv's own complaint about a folder it cannot write is a traceback.
        folder.mkdir(exist_ok=True)
        done = subprocess.run([*command, str(folder)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except BaseException:
        if not made:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    if done.returncode == 0:
        return
    shutil.rmtree(folder, ignore_errors=True)
    said = f"{done.stdout}\n{done.stderr}"
    if "ensurepip" in said or "No module named venv" in said:
        raise EnvironmentProblem(
            f"This Python cannot make environments (its venv or ensurepip is missing); on Debian or Ubuntu run "
            f"`sudo apt install python{_python()}-venv`, elsewhere install Python from python.org, and start again."
        )
    for code, sign in (
        (errno.ENOSPC, "No space left"),
        (errno.EROFS, "Read-only file system"),
        (errno.EACCES, "Permission denied"),
    ):
        if sign in said:
            raise OSError(code, sign)
    last = said.strip().splitlines()[-1:] or ["it said nothing"]
    raise EnvironmentProblem(
        f"Python could not make an environment in {folder} ({last[0].strip()}); try another Python from 3.11 on."
    )


def _version_of(python: Path, folder: Path) -> str:
    """The version of the environment's Python, which is asked, because its base may have changed under it."""
    import subprocess

    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        version = done.stdout.strip()
    except OSError:
        version = ""
    if not re.fullmatch(r"\d+\.\d+", version):
        raise EnvironmentProblem(f"The Python in {folder} does not start; delete that folder and start again.")
    if tuple(int(part) for part in version.split(".")) < OLDEST:
        raise EnvironmentProblem(
            f"The environment {folder} holds Python {version}, and Tiller needs 3.11 or newer; delete that folder and start again."
        )
    return version


def _about_the_folder(folder: Path, problem: OSError) -> EnvironmentProblem:
    import shutil

    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return EnvironmentProblem(
            f"Tiller may not write to {folder.parent}, where its environment belongs; copy the folder to a place of your own, "
            f"or install requirements.txt into an environment of yours and start launch.py with its Python."
        )
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(folder.parent).free // 2**20
        return EnvironmentProblem(
            f"The disk is full ({free} MB left in {folder.parent}); make about 2 GB free and start again."
        )
    reason = problem.strerror or type(problem).__name__
    return EnvironmentProblem(
        f"The environment in {folder} could not be made ({reason}); delete that folder and start again."
    )


@contextlib.contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Two that install the same at once (the app and the terminal, say) take turns. The lock goes with the process that holds it."""
    import tempfile

    owner = os.getuid() if hasattr(os, "getuid") else 0
    name = f"tiller-{owner}-{hashlib.sha256(what.encode()).hexdigest()[:16]}.lock"
    try:
        handle = open(Path(tempfile.gettempdir()) / name, "a+b")  # noqa: SIM115 - closed below, after the lock
    except OSError:
        # No temporary folder to write to: then the installer will say so, in its own sentence.
        yield
        return
    with handle:
        _lock(handle.fileno())
        yield


def _lock(handle: int) -> None:
    def take(wait: bool) -> None:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))

    try:
        take(wait=False)
    except OSError:
        print("Another start of Tiller is installing; waiting for it.", file=sys.stderr)
        while True:
            try:
                return take(wait=True)
            except OSError as problem:
                # Windows gives up after ten seconds and wants to be asked again.
                if problem.errno not in (errno.EDEADLK, errno.EACCES):
                    raise


def _run_inside(folder: Path, root: Path, argv: Sequence[str], how: str) -> int:
    """``launch.py`` again, with the environment's Python."""
    command = [str(python_of(folder)), str(root / "launch.py"), *argv]
    environment = {**os.environ, RESTARTED: how}
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if os.name != "nt":
            os.execve(command[0], command, environment)
        import subprocess

        # Windows cannot replace a process: its exec returns to the shell at once, while the new process goes on.
        child = subprocess.Popen(command, env=environment)
        while True:
            # Ctrl-C reaches the child as well, which ends in its own way; this process only waits for it.
            with contextlib.suppress(KeyboardInterrupt):
                return child.wait()
    except OSError as problem:
        raise EnvironmentProblem(
            f"The Python in {folder} does not start ({problem.strerror}); delete that folder and start again."
        ) from problem
