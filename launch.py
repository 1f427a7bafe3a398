"""The one door to Tiller: the browser app, the terminal app, and every verb of the command line.

``python launch.py`` needs nothing but Python: it makes ``.venv`` beside itself, installs requirements.txt there and goes on inside
it. This file has to parse on Python 3.6, so that an old Python gets a sentence instead of a syntax error: no ``from __future__
import annotations``, no ``match``, no walrus. What is below the first lines runs on Python 3.11 or newer.
"""

import errno
import os
import signal
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Tiller needs Python 3.11 or newer, and this is Python %d.%d (%s); get a newer one from python.org and start Tiller with it, "
        "for example: python3.12 launch.py" % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cli.options import Options
    from core.cli.parser import Verb

ROOT = Path(__file__).resolve().parent
#: What a shell reports for a program that Ctrl-C ended.
INTERRUPTED = 130


def console() -> int:
    """The command ``tiller`` of an installation; returns the exit code."""
    # Ended from outside (a service, a closed terminal), it leaves as behind Ctrl-C: what it made for the time being is removed.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What is ignored, as nohup has it, stays ignored.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    return main(sys.argv[1:])


def _end(number: int, _frame: object) -> None:
    """Leave now; the same signal once more does not wait for anything."""
    signal.signal(number, signal.SIG_DFL)
    sys.exit(128 + number)


def main(argv: list[str]) -> int:
    """Run one command line; returns the exit code. Every mistake a person can mend ends in one sentence on stderr."""
    # The program may be started from any folder, and by a link to this file.
    sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []
    try:
        from core.errors import TillerError
        from core.util.streams import prepare_streams
    except ImportError:
        return _say(
            f"The folder core is missing beside launch.py in {ROOT}; get the whole of Tiller again, not this file alone."
        )
    prepare_streams()
    # Read when torch is loaded. Threads that spin while they wait for each other lose a whole time slice at every product to whatever
    # else is busy on their core, such as the browser that shows the page; `bench products` measures it.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        code = run(argv)
        # Written here, where a reader that has gone can be told from an error, and not when the interpreter ends.
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        return _closed_pipe()
    except OSError as problem:
        # Only a full or broken device behind the program's own output, which has no name; a socket's error, say, is another matter.
        if problem.filename is not None or problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            return _unforeseen(problem)
        _drop_output()
        return _say(f"The output cannot be written ({problem.strerror or problem}); make room, or send it elsewhere.")
    except TillerError as problem:
        return _say(str(problem), 2 if type(problem).__name__ == "UsageError" else 1)
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] in ("app", "tui", "core", "benchmarks"):
            raise
        return _say(
            f"The package {problem.name} is missing in {sys.prefix}; install requirements.txt there and start again."
        )
    except Exception as problem:
        return _unforeseen(problem)


def run(argv: list[str]) -> int:
    """Read the command line, see to the environment, and hand over to the verb."""
    from core.cli.command_line import read_command_line
    from core.cli.runner import run_verb
    from core.install.environment import prepare

    command = read_command_line(argv, verbs())
    if command.text:
        print(command.text)
        return 0
    code = prepare(ROOT, argv, tests=command.verb.name == "test", torch_index=command.options.torch_index)
    return run_verb(command) if code is None else code


def verbs() -> "dict[str, Verb]":
    """Everything that a person can ask for, by name."""
    from benchmarks import BENCH
    from core.cli.embed import embed_verb
    from core.cli.evaluate import evaluate_verb
    from core.cli.verbs import every
    from core.skiff import verbs as skiff
    from core.smollm2 import verbs as smollm2

    evaluation = evaluate_verb(skiff.SKIFF_EVALUATION, smollm2.SMOLLM2_EVALUATION)
    return every(
        web, api, tui, test, skiff.TRAIN_SKIFF, smollm2.TRAIN_SMOLLM2, evaluation, embed_verb(skiff.SKIFF_REPLAY), BENCH
    )


def web(options: "Options") -> int:
    """The browser app. On a Space that was made of the repository as it is, where strangers come to chat, it opens on the real model that
    has stages of ours."""
    from app import serve, zero
    from core.smollm2.verbs import FAMILY
    from core.util.program import DEFAULT_FAMILY

    zero.stay_on_the_processor(options)
    if os.environ.get("SPACE_ID") and not sys.argv[1:]:
        options.family, options.offers = FAMILY, (*options.offers, DEFAULT_FAMILY)
    return serve(options)


def api(options: "Options") -> int:
    """The API for other programs, without the page."""
    from app import serve_api

    return serve_api(options)


def tui(options: "Options") -> int:
    """The terminal app."""
    from core.util.program import program

    # Textual draws on stderr.
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return _say(
            f"The terminal app needs a terminal; start it in one, or use `{program()} chat MESSAGE` in a pipe.", 2
        )
    if os.environ.get("TERM") in ("dumb", "unknown"):
        return _say(
            f"This terminal cannot place text on its screen (TERM is {os.environ['TERM']}); start the app in another one, or use "
            f"`{program()} chat MESSAGE`.",
            2,
        )
    try:
        "│▓●✓".encode(sys.stderr.encoding)
    except UnicodeError:
        return _say(
            f"This terminal is said to show {sys.stderr.encoding} alone, which lacks the app's signs; set LC_ALL=C.UTF-8 (or another "
            f"UTF-8 locale), or use `{program()} chat MESSAGE`.",
            2,
        )
    import tui

    return tui.run(options, options.link)


def test(options: "Options") -> int:
    """pytest, in processes of its own, so that nothing of this one is in the tests' way.

    The whole suite is shared among the cores, file by file. What is asked for by arguments runs in one process, where ``--pdb`` works.
    """
    import subprocess

    # One more than there are cores, since tests also wait for a browser, a terminal or a process; more than four share these badly.
    # In their own order: those of the browser, few and slow, would else come last, and one process would have them all.
    shared = ["--numprocesses", str(min(4, 1 + (os.cpu_count() or 1))), "--dist", "loadfile", "--no-loadscope-reorder"]
    # Tests start hundreds of processes: where Python is told to keep nothing that it compiled, each compiles the whole program.
    around = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    pytest = subprocess.Popen([sys.executable, "-m", "pytest", *(options.words or shared)], cwd=ROOT, env=around)
    try:
        while True:
            try:
                return pytest.wait()
            except KeyboardInterrupt:
                # pytest gets Ctrl-C too and prints what it has; wait for it.
                continue
    finally:
        # It has ended, unless this process is told to; then nobody waits for it.
        pytest.terminate()


def _say(sentence: str, code: int = 1) -> int:
    print(sentence, file=sys.stderr)
    return code


def _unforeseen(problem: Exception) -> int:
    """A fault of ours, or an error of a library that nobody foresaw."""
    from core.util.faults import fault

    return _say(fault("Tiller", problem))


def _closed_pipe() -> int:
    """The reader of stdout has gone (`| head`): stop quietly, as other programs do."""
    _drop_output()
    return 0


def _drop_output() -> None:
    """Python flushes stdout once more when it ends; that must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(console())
