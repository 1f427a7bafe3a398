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

import launch
from core.install.environment import requirements
from tests.support.paths import ROOT

#: The packages of core, lowest first: a package imports itself and what stands before it.
ORDER = [
    *(
        "errors",
        "util",
        "stats",
        "install",
        "recipes",
        "artefacts",
        "families",
        "chat",
        "display",
        "models",
        "steering",
    ),
    *("inference", "directions", "exchange", "transfer", "knowledge", "confidence", "attribution", "baking", "undo"),
    *("report", "engine", "cli", "skiff"),
]
#: What the program is made of, lowest first; the two front ends stand side by side.
PLACES = ["core", *(f"core.{name}" for name in ORDER), "app", "tui", "benchmarks", "launch"]


def modules() -> dict[str, Path]:
    """Every module of the program (the tests are none), by its dotted name."""
    files = [ROOT / "launch.py"]
    for package in ("core", "app", "tui", "benchmarks"):
        files += sorted((ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def place(module: str) -> str:
    """The package that a module belongs to: one of :data:`PLACES`."""
    parts = module.split(".")
    if parts[0] != "core":
        return parts[0]
    # A module that still lies beside the packages has no place yet.
    return ".".join(parts[:2]) if len(parts) > 2 or module in ("core.errors", "core.skiff") else ""


def nodes(tree: ast.AST, typing: bool) -> Iterator[ast.AST]:
    """Every node of a file; without what only a type checker reads when ``typing`` is false."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if typing or not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from nodes(child, typing)


def imported(module: str, file: Path, known: dict[str, Path], typing: bool = True) -> Iterator[str]:
    """The dotted names that a file imports, wherever in the file it does; our own resolved to modules."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes(ast.parse(file.read_text("utf-8")), typing):
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


def own_imports(typing: bool = True) -> dict[str, set[str]]:
    """Which of our modules each of our modules imports."""
    known = modules()
    return {
        name: {each for each in imported(name, file, known, typing) if each in known} for name, file in known.items()
    }


def test_no_import_points_up() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, targets in own_imports().items()
        for target in targets
        if place(module) in PLACES
        and place(target) in PLACES
        and PLACES.index(place(target)) > PLACES.index(place(module))
    ]
    assert wrong == []


def test_no_circles() -> None:
    # A package counts as importing nothing through its parts: `import core.chat.settings` runs core/__init__.py, which imports nothing.
    graph = {module: targets - {module} for module, targets in own_imports(typing=False).items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert len(order) == len(graph)


def test_the_check_itself_sees_an_arrow_up(tmp_path: Path) -> None:
    file = tmp_path / "values.py"
    file.write_text("def late():\n    from core import engine\n    from . import loading\n", "utf-8")
    known = {"core.engine.engine": file, "core.models.loading": file, "core.chat.settings": file}
    targets = set(imported("core.chat.settings", file, known))
    assert targets == {"core.engine.engine", "core.models.loading"}
    assert place("core.engine.engine.worker") == "core.engine.engine"


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
        ("core.families.registry", {"numpy"}),
        ("core.artefacts.store", {"numpy"}),
        ("core.engine.engine", {"numpy"}),
        ("core.cli.chat", {"numpy"}),
        ("tui", {"numpy", "textual"}),
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


def test_requirements_are_what_is_imported() -> None:
    listed = {name for name, _ in requirements(ROOT / "requirements.txt")}
    # transformers imports accelerate when it is asked to quantize, or to spread a model over devices, and does not require it.
    named = {"sklearn": "scikit-learn"}
    imported = {named.get(name, name) for name in third_party("launch", "core", "app", "tui")}
    assert imported | {"accelerate"} == listed


def test_every_requirement_is_bounded_above() -> None:
    for file in ("requirements.txt", "tests/requirements.txt"):
        for name, pins in requirements(ROOT / file):
            assert {operator for operator, _ in pins} & {"==", "<", "<="}, f"{name} in {file} admits any newer version"


def test_readme_names_the_gradio_of_the_requirements() -> None:
    front = (ROOT / "README.md").read_text("utf-8").split("---")[1]
    fields = dict(line.split(":", 1) for line in front.strip().splitlines())
    pins = dict(requirements(ROOT / "requirements.txt"))
    assert pins["gradio"] == (("==", fields["sdk_version"].strip()),)
    assert fields["app_file"].strip() == "launch.py"
    assert fields["python_version"].strip() == '"3.12"'
