"""Command lines as ``launch.py`` reads and runs them, in this process."""

from __future__ import annotations

from collections.abc import Sequence

import launch
from core.cli.command_line import Command, read_command_line
from core.cli.runner import run_verb

VERBS = launch.verbs()


def read(words: Sequence[str]) -> Command:
    """What a command line says. Raises UsageError."""
    return read_command_line(words, VERBS)


def verb(name: str, words: Sequence[str]) -> int:
    """Run a verb with what is typed behind it; its exit code. Raises TillerError."""
    return run_verb(read([name, *words]))
