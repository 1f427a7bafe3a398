"""Imports point downwards only, the front ends start light, and requirements.txt holds what is imported and nothing else."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import launch
from docs.architecture_picture import ORDER
from tests.support.paths import ROOT

#: What the program is made of, lowest first; the two front ends stand side by side.
OUTER = ("app", "tui", "benchmarks", "launch")
PLACES = ["core", *(name if name in OUTER else f"core.{name}" for name in ORDER)]
#: What draws and forwards asks the engine; these are behind it.
NOT_FOR_FRONT_ENDS = ("models", "steering", "inference", "baking", "report", "install", "training", "skiff", "smollm2")
#: What stands on Python alone, so that it starts at once and can be used anywhere.
PLAIN = ("core.errors", "core.util.progress", "core.recipes", "core.chat", "core.install")


def modules() -> dict[str, Path]:
    """Every module of the program (the tests are none), by its dotted name."""
    files = [ROOT / "launch.py"]
    for package in ("core", "app", "tui", "benchmarks"):
        files += sorted((ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def place(module: str) -> str:
    """The package that a module belongs to: one of :data:`PLACES`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "core" else parts[0]


def imported(module: str, file: Path, known: dict[str, Path]) -> Iterator[str]:
    """The dotted names that a file imports, wherever in the file it does, also for a type checker alone; our own resolved to modules."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if whole in known else base


def own_imports() -> dict[str, set[str]]:
    """Which of our modules each of our modules imports."""
    known = modules()
    return {name: {each for each in imported(name, file, known) if each in known} for name, file in known.items()}


def test_no_import_points_up() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, targets in own_imports().items()
        for target in targets
        if PLACES.index(place(target)) > PLACES.index(place(module))
    ]
    assert wrong == []


def within(module: str, *packages: str) -> bool:
    """Whether a module is one of these packages, or in one."""
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def test_no_circles() -> None:
    # What only a type checker reads counts too: a part that knows its owner is no part of it.
    # A package counts as importing nothing through its parts: `import core.chat.settings` runs core/__init__.py, which imports nothing.
    graph = {module: targets - {module} for module, targets in own_imports().items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert len(order) == len(graph)


@pytest.mark.parametrize(("front_end", "other"), [("app", "tui"), ("tui", "app")])
def test_front_ends_import_neither_each_other_nor_what_is_behind_the_engine(front_end: str, other: str) -> None:
    closed = (other, *(f"core.{each}" for each in NOT_FOR_FRONT_ENDS))
    wrong = [
        f"{module} imports {target}"
        for module, targets in own_imports().items()
        for target in targets
        if within(module, front_end) and within(target, *closed)
    ]
    assert wrong == []


def test_front_ends_hand_nothing_into_the_engines_thread() -> None:
    """What is done there is a method of the engine, so that both front ends do the same."""
    wrong = [
        f"{module}:{node.lineno}"
        for module, file in modules().items()
        if within(module, "app", "tui")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("call", "slices")
    ]
    assert wrong == []


@pytest.mark.parametrize("family", ["core.skiff", "core.smollm2"])
def test_the_shipped_families_are_imported_by_nothing_but_launch_and_benchmarks(family: str) -> None:
    outside = {
        module
        for module, targets in own_imports().items()
        if not within(module, family) and any(within(target, family) for target in targets)
    }
    assert {module.partition(".")[0] for module in outside} <= {"launch", "benchmarks"}


def test_what_stands_on_python_alone() -> None:
    known = modules()
    wrong = [
        f"{module} imports {target}"
        for module, file in known.items()
        if within(module, *PLAIN)
        for target in imported(module, file, known)
        if target.partition(".")[0] not in sys.stdlib_module_names
        and not within(target, "core")
        # Where packaging is not there, something is missing anyway, and that is what is asked of it.
        and (module, target) != ("core.install.environment", "packaging.requirements")
    ]
    assert wrong == []


def test_packages_of_core_hold_a_docstring_and_nothing_else() -> None:
    for file in sorted((ROOT / "core").rglob("__init__.py")):
        body = ast.parse(file.read_text("utf-8")).body
        assert len(body) == 1, file
        assert isinstance(body[0], ast.Expr), file
        assert isinstance(body[0].value, ast.Constant), file


def public_names(file: Path) -> Iterator[str]:
    """The functions, classes and constants of a module that other modules may use."""
    for node in ast.parse(file.read_text("utf-8")).body:
        names: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [each.id for each in targets if isinstance(each, ast.Name)]
        yield from (each for each in names if not each.startswith("_"))


def test_no_public_name_stands_twice_in_core() -> None:
    found: dict[str, list[str]] = {}
    for module, file in modules().items():
        for name in set(public_names(file)) if within(module, "core") else ():
            found.setdefault(name, []).append(module)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_the_check_itself_sees_an_arrow_up(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text(
        "if TYPE_CHECKING:\n    from . import events\ndef late():\n    from core.engine import engine\n", "utf-8"
    )
    known = {"core.engine.engine": file, "core.chat.events": file, "core.chat.settings": file}
    assert set(imported("core.chat.settings", file, known)) == {"core.engine.engine", "core.chat.events"}
    assert place("core.engine.engine") == "core.engine"


HEAVY = ("torch", "transformers", "gradio", "textual", "pandas", "numpy")


def loaded_by(code: str) -> set[str]:
    """Which heavy packages are in memory after ``code`` ran in a fresh interpreter."""
    ask = f"{code}\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("core", set()),
        ("core.chat.settings", set()),
        ("core.recipes.language", set()),
        ("core.cli.options", set()),
        ("core.cli.verbs", set()),
        ("core.skiff.verbs", set()),
        ("benchmarks", set()),
        ("core.install.environment", set()),
        ("core.families.registry", set()),
        ("core.artefacts.store", set()),
        ("core.engine.engine", {"numpy"}),
        ("core.cli.chat", {"numpy"}),
        ("tui.app", {"textual"}),
        ("app", {"numpy", "pandas", "gradio"}),
    ],
)
def test_imports_are_light(module: str, allowed: set[str]) -> None:
    assert loaded_by(f"import {module}") <= allowed


def test_help_and_mistakes_load_nothing_heavy() -> None:
    lines = [
        ["--help"],
        ["--version"],
        ["no-such-verb"],
        ["chat", "--no-such-option"],
        ["learn", "x", "--recipe", "!x"],
    ]
    lines += [[name, "--help"] for name in launch.verbs() if name != "test"]
    assert loaded_by(f"import launch\nfor line in {lines!r}: launch.main(line)") == set()


def test_nothing_heavy_is_loaded_before_a_screen_begins() -> None:
    """Each of the two imports what its library needs; what comes before it delays the first paint."""
    code = """
import dataclasses, launch
from core.cli.command_line import read_command_line
from core.cli.runner import run_verb
for name in ("tui", "web"):
    verbs = launch.verbs()
    verbs[name] = dataclasses.replace(verbs[name], run=lambda options: 0)
    assert run_verb(read_command_line([name], verbs)) == 0
"""
    assert loaded_by(code) == set()


def third_party(*packages: str) -> set[str]:
    """The top-level names that the program imports and that are neither Python's nor ours."""
    known = modules()
    names = {
        target.partition(".")[0]
        for module, file in known.items()
        if module.partition(".")[0] in packages
        for target in imported(module, file, known)
    }
    return names - set(sys.stdlib_module_names) - {"core", "app", "tui", "benchmarks", "launch", ""}


def requirements(file: str) -> dict[str, Requirement]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text("utf-8").splitlines())
    return {made.name: made for made in map(Requirement, filter(None, lines))}


def test_requirements_are_what_is_imported() -> None:
    listed = set(requirements("requirements.txt"))
    # transformers imports accelerate when it is asked to quantize, or to spread a model over devices, and two more for tokenizers that
    # are a sentencepiece model alone; it requires none of them. Gradio imports mcp when it is asked to serve tools.
    named = {"sklearn": "scikit-learn", "markdown_it": "markdown-it-py"}
    # A Space on ZeroGPU, and no other place, has spaces, and brings it.
    imported = {named.get(name, name) for name in third_party("launch", "core", "app", "tui") - {"spaces"}}
    assert imported | {"accelerate", "sentencepiece", "protobuf", "mcp"} == listed


def test_every_requirement_is_bounded_above() -> None:
    for file in ("requirements.txt", "tests/requirements.txt"):
        for name, wanted in requirements(file).items():
            assert {pin.operator for pin in wanted.specifier} & {"==", "<", "<="}, (
                f"{name} in {file} admits any newer version"
            )


def test_readme_names_the_gradio_of_the_requirements() -> None:
    front = (ROOT / "README.md").read_text("utf-8").split("---")[1]
    fields = dict(line.split(":", 1) for line in front.strip().splitlines())
    assert str(requirements("requirements.txt")["gradio"].specifier) == f"=={fields['sdk_version'].strip()}"
    assert fields["app_file"].strip() == "launch.py"
    assert fields["python_version"].strip() == '"3.12"'
