"""The programs in docs/library.md run as they stand there, and print what stands there; the examples in docs/family-toml.md load;
what pages and docstrings refer to is there.

``python -m tests.test_docs`` runs them and writes what they print into the page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.families.registry import load_family

ROOT = Path(__file__).resolve().parent
while not (ROOT / "launch.py").is_file():
    ROOT = ROOT.parent
PAGE = ROOT / "docs" / "library.md"
FAMILIES = ROOT / "docs" / "family-toml.md"
#: A program, and behind it what it prints.
_BLOCK = re.compile(r"```python\n(?P<program>.*?)```\n+```text\n(?P<printed>.*?)```", re.DOTALL)
_NUMBER = re.compile(r"[-+]?\d+\.\d+")


def blocks() -> list[re.Match[str]]:
    return list(_BLOCK.finditer(PAGE.read_text(encoding="utf-8")))


def heading(block: re.Match[str]) -> str:
    """The heading that a program stands under."""
    return block.string[: block.start()].rpartition("\n## ")[2].partition("\n")[0]


def printed(program: str) -> str:
    """What a program prints, run from the repository root in a process of its own, without network."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(text: str) -> list[float]:
    return [float(each) for each in _NUMBER.findall(text)]


def test_every_program_of_the_page_has_its_output() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(blocks()) == page.count("```python") == 5


@pytest.mark.parametrize("block", blocks(), ids=lambda block: heading(block))
def test_a_program_prints_what_the_page_says(block: re.Match[str]) -> None:
    found, wanted = printed(block["program"]), block["printed"]
    assert wanted.strip()
    # Words and whole numbers are the same everywhere; the last digit of a figure may depend on the processor.
    assert _NUMBER.split(found) == _NUMBER.split(wanted)
    assert figures(found) == pytest.approx(figures(wanted), abs=0.02)


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", FAMILIES.read_text(encoding="utf-8"), re.DOTALL))
def test_an_example_of_a_family_loads(example: str, tmp_path: Path) -> None:
    for name in re.findall(r'"([\w/]+\.(?:txt|md))"', example):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("A prompt.\n", encoding="utf-8")
    (tmp_path / "family.toml").write_text(example, encoding="utf-8")
    family = load_family(str(tmp_path))
    assert [each.name for each in family.checkpoints if each.parent is None] == [family.path(family.final.name)[0].name]
    assert len(family.choices) >= example.count("[[checkpoint]]") + example.count("[[counterfactual]]")


PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
]


def test_docstrings_cite_sections_of_methods_that_are_there() -> None:
    sections = set(
        re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "methods.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    cited: dict[str, set[str]] = {}
    for package in ("core", "app", "tui", "benchmarks"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            for one, more, other in re.findall(r"methods\.md §(\d+)(?: and §(\d+))?|methods, (?:section )?(\d+)", text):
                cited.setdefault(file.name, set()).update(each for each in (one, more, other) if each)
    assert len(cited) > 20
    assert {name: found - sections for name, found in cited.items() if found - sections} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_and_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lost = []
    for target in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        if "://" in target:
            continue
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE) if file.is_file() else []
        anchors = [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
        if not file.exists() or (anchor and anchor not in anchors):
            lost.append(target)
    names = {
        file.name
        for folder in ("core", "app", "tui", "benchmarks", "tests", "docs")
        for file in (ROOT / folder).rglob("*.py")
    }
    for path in re.findall(r"`([\w./-]+\.py|(?:core|app|tui|benchmarks|tests|vectors)/[\w/.-]+)`", text):
        there = (ROOT / path).exists() if "/" in path else path in {*names, "launch.py"}
        lost += [] if there else [path]
    assert lost == []


def _rewrite() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for block in blocks():
        new = f"```python\n{block['program']}```\n\n```text\n{printed(block['program'])}```"
        text = text.replace(block[0], new)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _rewrite()
