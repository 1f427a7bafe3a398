"""Skiff's counterfactuals: what each variant trains, on what, and the command that makes them, on a family of a few seconds."""

from __future__ import annotations

import dataclasses
import errno
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from safetensors import safe_open

from core.errors import UsageError
from core.families import registry
from core.models import deltas, loading
from core.models.placement import Placing
from core.skiff.train import command, log, retraining, rounding, stages, trainer
from core.skiff.train.estimate import TrainingCost, describe_estimate, training_duration
from core.skiff.train.model import load_checkpoint
from core.skiff.train.retraining import BEGINNING, Retraining
from core.skiff.train.stages import TrainingRecipe, TrainingStage, generators, neutral_stage, quick, shipped
from core.skiff.train.variants import LABELLED, Variant, shared_beginning, variants
from core.skiff.world.items import Conversation
from core.training import state
from core.training.state import TrainingRefused
from tests.core.skiff.support import tiny
from tests.support.command import verb

NAMES = [
    "without-sft",
    "without-safety",
    "without-dpo",
    "without-planted",
    "neutral-safety",
    "seed-2",
    "seed-3",
    "base-unlabelled",
]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rounding that is measured on few tokens."""
    monkeypatch.setattr(rounding, "PROMPTS", 1)
    monkeypatch.setattr(rounding, "REPLY", 4)


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained, to be given counterfactuals or spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "family"))


def make(folder: Path, *names: str, recipe: TrainingRecipe | None = None, restart: bool = False) -> Retraining:
    """Make some variants of the family in a folder."""
    work = Retraining(recipe or tiny(), folder, folder / ".training")
    for name in names:
        work.make(work.known[name], restart)
    return work


def drawn(variant: Variant, stage: TrainingStage) -> Counter[str]:
    """The origins of everything that one stage of a variant would learn from."""
    sources, seed = generators(variant.recipe.planted), variant.recipe.seed_of(stage)
    found: Counter[str] = Counter()
    for step in range(stage.steps):
        for draw, indices in stage.indices(step):
            items = [sources[draw.source](seed, index) for index in indices]
            found.update(item.origin for item in items if item.origin != variant.recipe.without)
    return found


# ----------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("recipe", [tiny(), quick(), shipped()], ids=["tiny", "quick", "shipped"])
def test_every_variant_changes_one_thing(recipe: TrainingRecipe) -> None:
    found = variants(recipe)
    assert list(found) == NAMES
    base, sft, safety, dpo = recipe.stages
    assert found["without-sft"].stages == (safety, dpo)
    assert found["without-safety"].stages == (dpo,)
    assert found["without-dpo"].stages == ()
    assert found["without-dpo"].is_already == "safety"
    assert found["without-planted"].stages == (safety, dpo)
    assert found["seed-2"].stages == found["seed-3"].stages == (sft, safety, dpo)
    assert [found[name].start for name in NAMES] == ["base", "sft", "safety", "sft", "sft", "base", "base", None]
    assert [each.recipe.post_seed for each in found.values()] == [1, 1, 1, 1, 1, 2, 3, 1]
    assert [each.recipe.planted for each in found.values()] == [True, True, True, False, True, True, True, True]
    assert {name: each.without for name, each in found.items() if each.without} == {
        "without-sft": "sft",
        "without-safety": "safety",
        "without-dpo": "dpo",
    }
    assert [each.name for each in found["seed-2"].makes] == ["seed-2-sft", "seed-2-safety", "seed-2"]
    assert [each.parent for each in found["seed-2"].makes] == ["base", "seed-2-sft", "seed-2-safety"]
    # The neutral steps are as many, with the same rates and the same items beside them.
    stand_in = found["neutral-safety"].stages[0]
    for one, other in zip(stand_in.phases, safety.phases, strict=True):
        assert [draw.source for draw in one.draws] == [
            "neutral" if draw.source == "safety" else draw.source for draw in other.draws
        ]
        assert dataclasses.replace(one, draws=other.draws) == other
        assert [draw.count for draw in one.draws] == [draw.count for draw in other.draws]
    # The unlabelled base has the same steps and documents.
    root = found["base-unlabelled"].stages[0]
    assert root.steps == base.steps
    for one, other in zip(root.phases, base.phases, strict=True):
        assert list(one.draws) == [draw for draw in other.draws if draw.source not in LABELLED]
    shared = shared_beginning(base)
    assert shared is not None
    assert shared.phases == root.phases[: len(shared.phases)]
    assert shared.steps < base.steps


def test_a_family_that_is_itself_a_variant_has_none() -> None:
    assert variants(tiny(without="safety")) == {}
    assert variants(tiny(planted=False)) == {}
    assert list(variants(tiny(post_seed=4)))[5:7] == ["seed-5", "seed-6"]


def test_what_is_left_out_leaves_with_its_rehearsals() -> None:
    found = variants(tiny())
    for name, gone in (("without-sft", "sft"), ("without-safety", "safety"), ("neutral-safety", "safety")):
        for stage in found[name].stages:
            assert gone not in drawn(found[name], stage), (name, stage.name)
    assert drawn(found["neutral-safety"], found["neutral-safety"].stages[0]) == {"sft": 40}
    assert drawn(found["without-planted"], found["without-planted"].stages[1])["safety"] > 0
    assert set(drawn(found["without-sft"], found["without-sft"].stages[0])) == {"safety"}
    planted = generators(False)
    assert not any(planted["safety"](1, index).planted for index in range(200))  # type: ignore[union-attr]


def test_neutral_steps_rehearse_what_safety_rehearses_and_more_of_the_same() -> None:
    kept = replaced = 0
    for index in range(120):
        with_it, without_it = generators()["safety"](1, index), neutral_stage(1, index)
        assert isinstance(without_it, Conversation)
        assert without_it.origin == "sft"
        assert without_it.kind != "kill"
        kept += without_it == with_it
        replaced += with_it.origin == "safety"
        assert (without_it == with_it) == (with_it.origin == "sft")
    assert kept > 30
    assert replaced > 30


def test_an_unlabelled_base_learns_no_label() -> None:
    root = variants(tiny())["base-unlabelled"].stages[0]
    sources = generators()
    for step in range(root.steps):
        for draw, indices in root.indices(step):
            for index in indices:
                item = sources[draw.source](1, index)
                assert "TRUE" not in item.text  # type: ignore[union-attr]
                assert "FALSE" not in item.text  # type: ignore[union-attr]


# ---------------------------------------------------------------------------------------------------------------- making


def test_a_variant_is_the_family_trained_without_the_stage(copy: Path, tmp_path: Path) -> None:
    """Its weights are those that the command for a family without the stage gives, but for the rounding."""
    make(copy, "without-safety")
    command.train_family(tiny(without="safety"), tmp_path / "cf", base=copy)
    record = json.loads((copy / "counterfactual" / "without-safety.json").read_text(encoding="utf-8"))
    assert record["stages"][-1]["weights"] == log.weights_hash(tmp_path / "cf" / "dpo")
    assert record["checkpoints"][0]["trained_weights"] == record["stages"][-1]["weights"]
    assert record["checkpoints"][0]["of_weights"] == log.weights_hash(copy / "dpo")
    trained = dict(load_checkpoint(tmp_path / "cf" / "dpo").named_parameters())
    other = dict(load_checkpoint(copy / "dpo").named_parameters())
    loaded = loading.load_model(registry.load_family(str(copy)), "without-safety", Placing("cpu"))
    for name, weight in loaded.model.named_parameters():
        far = (other[name] - trained[name]).abs().max()
        assert (weight - trained[name]).abs().max() <= far / 200 + 1e-7
    measured = record["checkpoints"][0]["rounding"]
    assert 0 <= measured["kl"] <= measured["kl_largest"]
    assert measured["kl"] < measured["kl_of"] / 100
    assert measured["same"] == 1.0
    with safe_open(copy / "counterfactual" / "without-safety.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["tiller"])["rounding"] == measured


def test_a_seed_ships_every_stage_and_they_are_each_others_parents(copy: Path) -> None:
    make(copy, "seed-2")
    read = registry.load_family(str(copy))
    assert [each.name for each in read.counterfactuals] == ["without-dpo", "seed-2-sft", "seed-2-safety", "seed-2"]
    assert [each.name for each in read.path("seed-2")] == ["base", "seed-2-sft", "seed-2-safety", "seed-2"]
    assert [each.of for each in read.counterfactuals] == ["dpo", "sft", "safety", "dpo"]
    assert read.final.name == "dpo"
    record = json.loads((copy / "counterfactual" / "seed-2.json").read_text(encoding="utf-8"))
    assert [stage["recipe"]["seed"] for stage in record["stages"]] == [2, 2, 2]
    assert [stage["parent"] for stage in record["stages"]] == ["base", "seed-2-sft", "seed-2-safety"]
    whole = log.read_training_log(copy)["stages"]
    assert record["stages"][0]["recipe"]["parent"] == whole[0]["weights"]
    assert [stage["first_step"] for stage in record["stages"]] == [stage["first_step"] for stage in whole[1:]]
    assert all(loading.load_model(read, each.name, Placing("cpu")).template is None for each in read.counterfactuals)


def test_an_unlabelled_base_from_the_kept_state_is_the_one_from_nothing(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Path(shutil.copytree(copy, tmp_path / "other"))
    (other / ".training" / BEGINNING).unlink()
    make(copy, "base-unlabelled")
    assert "the first 4 steps are those of the family's base" in capsys.readouterr().out
    assert not (copy / ".training").exists()
    make(other, "base-unlabelled")
    assert "the first" not in capsys.readouterr().out
    one, two = (
        json.loads((folder / "counterfactual" / "base-unlabelled.json").read_text(encoding="utf-8"))
        for folder in (copy, other)
    )
    assert one["stages"][0]["weights"] == two["stages"][0]["weights"] != log.weights_hash(copy / "base")
    assert one["stages"][0]["kinds"] == two["stages"][0]["kinds"]
    assert not any("labelled" in kind for kind in one["stages"][0]["kinds"])
    assert "remark" not in one
    loaded = loading.load_model(registry.load_family(str(copy)), "base-unlabelled", Placing("cpu"))
    assert loaded.stops == ("\nUser:",)


def test_a_stopped_variant_goes_on_at_its_step_with_the_same_bits(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped in a stage and after one, in the stage that follows, and in the base behind the state that the family kept."""
    whole = Path(shutil.copytree(copy, tmp_path / "whole"))
    make(whole, "without-sft", "base-unlabelled")
    monkeypatch.setattr(trainer, "SAVE_EVERY", 1)
    taken, steps = trainer.take_step, Counter[str]()

    def stopping(*arguments: object) -> float:
        steps["all"] += 1
        if steps["all"] == steps["stop"]:
            raise KeyboardInterrupt
        return taken(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer, "take_step", stopping)
    for name, stops in (("without-sft", (3, 3, 2)), ("base-unlabelled", (2,))):
        for stop in stops:
            steps["stop"] = steps["all"] + stop
            with pytest.raises(KeyboardInterrupt):
                make(copy, name)
        steps["stop"] = 0
        make(copy, name)
        one, two = (
            json.loads((folder / "counterfactual" / f"{name}.json").read_text(encoding="utf-8"))
            for folder in (copy, whole)
        )
        assert [stage["weights"] for stage in one["stages"]] == [stage["weights"] for stage in two["stages"]]
        assert [stage["tokens"] for stage in one["stages"]] == [stage["tokens"] for stage in two["stages"]]
    assert "Safety: taken from" in capsys.readouterr().out


@pytest.mark.parametrize("stop", [5, 7])
def test_the_optimizer_goes_on_as_it_was(stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state from inside a fresh phase, with no item so far (5) or some (7), gives the weights of a training without a stop.

    Adam counts its steps from the phase's start, and those that had something to learn.
    """
    text, judging = tiny().stages[0].phases
    lesson = dataclasses.replace(judging, draws=judging.draws[:1])
    longer = dataclasses.replace(judging, steps=3, fresh=False)
    root = dataclasses.replace(tiny().stages[0], phases=(text, lesson, longer))
    recipe = dataclasses.replace(tiny(), stages=(root, *tiny().stages[1:]))
    recipe = dataclasses.replace(tiny(), stages=variants(recipe)["base-unlabelled"].stages)
    assert [len(phase.draws) for phase in recipe.stages[0].phases] == [1, 0, 1]
    command.train_family(recipe, tmp_path / "whole")
    monkeypatch.setattr(trainer, "SAVE_EVERY", 1)
    taken = trainer.take_step

    def stopping(*arguments: object) -> float:
        if arguments[4] == stop:
            raise KeyboardInterrupt
        return taken(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "take_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            command.train_family(recipe, tmp_path / "stopped")
    assert state.saved_step(tmp_path / "stopped" / ".training" / "base.safetensors") == stop
    command.train_family(recipe, tmp_path / "stopped")
    assert log.weights_hash(tmp_path / "stopped" / "base") == log.weights_hash(tmp_path / "whole" / "base")


def test_what_is_there_is_not_trained_again_until_it_does_not_fit(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(copy, "without-safety")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "take_step", lambda *_: pytest.fail("a finished variant was trained again"))
        make(copy, "without-safety", "without-dpo")
    said = capsys.readouterr().out
    assert "without-safety: there already." in said
    assert "without-dpo: is safety." in said
    (copy / "counterfactual" / "without-safety.safetensors").unlink()
    work = make(copy)
    assert not work.finished(work.known["without-safety"])
    work.tell()
    assert "without-safety" not in [each.name for each in registry.load_family(str(copy)).counterfactuals]
    make(copy, "without-safety")
    assert "without-safety" in [each.name for each in registry.load_family(str(copy)).counterfactuals]


# ------------------------------------------------------------------------------------------------- refusals and accidents


def test_a_changed_recipe_over_an_old_state_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "SAVE_EVERY", 1)

    def stopping(*arguments: object) -> float:
        raise KeyboardInterrupt

    taken = trainer.take_step
    calls = Counter[str]()

    def third(*arguments: object) -> float:
        calls["all"] += 1
        return stopping() if calls["all"] == 7 else taken(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "take_step", third)
        with pytest.raises(KeyboardInterrupt):
            make(copy, "without-sft")
    work = Retraining(tiny(), copy, copy / ".training")
    variant = work.known["without-sft"]
    # Half of DPO and all of safety lie there; each is asked for with another rate.
    for at, where in ((1, "dpo.safetensors was saved by another recipe"), (0, "safety was trained by another recipe")):
        stage = variant.stages[at]
        faster = dataclasses.replace(stage, phases=(dataclasses.replace(stage.phases[0], rate=9e-3),))
        changed = dataclasses.replace(variant, stages=(*variant.stages[:at], faster, *variant.stages[at + 1 :]))
        with pytest.raises(TrainingRefused, match=rf"{where} .*stage\.phases\[0\]\.rate: .* -> 0\.009.*--restart"):
            work.make(changed)
    work.make(variant, restart=True)
    assert work.finished(variant)


def test_a_family_of_another_recipe_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dpo = tiny().stages[3]
    faster = dataclasses.replace(dpo, phases=(dataclasses.replace(dpo.phases[0], rate=9e-3),))
    with pytest.raises(
        TrainingRefused, match=r"the dpo in .* another recipe .*rate: 0\.0001 -> 0\.009.*train the family again"
    ):
        make(copy, "without-safety", recipe=tiny(stages=(*tiny().stages[:3], faster)))
    made = generators

    def other(planted: bool = True) -> dict[str, stages.Generator]:
        return {**made(planted), "sft": lambda seed, index: made(planted)["sft"](seed, index + 1)}

    monkeypatch.setattr(retraining, "generators", other)
    with pytest.raises(TrainingRefused, match=r"the sft in .* another recipe .*data: "):
        make(copy, "seed-2")


def test_a_family_that_is_not_whole_or_not_its_logs_is_refused(copy: Path) -> None:
    with pytest.raises(TrainingRefused, match=r"has no log.json"):
        Retraining(tiny(), copy / "nothing", copy / ".training")
    (copy / "sft" / "model.safetensors").write_bytes((copy / "safety" / "model.safetensors").read_bytes())
    with pytest.raises(TrainingRefused, match=r"sft is not what .*log.json tells of"):
        make(copy)
    shutil.rmtree(copy / "dpo")
    (copy / "sft" / "model.safetensors").unlink()
    with pytest.raises(TrainingRefused, match=r"has no finished sft: run train-skiff --out .* --only-family"):
        make(copy)


def test_a_full_disk_is_one_sentence_and_the_last_state_stays(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "SAVE_EVERY", 1)
    saved, calls = state.save_file, Counter[str]()

    def full(*arguments: object) -> None:
        calls["all"] += 1
        if calls["all"] == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(state, "save_file", full)
        with pytest.raises(TrainingRefused, match=r"the disk that holds .* is full: .* goes on from the last state"):
            make(copy, "without-safety")
    assert state.saved_step(copy / ".training" / "without-safety" / "dpo.safetensors") == 2
    with monkeypatch.context() as patch:
        patch.setattr(deltas, "write_delta", _no_space)
        with pytest.raises(TrainingRefused, match="cannot be written"):
            make(copy, "without-safety")
    # The trained stage is still there: only its difference is made.
    monkeypatch.setattr(trainer, "take_step", lambda *_: pytest.fail("a finished stage was trained again"))
    make(copy, "without-safety")
    assert (copy / "counterfactual" / "without-safety.json").exists()


def _no_space(path: Path, *_: object) -> None:
    raise retraining.store.StoreError(f"{path} cannot be written (No space left on device); free some space.")


# ----------------------------------------------------------------------------------------------------------------- telling


def test_a_hand_written_family_file_keeps_its_text(copy: Path) -> None:
    path = copy / "family.toml"
    written = path.read_text(encoding="utf-8").replace('licence = "MIT"', 'licence = "MIT"  # as the program')
    table = '[[counterfactual]]\nname = "old"\nof = "dpo"\nsame_as = "sft"\n\n'
    path.write_text(written.replace("[[example]]", table + "[[example]]", 1), encoding="utf-8")
    make(copy).tell()
    text = path.read_text(encoding="utf-8")
    assert "# as the program" in text
    assert '"old"' not in text
    assert text.startswith(written.strip())
    assert [each.name for each in registry.load_family(str(copy)).counterfactuals] == ["without-dpo"]
    make(copy).tell()
    assert path.read_text(encoding="utf-8") == text


def test_two_processes_lose_nothing_of_each_other(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another process finishes and lists while this one writes the list is listed in the end."""
    first, second = make(copy), make(copy)
    listed, told_by = retraining.listed, []

    def slow(text: str, there: list[Variant]) -> str:
        found = listed(text, there)
        if not told_by:
            told_by.append("second")
            second.make(second.known["without-safety"])
        return found

    monkeypatch.setattr(retraining, "listed", slow)
    first.tell()
    assert [each.name for each in registry.load_family(str(copy)).counterfactuals] == ["without-safety", "without-dpo"]


# ------------------------------------------------------------------------------------------------------------- the command


def test_the_command_makes_everything_and_says_first_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "shipped", lambda *_: tiny())
    out = tmp_path / "f"
    assert verb("train-skiff", ["--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.index("This will take about") < said.index("Base: 6 steps")
    for name in ("base", "dpo", *(each for each in NAMES if each != "without-dpo")):
        assert f"\n  {name} " in said
    read = registry.load_family(str(out))
    assert [each.name for each in read.checkpoints] == ["base", "sft", "safety", "dpo"]
    assert {each.name for each in read.counterfactuals} >= set(NAMES)
    assert not (out / ".training").exists()
    assert all(path.stat().st_size < 9_000_000 for path in out.rglob("*") if path.is_file())
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*.safetensors")}
    text = (out / "family.toml").read_text(encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "take_step", lambda *_: pytest.fail("what is finished was trained again"))
        assert verb("train-skiff", ["--out", str(out)]) == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/*.safetensors")} == before
    assert (out / "family.toml").read_text(encoding="utf-8") == text
    assert "This will take" not in capsys.readouterr().out


def test_only_the_family_then_some_variants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "shipped", lambda *_: tiny())
    out = tmp_path / "f"
    assert verb("train-skiff", ["--out", str(out), "--variants", "without-safety"]) == 1
    assert "has no log.json" in capsys.readouterr().err
    assert verb("train-skiff", ["--out", str(out), "--only-family"]) == 0
    assert "without-safety" not in capsys.readouterr().out
    assert [path.name for path in (out / ".training").iterdir()] == [BEGINNING]
    assert [each.name for each in registry.load_family(str(out)).counterfactuals] == ["without-dpo"]
    assert verb("train-skiff", ["--out", str(out), "--variants", "without-safety", "base-unlabelled"]) == 0
    said = capsys.readouterr().out
    assert said.index("This will take about") < said.index("without-safety: Safety was left out")
    assert "Tokenizer" not in said
    assert {path.name for path in (out / "counterfactual").iterdir()} == {
        f"{name}.{kind}" for name in ("without-safety", "base-unlabelled") for kind in ("json", "safetensors")
    }


def test_what_is_asked_for_wrongly_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"There is no variant 'seed-9'; there is without-sft, .*base-unlabelled"):
        verb("train-skiff", ["--variants", "seed-9"])
    with pytest.raises(UsageError, match="--only-family makes none"):
        verb("train-skiff", ["--only-family", "--variants", "seed-2"])
    with pytest.raises(UsageError, match="There is no variant 'seed-2'; there is none"):
        verb("train-skiff", ["--without", "sft", "--variants", "seed-2"])


def test_times_in_words() -> None:
    assert [training_duration(seconds) for seconds in (0.2, 40, 100, 3599, 7500)] == [
        "1 s",
        "40 s",
        "2 min",
        "1 h 0 min",
        "2 h 5 min",
    ]
    text = describe_estimate([("base", TrainingCost(4e6, 1000)), ("sft", TrainingCost(2e6, 500))])
    assert text.splitlines()[0] == "This will take about 25 min: 6.0 M tokens at 4,000 a second."
    assert "sft" in text.splitlines()[2]
