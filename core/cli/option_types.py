"""What the value of an option may be: each reader checks a text and converts it, or says what would do.

A reader is an argparse ``type``: what it raises begins with a verb ("takes …"), and the parser puts the option's name before it. Standard
library only: a typing mistake answers at once, on a machine where nothing is installed yet.
"""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Collection
from pathlib import Path

from core.errors import StoreError, UsageError
from core.families.checkpoint import TEMPLATE_VAR, TemplateValue
from core.models import memory
from core.recipes.language import parse
from core.recipes.scanner import RecipeError
from core.util.files import check_new_folder, check_writable

_DTYPES = ("float32", "bfloat16", "float16")
MAX_THREADS = 1024
SHORTEST_PASSWORD = 8


def sign_in(value: str) -> str:
    """``NAME:PASSWORD`` of a server's owner; empty for nobody's."""
    name, _, password = value.partition(":")
    if value and not (name and len(password) >= SHORTEST_PASSWORD):
        raise ArgumentTypeError(
            f"takes NAME:PASSWORD, with {SHORTEST_PASSWORD} letters or more behind the colon, since anybody may guess it."
        )
    return value


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
    try:
        check_writable(path)
    except StoreError as error:
        raise UsageError(str(error)) from error
    return path


def new_folder(value: str) -> Path:
    """A folder that is made once everything is computed: that it can be is known before. Raises UsageError."""
    path = Path(nonempty_text(value))
    try:
        check_new_folder(path)
    except StoreError as error:
        raise UsageError(str(error)) from error
    return path


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers between two."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", value) or not low <= int(value) <= high:
            raise ArgumentTypeError(f"takes a whole number from {low} to {high}, not {value!r}.")
        return int(value)

    return read


def seconds(value: str) -> float:
    """A length of time: ``90s``, ``20m``, ``1.5h``."""
    read = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|m|min|h)", value.strip())
    if not read or not float(read[1]):
        raise ArgumentTypeError(f"takes a time such as 90s, 20m or 1.5h, not {value!r}.")
    return float(read[1]) * {"s": 1, "h": 3_600}.get(read[2], 60)


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


def template_var(value: str) -> tuple[str, TemplateValue]:
    """A variable of a chat template and its value: true, false, a number, or else a text."""
    name, equals, said = value.partition("=")
    if not equals or not TEMPLATE_VAR.fullmatch(name):
        raise ArgumentTypeError(f"takes a name and a value, as in enable_thinking=false, not {value!r}.")
    if said.lower() in ("true", "false"):
        return name, said.lower() == "true"
    for number in (int, float):
        try:
            if math.isfinite(found := number(said)):
                return name, found
        except ValueError:
            continue
    return name, said


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
