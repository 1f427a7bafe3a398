"""Everything that ships with a family, by one command: which commands it runs, in which order, and where it stops."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_models
from tests.support.command import verb


def test_each_step_runs_by_itself_and_the_first_that_fails_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.family(tmp_path / "mine", "llama")
    run: list[list[str]] = []
    code = {"transfer": 3}

    def ran(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        run.append(words[2:])
        return subprocess.CompletedProcess(words, code.get(words[2], 0))

    monkeypatch.setattr(subprocess, "run", ran)
    options = ["--family", str(folder), "--threads", "1"]
    assert verb("artefacts", [*options, "--dry-run"]) == 0
    assert not run
    told = [
        line.removeprefix("> python launch.py ").split()[0] for line in capsys.readouterr().out.splitlines() if line
    ]
    assert told == ["precompute", "transfer", "report"]
    assert verb("artefacts", options) == 3
    assert run == [["precompute", "--ship", *options], ["transfer", "--ship", *options]]
    code.clear()
    (folder / "README.md").write_text("A card.", encoding="utf-8")
    run.clear()
    assert verb("artefacts", options) == 0
    assert [each[0] for each in run] == ["precompute", "transfer", "report", "evaluate"]
    assert run[2][:3] == ["report", "--out", str(folder / "report.html")]
