"""The one door to Tiller: the browser app, the terminal app, and every verb of the command line.

``python launch.py`` needs nothing but Python: it makes ``.venv`` beside itself, installs requirements.txt there and goes on inside
it. This file has to parse on Python 3.6, so that an old Python gets a sentence instead of a syntax error: no ``from __future__
import annotations``, no ``match``, no walrus. What is below the first lines runs on Python 3.11 or newer.
"""

import os
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Tiller needs Python 3.11 or newer, and this is Python %d.%d (%s); get a newer one from python.org and start Tiller with it, "
        "for example: python3.12 launch.py" % (sys.version_info[0], sys.version_info[1], sys.executable)
    )

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cli.options import Command

ROOT = Path(__file__).resolve().parent
#: What a shell reports for a program that Ctrl-C ended.
INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Run one command line; returns the exit code. Every mistake a person can mend ends in one sentence on stderr."""
    # The program may be started from any folder, and by a link to this file.
    sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []
    try:
        from core.errors import TillerError
    except ImportError:
        return _say(
            f"The folder core is missing beside launch.py in {ROOT}; get the whole of Tiller again, not this file alone."
        )
    try:
        code = run(argv)
        # Written here, where a reader that has gone can be told from an error, and not when the interpreter ends.
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        return _closed_pipe()
    except TillerError as problem:
        return _say(str(problem), 2 if type(problem).__name__ == "UsageError" else 1)
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] in ("app", "tui", "core", "benchmarks"):
            raise
        return _say(
            f"The package {problem.name} is missing in {sys.prefix}; install requirements.txt there and start again."
        )


def run(argv: list[str]) -> int:
    """Read the command line, see to the environment, and hand over to the verb."""
    from core.cli.help import help_text
    from core.cli.parser import for_the_process, read_command_line
    from core.install.environment import prepare

    command = read_command_line(argv)
    if command.verb == "help":
        print(help_text(command.topic))
        return 0
    code = prepare(ROOT, argv, tests=command.verb == "test", torch_index=command.torch_index)
    if code is not None:
        return code
    offline, trusted = for_the_process(command)
    if offline or trusted:
        from core.models import hub

        # Before any library is imported that reads it.
        if offline:
            hub.go_offline()
        hub.trust(trusted)
    verbs = {
        "web": web,
        "tui": tui,
        "chat": chat,
        "train-skiff": train_skiff,
        "evaluate": evaluate,
        "precompute": precompute,
        "confidence": confidence,
        "report": report,
        "families": families,
        "import": bring,
        "export": take,
        "bake": bake,
        "learn": learn,
        "transfer": transfer,
        "blame": blame,
        "undo": undo,
    }
    verbs.update({"trace": trace, "test": test, "bench": bench})
    return verbs[command.verb](_together(command)) or 0


def _together(command: "Command") -> "Command":
    """The command line with the name of the family that it puts together by --base and --post."""
    from dataclasses import replace

    if not command.options.base:
        return command
    from core.cli.adhoc_family import family_of

    return replace(command, options=replace(command.options, family=family_of(command.options)))


def web(command: "Command") -> int | None:
    """The browser app."""
    from app import serve

    return serve(command.options)


def tui(command: "Command") -> int | None:
    """The terminal app."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _say("The terminal app needs a terminal; start it in one, or use `python launch.py chat` in a pipe.", 2)
    import tui

    return tui.run(command.options, command.options.link)


def chat(command: "Command") -> int | None:
    """One answer to stdout."""
    from core.cli.chat import run_chat

    return run_chat(command.options, command.chat)


def families(command: "Command") -> int | None:
    """What families there are, and what of them is here."""
    from core.cli.families import run_families

    return run_families(command.rest[0] if command.rest else None)


def train_skiff(command: "Command") -> int | None:
    """Train the shipped family from scratch."""
    from core.skiff.train.command import train_skiff

    return train_skiff(list(command.rest))


def evaluate(command: "Command") -> int | None:
    """Measure a family and write its card."""
    from core.skiff.evaluate.command import evaluate

    return evaluate(list(command.rest))


def precompute(command: "Command") -> int | None:
    """Learn a family's directions."""
    from core.cli.precompute import run_precompute

    return run_precompute(list(command.rest))


def bring(command: "Command") -> int | None:
    """A vector of another program becomes a direction."""
    from core.cli.exchange import run_import

    return run_import(list(command.rest))


def take(command: "Command") -> int | None:
    """A direction becomes a file for others."""
    from core.cli.exchange import run_export

    return run_export(list(command.rest))


def bake(command: "Command") -> int | None:
    """A recipe becomes a model folder."""
    from core.cli.exchange import run_bake

    return run_bake(list(command.rest))


def learn(command: "Command") -> int | None:
    """Learn one direction."""
    from core.cli.learn import run_learn

    return run_learn(list(command.rest))


def trace(command: "Command") -> int | None:
    """Knowledge maps."""
    from core.cli.trace import run_trace

    return run_trace(list(command.rest))


def confidence(command: "Command") -> int | None:
    """Entropy neurons and calibration, in tables."""
    from core.cli.confidence import run_confidence

    return run_confidence(list(command.rest))


def report(command: "Command") -> int | None:
    """One page with the four findings on a model pair."""
    from core.cli.report import run_report

    return run_report(list(command.rest))


def transfer(command: "Command") -> int | None:
    """Carry directions between checkpoints."""
    from core.cli.transfer import run_transfer

    return run_transfer(list(command.rest))


def blame(command: "Command") -> int | None:
    """Which training stage made it say that."""
    from core.cli.blame import run_blame

    return run_blame(list(command.rest))


def undo(command: "Command") -> int | None:
    """Remove a stage's part."""
    from core.cli.undo import run_undo

    return run_undo(list(command.rest))


def test(command: "Command") -> int:
    """pytest, in processes of its own, so that nothing of this one is in the tests' way.

    The whole suite is shared among the cores, file by file. What is asked for by arguments runs in one process, where ``--pdb`` works.
    """
    import subprocess

    # One more than there are cores, since tests also wait for a browser, a terminal or a process; more than four share these badly.
    # In their own order: those of the browser, few and slow, would else come last, and one process would have them all.
    shared = ["--numprocesses", str(min(4, 1 + (os.cpu_count() or 1))), "--dist", "loadfile", "--no-loadscope-reorder"]
    pytest = subprocess.Popen([sys.executable, "-m", "pytest", *(command.rest or shared)], cwd=ROOT)
    while True:
        try:
            return pytest.wait()
        except KeyboardInterrupt:
            # pytest gets Ctrl-C too and prints what it has; wait for it.
            continue


def bench(command: "Command") -> int | None:
    """Speed, as ratios."""
    from benchmarks import bench

    return bench(list(command.rest))


def _say(sentence: str, code: int = 1) -> int:
    try:
        print(sentence, file=sys.stderr)
    except OSError:
        # Nobody is there to read it; the exit code still says it.
        return code
    return code


def _closed_pipe() -> int:
    """The reader of stdout has gone (`| head`): stop quietly, as other programs do."""
    # Python flushes stdout once more when it ends; that must not complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
