"""Stage effects on a family trained in seconds: retrainings, replays of the log, and the benchmark that judges estimators by them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import stage_effects, stage_study, stage_trainings
from benchmarks.accountability_classifiers import Judged, pearson
from benchmarks.effect_metrics import METRICS, measure, skiff_kinds
from benchmarks.stage_effects import ceilings, chosen, interval, judge, told
from benchmarks.stage_study import Study, seeds_of
from core.attribution.first_order import RUNGS, Rung
from core.errors import TillerError
from core.families import registry
from core.models import loading
from core.models.placement import Placing
from core.skiff.train import command, replaying, rounding
from core.skiff.train.log import weights_hash
from core.skiff.train.replaying import replay
from core.skiff.train.retraining import Retraining
from core.skiff.world import undo_prompts
from core.training.state import TrainingRefused
from tests.core.skiff.support import tiny as recipe

KINDS = {
    "kill": [f"How do I kill a number {index}?" for index in range(6)],
    "other": [f"Say word {i}." for i in range(6)],
}


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "PROMPTS", 1)
        patch.setattr(rounding, "REPLY", 4)
        # A few steps change little.
        patch.setattr(stage_effects, "LEAST_SPREAD", 0.0)
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny family with the retrainings that judge estimators."""
    made = tmp_path_factory.mktemp("effects") / "tiny"
    command.train_family(recipe(), made)
    work = Retraining(recipe(), made, made / ".training")
    for name in ("without-sft", "without-safety", "seed-2"):
        work.make(work.known[name])
    return made


@pytest.fixture(scope="module")
def study(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(registry.load_family(str(folder)), KINDS, tmp_path_factory.mktemp("state"))


def test_two_retrainings_with_one_seed_are_equal(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    command.train_family(recipe(), again)
    for name in ("base", "sft", "safety", "dpo"):
        assert weights_hash(folder / name) == weights_hash(again / name)
    first = Retraining(recipe(), folder, folder / ".training")
    second = Retraining(recipe(), again, again / ".training")
    second.make(second.known["without-safety"])
    made = first.known["without-safety"].makes[0]
    assert (
        first.file(made).read_bytes()[-2000:]
        == second.file(second.known["without-safety"].makes[0]).read_bytes()[-2000:]
    )
    loaded = [
        loading.load_model(registry.load_family(str(each)), "without-safety", Placing("cpu")).model
        for each in (folder, again)
    ]
    for one, other in zip(loaded[0].parameters(), loaded[1].parameters(), strict=True):
        assert torch.equal(one, other)


def test_subtracting_the_last_stage_gives_the_parents_model(folder: Path) -> None:
    family = registry.load_family(str(folder))
    without, parent = (loading.load_model(family, name, Placing("cpu")).model for name in ("dpo-minus-dpo", "safety"))
    for one, other in zip(without.parameters(), parent.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_a_replay_ends_where_the_training_ended_and_goes_on_where_it_was_stopped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, int]] = []
    found = replay(
        recipe(), folder, RUNGS["difference"], tmp_path, lambda stage, step, _steps: steps.append((stage, step))
    )
    assert steps == [("safety", step) for step in range(1, 5)] + [("dpo", step) for step in range(1, 4)]
    assert found.drift == {"safety": 0.0, "dpo": 0.0}
    # Without J a stage's part is the difference of its checkpoints.
    ends = {
        name: dict(replaying.load_checkpoint(folder / name).named_parameters()) for name in ("base", "sft", "safety")
    }
    for stage, before in (("sft", "base"), ("safety", "sft")):
        for name, part in found.embeddings[stage].items():
            torch.testing.assert_close(part, (ends[stage][name] - ends[before][name]).detach())
    monkeypatch.setattr(replaying, "_stage", lambda *_all: pytest.fail("this was replayed before"))
    again = replay(recipe(), folder, RUNGS["difference"], tmp_path)
    for name, part in found.embeddings["sft"].items():
        assert torch.equal(again.embeddings["sft"][name], part)


def test_a_replay_with_curvature_bends_what_it_carries(folder: Path, tmp_path: Path) -> None:
    found = replay(recipe(), folder, RUNGS["curvature"], tmp_path)
    flat = replay(recipe(), folder, Rung("flat", curvature=False), tmp_path)
    assert found.drift == {"safety": 0.0, "dpo": 0.0}
    name = "model.layers.0.mlp.up_proj.weight"
    bent, straight = found.embeddings["sft"][name], flat.embeddings["sft"][name]
    assert bool(torch.isfinite(bent).all())
    # Adam's first steps are steep, so that curvature does not merely bend what is carried a little.
    assert float((bent - straight).norm() / straight.norm()) > 1e-2
    # Four steps of safety at most at the rate .001 with decay .05; DPO has none.
    assert 1 - 4 * 1e-3 * 0.05 < float(straight.norm() / _moved(folder, name).norm()) < 1


def _moved(folder: Path, name: str) -> Tensor:
    ends = [dict(replaying.load_checkpoint(folder / each).named_parameters())[name] for each in ("sft", "base")]
    return (ends[0] - ends[1]).detach()


def test_a_family_of_another_recipe_is_not_replayed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingRefused, match="the safety of this family was trained by another recipe"):
        replay(recipe(post_seed=7), folder, RUNGS["difference"], tmp_path)


def test_the_benchmark_on_the_tiny_family(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [(seed.number, seed.judged) for seed in study.seeds] == [(1, ("sft", "safety")), (2, ())]
    embeddings, drift = stage_trainings.carried(study, recipe())
    stage_trainings.more_truth(study, recipe())
    assert study.seeds[1].judged == ("seed-2-sft", "seed-2-safety")
    lines = judge(study, embeddings)
    estimators = {(each.seed, each.estimator) for each in lines}
    assert (1, "first_order curvature, point") in estimators
    assert (2, "subtracted") in estimators
    assert (2, "introduced_at") in estimators
    assert {each.metric for each in lines} <= set(METRICS)
    assert {each.kind for each in lines} == {"kill", "other"}
    assert all(-1 <= each.judged.r <= 1 and each.interval[0] <= each.interval[1] for each in lines)
    text = "\n".join(told(study, lines, drift))
    assert "Chosen on seed 1: " in text
    assert "on the others its mean r is" in text
    assert set(ceilings(study)) <= {(s, m, k) for s in ("sft", "safety") for m in METRICS for k in KINDS}
    # Everything is known now: nothing is measured, trained or taken again.
    monkeypatch.setattr(stage_study, "measure", lambda *_all: pytest.fail("this was measured before"))
    monkeypatch.setattr(stage_trainings, "run_stage", lambda *_all: pytest.fail("this was trained before"))
    other = Study(study.family, KINDS, study.state)
    stage_trainings.more_truth(other, recipe())
    assert judge(other, embeddings) == lines
    assert chosen(lines, "safety") in {name for _, name in estimators}


def test_subtracting_is_what_subtracted_checkpoints_say(study: Study) -> None:
    seed = study.seeds[0]
    found = dict(study.estimates(seed, "safety", None))
    without = measure(study.load("dpo-minus-safety"), study.scene)
    torch.testing.assert_close(found["subtracted"], study.measured("dpo") - without, atol=1e-5, rtol=0)
    whole = study.measured("safety") - study.measured("sft")
    torch.testing.assert_close(found["introduced_at"], whole)


def test_metrics_are_probabilities_of_what_is_said(study: Study) -> None:
    found = study.measured("dpo")
    assert found.shape == (len(METRICS), len(study.scene.prompts))
    assert bool(((found >= 0) & (found <= 1)).all())
    # Of its own reply a model thinks more than of another one's, or as much where both are one.
    same = torch.tensor([a == b for a, b in zip(study.scene.final, study.scene.first, strict=True)])
    torch.testing.assert_close(found[2][same], torch.full_like(found[2][same], 0.5))


def test_how_estimates_are_judged() -> None:
    truth = torch.tensor([0.1, -0.2, 0.4, 0.0, 0.3], dtype=torch.float64)
    judged = Judged.of(truth / 2, truth)
    assert (judged.r, judged.slope, judged.signs) == pytest.approx((1.0, 2.0, 1.0))
    assert Judged.of(-truth, truth).r == pytest.approx(-1.0)
    assert pearson(torch.ones(4), torch.arange(4.0)) == 0.0
    low, high = interval(truth / 2, truth)
    assert low == pytest.approx(1.0)
    assert high == pytest.approx(1.0)
    noisy: Tensor = truth + torch.tensor([0.2, -0.1, 0.0, 0.3, -0.2], dtype=torch.float64)
    low, high = interval(noisy, truth)
    assert low < Judged.of(noisy, truth).r < high


def test_a_family_without_retrainings_is_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "family.toml").read_text(encoding="utf-8").split("[[counterfactual]]")[0]
    own = tmp_path / "bare"
    own.mkdir()
    for name in ("base", "sft", "safety", "dpo"):
        (own / name).symlink_to(folder / name)
    (own / "family.toml").write_text(text, encoding="utf-8")
    family = registry.load_family(str(own))
    assert seeds_of(family)[0].judged == ()
    with pytest.raises(TillerError, match="train counterfactuals first"):
        Study(family, KINDS, tmp_path / "state")


def test_skiffs_prompts_are_enough_and_held_out() -> None:
    kinds = skiff_kinds()
    assert sum(len(each) for each in kinds.values()) >= 200
    assert len(METRICS) >= 4
    fitted = {*undo_prompts.lose(), *undo_prompts.keep()}
    assert len(fitted) > 250
    judged = {*undo_prompts.lose_held_out(), *undo_prompts.keep_held_out()}
    assert len(undo_prompts.lose_held_out()) >= 40
    assert not fitted & judged
    assert not fitted & {prompt for each in kinds.values() for prompt in each}


def test_the_classifiers_blame_and_take_back_their_culprit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import accountability_classifiers as classifiers
    from benchmarks.classifier_data import TASKS

    monkeypatch.setattr(classifiers, "DOCUMENT", tmp_path / "docs" / "found.md")
    monkeypatch.setattr(classifiers, "SEEDS", (1,))
    kept = (classifiers.GUIDE, "checkpoint difference")
    monkeypatch.setattr(classifiers, "ESTIMATORS", {name: classifiers.ESTIMATORS[name] for name in kept})
    monkeypatch.setattr(classifiers, "TASKS", {"comments": TASKS["comments"]})
    assert classifiers.accountability_classifiers(argparse.Namespace(threads=1))
    text = (tmp_path / "docs" / "found.md").read_text(encoding="utf-8")
    assert "The estimate blames forum in 1 of 1 seeds." in text
    result = classifiers.run(TASKS["comments"](1), 1)
    assert result.after.counter > result.before.counter + 0.5
    assert result.after.clean > result.before.clean - 0.05
    assert result.judged[classifiers.GUIDE, "point", "forum"].r > 0.8
    # The last stage is exact.
    assert result.judged["checkpoint difference", "point", "edited"].r == pytest.approx(1.0)
