"""The small family: how large it is, and what its family file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.artefacts.store import SHIPPED
from core.errors import UsageError
from core.families import registry
from core.skiff.train.model import ModelShape, new_model
from core.skiff.train.sizes import SHAPES, is_small, sized, small_toml
from core.skiff.train.stage_run import load_tokenizer
from core.skiff.train.stages import quick, shipped
from tests.support.command import verb


def test_full_is_the_recipe_as_it_is() -> None:
    assert sized(shipped(), "full") == shipped()
    assert shipped().shape == SHAPES["full"]
    assert sized(quick(), "full").shape == quick().shape
    small = sized(shipped(), "small")
    assert is_small(small)
    assert not is_small(shipped())
    assert small.stages == shipped().stages


def test_a_small_checkpoint_takes_less_than_three_megabytes_in_bfloat16() -> None:
    model = new_model(ModelShape(*SHAPES["small"]), load_tokenizer(SHIPPED / "skiff" / "base"), 1)
    assert 2 * sum(weight.numel() for weight in model.parameters()) < 2.9e6
    assert SHAPES["small"][0] != SHAPES["full"][0]
    assert SHAPES["small"][1] != SHAPES["full"][1]


def test_the_small_family_names_its_base_and_its_final_checkpoint(tmp_path: Path) -> None:
    stages = shipped().kept()
    folder = tmp_path / "skiff-small"
    for name in ("base", "dpo"):
        (folder / name).mkdir(parents=True)
    (folder / "family.toml").write_text(small_toml(stages, "Notes."), "utf-8")
    family = registry.load_family(str(folder))
    assert [each.name for each in family.checkpoints] == ["base", "dpo"]
    assert family.final.name == "dpo"
    assert family.final.parent == "base"
    assert family.final.stage == "sft + safety + dpo"
    # While only the base is trained, it stands alone.
    (folder / "family.toml").write_text(small_toml(stages[:1], "Notes."), "utf-8")
    assert [each.name for each in registry.load_family(str(folder)).checkpoints] == ["base"]


def test_the_small_family_has_no_counterfactuals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no counterfactuals"):
        verb("train-skiff", ["--size", "small", "--variants", "seed-2-sft", "--out", str(tmp_path)])
