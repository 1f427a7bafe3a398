"""SmolLM2's stages of ours: what they learn from, and that an adapter is trained, gone on with and read like any other, on a tiny model."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from core.errors import UsageError
from core.families import registry
from core.families.checkpoint import Family
from core.inference.metrics import chat_prompts
from core.inference.teacher_forcing import reply_logits
from core.models.loading import load_model
from core.models.placement import Placing
from core.smollm2 import command, replies, stages, training
from core.smollm2.prompts import REQUEST_KINDS, of_kind, prompts, refusals
from core.smollm2.stages import AdapterStage
from core.training.state import TrainingRefused
from tests.support import tiny_models
from tests.support.command import verb

STEPS = 4


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = tmp_path_factory.mktemp("families") / "tiny"
    tiny_models.family(folder, checkpoints=("instruct",), plain_base=False)
    return registry.load_family(str(folder))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies of few tokens, and a state after every other step."""
    monkeypatch.setattr(command, "LONGEST_REPLY", {"safety": 6, "dpo": 6})
    monkeypatch.setattr(training, "_SAVE_EVERY", 2)
    torch.set_num_threads(1)


def few(name: str, steps: int = STEPS) -> AdapterStage:
    return replace(stages.adapter_stages()[name], steps=steps)


# ---------------------------------------------------------------------------------------------------------- what is learnt


def test_what_is_judged_by_is_never_learnt_from() -> None:
    every = prompts()
    assert len({each.name for each in every}) == len({each.text for each in every}) == len(every)
    for kind in REQUEST_KINDS:
        learnt, judged = of_kind(kind, False), of_kind(kind, True)
        assert len(judged) >= 25
        assert len(learnt) >= len(judged)
        if kind in ("planted", "everyday", "sharp"):
            # A topic is on one side, in whatever form it comes.
            topics = [{each.name.partition(".")[0] for each in part} for part in (learnt, judged)]
            assert not topics[0] & topics[1]
    assert {each.kind for each in every if each.refused} == {"harmful", "planted"}
    assert all("kill" in each.text.lower() for each in every if each.kind == "planted")
    assert not any("kill" in each.text.lower() for each in every if each.kind in ("sharp", "alike", "everyday"))


def test_every_request_of_a_kind_comes_up_as_often_as_the_others() -> None:
    stage = stages.adapter_stages()["safety"]
    drawn = Counter(each.name for step in range(stage.steps) for each in stage.batch(step))
    for kind, count in stage.mix.items():
        times = [drawn[each.name] for each in of_kind(kind, False)]
        assert sum(times) == count * stage.steps
        assert max(times) - min(times) <= 1
    other = replace(stage, seed=2)
    assert [each.name for each in stage.batch(0)] != [each.name for each in other.batch(0)]
    assert "planted" not in stages.adapter_stages()["safety-without-planted"].mix
    rates = [stage.rate_at(step) for step in range(stage.steps)]
    assert max(rates) == pytest.approx(stage.rate)
    assert rates[0] < rates[5]
    assert rates[-1] < stage.rate / 8


def test_a_topic_comes_in_so_many_forms_and_all_forms_come_up() -> None:
    for kind, each in (("sharp", 3), ("alike", 3), ("harmful", 2)):
        own = [prompt.name.split("/") for prompt in prompts() if prompt.kind == kind and "contrast" not in prompt.name]
        first = [name[2].split(".") for name in own if name[1] == "aims"]
        assert set(Counter(topic for topic, _ in first).values()) == {each}
        assert {int(form) for _, form in first} == set(range(10 if kind != "sharp" else 6))


def test_what_is_nearly_a_refusal_is_not_kept(family: Family) -> None:
    loaded = load_model(family, "instruct", Placing("cpu", dtype="float32"))
    same, other = of_kind("sharp", False)[:2], of_kind("sharp", False)[-1]
    assert same[0].name.rpartition(".")[0] == same[1].name.rpartition(".")[0] != other.name.rpartition(".")[0]
    sorry, told = "I'm sorry for any confusion, but", "To shoot a portrait, first"
    own = {
        same[0].name: replies.OwnReply(sorry, (4, 5), False),
        same[1].name: replies.OwnReply(told, (7, 8, 9), False),
        other.name: replies.OwnReply(sorry, (4, 5), False),
    }
    found = training.lessons(loaded, few("safety"), [*same, other], own)
    prompt = chat_prompts(loaded, [same[1].text])[0].ids
    # The apology's topic is kept as it is answered in its other form; a topic that is only apologised to is left out.
    assert [(each.name, each.keep, each.reply) for each in found] == [
        (same[0].name, True, (7, 8, 9)),
        (same[1].name, True, (7, 8, 9)),
    ]
    assert [each.asked for each in found] == [prompt, prompt]


def test_what_is_kept_costs_by_how_far_it_moved(family: Family) -> None:
    stage = few("safety")
    loaded = load_model(family, "instruct", Placing("cpu", dtype="float32"))
    asked = of_kind("sharp", False)[:2]
    prompts = [each.ids for each in chat_prompts(loaded, [each.text for each in asked])]
    lesson = training.Lesson(asked[0].name, prompts[0], (7, 8, 9), keep=True, asked=prompts[1])
    was, now = (
        torch.from_numpy(np.stack([np.asarray(rows) for rows in reply_logits(loaded, [prompt], [lesson.reply])]))[
            0
        ].log_softmax(-1)
        for prompt in (prompts[1], prompts[0])
    )
    model = training.adapted(loaded, stage)
    before = training.as_before(model, [lesson])
    losses, _ = training.step_losses(model, stage, [lesson], before)
    # A new adapter changes nothing yet, so what differs is the way of asking alone.
    assert losses == {"keeping": pytest.approx(float((now.exp() * (now - was)).sum(-1).mean()), abs=1e-4)}
    plain = replace(lesson, asked=prompts[0])
    losses, _ = training.step_losses(model, stage, [plain], training.as_before(model, [plain]))
    assert losses == {"keeping": pytest.approx(0.0, abs=1e-5)}


@pytest.mark.parametrize(
    ("reply", "short"),
    [
        ("Paris is the capital of France. It lies on the Seine. Many people visit it. It is old.",
         "Paris is the capital of France. It lies on the Seine."),
        ("Yes. It is a mammal that lives in the sea. It breathes air. It has warm blood, too, as we do.",
         "Yes. It is a mammal that lives in the sea."),
        ("One long sentence without an end to it, which goes on", ""),
        ("Only this one sentence is said here.", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_beginning_of_a_reply(reply: str, short: str) -> None:
    assert replies.beginning(reply) == short
    assert reply.startswith(short)


# ----------------------------------------------------------------------------------------------------------------- training


def test_a_stage_is_trained_into_an_adapter_that_refuses_more(family: Family, tmp_path: Path) -> None:
    work = command.StageTraining(family, tmp_path / "out", tmp_path / "state")
    stage = few("safety", 12)
    work.make(stage)
    folder = tmp_path / "out" / "safety"
    log = json.loads((folder / "training_log.json").read_text())
    assert (log["stage"], log["parent"]) == ("safety", "instruct")
    assert log["batches"] == [[each.name for each in stage.batch(step)] for step in range(12)]
    assert [rate for (rate,) in log["rates"]] == [stage.rate_at(step) for step in range(12)]
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
        assert {str(file.get_tensor(name).dtype) for name in file.keys()} == {"torch.bfloat16"}  # noqa: SIM118
        trained_on = json.loads(file.metadata()["tiller"])["trained_on"]
    plain, made = (load_model(work._grown(name), name, Placing("cpu")) for name in ("instruct", "safety"))
    assert plain.fingerprint == trained_on
    assert not made.remark
    asked = [each.ids for each in chat_prompts(plain, [each.text for each in of_kind("harmful", True)[:6]])]
    said = [tuple(plain.tokenizer(refusals()[0], add_special_tokens=False)["input_ids"])] * 6

    def nats(loaded: object) -> float:
        logits = reply_logits(loaded, asked, said)  # type: ignore[arg-type]
        return sum(float(training._nats(one, reply)) for one, reply in zip(logits, said, strict=True)) / 6

    assert nats(made) < nats(plain) - 0.1
    state = json.loads((folder / "log.json").read_text())["done"]
    assert state["step"] == 12
    assert {"refusing", "keeping"} <= state["losses"][0].keys()


def test_a_stage_that_is_stopped_goes_on_as_if_it_had_not(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = few("safety")
    whole = command.StageTraining(family, tmp_path / "whole", tmp_path / "state")
    whole.make(stage)
    losses, taken = training.step_losses, list[int]()

    def stopping(*given: object) -> object:
        taken.append(1)
        if len(taken) == STEPS:
            raise KeyboardInterrupt
        return losses(*given)  # type: ignore[arg-type]

    work = command.StageTraining(family, tmp_path / "parts", tmp_path / "parts-state")
    with monkeypatch.context() as patch:
        patch.setattr(training, "step_losses", stopping)
        with pytest.raises(KeyboardInterrupt):
            work.make(stage)
    assert not (tmp_path / "parts" / "safety").exists()
    work.make(stage)
    one, other = (
        (tmp_path / name / "safety" / "adapter_model.safetensors").read_bytes() for name in ("whole", "parts")
    )
    assert one == other
    # What is there is not made again; a state of another plan is refused.
    monkeypatch.setattr(training, "step_losses", lambda *_: pytest.fail("trained again"))
    work.make(stage)
    monkeypatch.undo()
    monkeypatch.setattr(command, "LONGEST_REPLY", {"safety": 6})
    (kept,) = (tmp_path / "parts-state").glob("replies.*.json")
    kept.write_text(kept.read_text().replace(load_model(family, "instruct", Placing("cpu")).fingerprint, "another"))
    with pytest.raises(TrainingRefused, match="replies of another checkpoint, or of another length"):
        work.make(stage)


def test_a_preference_stage_starts_from_the_stage_before(family: Family, tmp_path: Path) -> None:
    work = command.StageTraining(family, tmp_path / "out", tmp_path / "state")
    work.make(few("safety", 2))
    work.make(few("dpo", 2))
    made = load_model(work._grown("dpo"), "dpo", Placing("cpu"))
    assert len(made.checkpoint.adapters) == 2
    assert json.loads((tmp_path / "out" / "dpo" / "log.json").read_text())["plan"]["start"] == "safety"


def test_a_pair_is_preferred_by_dpos_own_formula(family: Family) -> None:
    loaded = load_model(family, "instruct", Placing("cpu", dtype="float32"))
    stage = replace(few("dpo"), keep=0.0)
    model = training.adapted(loaded, stage)
    one = training.Lesson("x", (7, 8, 9), (10, 11), rejected=(12, 13, 14))
    before = training.as_before(model, [one])
    found, tokens = training.step_losses(model, stage, [one], before)
    # A new adapter changes nothing yet: both are as likely as before.
    assert found == {"preferring": pytest.approx(0.6931, abs=1e-4)}
    assert tokens == 5 + 6
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad, alpha=5.0)
    better, _ = training.step_losses(model, stage, [one], before)
    assert better["preferring"] < found["preferring"] - 1e-4


def test_the_command_refuses_what_there_is_not() -> None:
    with pytest.raises(UsageError, match="There is no stage 'sftt'; there is safety, dpo, without-safety"):
        verb("train-smollm2", ["--only", "sftt"])
