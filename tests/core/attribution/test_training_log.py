"""Training logs: what a loop and transformers' Trainer write is what their steps were, and can be taken again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.attribution import training_log
from core.attribution.first_order import RUNGS, Carrier, exact_hessian
from core.attribution.stage_embeddings import replay_steps, scheduled
from core.attribution.training_log import LogError, TrainingLog, chain, read_log
from tests.support import tiny_models

STEPS = {"one": 5, "two": 4}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def loss(model: nn.Module, batch: tuple[Any, ...]) -> Tensor:
    found = []
    for item in batch:
        made = torch.Generator().manual_seed(int(item))
        inputs = torch.randn(1, 3, generator=made, dtype=torch.float64)
        found.append(functional.cross_entropy(model(inputs), (inputs[:, 0] > 0).long()))
    return torch.stack(found).mean()


def train(
    folder: Path, batches: bool = True, kind: Any = torch.optim.AdamW
) -> tuple[nn.Module, Carrier, dict[str, dict[str, Tensor]]]:
    """A training of two stages, logged, with the embeddings carried along while it is done."""
    model = network()
    parameters = dict(model.named_parameters())
    carrier = Carrier(parameters, RUNGS["curvature"])
    ends: dict[str, dict[str, Tensor]] = {}
    parent = None
    for stage, count in STEPS.items():
        groups = [
            {"params": [p for p in parameters.values() if p.dim() == 2], "weight_decay": 0.2},
            {"params": [p for p in parameters.values() if p.dim() == 1], "weight_decay": 0.0},
        ]
        optimizer = kind(groups, lr=0.0)
        carrier.begin(stage)
        with TrainingLog(folder / stage, stage, model.named_parameters(), optimizer, parent, clip=0.5) as log:
            for step in range(count):
                for group in optimizer.param_groups:
                    group["lr"] = 0.05 / (1 + step)
                items = tuple(range(10 * len(stage) + 4 * step, 10 * len(stage) + 4 * step + 4))
                optimizer.zero_grad()
                loss(model, items).backward()
                norm = float(nn.utils.clip_grad_norm_(model.parameters(), 0.5))
                log.step(items if batches else None)
                with carrier.step(
                    optimizer,
                    exact_hessian(lambda now=items: loss(model, now), parameters),
                    min(1, 0.5 / (norm + 1e-6)),
                ):
                    optimizer.step()
        ends[stage] = {name: parameter.detach().clone() for name, parameter in parameters.items()}
        parent = stage
    return model, carrier, ends


def test_a_replay_of_the_log_regenerates_the_states_and_the_embeddings(tmp_path: Path) -> None:
    trained, carrier, _ = train(tmp_path)
    again = network()
    found = replay_steps(again, chain([tmp_path / "one", tmp_path / "two"]), loss, RUNGS["curvature"])
    for name, weight in trained.named_parameters():
        assert torch.equal(dict(again.named_parameters())[name], weight)
    for stage, embedding in carrier.embeddings().items():
        for name, part in embedding.items():
            torch.testing.assert_close(found[stage][name], part)


def test_the_schedule_needs_checkpoints_and_rates_only(tmp_path: Path) -> None:
    _, _, ends = train(tmp_path, batches=False)
    start = dict(network().named_parameters())
    difference = {name: (ends["one"][name] - start[name]).detach() for name in start}
    found = scheduled(difference, [read_log(tmp_path / "two")])
    left = 1.0
    for step in range(STEPS["two"]):
        left *= 1 - 0.2 * 0.05 / (1 + step)
    for name, part in difference.items():
        torch.testing.assert_close(found[name], part * (left if part.dim() == 2 else 1.0))
    assert all(torch.equal(part, difference[name]) for name, part in scheduled(difference, []).items())
    with pytest.raises(LogError, match="does not say what was in its batches"):
        replay_steps(network(), [read_log(tmp_path / "one")], loss, RUNGS["state"])


def test_the_file_says_what_the_documentation_says(tmp_path: Path) -> None:
    train(tmp_path)
    document = json.loads((tmp_path / "two" / training_log.LOG_NAME).read_text(encoding="utf-8"))
    assert set(document) == {"tiller", "format", "stage", "parent", "optimizer", "rates", "batches"}
    assert (document["stage"], document["parent"], document["optimizer"]["kind"]) == ("two", "one", "AdamW")
    assert document["optimizer"]["groups"][0]["parameters"] == ["0.weight", "2.weight"]
    assert document["rates"][1] == [0.025, 0.025]
    assert len(document["batches"]) == STEPS["two"]


def test_a_log_of_transformers_trainer(tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments

    from core.attribution.trainer_callback import LogTraining

    model = tiny_models.model("llama")
    items = [{"input_ids": torch.arange(4) + index, "labels": torch.arange(4) + index} for index in range(8)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=4, per_device_train_batch_size=2, learning_rate=1e-3, weight_decay=0.1,
        lr_scheduler_type="linear", use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True, logging_strategy="no",
    )  # fmt: skip
    Trainer(model, arguments, train_dataset=items, callbacks=[LogTraining("sft", parent="base")]).train()
    log = read_log(tmp_path)
    assert (log.stage, log.parent, log.kind, log.clip) == ("sft", "base", "AdamW", 1.0)
    assert log.batches is not None
    assert sorted(item for batch in log.batches for item in batch) == list(range(8))
    assert [rates[0] for rates in log.rates] == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4])
    named = {name for group in log.groups for name in group.parameters}
    assert named == {name for name, _ in model.named_parameters()}
    kept = {name: each.weight for name, each in log.decayed({}).items()}
    assert kept["model.layers.0.mlp.up_proj.weight"] == pytest.approx(
        (1 - 1e-4) * (1 - 7.5e-5) * (1 - 5e-5) * (1 - 2.5e-5)
    )
    assert kept["model.norm.weight"] == 1.0


def test_a_resumed_training_has_the_log_of_the_whole_one(tmp_path: Path) -> None:
    from transformers import Trainer, TrainingArguments

    from core.attribution.trainer_callback import LogTraining

    items = [{"input_ids": torch.arange(4) + index, "labels": torch.arange(4) + index} for index in range(12)]

    class Interrupted(LogTraining):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            super().on_pre_optimizer_step(args, state, control, **more)
            if state.global_step == 4:
                raise KeyboardInterrupt

    def trainer(folder: Path, callback: LogTraining) -> Trainer:
        arguments = TrainingArguments(
            output_dir=str(folder), max_steps=7, per_device_train_batch_size=2, gradient_accumulation_steps=2, learning_rate=1e-3,
            use_cpu=True, report_to=[], save_steps=2, disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        torch.manual_seed(0)
        return Trainer(tiny_models.model("llama"), arguments, train_dataset=items, callbacks=[callback])

    trainer(tmp_path / "whole", LogTraining("sft")).train()
    with pytest.raises(KeyboardInterrupt):
        trainer(tmp_path / "parts", Interrupted("sft")).train()
    trainer(tmp_path / "parts", LogTraining("sft")).train(resume_from_checkpoint=True)
    whole, parts = read_log(tmp_path / "whole"), read_log(tmp_path / "parts")
    assert parts == whole
    assert whole.batches is not None
    assert [len(batch) for batch in whole.batches] == [4] * 7
    assert sorted(item for batch in whole.batches[:3] for item in batch) == list(range(12))
    (tmp_path / "parts" / training_log.LOG_NAME).unlink()
    with pytest.raises(LogError, match=r"has no training_log\.json"):
        trainer(tmp_path / "parts", LogTraining("sft")).train(resume_from_checkpoint=True)


@pytest.mark.parametrize(
    ("momentum", "nesterov", "dampening"),
    [(0.0, False, 0.0), (0.9, False, 0.0), (0.9, True, 0.0), (0.99, False, 0.0), (0.9, False, 0.5)],
)
@pytest.mark.parametrize("reset", [True, False])
def test_what_decay_leaves_goes_through_momentum(
    momentum: float, nesterov: bool, dampening: float, reset: bool, tmp_path: Path
) -> None:
    """Two stages of SGD on a loss without curvature, from two starts: their difference at the end is what is left of it."""

    def end(start: float) -> float:
        weight = nn.Parameter(torch.tensor([start], dtype=torch.float64))
        rules: dict[str, Any] = {
            "momentum": momentum,
            "weight_decay": 0.02,
            "nesterov": nesterov,
            "dampening": dampening,
        }
        optimizer = torch.optim.SGD([weight], 0.05, **rules)
        for stage, steps in (("one", 20), ("two", 30)):
            if stage == "two" and reset:
                optimizer = torch.optim.SGD([weight], 0.05, **rules)
            kept = reset or stage == "one"
            with TrainingLog(tmp_path / stage, stage, [("w", weight)], optimizer, reset=kept) as log:
                for _ in range(steps):
                    optimizer.zero_grad()
                    (0.3 * weight.sum()).backward()
                    log.step()
                    optimizer.step()
        return float(weight.detach())

    true = (end(1.5) - end(1.0)) / 0.5
    logs = [read_log(tmp_path / stage) for stage in ("one", "two")]
    found = scheduled({"w": torch.ones(1, dtype=torch.float64)}, logs)
    assert float(found["w"]) == pytest.approx(true, rel=1e-9)
    if momentum and not reset:
        with pytest.raises(LogError, match="goes on with the momentum of the stage before"):
            scheduled({"w": torch.ones(1)}, logs[1:])


def test_what_is_wrong_with_a_log_is_said(tmp_path: Path) -> None:
    model = network()
    adam = torch.optim.Adam(model.parameters(), 0.1, weight_decay=0.1)
    with pytest.raises(LogError, match="RMSprop is no optimizer"):
        TrainingLog(tmp_path, "one", model.named_parameters(), torch.optim.RMSprop(model.parameters()))
    with pytest.raises(LogError, match="none of these parameters"):
        TrainingLog(tmp_path, "one", network().named_parameters(), adam)
    log = TrainingLog(tmp_path, "one", model.named_parameters(), adam)
    log.step([1])
    log.step()
    with pytest.raises(LogError, match="1 of 2 steps say what was in their batch"):
        log.write()
    log.step([2])
    with pytest.raises(LogError, match=r"has no training_log\.json"):
        read_log(tmp_path)
    with TrainingLog(tmp_path, "one", model.named_parameters(), adam) as other:
        other.step([1])
    with pytest.raises(LogError, match="goes through its moments"):
        read_log(tmp_path).decayed({})
    with pytest.raises(LogError, match=r"trains 0\.weight, which this model does not have"):
        replay_steps(nn.Linear(2, 2), [read_log(tmp_path)], loss, RUNGS["difference"])
    path = tmp_path / training_log.LOG_NAME
    for spoilt, sentence in (
        ("{", "cannot be read"),
        ('{"tiller": 1, "format": 1}', "is no training log"),
        ("[]", "damaged"),
    ):
        path.write_text(spoilt, encoding="utf-8")
        with pytest.raises(LogError, match=sentence):
            read_log(tmp_path)
    train(tmp_path / "chain")
    with pytest.raises(LogError, match="began with one, not with two"):
        chain([tmp_path / "chain" / "two", tmp_path / "chain" / "two"])
