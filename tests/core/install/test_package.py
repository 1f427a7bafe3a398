"""What ``pip install .`` takes along: every file of the program and of the shipped families, told by setuptools without building."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.util.version import VERSION

ROOT = Path(__file__).resolve().parents[3]
#: setuptools has to come before anything of Python's own distutils, so that it gets a process of its own.
TAKEN = """
import json
from setuptools import Distribution
from setuptools.config.pyprojecttoml import apply_configuration
distribution = apply_configuration(Distribution({"script_name": "setup.py"}), "pyproject.toml")
build = distribution.get_command_obj("build_py")
build.build_lib = "there"
build.ensure_finalized()
print(json.dumps([distribution.get_version(), *build.get_outputs(include_bytecode=False)]))
"""


def test_a_package_holds_every_file_of_the_program() -> None:
    places = ["launch.py", "core", "app", "tui", "benchmarks", "vectors"]
    listed = subprocess.run(["git", "ls-files", "-z", *places], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout, so that nothing says which files belong to the program")
    told = subprocess.run([sys.executable, "-W", "ignore", "-c", TAKEN], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    version, *files = json.loads(told.stdout.splitlines()[-1])
    needed = {Path(each) for each in listed.stdout.split("\0") if each and (ROOT / each).is_file()}
    assert needed - {Path(each).relative_to("there") for each in files} == set()
    assert version == VERSION
