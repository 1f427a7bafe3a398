"""What ``pip install .`` takes along: every file of the program and of the shipped families, told by setuptools without building."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from core.util.version import VERSION

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.filterwarnings("ignore")
def test_a_package_holds_every_file_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from setuptools import Distribution
    from setuptools.config.pyprojecttoml import apply_configuration

    monkeypatch.chdir(ROOT)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "launch.py", "core", "app", "tui", "benchmarks", "vectors"],
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no checkout, so that nothing says which files belong to the program")
    distribution = apply_configuration(Distribution({"script_name": "setup.py"}), "pyproject.toml")
    build = distribution.get_command_obj("build_py")
    build.build_lib = "there"
    build.ensure_finalized()
    taken = {Path(each).relative_to("there") for each in build.get_outputs(include_bytecode=False)}
    needed = {Path(each) for each in listed.stdout.split("\0") if each and (ROOT / each).is_file()}
    assert needed - taken == set()
    assert distribution.get_version() == VERSION
