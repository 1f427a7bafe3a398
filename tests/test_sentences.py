"""The commands that sentences name can be typed: every verb and option that the program's own text mentions is there."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core.artefacts import store
from core.cli.command_line import Command
from core.cli.options import Options
from core.errors import TillerError, UsageError
from core.families import commands, registry
from core.families.checkpoint import Family
from core.recipes.language import parse
from core.steering import describe
from core.transfer import task
from core.util.program import program
from tests.support import tiny_models
from tests.support.command import VERBS, read
from tests.support.paths import ROOT

#: Stands for the program's name, as it was called.
_PROGRAM = "\0"
#: What may stand in a place of a command that is filled in when the sentence is said; in every other place stands a name.
_FILLED = {
    "option": " --family skiff-small",
    "what": " --what confidence",
    "as_argument(options.out)": "./folder",
    "as_argument(out)": "./folder",
    "task.about": "truth",
    "name": "truth",
}
#: Options that belong to other programs, and files whose signs of that form are no options of the program's.
_NOT_OURS = ("core/install/", "core/models/wheels.py", "benchmarks/", "core/report/pages.py")
_OTHERS = {
    *("--pdb", "--numprocesses", "--dist", "--no-loadscope-reorder", "--upgrade"),
    *("--control-vector", "--control-vector-layer-range", "--merge", "--extra-index-url"),
}


def files() -> list[Path]:
    """Every file of the program."""
    return [
        ROOT / "launch.py",
        *(each for name in ("core", "app", "tui", "benchmarks") for each in (ROOT / name).rglob("*.py")),
    ]


def texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a file, without docstrings; what is filled in is in braces."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(each) for each in ast.walk(node)}
            yield "".join(map(_part, node.values))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and id(node) not in inner
        ):
            yield node.value


def _part(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    said = ast.unparse(part.value)
    return _PROGRAM if said == "program()" else f"{{{said}}}"


@cache
def every_text() -> list[tuple[str, str]]:
    """(file, text) of the whole program; not read before a test asks, since every process of the suite imports this."""
    found = []
    for path in files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [(path.relative_to(ROOT).as_posix(), text) for text in texts(tree)]
    return found


#: A command stands between backticks, or is all that follows.
_COMMAND = re.compile(rf"(`?)(?:{_PROGRAM}|python launch\.py)(?= [^`]) ([^`\n]*)(`?)")


def commands_named() -> list[tuple[str, re.Match[str]]]:
    """(file, command) of the whole program. Where usages and links are put together, there is no sentence."""
    return [
        (file, found)
        for file, text in every_text()
        for found in _COMMAND.finditer(text)
        if file not in ("core/cli/parser.py", "core/cli/command_line.py")
        and not (file == "core/cli/verbs.py" and not found[1])
    ]


def typed(words: str) -> Command | None:
    """What a command line reads as, its places filled in; None for a verb that is only called by its name."""
    filled = re.sub(r"\{([^{}]*(?:\{[^{}]*\})?[^{}]*)\}", lambda found: _filled(found[1]), words)
    line = shlex.split(filled)
    try:
        return read(line)
    except UsageError:
        if len(line) == 1 and line[0] in VERBS:
            return None
        raise


def _filled(expression: str) -> str:
    if expression.startswith("family_option("):
        return _FILLED["option"]
    return _FILLED.get(expression, "s=link" if expression == "link" else "anything")


def test_every_command_that_a_sentence_names_can_be_typed() -> None:
    named = commands_named()
    assert len(named) > 20
    for file, found in named:
        assert found[1] == found[3], (
            f"{file}: {found[2]!r} stands between two backticks or none, so that its end is to be seen"
        )
        try:
            typed(found[2])
        except TillerError as problem:
            pytest.fail(f"{file}: {found[2]!r}: {problem}")
    with pytest.raises(TillerError):
        typed("precompute --waht confidence")
    with pytest.raises(TillerError):
        typed("learn-all")


def test_every_option_that_a_sentence_names_is_there() -> None:
    known = {name for verb in VERBS.values() for name in verb.parser.named} | _OTHERS | {"--version"}
    named = {
        (file, option) for file, text in every_text() for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+[a-z]", text)
    }
    wrong = {(file, option) for file, option in named if option not in known and not file.startswith(_NOT_OURS)}
    assert not wrong


# ---------------------------------------------------------------------------------------------- about the family in question


@pytest.fixture
def families(tmp_path: Path) -> list[Family]:
    """The one that opens by itself, another one that ships, and one that is opened by its folder, which has a blank."""
    folder = tiny_models.family(tmp_path / "a family")
    return [registry.load_family(name) for name in ("skiff", "skiff-small", str(folder))]


def meant(sentence: str) -> list[Command]:
    """The commands that a sentence names."""
    found = re.findall(rf"`{re.escape(program())} ([^`]+)`", sentence)
    return [command for command in map(typed, found) if command is not None and not command.text]


def test_a_command_is_about_the_family_that_is_spoken_of(families: list[Family]) -> None:
    for family in families:
        recipe = parse("1*nothing")
        with pytest.raises(TillerError) as direction:
            describe.explain_recipe(family, recipe, family.final.name)
        with pytest.raises(TillerError) as neurons:
            describe.explain_recipe(family, parse("!neurons:nothing"), family.final.name)
        with pytest.raises(TillerError) as carried:
            task.stored_direction(task.TransferTask(family, "nothing", store.user_folder()), family.final.name)
        mapped = commands.not_mapped(family, "truth", "skiff-small/dpo", family.final.name)
        for said in (direction.value, neurons.value, carried.value, mapped):
            named = meant(str(said))
            assert named, said
            for command in named:
                assert registry.load_family(command.options.family).folder == family.folder, said


def test_the_family_that_opens_by_itself_need_not_be_named(families: list[Family]) -> None:
    assert [commands.family_option(each) for each in families[:2]] == ["", " --family skiff-small"]
    assert Options().family == families[0].name
