"""What the value of an option may be: each reader checks a text and converts it, or says what would do.

A reader is an argparse ``type``: what it raises begins with a verb ("takes …"), and the parser puts the option's name before it. Standard
library only: a typing mistake answers at once, on a machine where nothing is installed yet.
"""

from __future__ import annotations

import re
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Callable, Collection
from pathlib import Path

from core.errors import UsageError
from core.models import memory
from core.recipes.language import RecipeError, parse

_DTYPES = ("float32", "bfloat16", "float16")
MAX_THREADS = 1024


def nonempty_text(value: str) -> str:
    """Any text that says something."""
    if not value.strip():
        raise ArgumentTypeError("is empty; give it a value or leave it out.")
    return value


def file(value: str) -> Path:
    """A file that is written once everything is computed: that it can be is known before. Raises UsageError."""
    path = Path(value)
    if not value.strip() or path.is_dir():
        raise UsageError(f"{value!r} is no name for a file; give one that can be written.")
    folder = next(each for each in path.absolute().parents if each.exists())
    try:
        # What a system says that one may do, and what it lets one do, are not the same.
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({folder}: {error.strerror}); choose another folder.") from error
    return path


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers between two."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", value) or not low <= int(value) <= high:
            raise ArgumentTypeError(f"takes a whole number from {low} to {high}, not {value!r}.")
        return int(value)

    return read


thread_number = whole_number(1, MAX_THREADS)


def any_number(value: str) -> float:
    """Any number."""
    try:
        return float(value)
    except ValueError as error:
        raise ArgumentTypeError(f"takes a number, not {value!r}.") from error


def one_of(*names: str, also: Collection[tuple[str, str]] = ()) -> Callable[[str], str]:
    """A reader of one of some names, of which some may be written in another way ``also``."""
    meant = {**{name: name for name in names}, **dict(also)}

    def read(value: str) -> str:
        if value not in meant:
            said = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
            raise ArgumentTypeError(f"takes {said}, not {value!r}.")
        return meant[value]

    return read


dtype = one_of("auto", *_DTYPES, also=(("fp32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")))
quantize = one_of("none", "8bit", "4bit", also=(("8-bit", "8bit"), ("4-bit", "4bit")))


def recipe(value: str) -> str:
    """A recipe, in its canonical form."""
    try:
        return str(parse(value))
    except RecipeError as error:
        raise ArgumentTypeError(f"{value!r} cannot be read. {error}") from error


def device(value: str) -> str:
    """A device's name, as torch spells it."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?|xpu(:[0-9]{1,3})?", value):
        raise ArgumentTypeError(f"takes auto, cpu, cuda, cuda:1, mps or xpu, not {value!r}.")
    return value


def max_memory(value: str) -> str:
    """What checkpoints may take, as it was typed."""
    try:
        memory.parse_memory(value)
    except memory.MemoryTextError as error:
        raise UsageError(f"--max-memory: {error}") from error
    return value


def stage(value: str) -> tuple[str, str]:
    """A stage's name and its model."""
    own, equals, source = value.partition("=")
    if not equals or not source.strip() or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.]*(-[A-Za-z0-9_.]+)*", own):
        raise ArgumentTypeError(f"takes a name and a model, as in --stage sft=owner/model, not {value!r}.")
    if own in ("base", "post"):
        raise ArgumentTypeError(f"{own}=… has a name of its own: write --{own} {source}.")
    return own, source


def temperature(value: str) -> float:
    """A temperature."""
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 5:
        raise ArgumentTypeError(f"takes a number from 0 (always the likeliest word) to 5, not {value!r}.")
    return found


def url(value: str) -> str:
    """The address of a package index."""
    if not re.match(r"(https?|file)://\S+$", value):
        raise ArgumentTypeError(f"takes the address of a package index that starts with https://, not {value!r}.")
    return value
