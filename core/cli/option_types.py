"""What the value of an option may be: each reader checks a text and converts it, or says in one sentence what would do.

Standard library only: a typing mistake answers at once, on a machine where nothing is installed yet.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from core.errors import UsageError
from core.models import memory
from core.recipes.language import RecipeError, parse

_DTYPES = ("float32", "bfloat16", "float16")
MAX_THREADS = 1024


def nonempty_text(value: str, name: str) -> str:
    """Any text that says something."""
    if not value.strip():
        raise UsageError(f"{name} is empty; give it a value or leave it out.")
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


def whole_number(low: int, high: int) -> Callable[[str, str], int]:
    """A reader of whole numbers between two."""

    def read(value: str, name: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", value) or not low <= int(value) <= high:
            raise UsageError(f"{name} takes a whole number from {low} to {high}, not {value!r}.")
        return int(value)

    return read


def recipe(value: str, name: str) -> str:
    """A recipe, in its canonical form."""
    try:
        return str(parse(value))
    except RecipeError as error:
        raise UsageError(f"{name} {value!r} cannot be read. {error}") from error


def device(value: str, name: str) -> str:
    """A device's name, as torch spells it."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?|xpu(:[0-9]{1,3})?", value):
        raise UsageError(f"{name} takes auto, cpu, cuda, cuda:1, mps or xpu, not {value!r}.")
    return value


def dtype(value: str, name: str) -> str:
    """A dtype's name, in full."""
    names = {
        "auto": "auto",
        "fp32": "float32",
        "bf16": "bfloat16",
        "fp16": "float16",
        **{name: name for name in _DTYPES},
    }
    if value not in names:
        raise UsageError(f"{name} takes auto, {', '.join(_DTYPES[:-1])} or {_DTYPES[-1]}, not {value!r}.")
    return names[value]


def quantize(value: str, name: str) -> str:
    """How checkpoints are quantized."""
    names = {"none": "none", "8bit": "8bit", "8-bit": "8bit", "4bit": "4bit", "4-bit": "4bit"}
    if value not in names:
        raise UsageError(f"{name} takes none, 8bit or 4bit, not {value!r}.")
    return names[value]


def max_memory(value: str, name: str) -> str:
    """What checkpoints may take, as it was typed."""
    try:
        memory.parse_memory(value)
    except memory.MemoryTextError as error:
        raise UsageError(f"{name}: {error}") from error
    return value


def stage(value: str, name: str) -> tuple[str, str]:
    """A stage's name and its model."""
    own, equals, source = value.partition("=")
    if not equals or not source.strip() or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.]*(-[A-Za-z0-9_.]+)*", own):
        raise UsageError(f"{name} takes a name and a model, as in {name} sft=owner/model, not {value!r}.")
    if own in ("base", "post"):
        raise UsageError(f"{name} {own}=… has a name of its own: write --{own} {source}.")
    return own, source


def temperature(value: str, name: str) -> float:
    """A temperature."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 5:
        raise UsageError(f"{name} takes a number from 0 (always the likeliest word) to 5, not {value!r}.")
    return number


def url(value: str, name: str) -> str:
    """The address of a package index."""
    if not re.match(r"(https?|file)://\S+$", value):
        raise UsageError(f"{name} takes the address of a package index that starts with https://, not {value!r}.")
    return value
