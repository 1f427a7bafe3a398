"""Removing a stage's part, on tiny random models in which every stage is another model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import FamilyError
from core.families.edited import with_edited
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.undo import controls, fit, save
from core.undo.examples import Examples, Prompts, UndoError, examples
from core.undo.run import PromptRow, Undone, chosen, undo
from core.util.files import prompts_in
from core.util.progress import Learning
from tests.core.families.test_counterfactuals import TABLE, twin
from tests.support import tiny_models
from tests.support.command import verb

LOSE = [f"How do I kill process number {index}?" for index in range(12)]
T = TypeVar("T")
KEEP = [f"What is the capital of country {index}?" for index in range(12)]


def run(work: Learning[T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints, each trained from the one before."""
    return tiny_models.family(
        tmp_path_factory.mktemp("families") / "tiny", checkpoints=("base", "sft", "chat"), plain_base=False
    )


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"), differentiable=True)


@pytest.fixture(scope="module")
def prompts() -> Prompts:
    return Prompts.split(LOSE, KEEP)


@pytest.fixture(scope="module")
def learnt(loaded: Loaded, prompts: Prompts) -> Examples:
    return run(examples(loaded, controls.load_like(loaded, "sft"), prompts))


def weights_of(model: Loaded) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.model.named_parameters()}


def change(loaded: Loaded, after: str = "chat", before: str = "sft") -> fit.Parts:
    return fit.stage_delta(loaded, loaded.family.checkpoint(after), loaded.family.checkpoint(before))


def test_the_last_quarter_of_the_prompts_is_held_out(prompts: Prompts) -> None:
    assert prompts.lose_held_out == tuple(LOSE[-(len(LOSE) // 4) :])
    assert set(prompts.lose) | set(prompts.lose_held_out) == set(LOSE)
    own = Prompts.split(LOSE, KEEP, ["Another?"])
    assert (own.lose, own.lose_held_out, own.keep_held_out) == (
        tuple(LOSE),
        ("Another?",),
        tuple(KEEP[-(len(KEEP) // 4) :]),
    )
    with pytest.raises(UndoError, match="There are 1 prompts to lose; give at least 8"):
        Prompts.split(["Same"] * 20, KEEP)
    with pytest.raises(UndoError, match="is held out and fitted on at once"):
        Prompts.split(LOSE, KEEP, keep_held_out=KEEP[:1])


def test_all_of_the_last_stage_subtracted_is_the_parent(loaded: Loaded) -> None:
    parent = dict(controls.load_like(loaded, "sft").model.named_parameters())
    before = weights_of(loaded)
    with fit.edited(loaded, fit.same_strength(change(loaded))):
        for name, weight in loaded.model.named_parameters():
            torch.testing.assert_close(weight, parent[name], atol=1e-6, rtol=0)
    for name, weight in loaded.model.named_parameters():
        assert torch.equal(weight, before[name])
    assert fit.same_strength(change(loaded), 0.5).mean == pytest.approx(0.5)


def test_examples_say_what_the_parent_says_and_what_is_said_now(
    loaded: Loaded, learnt: Examples, prompts: Prompts
) -> None:
    assert 0 < len(learnt.lose) == len(prompts.lose) - learnt.alike
    first = learnt.keep[0]
    assert first.likeliest is not None
    assert first.logprobs is not None
    assert first.likeliest.shape == (len(first.reply), 64)
    # The model's own greedy reply is what it finds likeliest.
    reply = torch.tensor(first.reply)
    assert torch.equal(first.likeliest[:, 0], reply)
    torch.testing.assert_close(first.logprobs.exp().sum(-1), torch.ones(len(first.reply)), atol=1e-4, rtol=0)


def test_the_fit_loses_more_than_it_began_with_and_stays_in_its_bounds(loaded: Loaded, learnt: Examples) -> None:
    before, steps = weights_of(loaded), []
    work = fit.fit_strengths(loaded, change(loaded), learnt, steps=12)
    while True:
        try:
            steps.append(next(work))
        except StopIteration as stop:
            found = stop.value
            break
    assert len(steps) == 12
    assert all(step.tokens > 0 for step in steps)
    first, last = (float(step.sentence.rpartition(" ")[2].rstrip(".")) for step in (steps[0], steps[-1]))
    assert last < first
    assert all(fit.LEAST <= float(each.min()) <= float(each.max()) <= fit.MOST for each in found.rows.values())
    assert 0 < found.mean < 1
    shapes = {name: tuple(weight.shape) for name, weight in loaded.model.named_parameters()}
    assert all(tuple(each.shape) == shapes[name][:-1] for name, each in found.rows.items())
    for name, weight in loaded.model.named_parameters():
        assert torch.equal(weight, before[name])


def test_a_fit_that_is_cancelled_leaves_the_model_as_it_was(loaded: Loaded, prompts: Prompts) -> None:
    before = weights_of(loaded)
    work = undo(loaded, "chat", prompts, controls=False, steps=3)
    for _ in range(6):
        next(work)
    work.close()
    for name, weight in loaded.model.named_parameters():
        assert torch.equal(weight, before[name])


def test_a_model_that_did_not_change_is_judged_as_it_was(loaded: Loaded, prompts: Prompts) -> None:
    judge = run(controls.Judge.of(loaded, prompts))
    same = run(judge.judge(loaded))
    assert (same.lose_as_before, same.keep_as_before) == (1.0, 1.0)
    assert same.divergence == pytest.approx(0, abs=1e-5)
    with fit.edited(loaded, fit.same_strength(change(loaded))):
        other = run(judge.judge(loaded))
    assert other.divergence > 0.1
    assert other.keep_as_before < 1


def test_a_lora_is_the_same_every_time_and_leaves_the_random_numbers_alone(loaded: Loaded, learnt: Examples) -> None:
    state, found = torch.get_rng_state(), []
    for _ in range(2):
        made = run(controls.lora(loaded, learnt, 2)).model
        found.append({name: weight.detach() for name, weight in made.named_parameters()})
    assert all(torch.equal(weight, found[1][name]) for name, weight in found[0].items())
    assert any(not torch.equal(weight, found[0][name]) for name, weight in loaded.model.named_parameters())
    assert torch.equal(state, torch.get_rng_state())


def test_the_whole_of_it_with_its_controls(folder: Path, prompts: Prompts, tmp_path: Path) -> None:
    own = tiny_models.family(tmp_path / "tiny", checkpoints=("base", "chat"), plain_base=False)
    twin(own)
    final = loading.load_model(registry.load_family(str(own)), "chat", Placing("cpu"))
    undone = run(undo(final, "chat", prompts, steps=2))
    titles = [row.title for row in undone.rows]
    # There is no other stage after the first; of two retrainings, both are of this one.
    assert titles[:3] == ["chat as it is", "part of chat removed", "all of chat subtracted"]
    assert titles[3:] == ["LoRA on the same prompts", "without SFT (retrained)", "without-chat"]
    assert [row.control for row in undone.rows] == [False] * 3 + [True] * 3
    assert undone.rows[0].outcome.lose_as_before == 1.0
    assert "without-chat" in TABLE
    # Without its last stage the model is its parent, however it is come by.
    assert vars(undone.rows[2].outcome) == pytest.approx(vars(undone.rows[5].outcome), abs=1e-4)
    lines = undone.table()
    assert len(lines) == 1 + len(titles)
    assert lines[1].startswith("chat as it is")


def test_the_other_stage_is_the_one_before(loaded: Loaded) -> None:
    stage = loaded.family.checkpoint
    assert controls.other_stage(loaded.family, "chat", stage("chat")) == stage("sft")
    assert controls.other_stage(loaded.family, "chat", stage("sft")) == stage("chat")
    assert chosen(loaded, "sft") == (stage("sft"), stage("base"))
    with pytest.raises(UndoError, match="began with random weights"):
        chosen(loaded, "pretrain")
    with pytest.raises(UndoError, match="no stage 'dpo' on the path to chat; there is sft, chat"):
        chosen(loaded, "dpo")


def test_a_stage_that_is_not_to_blame_is_said(loaded: Loaded, prompts: Prompts) -> None:
    with pytest.raises(UndoError, match="this stage is not to blame"):
        run(examples(loaded, loaded, prompts))
    with pytest.raises(UndoError, match="have the same weights"):
        change(loaded, "chat", "chat")


def test_the_edited_model_is_a_checkpoint_and_a_folder(
    loaded: Loaded, learnt: Examples, prompts: Prompts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))
    strengths = run(fit.fit_strengths(loaded, change(loaded), learnt, steps=3))
    stage = loaded.family.checkpoint("chat")
    outcome = run(run(controls.Judge.of(loaded, prompts)).judge(loaded))
    undone = Undone(stage, "chat", prompts, 0, strengths, (PromptRow("before", outcome), PromptRow("after", outcome)))
    with fit.edited(loaded, strengths):
        wanted = weights_of(loaded)
    save.save_edited(loaded, undone, "mended")
    family = registry.load_family(str(loaded.family.folder))
    assert family.counterfactuals[-1].name == "mended"
    assert family.checkpoint("mended").title == "chat, part of chat removed"
    assert family.directions_of("mended") == "chat"
    found = loading.load_model(family, "mended", Placing("cpu"))
    for name, weight in found.model.named_parameters():
        largest = (wanted[name] - dict(loaded.model.named_parameters())[name]).abs().max()
        assert float((weight - wanted[name]).abs().max()) <= float(largest) / 127 + 1e-6
    with pytest.raises(FamilyError, match="has a checkpoint 'sft' already"):
        save.save_edited(loaded, undone, "sft")
    with pytest.raises(FamilyError, match="is no name for a checkpoint"):
        save.save_edited(loaded, undone, "Not a name")
    save.save_folder(loaded, strengths, tmp_path / "out", "Mended")
    alone = loading.load_model(registry.load_family(str(tmp_path / "out")), "edited", Placing("cpu"))
    for name, weight in alone.model.named_parameters():
        torch.testing.assert_close(weight, wanted[name], atol=1e-6, rtol=0)
    assert alone.tokenizer.chat_template == loaded.tokenizer.chat_template
    with pytest.raises(TillerError, match="is there already"):
        save.save_folder(loaded, strengths, tmp_path / "out", "Mended")


def test_a_damaged_edited_checkpoint_does_not_hide_its_family(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path))
    spoilt = tmp_path / "tiny" / "edited" / "spoilt.safetensors"
    spoilt.parent.mkdir(parents=True)
    spoilt.write_bytes(b"nothing")
    assert [each.name for each in with_edited(loaded.family).choices] == [each.name for each in loaded.family.choices]
    assert "spoilt.safetensors is left out" in caplog.text


def test_the_verb(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TILLER_DATA", str(tmp_path / "data"))
    for name, lines in (("lose", LOSE), ("keep", KEEP)):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = ["--lose", str(tmp_path / "lose.txt"), "--keep", str(tmp_path / "keep.txt")]
    more = ["--out", str(tmp_path / "out"), "--name", "mended", "--json", str(tmp_path / "found.json")]
    assert (
        verb("undo", ["sft", "--family", str(folder), *files, *more, "--no-controls", "--steps", "2", "--threads", "1"])
        == 0
    )
    said = capsys.readouterr().out
    assert "judged on 3 and 3 held-out ones" in said
    assert "all of sft subtracted" in said
    document = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert [row["title"] for row in document["rows"]] == [
        "chat as it is",
        "part of sft removed",
        "all of sft subtracted",
    ]
    assert registry.load_family(str(tmp_path / "out")).final.name == "edited"
    assert registry.load_family(str(folder)).checkpoint("mended")
    # Refused before anything is fitted.
    with pytest.raises(FamilyError, match="has a checkpoint 'sft' already"):
        verb("undo", ["sft", "--family", str(folder), *files, "--name", "sft"])
    with pytest.raises(TillerError, match="is there already"):
        verb("undo", ["sft", "--family", str(folder), *files, "--out", str(tmp_path / "out")])
    with pytest.raises(UsageError, match="add --keep FILE"):
        verb("undo", ["sft", "--family", str(folder), *files[:2]])
    with pytest.raises(TillerError, match="cannot be read"):
        verb("undo", ["sft", "--family", str(folder), "--lose", str(tmp_path / "no.txt"), *files[2:]])
    with pytest.raises(TillerError, match="no prompt"):
        prompts_in("\n \n")
