"""The door: what happens on a stranger's machine, from the first start to everything that can be in the way.

Most tests start a small copy of the program that needs one tiny package, made here as a wheel; nothing is downloaded.
"""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.install import environment
from core.install import pip as installing
from core.install.environment import EnvironmentProblem, missing, requirements, satisfies
from tests.support.paths import ROOT

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
    folder.mkdir(exist_ok=True)
    info = f"tillertest-{version}.dist-info"
    files = {
        "tillertest.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tillertest\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"tillertest-{version}-py3-none-any.whl", "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)


class Project:
    """A small copy of the program in a folder of its own, with its own offline packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tiller"
        self.wheels = folder / "wheels"
        shutil.copytree(ROOT / "core", self.folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "benchmarks").mkdir()
        shutil.copy(ROOT / "launch.py", self.folder)
        (self.folder / "benchmarks" / "__init__.py").write_text(BENCH, "utf-8")
        self.require("tillertest>=1.0,<2")
        wheel(self.wheels, "1.0")

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
            if not name.startswith(("PIP_", "PYTHON", "TILLER", "SPACE"))
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
            timeout=120,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy in which nothing was started yet."""
    return Project(tmp_path)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy after its first start."""
    project = Project(tmp_path_factory.mktemp("started"))
    first = project.start()
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"{project.venv} 1.0\n"
    assert "First start: making an environment" in first.stderr
    assert "Installed in" in first.stderr
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
@pytest.mark.parametrize("damage", ["no interpreter", "other Python"])
def test_a_broken_environment_is_made_again(started: Project, damage: str) -> None:
    if damage == "no interpreter":
        environment.python_of(started.venv).unlink()
    else:
        (started.venv / "tiller.json").write_text(json.dumps({**started.stamp, "python": "3.1"}), "utf-8")
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
    for text, state in (('{"state": "installing"}', "broken"), ("{", "outdated"), ("[]", "outdated"), (whole, "ready")):
        stamp.write_text(text, "utf-8")
        assert environment.examine(started.venv, wanted) == state
    (tmp_path / "requirements.txt").write_text("other>=1,<2\n", "utf-8")
    assert environment.examine(started.venv, {"requirements.txt": tmp_path / "requirements.txt"}) == "outdated"


def test_on_a_space_nothing_is_installed(project: Project) -> None:
    done = project.start(SPACE_ID="someone/tiller")
    assert "The package tillertest is missing" in sentence(done)
    assert not project.venv.exists()


def test_two_first_starts_at_once_take_turns(project: Project) -> None:
    command = [PYTHON, str(project.folder / "launch.py"), "bench"]
    both = [
        subprocess.Popen(command, env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out for out, _ in said] == [f"{project.venv} 1.0\n"] * 2
    assert sum("Installed in" in err for _, err in said) == 1


# ------------------------------------------------------------------------------------------------------ what goes wrong


def test_no_network(project: Project) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{unused.getsockname()[1]}/simple"
        done = project.start(PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL=index)
    assert sentence(done).startswith("No connection to the package index; connect this machine to the network")
    # The environment itself is whole: with a network the next start only installs.
    again = project.start()
    assert again.returncode == 0, again.stderr
    assert "making" not in again.stderr


def test_the_index_of_torch_is_named_when_it_does_not_answer(project: Project) -> None:
    project.require("torch>=2.8,<=2.13.0\ntillertest>=1.0,<2")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{unused.getsockname()[1]}/cpu"
        done = project.start("bench", "--torch-index", index, PIP_NO_INDEX="")
    assert f"No connection to the package index {index};" in sentence(done)


def test_no_build_for_this_machine(project: Project) -> None:
    project.require("tillertest>=7.0,<8")
    said = sentence(project.start())
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
def silent_index() -> Iterator[str]:
    """The address of a package index that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.mark.skipif(not POSIX, reason="Ctrl-C is sent as a signal to a process group")
def test_ctrl_c_while_installing(project: Project, silent_index: str) -> None:
    process = subprocess.Popen(
        [PYTHON, str(project.folder / "launch.py"), "bench"],
        env=project.environment(PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL=silent_index),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: (project.venv / "tiller-install.log").exists())
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err.strip().splitlines()[-1]) == ("", "Interrupted.")
    assert "Traceback" not in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    again = project.start()
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


def test_progress_follows_pip_without_repeating_itself(capsys: pytest.CaptureFixture[str]) -> None:
    line = installing._Line()
    for text in (
        "Collecting torch<=2.13.0,>=2.8 (from -r requirements.txt (line 3))",
        "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)",
        "Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (526.1 MB)",
        "Progress 1000000 of 526100000",
        "Downloading idna-3.20-py3-none-any.whl (70 kB)",
        "WARNING: Retrying (Retry(total=3, connect=None, read=None)) after connection broken by 'ReadTimeoutError'",
        "Installing collected packages: idna, torch",
    ):
        line.follow(text)
    assert capsys.readouterr().err.splitlines() == [
        "  downloading torch-2.13.0 (526.1 MB)",
        "  no answer from the package index; trying again (tries left: 3)",
        "  unpacking 2 packages",
    ]


def test_unpacking_counts_the_packages_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    there = [3]
    line = installing._Line(lambda: there[0])
    line.live = True
    line.follow("Installing collected packages: a, b, c")
    there[0] = 5
    line.tick(force=True)
    line.follow("Successfully installed a b c")
    assert capsys.readouterr().err.endswith("unpacking 3 packages, 2 done")


# --------------------------------------------------------------------------------------------------------- requirements


@pytest.mark.parametrize(
    ("version", "operator", "pin", "fits"),
    [
        ("2.13.0+cpu", "<=", "2.13.0", True),
        ("2.13.1", "<=", "2.13.0", False),
        ("2.8", ">=", "2.8.0", True),
        ("2.10.0", ">=", "2.9", True),
        ("8.3.0", "<", "8.3", False),
        ("8.2.99", "<", "8.3", True),
        ("5.23.0", "==", "5.23", True),
        ("5.23.1", "==", "5.23.0", False),
        ("1.0", "!=", "1.0.0", False),
        ("1.1rc1", ">", "1.0", True),
    ],
)
def test_versions_against_pins(version: str, operator: str, pin: str, fits: bool) -> None:
    assert satisfies(version, operator, pin) is fits


def test_an_operator_that_nobody_reads_is_no_silent_yes() -> None:
    with pytest.raises(ValueError, match="not used"):
        satisfies("1.0", "~=", "1.0")


def test_lines_of_a_requirements_file(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text('# what\n\na>=1,<2 # why\nb[x] == 3.0 ; python_version < "4"\n-r other.txt\nc\n', "utf-8")
    assert dict(requirements(file)) == {"a": ((">=", "1"), ("<", "2")), "b": (("==", "3.0"),), "c": ()}
    file.write_text("=1\n", "utf-8")
    with pytest.raises(EnvironmentProblem, match="is no requirement"):
        list(requirements(file))


def test_what_is_missing_here() -> None:
    assert missing([ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"]) == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("pytest>=1\npytest<1\nno-such-package-here\n", "utf-8")
    assert missing([file]) == ["pytest", "no-such-package-here"]


def test_the_workflow_and_the_readme_run_what_a_person_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "python3 launch.py test" in ci
    assert "./.ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    for command in ("python launch.py\n", "python launch.py tui\n", "python launch.py test\n"):
        assert command in readme
    assert re.search(r"--torch-index https://download\.pytorch\.org/whl/cpu\n", readme)
