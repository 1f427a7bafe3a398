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

from core.environment import requirements

ROOT = Path(__file__).resolve().parent.parent

#: The layers, lowest first. A module imports from lower layers, and from its own as long as no circle comes of it.
LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "core core.errors core.intervals core.first_order core.readouts",
        "core.recipes core.dose core.tabs core.installing core.memory",
        "core.asking core.reply_classes",
        "core.values core.events core.command_line core.options core.typed core.environment core.checkpoints core.steps",
        "core.arguments core.adhoc core.helping core.residual core.linear core.store core.training_log core.families core.edited "
        "core.family_file core.hub core.stages core.agreement core.neurons core.answers core.blame_report core.blame_files core.lenses "
        "core.completion core.session core.scrubs core.notebook core.runs core.explaining",
        "core.chance core.negations core.methods",
        "core.tabulated core.estimates core.verdicts core.calibration core.confidence core.comparing core.confidence_tables "
        "core.drawings core.transfers core.claims core.maps core.map_files core.map_totals core.findings core.finding_knowledge "
        "core.finding_confidence core.report core.report_pages core.confidence_files",
        "core.sources core.load_errors core.differences core.quantizing core.adapters core.shapes",
        "core.plan core.weights core.tokenizers",
        "core.loading core.worn core.shelf core.gates core.edits",
        "core.generation core.layout core.gauges core.replies core.prompts core.scoring core.effects core.contrast core.threads "
        "core.tables core.states core.drafts core.examples core.direction_card core.library core.watching core.jobs core.tasks core.cells "
        "core.sweeps core.nudges core.alignments core.forcing core.lineup core.noise core.blaming core.blame_study "
        "core.blame_agreement core.reply_rates",
        "core.readout core.logit_variance core.ablation core.measuring_confidence",
        "core.controls core.learning_truth core.learning_refusal core.learning_contrast core.directions core.parts core.background "
        "core.lessons core.controlvectors core.vectorfiles core.surgery core.widening core.exchange core.baked core.baking",
        "core.facts core.pairing core.patching core.logit_lens",
        "core.replays core.trainer_log core.undo_examples core.undoing core.undo_controls core.undo_report core.undo_saving",
        "core.transfer core.pushes core.layer_maps core.tracer core.averages core.knowledge core.truth_probe core.finding_directions",
        "core.map_jobs core.map_work",
        "core.engine core.engine_thread core.active core.answering core.worker core.blamer core.undo_desk core.session core.carrying",
        "core.cli core.listing core.precompute core.learn core.exchanging core.transferring core.tracing core.blame core.undo",
        "core.confidence_cli core.reporting",
        "app tui",
        "core.skiff",
        "benchmarks",
        "launch",
    )
)


def modules() -> dict[str, Path]:
    """Every module of the program (the tests are none), by its dotted name."""
    files = [ROOT / "launch.py"]
    for package in ("core", "app", "tui", "benchmarks"):
        files += sorted((ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def layer(module: str) -> int:
    """The layer of a module, or of the nearest package round it."""
    name = module
    while name:
        for number, names in enumerate(LAYERS):
            if name in names and (name != "core" or module == "core"):
                return number
        name = name.rpartition(".")[0]
    raise AssertionError(f"{module} has no layer yet: say in tests/test_imports.py where it belongs")


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


def test_every_module_has_a_layer() -> None:
    assert len(modules()) > 20
    for module in modules():
        layer(module)


def test_no_import_points_up() -> None:
    wrong = [
        f"{module} imports {target}"
        for module, targets in own_imports().items()
        for target in targets
        if layer(target) > layer(module)
    ]
    assert wrong == []


def test_no_circles() -> None:
    # A package counts as importing nothing through its parts: `import core.values` runs core/__init__.py, which imports nothing.
    graph = {module: targets - {module} for module, targets in own_imports(typing=False).items()}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert len(order) == len(graph)


def test_the_check_itself_sees_an_arrow_up(tmp_path: Path) -> None:
    file = tmp_path / "values.py"
    file.write_text("def late():\n    from core import engine\n    from . import loading\n", "utf-8")
    known = {"core.engine": file, "core.loading": file, "core.values": file}
    targets = set(imported("core.values", file, known))
    assert targets == {"core.engine", "core.loading"}
    assert all(layer(target) > layer("core.values") for target in targets)


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
        ("core.values", set()),
        ("core.recipes", set()),
        ("core.options", set()),
        ("core.environment", set()),
        ("core.families", {"numpy"}),
        ("core.store", {"numpy"}),
        ("core.engine", {"numpy"}),
        ("core.cli", {"numpy"}),
        ("tui", {"numpy", "textual"}),
        ("app", {"numpy", "pandas", "gradio"}),
    ],
)
def test_imports_are_light(module: str, allowed: set[str]) -> None:
    assert loaded_by(f"import {module}") <= allowed


@pytest.mark.parametrize("arguments", [["--help"], ["chat", "--help"], ["no-such-verb"]])
def test_help_and_mistakes_load_nothing_heavy(arguments: list[str]) -> None:
    assert loaded_by(f"import launch\nlaunch.main({arguments!r})") == set()


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
