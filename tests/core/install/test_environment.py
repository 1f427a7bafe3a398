"""The door: what happens on a stranger's machine, from the first start to everything that can be in the way.

Most tests start a small copy of the program that needs one tiny package, made here as a wheel; nothing is downloaded.
"""

from __future__ import annotations

import ast
import contextlib
import errno
import importlib.metadata
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from core.install import environment
from core.install import pip as installing
from core.install.environment import EnvironmentProblem, missing
from tests.support import tools
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

#: An interpreter outside of any virtual environment, as a stranger's machine has it.
PYTHON = str(getattr(sys, "_base_executable", sys.executable))
POSIX = os.name == "posix"
#: Stands for the program behind the door: says which interpreter runs it and which version of the package it sees.
BENCH = """
from core.cli.parser import Verb

def bench(options):
    import sys, tillertest
    print(sys.prefix, tillertest.VERSION, *options.words)
    return 0

BENCH = Verb("bench", "say what runs it", "bench", (), lambda parser: None, bench, raw=True)
"""


def wheel(folder: Path, version: str) -> None:
    """A package "tillertest" of that version, as a wheel in ``folder``."""
    pack(folder, "tillertest", version, {"tillertest.py": f"VERSION = {version!r}\n"})


def pack(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{each},,\n" for each in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for each, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(each, text)


@cache
def packaging() -> tuple[str, dict[str, str]]:
    """The version and the files of the library that compares what is installed with what is required."""
    found = importlib.metadata.distribution("packaging")
    names = [each for each in found.files or [] if each.parts[0] == "packaging" and each.suffix == ".py"]
    return found.version, {each.as_posix(): each.read_text("utf-8") for each in names}


class Project:
    """A small copy of the program in a folder of its own, with its own offline packages."""

    def __init__(self, folder: Path) -> None:
        # A path as people have them, with spaces and letters of their own.
        self.folder = folder / "Tiller für später"
        self.wheels = folder / "wheels"
        shutil.copytree(ROOT / "core", self.folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "benchmarks").mkdir()
        shutil.copy(ROOT / "launch.py", self.folder)
        (self.folder / "benchmarks" / "__init__.py").write_text(BENCH, "utf-8")
        self.require("tillertest>=1.0,<2\npackaging")
        wheel(self.wheels, "1.0")
        pack(self.wheels, "packaging", *packaging())

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def stamp(self) -> dict[str, object]:
        return json.loads((self.venv / "tiller.json").read_text("utf-8"))

    def require(self, text: str) -> None:
        (self.folder / "requirements.txt").write_text(text + "\n", "utf-8")

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "PYTHON", "TILLER", "SPACE"))
        }
        pip = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_RETRIES": "1",
        }
        return {name: value for name, value in {**kept, **pip, **changes}.items() if value}

    def start(self, *arguments: str, python: str = PYTHON, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [python, str(self.folder / "launch.py"), *(arguments or ("bench",))]
        return subprocess.run(
            command,
            env=self.environment(**changes),
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy in which nothing was started yet."""
    return Project(tmp_path)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but pip in it."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([PYTHON, "-m", "venv", str(folder)], check=True)
    return folder


@pytest.fixture
def made(project: Project, bare: Path) -> Project:
    """A copy whose environment was made, which takes seconds, and into which nothing was installed yet."""
    shutil.copytree(bare, project.venv, symlinks=True)
    return project


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy after its first start, which was two at once: they took turns, and one of them installed."""
    project = Project(tmp_path_factory.mktemp("started"))
    command = [PYTHON, str(project.folder / "launch.py"), "bench"]
    both = [
        subprocess.Popen(command, env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out for out, _ in said] == [f"{project.venv} 1.0\n"] * 2
    assert ["Installed in" in err for _, err in said].count(True) == 1
    assert "First start: making an environment" in "".join(err for _, err in said if "Installed in" in err)
    return project


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The last line on stderr of a start that failed as it should: without a traceback, with an exit code, with one sentence."""
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith((".", "?"))
    assert last[0].isupper() or last[0] == "'"
    return last


# ---------------------------------------------------------------------------------------------------------- any Python


def test_the_file_parses_on_python_3_6() -> None:
    text = (ROOT / "launch.py").read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 6))
    # The parser lets these through, though Python 3.6 does not have them.
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.NamedExpr | ast.Match | ast.TryStar)]


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 9, 2), (3, 10, 14)])
def test_an_old_python_gets_a_sentence(version: tuple[int, int, int], project: Project) -> None:
    code = f"import runpy, sys; sys.version_info = {version!r}; sys.argv = ['launch.py']; runpy.run_path('launch.py', run_name='__main__')"
    done = subprocess.run([PYTHON, "-c", code], cwd=project.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Tiller needs Python 3.11 or newer, and this is Python {version[0]}.{version[1]}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not project.venv.exists()


# --------------------------------------------------------------------------------------------------------- first start


def test_help_and_mistakes_install_nothing(project: Project) -> None:
    helped = project.start("--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "python launch.py chat" in helped.stdout
    wrong = project.start("chatt", "hello")
    assert wrong.returncode == 2
    assert sentence(wrong) == "'chatt' is not something Tiller does; did you mean chat?"
    assert not project.venv.exists()


def test_the_first_start_leaves_a_stamp(started: Project) -> None:
    assert started.stamp["state"] == "ready"
    assert started.stamp["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert started.stamp["installed"] == {"requirements.txt": environment._hash(started.folder / "requirements.txt")}


def test_the_next_start_asks_no_pip(started: Project) -> None:
    # Without any index pip could not even look: it is not run.
    done = started.start("bench", "--more", "words", PIP_FIND_LINKS="/nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{started.venv} 1.0 --more words\n", "")


def test_the_environments_own_python_goes_on_at_once(started: Project) -> None:
    done = started.start(python=str(environment.python_of(started.venv)), PIP_FIND_LINKS="/nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{started.venv} 1.0\n", "")


def test_any_interpreter_that_has_the_requirements_is_used_as_it_is(started: Project, tmp_path: Path) -> None:
    # The requirements are met by another environment than .venv; the copy has none and gets none.
    other = Project(tmp_path)
    done = other.start(python=str(environment.python_of(started.venv)))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{started.venv} 1.0\n", "")
    assert not other.venv.exists()


def test_changed_requirements_are_installed_again(started: Project) -> None:
    wheel(started.wheels, "1.5")
    started.require("tillertest>=1.5,<2  # newer")
    done = started.start()
    assert (done.returncode, done.stdout) == (0, f"{started.venv} 1.5\n")
    assert "First start" not in done.stderr
    assert started.start(PIP_FIND_LINKS="/nowhere").stderr == ""


def test_the_tests_requirements_are_installed_for_test_alone(started: Project) -> None:
    (started.folder / "tests").mkdir()
    (started.folder / "tests" / "requirements.txt").write_text("tillertest>=1.0\n", "utf-8")
    # There is no pytest in the copy: what counts is what was installed, and that pytest's failure is passed on.
    done = started.start("test", "-q")
    assert done.returncode == 1
    assert "No module named pytest" in done.stderr
    assert set(started.stamp["installed"]) == {"requirements.txt", "tests/requirements.txt"}


@pytest.mark.skipif(not POSIX, reason="a running interpreter cannot be removed on Windows")
def test_a_broken_environment_is_made_again(started: Project) -> None:
    # That one which was cut off is broken, too, is seen below.
    environment.python_of(started.venv).unlink()
    done = started.start()
    assert done.returncode == 0, done.stderr
    assert "is not whole; making it again" in done.stderr
    assert done.stdout.startswith(f"{started.venv} ")
    assert started.stamp["state"] == "ready"


def test_what_an_environment_is(started: Project, tmp_path: Path) -> None:
    wanted = {"requirements.txt": started.folder / "requirements.txt"}
    stamp = started.venv / "tiller.json"
    whole = stamp.read_text("utf-8")
    assert environment.examine(started.venv, wanted) == "ready"
    assert environment.examine(tmp_path / ".venv", wanted) == "absent"
    # Seen from inside, it has to be of the Python that runs.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "prefix", str(started.venv))
        assert environment.examine(started.venv, wanted) == "ready"
        stamp.write_text(json.dumps({**started.stamp, "python": "3.1"}), "utf-8")
        assert environment.examine(started.venv, wanted) == "broken"
    for text, state in (('{"state": "installing"}', "broken"), ("{", "outdated"), ("[]", "outdated"), (whole, "ready")):
        stamp.write_text(text, "utf-8")
        assert environment.examine(started.venv, wanted) == state
    (tmp_path / "requirements.txt").write_text("other>=1,<2\n", "utf-8")
    assert environment.examine(started.venv, {"requirements.txt": tmp_path / "requirements.txt"}) == "outdated"


@pytest.mark.parametrize(("changed", "state"), [(False, "outdated"), (True, "broken")])
def test_what_is_cut_off_is_made_again_only_where_it_changed_something(
    made: Project, monkeypatch: pytest.MonkeyPatch, changed: bool, state: str
) -> None:
    def cut_off(python: Path, *_more: object) -> None:
        if changed:
            site = next(made.venv.glob("lib*/**/site-packages"))
            (site / "torch").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(installing, "install", cut_off)
    wanted = {"requirements.txt": made.folder / "requirements.txt"}
    with pytest.raises(KeyboardInterrupt):
        environment._make(made.venv, wanted, None, anew=False)
    assert environment.examine(made.venv, wanted) == state


def test_installed_as_a_package_it_prepares_nothing(project: Project) -> None:
    (project.folder / "requirements.txt").unlink()
    info = project.folder / "tiller-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiller\nVersion: 1.0\n", "utf-8")
    done = project.start("bench")
    assert sentence(done).startswith("The package tillertest is missing in ")
    assert "part of an installed Tiller; run `python launch.py test` in a checkout" in sentence(project.start("test"))
    # Another Tiller that is installed somewhere says nothing about this folder.
    elsewhere = project.folder.parent / "elsewhere"
    elsewhere.mkdir()
    info.rename(elsewhere / info.name)
    assert "requirements.txt is missing" in sentence(project.start("bench", PYTHONPATH=str(elsewhere)))
    assert not project.venv.exists()


def test_on_a_space_nothing_is_installed(project: Project) -> None:
    done = project.start(SPACE_ID="someone/tiller")
    assert "The package tillertest is missing" in sentence(done)
    assert not project.venv.exists()


@pytest.mark.parametrize(
    ("half", "python", "changes"),
    [
        ("venv's first files", PYTHON, {}),
        ("packages on their way", PYTHON, {}),
        # The app has installed what it needs and begins again inside, while the tests' packages are installed beside it.
        ("packages on their way", "", {environment.RESTARTED: "installed"}),
    ],
)
def test_a_start_that_comes_in_the_middle_of_another_waits_and_takes_what_it_made(
    started: Project, half: str, python: str, changes: dict[str, str]
) -> None:
    whole = started.folder / "whole"
    with environment.one_at_a_time(str(started.folder)):
        started.venv.rename(whole)
        if half == "venv's first files":
            (started.venv / "include").mkdir(parents=True)
        else:
            shutil.copytree(whole, started.venv, symlinks=True)
            (started.venv / "tiller.json").write_text('{"state": "installing"}', "utf-8")
        python = python or str(environment.python_of(started.venv))
        command = [python, str(started.folder / "launch.py"), "bench"]
        other = subprocess.Popen(
            command, env=started.environment(**changes), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert other.stderr
        waits = other.stderr.readline()
        shutil.rmtree(started.venv)
        whole.rename(started.venv)
    out, err = other.communicate(timeout=PATIENCE)
    assert waits == "Another start of Tiller is installing; waiting for it.\n"
    assert (other.returncode, err) == (0, "")
    assert out.startswith(f"{started.venv} 1.")


# ------------------------------------------------------------------------------------------------------------------- uv

#: What stands in for uv where it is not there: it keeps what it was asked and unpacks every package that lies ready.
STAND_IN = """#!{python}
import os, pathlib, sys, zipfile
here = pathlib.Path(__file__).parent
with (here / "asked").open("a") as file:
    print(*sorted(name for name in os.environ if name.startswith("UV_") and "INDEX" in name), *sys.argv[1:], file=file)
python = pathlib.Path(sys.argv[sys.argv.index("--python") + 1])
for wheel in pathlib.Path({wheels!r}).glob("*.whl"):
    zipfile.ZipFile(wheel).extractall(next(python.parent.parent.glob("lib/python*/site-packages")))
print("Resolved 2 packages in 1ms", file=sys.stderr)
"""


def path_with(folder: Path, wheels: Path) -> str:
    """A PATH on which the stand-in comes first."""
    folder.mkdir()
    program = folder / "uv"
    program.write_text(STAND_IN.format(python=PYTHON, wheels=str(wheels)), "utf-8")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.skipif(not POSIX, reason="the stand-in is a script with a first line that names Python")
def test_uv_installs_where_it_is_there(project: Project, tmp_path: Path) -> None:
    path = path_with(tmp_path / "programs", project.wheels)
    none = {"PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}
    done = project.start(PATH=path, **none)
    assert (done.returncode, done.stdout) == (0, f"{project.venv} 1.0\n"), done.stderr
    assert "  Resolved 2 packages in 1ms\n" in done.stderr
    assert "Resolved" in (project.venv / "tiller-install.log").read_text("utf-8")
    asked = tmp_path / "programs" / "asked"
    assert asked.read_text("utf-8").split("\n")[0].endswith(f"-r {project.folder / 'requirements.txt'}")
    assert project.start(PATH=path, **none).stderr == ""
    # With PyTorch's own index, that comes first and alone.
    project.require("tillertest\npackaging\ntorch>=2.8,<=2.13.0")
    asked.unlink()
    # ... also of an index that uv's own settings name, which it would take first.
    project.start("bench", "--torch-index", "https://there/cpu", PATH=path, UV_DEFAULT_INDEX="https://mine", **none)
    first, second, _ = asked.read_text("utf-8").split("\n")
    assert first.startswith("pip install")
    assert first.endswith("--default-index https://there/cpu torch>=2.8,<=2.13.0")
    assert second.startswith("UV_DEFAULT_INDEX pip install")
    assert "--default-index" not in second
    # Where uv has gone, its environment gets a pip.
    project.require("tillertest>=0.9\npackaging")
    again = project.start()
    assert (again.returncode, again.stdout) == (0, f"{project.venv} 1.0\n"), again.stderr
    assert "making" not in again.stderr


@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not here")
def test_the_real_uv(project: Project) -> None:
    links = {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(project.wheels)}
    done = project.start(**links)
    assert (done.returncode, done.stdout) == (0, f"{project.venv} 1.0\n"), done.stderr
    assert not any(project.venv.glob("lib/python*/site-packages/pip"))
    project.require("tillertest>=7.0,<8\npackaging")
    assert sentence(project.start(**links)).startswith("There is no tillertest that fits this machine")


@pytest.mark.skipif(not POSIX, reason="the stand-in is a script with a first line that names Python")
@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ({}, True),
        ({"PIP_DEFAULT_TIMEOUT": "60"}, True),
        ({"PIP_INDEX_URL": "https://mirror"}, False),
        ({"PIP_CERT": "/a/file"}, False),
        ({"PIP_INDEX_URL": "https://mirror", "UV_INDEX_URL": "https://mirror"}, True),
    ],
)
def test_uv_is_not_taken_where_only_pip_knows_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], taken: bool
) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    for name, value in {"PIP_CONFIG_FILE": os.devnull, **told}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", path_with(tmp_path / "programs", tmp_path))
    assert installing.uv(sys.executable) == (str(tmp_path / "programs" / "uv") if taken else None)


# ------------------------------------------------------------------------------------------------------ what goes wrong


def test_no_network(made: Project) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{unused.getsockname()[1]}/simple"
        done = made.start(PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL=index)
    assert sentence(done).startswith("No connection to the package index; connect this machine to the network")
    # The environment itself stays whole: with a network the next start only installs.
    again = made.start()
    assert again.returncode == 0, again.stderr
    assert "making" not in again.stderr


def test_the_index_of_torch_is_named_when_it_does_not_answer(made: Project) -> None:
    made.require("torch>=2.8,<=2.13.0\ntillertest>=1.0,<2")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{unused.getsockname()[1]}/cpu"
        done = made.start("bench", "--torch-index", index, PIP_NO_INDEX="")
    assert f"No connection to the package index {index};" in sentence(done)


def test_no_build_for_this_machine(made: Project) -> None:
    made.require("tillertest>=7.0,<8")
    said = sentence(made.start())
    assert said.startswith("There is no tillertest that fits this machine (Python 3.")


def test_files_that_are_missing(project: Project) -> None:
    (project.folder / "requirements.txt").unlink()
    assert "requirements.txt is missing" in sentence(project.start())
    shutil.rmtree(project.folder / "core")
    assert "The folder core is missing beside launch.py" in sentence(project.start())


def test_something_else_has_the_name(project: Project) -> None:
    project.venv.mkdir()
    (project.venv / "letters.txt").write_text("mine", "utf-8")
    assert "is no Python environment; move it away" in sentence(project.start())
    assert (project.venv / "letters.txt").read_text("utf-8") == "mine"


def test_python_without_ensurepip(project: Project, tmp_path: Path) -> None:
    # What Debian's venv says where python3-venv is not installed.
    (tmp_path / "shadow").mkdir()
    words = "The virtual environment was not created successfully because ensurepip is not\\navailable.  On Debian/Ubuntu systems"
    (tmp_path / "shadow" / "venv.py").write_text(f"import sys\nprint('{words}')\nsys.exit(1)\n", "utf-8")
    said = sentence(project.start(PYTHONPATH=str(tmp_path / "shadow")))
    assert f"sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in said
    assert not project.venv.exists()


@pytest.mark.skipif(not POSIX, reason="rights of this kind are POSIX's")
def test_a_folder_that_may_not_be_written_to() -> None:
    # Not under pytest's folder, which other users may not enter; and as another user where root runs the tests, whom no rights stop.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project(folder)
        who = {"user": 65534, "group": 65534} if os.getuid() == 0 else {}
        for path in (folder, project.folder):
            path.chmod(0o555)
        python = next((p for p in (PYTHON, "/usr/bin/python3", "/usr/bin/python3.12") if runs(p, who)), None)
        assert python, "no Python that another user may start; install one in /usr/bin"
        done = subprocess.run(
            [python, str(project.folder / "launch.py"), "bench"],
            env=project.environment(), cwd="/", capture_output=True, text=True, check=False, **who,
        )  # fmt: skip
        for path in (folder, project.folder):
            path.chmod(0o755)
        assert f"Tiller may not write to {project.folder}" in sentence(done)
        assert not project.venv.exists()


def runs(python: str, who: dict[str, int]) -> bool:
    """Whether another user can start that interpreter, and it is new enough."""
    try:
        ask = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
        return subprocess.run([python, "-c", ask], cwd="/", capture_output=True, check=False, **who).returncode == 0
    except OSError:
        return False


@pytest.fixture
def silent_index() -> Iterator[socket.socket]:
    """A package index that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        server.settimeout(PATIENCE)
        yield server


@pytest.mark.skipif(not POSIX, reason="Ctrl-C is sent as a signal to a process group")
def test_ctrl_c_while_installing(made: Project, silent_index: socket.socket) -> None:
    address = f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple"
    process = subprocess.Popen(
        [PYTHON, str(made.folder / "launch.py"), "bench"],
        env=made.environment(PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL=address),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    connection, _ = silent_index.accept()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    connection.close()
    assert process.returncode == 130
    assert (out, err.strip().splitlines()[-1]) == ("", "Interrupted.")
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    again = made.start()
    assert again.returncode == 0, again.stderr


@pytest.mark.skipif(not POSIX, reason="pipes of this kind are POSIX's")
def test_a_reader_that_has_gone_is_no_error(project: Project) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [PYTHON, str(project.folder / "launch.py"), "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


# ------------------------------------------------------------------------------------------------- pip's words explained


@pytest.mark.parametrize(
    ("said", "code", "sign"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            1,
            "The disk is full",
        ),
        ("OSError: [Errno 122] Disk quota exceeded", 1, "The disk is full"),
        ("Collecting torch", -9, "want of memory"),
        ("ERROR: Operation cancelled by user", 1, "The installation was interrupted; start again"),
        (
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError(\"Failed to establish a new "
            "connection: [Errno -3] Temporary failure in name resolution\")'\nERROR: No matching distribution found for torch",
            1,
            "No connection to the package index",
        ),
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
            1,
            "PIP_CERT",
        ),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", 1, "HTTPS_PROXY"),
        (
            "ERROR: No matching distribution found for torch<=2.13.0,>=2.8",
            1,
            "There is no torch that fits this machine",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'",
            1,
            "may not be written to",
        ),
        (
            "ERROR: Cannot install a and b because these package versions have conflicting dependencies.",
            1,
            "conflicting dependencies",
        ),
        ("", 1, "pip could not install what Tiller needs;"),
    ],
)
def test_pips_words_become_one_sentence(said: str, code: int, sign: str) -> None:
    explained = installing.explain(said, code)
    assert sign in explained
    assert "\n" not in explained
    assert explained.endswith(".")


@pytest.mark.parametrize(
    ("said", "sign"),
    [
        ("cause: client error (Connect)\n  cause: tcp connect error", "uv could not install"),
        ("error: Request failed after 3 retries\n  cause: error sending request for url (x)", "No connection to"),
        ("error: Failed to fetch: `x`\n  Caused by: dns error", "No connection to the package index"),
        ("cause: invalid peer certificate: UnknownIssuer", "set SSL_CERT_FILE to"),
        ("error: failed to write\n  cause: No space left on device (os error 28)", "set UV_CACHE_DIR to a folder"),
        (
            "  cause: Because idna was not found in the cache and you require idna, we can conclude",
            "There is no idna that",
        ),
        ("  cause: Because only idna<=3.20 is available and you require idna>=99,<100,", "There is no idna that"),
        ("  ╰─▶ Because torch was not found in the package\n      registry and you require", "There is no torch that"),
        ("  cause: Because there is no version of torch==9 and you require torch==9", "There is no torch that"),
        ("  cause: Because all versions of gguf have no usable wheels and you require gguf", "There is no gguf that"),
        ("  cause: Because torch==2.13.0 has no wheels with a matching Python ABI tag", "There is no torch that"),
        (
            "  cause: Because you require a>3 and a<3, your requirements are unsatisfiable.",
            "needs (Because you require a>3",
        ),
        ("error: Unexpected '=' in r.txt:1:1", "uv could not install what Tiller needs (Unexpected '=' in r.txt:1:1);"),
    ],
)
def test_uvs_words_become_one_sentence(said: str, sign: str) -> None:
    explained = installing.explain(said, 1, by="uv")
    assert sign in explained
    assert "\n" not in explained
    assert explained.endswith(".")


@pytest.mark.parametrize(
    ("number", "sign"),
    [
        (errno.EROFS, "may not write to"),
        (errno.EACCES, "may not write to"),
        (errno.ENOSPC, "The disk is full ("),
        (errno.ENAMETOOLONG, "could not be made ("),
    ],
)
def test_the_systems_errors_become_one_sentence(tmp_path: Path, number: int, sign: str) -> None:
    problem = environment._about_the_folder(tmp_path / ".venv", OSError(number, os.strerror(number)))
    assert isinstance(problem, EnvironmentProblem)
    assert sign in str(problem)
    assert str(tmp_path) in str(problem)


# --------------------------------------------------------------------------------------------------------- requirements


def test_what_is_missing_here() -> None:
    assert missing([ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"]) == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(
        "# what\n\npytest[dev]>=1 # why\npytest<1\nno-such-package-here\nnor-this ; python_version < '3'\n", "utf-8"
    )
    assert missing([file]) == ["pytest", "no-such-package-here"]
    file.write_text("=1\n", "utf-8")
    with pytest.raises(EnvironmentProblem, match="is no requirement: '=1'; restore the file"):
        missing([file])


# ------------------------------------------------------------------------------------------- what tests need beside Python


class Machine:
    """A pretended machine: which programs there are, who one is, what the installers manage; and what was run on it."""

    def __init__(self, *programs: str, root: bool = False, sudo: bool = False, works: tuple[str, ...] = ()) -> None:
        self.programs = set(programs) | ({"sudo"} if sudo else set())
        self.root, self.sudo, self.works = root, sudo, works
        self.said: list[str] = []

    def which(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        words = " ".join(command[1:] if command[0] == sys.executable else command)
        if "-c" in command:
            # What a browser says to being opened: the system's is there or not, playwright's own once it was downloaded.
            program = command[3]
            good = program.removeprefix("/usr/bin/") in self.programs if program else "own" in self.programs
            return subprocess.CompletedProcess(command, 0 if good else 1, "")
        self.said.append(words)
        if words == "sudo -n true":
            return subprocess.CompletedProcess(command, 0 if self.sudo else 1, "")
        good = any(work in f"{words} " for work in self.works)
        if good and "playwright" in words:
            self.programs.add("own")
        elif good and " install " in words:
            self.programs.add(command[-1])
        return subprocess.CompletedProcess(command, 0 if good else 1, "Reading…\nE: Unable to locate package\nlast\n")


APT = "env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600"
SHELL = f"{APT} install -y --no-install-recommends chromium-headless-shell"
CHROMIUM = f"{APT} install -y --no-install-recommends chromium"


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Machine], Machine]:
    def put(machine: Machine) -> Machine:
        monkeypatch.setattr(tools.shutil, "which", machine.which)
        monkeypatch.setattr(tools, "run", machine.run)
        monkeypatch.setattr(tools.os, "geteuid", lambda: 0 if machine.root else 1000)
        return machine

    return put


@pytest.mark.parametrize(
    ("machine", "found", "said"),
    [
        # What is there is taken, and nothing is run.
        (Machine("google-chrome", "apt-get", root=True), "/usr/bin/google-chrome", []),
        (Machine("own", "apt-get", root=True), "", []),
        # The package manager, as root or by a sudo that does not ask.
        (
            Machine("apt-get", root=True, works=("apt-get",)),
            "/usr/bin/chromium-headless-shell",
            [f"{APT} update", SHELL],
        ),
        (
            Machine("apt-get", sudo=True, works=("recommends chromium ",)),
            "/usr/bin/chromium",
            ["sudo -n true", f"sudo -n {APT} update", f"sudo -n {SHELL}", f"sudo -n {CHROMIUM}"],
        ),
        # Where it cannot, playwright's own download, with the system's libraries where it may install them.
        (
            Machine("apt-get", root=True, works=("--with-deps",)),
            "",
            [f"{APT} update", SHELL, CHROMIUM, "-m playwright install --with-deps chromium"],
        ),
        (
            Machine("apt-get", root=True, works=("playwright install chromium",)),
            "",
            [
                f"{APT} update", SHELL, CHROMIUM, "-m playwright install --with-deps chromium", "-m playwright install chromium",
            ],
        ),
        # A sudo that would ask is no way; nor is there one on a Mac or on Windows.
        (Machine("apt-get", "sudo", works=("playwright",)), "", ["sudo -n true", "sudo -n true", "-m playwright install chromium"]),
        (Machine(works=("playwright",)), "", ["-m playwright install chromium"]),
        (Machine(), None, ["-m playwright install chromium"]),
    ],
)  # fmt: skip
def test_how_a_browser_is_come_by(
    on: Callable[[Machine], Machine],
    machine: Machine,
    found: str | None,
    said: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = on(Machine(*machine.programs, root=machine.root, sudo=machine.sudo, works=machine.works))
    assert tools.CHROMIUM.find() == found
    assert made.said == said
    told = capsys.readouterr().err
    assert ("Installing chromium by apt-get, since the tests need it.\n" in told) == any(APT in each for each in said)
    assert ("Downloading playwright's own Chromium" in told) == any("playwright" in each for each in said)
    if CHROMIUM in said and "apt-get" not in machine.works:
        assert "apt-get could not install chromium (E: Unable to locate package).\n" in told
    if found is None:
        assert "playwright could not download its Chromium (E: Unable to locate package).\n" in told


def test_a_browser_that_lacks_a_library_is_none(
    on: Callable[[Machine], Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = on(Machine("chromium", works=("playwright",)))
    run = machine.run
    monkeypatch.setattr(
        tools, "run",
        lambda *command: subprocess.CompletedProcess(command, 127, "") if "/usr/bin/chromium" in command else run(*command),
    )  # fmt: skip
    assert tools.chromium() == ""


def test_how_tmux_is_come_by(on: Callable[[Machine], Machine]) -> None:
    assert on(Machine("tmux")).said == []
    assert tools.TMUX.find() == "/usr/bin/tmux"
    machine = on(Machine("apt-get", root=True, works=("apt-get",)))
    assert tools.TMUX.find() == "/usr/bin/tmux"
    assert machine.said[-1] == f"{APT} install -y --no-install-recommends tmux"
    for poor in (Machine("apt-get", root=True), Machine("apt-get"), Machine()):
        on(poor)
        assert tools.TMUX.find() is None


def test_processes_that_share_a_folder_look_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def find() -> str | None:
        asked.append("once")
        return None

    tool = tools.Tool("Chromium", find)
    assert [tools.found_once(tool, tmp_path, contextlib.nullcontext) for _ in range(3)] == [None] * 3
    assert asked == ["once"]


#: A test of each kind, in a folder of its own with the suite's own conftest.
NEEDY = """
def test_plain(): pass
def test_page(chromium_program): assert chromium_program == "/usr/bin/chromium-headless-shell"
def test_other_page(chromium_program): assert chromium_program == "/usr/bin/chromium-headless-shell"
def test_screen(tmux_program): assert tmux_program
"""
#: Puts a machine in the place of this one that has no package manager.
BARE = """
from tests.support import tools
tools.shutil.which = {which}
tools.run = lambda *command: __import__("subprocess").CompletedProcess(command, {code}, "")
"""


def needy(folder: Path, which: str, code: int, *arguments: str, ci: str = "") -> str:
    (folder / "bare.py").write_text(BARE.format(which=which, code=code), "utf-8")
    (folder / "test_needy.py").write_text(NEEDY, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "bare", "-p", "conftest", *(arguments or ("-q",)), "test_needy.py"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={
            **{name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")},
            "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT / "tests"), str(ROOT))), **({"CI": ci} if ci else {}),
        },
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("shared", [(), ("-q", "--numprocesses", "2")])
def test_what_cannot_be_had_is_skipped_with_one_sentence(tmp_path: Path, shared: tuple[str, ...]) -> None:
    said = needy(tmp_path, "lambda name: None", 1, *shared)
    assert "1 passed, 3 skipped" in said
    assert said.count("Downloading playwright's own Chromium") == 1
    last = said.strip().splitlines()[-1]
    assert last.startswith("Tests that were skipped: 2 for want of Chromium (`")
    assert last.endswith(
        "-m playwright install chromium` brings it) and 1 for want of tmux (the system's package manager brings it)."
    )


def test_in_ci_nothing_is_skipped(tmp_path: Path) -> None:
    said = needy(tmp_path, "lambda name: None", 1, ci="true")
    assert "1 passed, 3 errors" in said
    assert "there is no Chromium here, and in CI nothing is skipped" in said
    assert "Tests that were skipped" not in said


def test_nothing_is_looked_for_that_no_test_asks_for(tmp_path: Path) -> None:
    said = needy(tmp_path, "lambda name: None", 1, "-q", "-k", "plain")
    assert "1 passed" in said
    assert "Chromium" not in said
    assert "4 passed" in needy(tmp_path, "lambda name: '/usr/bin/' + name", 0)


def test_the_workflow_and_the_readme_run_what_a_person_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "python3 launch.py test" in ci
    assert "apt-get" not in ci
    assert "ruff format --check ." in ci
    assert "./.ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in ("python launch.py\n", "python launch.py tui\n", "python launch.py test\n"):
        assert command in readme
    assert re.search(r"--torch-index https://download\.pytorch\.org/whl/cpu\n", readme)
