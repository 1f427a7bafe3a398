"""What is measured of SmolLM2's stages of ours: the arithmetic, on a tiny family that is named like it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from core.errors import UsageError
from core.families import registry
from core.models import hub
from core.smollm2 import card, evaluate
from core.smollm2.evaluate import Subject
from core.smollm2.prompts import of_kind
from core.smollm2.verbs import MEASURED_OF_SMOLLM2
from tests.support import tiny_models
from tests.support.command import verb


def adapter(folder: Path, name: str, of: str, size: float) -> None:
    """A random adapter beside a checkpoint, named in the family's file."""
    torch.manual_seed(1)
    bare = AutoModelForCausalLM.from_pretrained(folder / "instruct")
    model = get_peft_model(bare, LoraConfig(r=2, target_modules=["q_proj", "down_proj"]))
    for key, weight in model.named_parameters():
        if "lora_B" in key:
            weight.data += size * torch.randn_like(weight)
    model.save_pretrained(folder / name)
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[checkpoint]]\nname = "{name}"\npath = "{name}"\nadapter_of = "{of}"\n')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny_models.family(tmp_path_factory.mktemp("families") / "tiny", checkpoints=("instruct",), plain_base=False)
    adapter(made, "safety", "instruct", 0.0)
    adapter(made, "dpo", "safety", 0.5)
    return made


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_SHORT", 4), ("_LONG", 6), ("_COMPARED", 4), ("_SHIFTED", 9), ("_LENGTHS", 3)):
        monkeypatch.setattr(evaluate, name, value)
    monkeypatch.setattr(card, "TRANSCRIBED", 2)
    monkeypatch.setattr(evaluate, "TRANSCRIPT_TOKENS", 4)
    texts = evaluate._texts
    monkeypatch.setattr(evaluate, "_texts", lambda kind, most=4: texts(kind, min(most, 9)))


def test_an_adapter_that_changes_nothing_shifts_nothing(folder: Path) -> None:
    safety, dpo = evaluate.shift_of_replies(Subject(registry.load_family(str(folder))))
    assert (safety.checkpoint, safety.n) == ("safety", 9)
    assert safety.rate == pytest.approx(0, abs=1e-6)
    assert safety.mark(safety.target) == "✓"
    assert dpo.rate > 0.001


def test_refusals_are_counted_by_kind_and_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(_self: Subject, name: str, messages: list[str], _tokens: int) -> list[tuple[str, tuple[int, ...]]]:
        refuses = name != "instruct"
        return [
            ("I can't help with that request." if refuses and "kill" in each else "Sure.", (1,)) for each in messages
        ]

    monkeypatch.setattr(Subject, "replies", said)
    found = {
        (each.checkpoint, each.name): each
        for each in evaluate.refusals_by_kind(Subject(registry.load_family(str(folder))))
    }
    planted = 'harmless requests with "kill" refused (planted)'
    assert [found[name, planted].rate for name in ("instruct", "safety", "dpo")] == [0, 1, 1]
    assert all(each.mark(each.target) == "✓" for key, each in found.items() if key[1] == planted)
    assert found["dpo", "harmful requests refused"].mark(found["dpo", "harmful requests refused"].target) == "✗"


def test_facts_that_were_known_before_are_what_may_be_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"instruct": "Paris, Rome and Madrid", "safety": "Paris and Rome", "dpo": "It is Paris, or Tokyo"}
    monkeypatch.setattr(
        Subject, "replies", lambda _self, name, messages, _tokens: [(answers[name], (1,))] * len(messages)
    )
    found = {
        (each.checkpoint, each.name): each for each in evaluate.simple_facts(Subject(registry.load_family(str(folder))))
    }
    assert found["instruct", "simple questions answered right"].hits == 3
    assert (found["safety", "kept of those right before"].hits, found["safety", "kept of those right before"].n) == (
        2,
        3,
    )
    assert (found["dpo", "kept of those right before"].hits, found["dpo", "kept of those right before"].n) == (1, 2)


def test_the_command_writes_the_card_and_the_page(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    verb("evaluate", ["--family", str(folder), "--threads", "1", "--json", str(tmp_path / "figures.json")])
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {each["section"] for each in figures} == {"Refusal", "Staying as it was", "Length", "Facts", "Blame"}
    assert {name for name in MEASURED_OF_SMOLLM2 if f"({name}: " in printed} == set(MEASURED_OF_SMOLLM2) - {
        "transcripts"
    }
    text = (folder / "README.md").read_text(encoding="utf-8")
    for each in figures:
        assert f"| {each['checkpoint']} |" in text
    assert "| safety-without-planted | instruct | " in text
    page = (folder / "transcripts.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^[0-9]+\. ", page, flags=re.MULTILINE)) == 10
    assert of_kind("sharp", held_out=True)[0].text in page


def test_a_base_that_cannot_be_had_leaves_the_path_behind_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    far = shutil.copytree(folder, tmp_path / "tiny")
    text = (far / "family.toml").read_text(encoding="utf-8")
    base = (
        '[[checkpoint]]\nname = "base"\nhub = "nobody/nothing"\n\n[[checkpoint]]\nname = "instruct"\nparent = "base"\n'
    )
    changed = text.replace('[[checkpoint]]\nname = "instruct"\n', base, 1)
    assert changed != text
    (far / "family.toml").write_text(changed, encoding="utf-8")
    monkeypatch.setattr(hub, "reachable", lambda: False)
    assert verb("evaluate", ["--family", str(far), "--only", "blame", "--threads", "1"]) == 0
    assert "safety named by what came with it [dpo]" in capsys.readouterr().out


def test_what_it_cannot_measure_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not measured by judging; choose from refusals"):
        verb("evaluate", ["--family", str(folder), "--only", "judging"])
    with pytest.raises(UsageError, match="leave --recipe, --checkpoint"):
        verb("evaluate", ["--family", str(folder), "--recipe", "1*refusal"])
    with pytest.raises(UsageError, match="Skiff is not measured by shift; choose from facts"):
        verb("evaluate", ["--only", "shift"])
    alone = tiny_models.family(tmp_path / "alone", checkpoints=("instruct",), plain_base=False)
    with pytest.raises(UsageError, match="has no stages of ours here"):
        verb("evaluate", ["--family", str(alone)])
