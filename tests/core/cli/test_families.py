"""``launch.py families``: a table that fits a terminal, and what one family consists of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import launch
from core.artefacts import store
from core.cli import families
from core.engine import family_choice
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import FamilyError
from core.models import adhoc_family, at_hand, gguf_model
from core.models.memory import Room
from tests.support import tiny_gguf, tiny_models
from tests.support.command import verb
from tests.support.paths import ROOT


@pytest.fixture(autouse=True)
def _no_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own cache is seen, and no model is judged by the machine's memory."""
    monkeypatch.setattr(at_hand.memory, "room", lambda *_: Room({"cpu": 10**10}, 10**10))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path_factory.mktemp("cache")))


def test_every_family_has_a_line_that_fits(capsys: pytest.CaptureFixture[str]) -> None:
    tiny_models.family(store.user_folder() / ("pair-a-rather-long-name-1.5b-" + "x" * 40), "llama")
    assert verb("families", []) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "…" not in "".join(lines[:-4])
    assert lines[0].split() == ["family", "size", "here", "on", "disk", "learnt", "fits", "recommended"]
    shown = {line.split()[0]: line.split()[1:] for line in lines[1:] if line}
    assert set(registry.names()[1:]) <= set(shown)
    assert shown["skiff"] == ["4.4", "M", "4/4", "35", "MB", "8", "yes", "–"]
    assert shown["llama31-8b"] == ["8.0", "B", "0/3", "–", "–", "8bit", "4bit", "14", "GB"]
    assert shown["qwen2.5-0.5b"] == ["494", "M", "0/2", "–", "–", "yes", "3", "GB"]
    # What may have to be typed stands there whole, its figures beneath.
    assert lines[1] == "pair-a-rather-long-name-1.5b-" + "x" * 40
    assert "2/2" in lines[2].split()


def test_what_is_here_and_what_was_learnt_are_counted(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "mine", "llama", ("base", "sft", "chat"))
    tiny_models.direction(folder, "chat", "truth")
    (folder / "sft" / "model.safetensors").unlink()
    (folder / "base" / "model.safetensors").write_bytes(b"not whole")
    parameters = sum(each.numel() for each in tiny_models.model("llama").parameters())
    family = registry.load_family(str(folder))
    size = (folder / "chat" / "model.safetensors").stat().st_size
    assert families.row(family) == (
        "mine",
        families.parameter_count(parameters),
        "1/3",
        f"{size / 1000:.0f} kB",
        "1",
        "yes",
        "–",
    )
    text = "\n".join(families.family_lines(family))
    assert f"  chat (C), by chat from sft\n    {folder / 'chat'}\n" in text
    assert "    learnt: truth" in text
    assert text.count("    not there") == 2


def test_a_family_that_cannot_be_read_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    broken = store.user_folder() / "broken"
    broken.mkdir(parents=True)
    (broken / "family.toml").write_text("titel = 1")
    assert verb("families", []) == 1
    out, err = capsys.readouterr()
    assert "skiff" in out
    assert "the document has the unknown key 'titel'; did you mean title?" in err


def test_one_family_says_where_its_licence_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert verb("families", ["llama31-8b"]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct" in out
    assert "recommended: --quantize 4bit, about 14 GB" in out
    with pytest.raises(FamilyError, match="There is no family 'lama'"):
        verb("families", ["lama"])


def test_a_model_is_looked_at_before_it_is_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny_models.family(tmp_path / "mine", "llama")
    for words in (["families", str(folder / "chat")], ["families", "--model", str(folder / "chat")]):
        assert launch.run(words) == 0
        out = capsys.readouterr().out
        assert out.startswith("chat\n57.6 k · takes 231 kB of memory; 10.0 GB are free\n")
        assert f"--model {folder / 'chat'}` opens it." in out
    for words in (["families", str(folder)], ["families", "--family", str(folder)], ["families", "--model", "skiff"]):
        assert launch.run(words) == 0
        assert "\n  base (B)" in capsys.readouterr().out
    with pytest.raises(FamilyError, match=r"There is no folder \./none"):
        launch.run(["families", "./none"])
    assert family_choice.recent() == []


@pytest.mark.parametrize(
    ("count", "text"),
    [(7, "7"), (4_354_000, "4.4 M"), (134_515_008, "135 M"), (1_484_916_736, "1.5 B"), (53_216, "53.2 k")],
)
def test_numbers_of_parameters(count: int, text: str) -> None:
    assert families.parameter_count(count) == text


def test_how_a_checkpoint_fits() -> None:
    found = [
        at_hand.fitting(at_hand.parameters_said(each)) for each in ("4.4 M", "1.5 B", "7.2 B", "13.0 B", "70 B", "")
    ]
    assert found == ["yes", "yes", "8bit", "4bit", "no", "?"]


def test_the_list_needs_neither_torch_nor_a_network() -> None:
    code = "import sys; sys.argv=['launch.py']; import launch; code = launch.main(['families']); print(code, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr


def test_a_converted_copy_is_listed_and_deleted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "Listed-Chat-F16.gguf"
    tiny_gguf.write(file, tiny_models.model("llama"), numbers="F16")
    family = registry.load_family(adhoc_family.one_model(str(file)))
    gguf_model.make_whole(Path(family.final.source))
    assert verb("families", []) == 0
    assert f"  {family.name}, " in capsys.readouterr().out.partition("--forget NAME` deletes one:")[2]
    assert verb("families", ["--forget", family.name]) == 0
    assert capsys.readouterr().out.startswith("The converted copy of Listed-Chat-F16 is deleted, and ")
    with pytest.raises(TillerError, match="Nothing of Listed-Chat-F16 is kept converted"):
        verb("families", ["--forget", family.name])
