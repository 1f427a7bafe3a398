"""The adapters that ship are those of the recipe, and the family opens with them: read from the files, without the model below them."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.artefacts.store import SHIPPED
from core.attribution.training_log import read_log
from core.families import registry, stages
from core.models import lora
from core.smollm2 import prompts
from core.smollm2.stages import AdapterStage, adapter_stages
from core.smollm2.verbs import FAMILY

FOLDER = SHIPPED / FAMILY
#: A repository holds no larger file.
LARGEST = 9 * 10**6


#: Of the recipe's stages those that the family has, by what it says itself.
SHIPPED_STAGES = [
    each
    for each in adapter_stages().values()
    if each.name in {one.name for one in registry.load_family(FAMILY).choices}
]


def test_both_stages_ship_and_what_the_model_is_without_the_first() -> None:
    assert {"safety", "dpo", "without-safety"} <= {each.name for each in SHIPPED_STAGES}


@pytest.mark.parametrize("stage", SHIPPED_STAGES, ids=lambda stage: stage.name)
def test_an_adapter_is_what_the_recipe_says(stage: AdapterStage) -> None:
    folder = FOLDER / stage.folder
    config = json.loads((folder / lora.CONFIG).read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"]) == (stage.rank, stage.scale)
    made = json.loads((folder / "log.json").read_text(encoding="utf-8"))
    for key, value in vars(stage).items():
        assert made["plan"][key] == value, key
    losses = made["done"]["losses"]
    assert len(losses) == stage.steps
    assert all(math.isfinite(value) for each in losses for value in each.values())
    weights = load_file(folder / lora.WEIGHTS)
    assert (folder / lora.WEIGHTS).stat().st_size < LARGEST
    assert {each.dtype for each in weights.values()} == {torch.bfloat16}
    assert all(bool(each.isfinite().all()) for each in weights.values())
    # An adapter that was never trained has nothing but zeros on one side.
    assert all(bool(each.any()) for name, each in weights.items() if "lora_B" in name)


def test_every_adapter_says_which_weights_it_was_trained_on() -> None:
    package = registry.load_family(FAMILY).checkpoint("instruct").package
    assert package is not None
    for stage in SHIPPED_STAGES:
        with safe_open(FOLDER / stage.folder / lora.WEIGHTS, "pt") as file:
            said = json.loads(file.metadata()["tiller"])
        assert said == {"trained_on": package.sha256[:16]}


def test_the_logs_are_in_the_documented_format() -> None:
    for stage in SHIPPED_STAGES:
        log = read_log(FOLDER / stage.folder)
        assert [rates[0] for rates in log.rates] == pytest.approx([stage.rate_at(step) for step in range(stage.steps)])
        assert log.batches is not None
        assert log.batches[0] == tuple(each.name for each in stage.batch(0))


def test_the_family_has_its_stages_and_what_they_are_without() -> None:
    family = registry.load_family(FAMILY)
    assert [each.name for each in family.path("dpo")] == ["base", "instruct", "safety", "dpo"]
    path = stages.stage_path(family)
    assert set(path.nulls) == {each.name for each in SHIPPED_STAGES if each.name in ("seed-2", "seed-3")}
    assert {stage.name for stage in path.post if stage.retrained} == {"safety", "dpo"}
    for key, texts in prompts.undo_prompts().items():
        assert (FOLDER / "undo" / f"{key}.txt").read_text(encoding="utf-8").splitlines() == texts


def test_what_ships_with_the_family_is_there_and_small() -> None:
    every = [each for each in FOLDER.rglob("*") if each.is_file()]
    assert sum(each.stat().st_size for each in every) < 40 * 10**6
    assert all(each.stat().st_size < LARGEST for each in every)
    for name, kinds in (("instruct", ("truth", "refusal")), ("safety", ("truth",)), ("dpo", ("truth",))):
        for kind in kinds:
            assert (FOLDER / name / "artefacts" / f"direction.{kind}.safetensors").is_file()
