"""Stage embeddings on disk: made from the logs of training, or of a replay, and asked by as "without it (first order)"."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from core.artefacts import store
from core.attribution.training_log import LogError, TrainingLog
from core.cli.embed import embed_verb
from core.cli.embedding import run_embed
from core.cli.options import Options
from core.cli.replay import Replay
from core.errors import UsageError
from core.families import registry, stages
from core.families.stages import StageError
from core.models import stage_embedding
from core.models.deltas import DifferenceError
from core.models.fingerprints import model_fingerprint
from core.models.weights import weights_of
from tests.support import stage_families, tiny_models
from tests.support.command import verb

RATE, DECAY, STEPS = 0.5, 0.1, 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return stage_families.family(tmp_path / "four")


def log(folder: Path, name: str, parent: str, decay: float = DECAY) -> None:
    """The log of a stage that was trained with AdamW, of which the last rates are those of its steps."""
    model = AutoModelForCausalLM.from_pretrained(folder / name)
    matrices = [(key, each) for key, each in model.named_parameters() if each.dim() == 2]
    optimizer = torch.optim.AdamW([each for _, each in matrices], lr=RATE, weight_decay=decay)
    with TrainingLog(folder / name, name, matrices, optimizer, parent=parent) as written:
        for _ in range(STEPS):
            written.step()


def weights(folder: Path, name: str) -> dict[str, Tensor]:
    found = weights_of(registry.load_family(str(folder)).checkpoint(name))
    return {key: found.full(key) for key in found}


def options(folder: Path, **more: object) -> Options:
    known = {"checkpoint": "", "ship": True, "again": False, "curvature": False, "state": None, **more}
    made = Options(family=str(folder))
    for name, value in known.items():
        setattr(made, name, value)
    return made


def test_the_logs_say_what_later_training_left_of_a_stage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stages.stage_path(registry.load_family(str(folder)))
    assert "first_order" not in [each.key for each in path.questions]
    for name, parent in (("safety", "sft"), ("dpo", "safety")):
        log(folder, name, parent)
    assert verb("embed", ["--family", str(folder), "--ship"]) == 0
    said = capsys.readouterr().out
    assert "SFT in dpo: 6 later steps leave 0.7351 of it or more." in said
    assert "safety in dpo: 3 later steps leave 0.8574 of it or more." in said
    family = registry.load_family(str(folder))
    path = stages.stage_path(family)
    assert [each.key for each in path.questions] == ["introduced_at", "subtracted", "first_order"]
    assert [each.first_order for each in path.post] == ["dpo-first-order-sft", "dpo-first-order-safety", "safety"]
    assert "dpo-first-order-sft" in [each.name for each in family.choices]
    whole, after, before = (weights(folder, name) for name in ("dpo", "sft", "base"))
    left = (1 - RATE * DECAY) ** (2 * STEPS)
    for key, found in weights(folder, "dpo-first-order-sft").items():
        # The norms' gains were not trained.
        part = left if whole[key].dim() == 2 else 1.0
        torch.testing.assert_close(found, whole[key] - part * (after[key] - before[key]))
    assert verb("embed", ["--family", str(folder), "--ship"]) == 0
    assert "The embeddings are there" in capsys.readouterr().out


def test_a_blame_asks_by_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, parent in (("safety", "sft"), ("dpo", "safety")):
        log(folder, name, parent, decay=0.0)
    assert verb("embed", ["--family", str(folder), "--ship"]) == 0
    assert "without curvature that is the question “weights subtracted”" in capsys.readouterr().out
    asked = ["Hi there", "--family", str(folder), "--answer", "yes it is", "--question"]
    lines = {}
    for question in ("first-order", "subtracted"):
        assert verb("blame", [*asked, question]) == 0
        lines[question] = capsys.readouterr().out
    assert "without it (first order, estimate)" in lines["first-order"]
    # With nothing decayed both take the same weights out.
    row = next(line for line in lines["first-order"].splitlines() if line.startswith("A safety"))
    _, subtracted, first_order = re.findall(r"[+−]?\d\.\d+ \([^)]*\)", row)
    assert subtracted == first_order


def test_what_was_carried_by_a_replay_is_taken_out(folder: Path) -> None:
    torch.manual_seed(0)
    whole = weights(folder, "dpo")
    made = {key: 0.01 * torch.randn_like(each) for key, each in whole.items()}
    replay = Replay(lambda _family: True, lambda *_: ({"sft": made, "safety": made}, {"safety": 0.01, "dpo": 0.02}))
    assert run_embed(options(folder, curvature=True), (replay,)) == 0
    for key, found in weights(folder, "dpo-first-order-safety").items():
        # int8 with a scale a row.
        assert (whole[key] - found - made[key]).abs().max() <= made[key].abs().max() / 127
    card = store.read_card(store.embedding_path(folder.parent, folder.name, "dpo", "sft"))
    assert (card.details["rung"], card.details["drift"]) == ("curvature", 0.02)


def test_what_cannot_be_embedded_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"has no training_log\.json"):
        run_embed(options(folder))
    # Where the recipe is here, that is the way.
    with pytest.raises(LogError, match="add --curvature to take its later steps again"):
        run_embed(options(folder), (Replay(lambda _family: True, lambda *_: ({}, {})),))
    with pytest.raises(UsageError, match="leave --curvature out"):
        run_embed(options(folder, curvature=True))
    with pytest.raises(StageError, match="one stage after base"):
        run_embed(options(stage_families.family(tmp_path / "two", stages=("base", "sft"))))
    assert "Skiff, by taking its later steps again" in embed_verb().examples[1][1]


def test_an_embedding_of_other_weights_is_refused(folder: Path) -> None:
    for name, parent in (("safety", "sft"), ("dpo", "safety")):
        log(folder, name, parent)
    assert run_embed(options(folder)) == 0
    file = store.embedding_path(folder.parent, folder.name, "dpo", "sft")
    file.write_bytes(b"cut off")
    assert run_embed(options(folder)) == 0
    assert store.read_card(file).details["rung"] == "schedule", "what cannot be read is made again"
    stage_families.moved(folder / "dpo", folder / "dpo", seed=9)
    with pytest.raises(DifferenceError, match="make it again with"):
        weights(folder, "dpo-first-order-sft")
    file = store.embedding_path(folder.parent, folder.name, "dpo", "sft")
    tiny_models.direction(folder, "dpo", "truth", layer=1, seed=1)
    direction = store.artefact_path(folder.parent, folder.name, "dpo", "direction", "truth")
    file.write_bytes(direction.read_bytes())
    with pytest.raises(DifferenceError, match="holds a direction, not a stage embedding"):
        weights(folder, "dpo-first-order-sft")
    own = {"name": "sft.in.dpo", "family": folder.name, "checkpoint": "dpo", "factors": {}}
    print_of = model_fingerprint(registry.load_family(str(folder)).checkpoint("dpo"))
    stage_embedding.write_embedding(file, {}, {**own, "fingerprint": print_of})
    whole, after, before = (weights(folder, name) for name in ("dpo", "sft", "base"))
    for key, found in weights(folder, "dpo-first-order-sft").items():
        torch.testing.assert_close(found, whole[key] - (after[key] - before[key]))
