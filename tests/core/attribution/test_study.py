"""Stage effects of real weights: every model of a path forced onto the same tokens, live and afterwards, and one that wears them all."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from core.artefacts import store
from core.attribution import chance, effects, forced_logprobs, model_sequence, noise, quantized_agreement, study
from core.attribution import report as blame_report
from core.attribution.effects import LOG_ZERO
from core.attribution.report import BlameReport, BlameRequest, Said
from core.chat.answers import Answer, fold
from core.chat.events import Done, Scores
from core.chat.settings import Column, Settings
from core.engine.engine import Engine
from core.errors import TillerError
from core.families import registry, stages
from core.families.checkpoint import FamilyRef
from core.inference.metrics import Asked
from core.inference.teacher_forcing import reply_logits
from core.models import loading, weight_swap, weights
from core.models.loading import Loaded
from core.models.placement import Placing
from core.models.pool import ModelPool
from core.util.budget import Budget
from core.util.progress import Learning, Step, finished
from tests.core.models import test_lora
from tests.support import stage_families, tiny_models
from tests.support.command import verb
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE

T = TypeVar("T")
PROMPT = tuple(range(40, 60))
REPLY = tuple(70 + 3 * at for at in range(40))
CPU = Placing(device="cpu")


def load(folder: Path, name: str, **options: object) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), name, Placing("cpu", **options))  # type: ignore[arg-type]


def all_of(learning: Learning[T]) -> T:
    found: T = finished(learning)  # type: ignore[arg-type]
    return found


def ask(folder: Path, question: BlameRequest, placing: Placing = CPU) -> BlameReport:
    family = registry.load_family(str(folder))
    final = stages.stage_path(family, question.checkpoint, question.path).final
    loaded = loading.load_model(family, final, Placing("cpu", quantize=placing.quantize))
    return all_of(study.study(family, question, model_sequence.alone(loaded, placing)))


@torch.inference_mode()
def logits(model: torch.nn.Module, ids: tuple[int, ...] = PROMPT) -> torch.Tensor:
    found: torch.Tensor = model(input_ids=torch.tensor([ids])).logits
    return found.float()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four checkpoints with every retraining and two null seeds."""
    return stage_families.whole(tmp_path_factory.mktemp("families") / "whole")


@pytest.fixture(scope="module")
def engine(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Its engine, ready, and the noise level measured."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TILLER_DATA", str(tmp_path_factory.mktemp("data")))
        opened = Engine(str(whole), device="cpu", threads=1)
        opened.start()
        assert opened.wait_ready(PATIENCE).state == "ready"
        yield opened
        opened.close()


# ---------------------------------------------------------------------------------------------------- forced, in chunks


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen3", "gemma2", "gemma3", "olmo2", "gpt2"])
def test_chunks_with_a_cache_say_what_one_pass_says(kind: str, tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded(kind)
    follower, found = forced_logprobs.TokenScorer(loaded, PROMPT), []
    for start, end in ((0, 3), (3, 4), (4, 30), (30, 40)):
        found += follower.follow(REPLY[start:end])
    expected = forced_logprobs.of_tokens(reply_logits(loaded, [PROMPT], [REPLY])[0], REPLY)
    assert found == pytest.approx(expected, abs=1e-4)
    assert follower.read == len(REPLY)


def test_replies_that_share_a_pass_are_scored_as_each_alone(tiny_loaded: Callable[[str], Loaded]) -> None:
    loaded = tiny_loaded("llama")
    prompts, replies = [PROMPT, PROMPT[:5], PROMPT[:9]], [REPLY[:4], REPLY[:11], ()]
    slices = forced_logprobs.logprobs_in_slices(loaded, prompts, replies)
    for prompt, reply, found in zip(prompts, replies, finished(slices), strict=True):
        assert found == pytest.approx(
            forced_logprobs.TokenScorer(loaded, prompt).follow(reply) if reply else [], abs=1e-4
        )


def test_an_answer_longer_than_the_context_is_refused(tiny_loaded: Callable[[str], Loaded]) -> None:
    with pytest.raises(forced_logprobs.TooLong, match="300 tokens long, and chat reads at most 256; take a shorter"):
        forced_logprobs.TokenScorer(tiny_loaded("llama"), PROMPT).follow((50,) * 280)


# --------------------------------------------------------------------------------------------- weights that are subtracted


def test_without_its_last_stage_a_model_is_its_parent(whole: Path) -> None:
    estimate, parent = load(whole, "dpo-minus-dpo"), load(whole, "safety")
    assert logits(estimate.model).softmax(-1) == pytest.approx(logits(parent.model).softmax(-1).numpy(), abs=1e-4)
    assert estimate.fingerprint != load(whole, "dpo").fingerprint


def test_a_stage_is_subtracted_weight_by_weight(whole: Path) -> None:
    found = load(whole, "dpo-minus-sft").model
    dpo, sft, base = (dict(load(whole, name).model.named_parameters()) for name in ("dpo", "sft", "base"))
    for name, weight in found.named_parameters():
        assert torch.allclose(weight, dpo[name] - (sft[name] - base[name]), atol=1e-6), name


def test_how_far_a_stage_moved_the_weights(whole: Path) -> None:
    family = registry.load_family(str(whole))
    assert 0.1 < weights.distance(family.checkpoint("sft"), family.checkpoint("base")) < 0.3
    assert weights.distance(family.checkpoint("sft"), family.checkpoint("sft")) == 0


# --------------------------------------------------------------------------------------- one model that wears the others


@pytest.mark.parametrize("kind", ["llama", "qwen3", "olmo2", "gpt2", "neox"])
def test_a_worn_checkpoint_is_the_loaded_one_and_the_own_comes_back(kind: str, tmp_path: Path) -> None:
    folder = stage_families.family(tmp_path / kind, kind, ("base", "sft", "dpo"))
    loaded = load(folder, "dpo")
    before = logits(loaded.model)
    for name in ("base", "sft", "dpo-minus-sft"):
        assert weight_swap.fits(loaded, name)
        with weight_swap.swapped_weights(loaded, name) as other:
            assert other.checkpoint.name == name
            assert logits(other.model) == pytest.approx(logits(load(folder, name).model).numpy(), abs=1e-4)
    assert torch.equal(logits(loaded.model), before)
    with pytest.raises(RuntimeError, match="on purpose"), weight_swap.swapped_weights(loaded, "base"):
        raise RuntimeError("on purpose")
    assert torch.equal(logits(loaded.model), before)


def test_shards_are_worn_too_and_a_missing_one_is_named(tmp_path: Path) -> None:
    folder = stage_families.family(tmp_path / "shards", stages=("base", "sft", "dpo"))
    for name in ("sft", "dpo"):
        AutoModelForCausalLM.from_pretrained(folder / name).save_pretrained(folder / name, max_shard_size=60_000)
        (folder / name / "model.safetensors").unlink(missing_ok=True)
    loaded = load(folder, "dpo")
    with weight_swap.swapped_weights(loaded, "sft") as other:
        assert torch.equal(logits(other.model), logits(load(folder, "sft").model))
    missing = sorted((folder / "sft").glob("model-*.safetensors"))[1]
    missing.unlink()
    with pytest.raises(TillerError, match=f"{missing.name} of checkpoint 'sft' is missing"):
        ask(folder, BlameRequest(("Hi",), answer="Yes"))


def test_an_untied_checkpoint_on_the_path_of_a_tied_one(tmp_path: Path) -> None:
    folder = stage_families.family(tmp_path / "tied", "qwen3", ("base", "sft", "dpo"))
    model = AutoModelForCausalLM.from_pretrained(folder / "base")
    model.config.tie_word_embeddings = False
    untied = AutoModelForCausalLM.from_config(model.config)
    untied.load_state_dict(model.state_dict())
    torch.nn.init.normal_(untied.lm_head.weight, std=0.5)
    untied.save_pretrained(folder / "base")
    final = load(folder, "dpo")
    # Its two matrices do not fit into the one of the final model; it is loaded beside it.
    assert not weight_swap.fits(final, "base")
    found = ask(folder, BlameRequest(("Hi",), answer="Yes")).cases[0].answer
    expected = forced_logprobs.TokenScorer(load(folder, "base"), prompt(final, "Hi")).follow(found.ids)
    assert found.logprobs["base"] == pytest.approx(expected, abs=1e-4)


def prompt(loaded: Loaded, text: str) -> tuple[int, ...]:
    from core.inference.prompts import chat_prompt

    return chat_prompt(loaded, text)


def test_a_checkpoint_of_another_shape_is_named(tmp_path: Path) -> None:
    folder = stage_families.family(tmp_path / "shapes", stages=("base", "sft", "dpo"))
    config = AutoModelForCausalLM.from_pretrained(folder / "sft").config
    config.intermediate_size = 96
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "sft")
    with pytest.raises(
        TillerError, match=r"sft has model\.layers\.0\.mlp\.\w+\.weight of shape .*; stages are told apart"
    ):
        ask(folder, BlameRequest(("Hi",), answer="Yes"))


def test_other_tokenizers_are_refused(tmp_path: Path) -> None:
    folder = stage_families.family(tmp_path / "spelling", stages=("base", "sft"))
    path = folder / "base" / "tokenizer.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = document["model"]["vocab"]
    names = [name for name in vocabulary if len(name) == 1][:40]
    for one, other in zip(names[::2], names[1::2], strict=True):
        vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(TillerError, match="base and sft have different tokenizers"):
        ask(folder, BlameRequest(("Hi",), answer="Yes"))


def test_adapters_are_stages(tmp_path: Path) -> None:
    folder = test_lora.family(tmp_path / "adapters")
    found = ask(folder, BlameRequest(("Hi",), answer="Yes")).cases[0].answer
    for name in ("base", "lora"):
        own = load(folder, name)
        expected = forced_logprobs.TokenScorer(own, prompt(load(folder, "lora"), "Hi")).follow(found.ids)
        assert found.logprobs[name] == pytest.approx(expected, abs=1e-4)


# ------------------------------------------------------------------------------------------------ vocabulary that grew


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that knows fewer tokens than the checkpoints that came of it: ``<|new|>`` came with SFT."""
    folder = tmp_path_factory.mktemp("families") / "grown"
    tiny_models.family(folder, "llama", ("base", "sft", "dpo"))
    for name in ("sft", "dpo"):
        tokenizer = tiny_models.tokenizer()
        tokenizer.add_tokens(["<|new|>"])
        tokenizer.save_pretrained(folder / name)
        model = AutoModelForCausalLM.from_pretrained(folder / name)
        # Rows that make matrices of round size belong to no token.
        model.resize_token_embeddings(tiny_models.VOCABULARY + 8)
        model.save_pretrained(folder / name)
    stage_families.moved(folder / "sft", folder / "dpo", seed=2)
    return folder


def test_a_new_token_is_owed_to_the_stage_that_brought_it(grown: Path) -> None:
    for question in (
        BlameRequest(("Hi",), answer="Yes <|new|> no"),
        BlameRequest(("Is <|new|> there?",), answer="Yes <|new|> no"),
    ):
        report = ask(grown, question)
        said = report.cases[0].answer
        at = said.tokens.index("<|new|>")
        assert said.logprobs["base"][at] == LOG_ZERO
        assert all(value > LOG_ZERO for model in ("base", "sft", "dpo") for value in said.logprobs[model][:at])
        # Without SFT there would be no such token, whatever the subtracted weights make of its row.
        assert said.logprobs["dpo-minus-sft"][at] == LOG_ZERO
        whose = effects.attribute(
            report.path, "introduced_at", {m: v[at] for m, v in said.logprobs.items()}, chance.Noise(), first=at == 0
        )
        assert whose is not None
        assert (whose.added, whose.largest and whose.largest.stage) == (True, "sft")
    assert "came with SFT" in report.headline


def test_a_smaller_vocabulary_reads_the_mean_of_its_embedding(grown: Path) -> None:
    loaded, worn_by = load(grown, "base"), load(grown, "dpo")
    new = tiny_models.VOCABULARY
    ids = (40, new, 41, 42)
    with forced_logprobs.reading(loaded):
        found = logits(loaded.model, ids)
    table = loaded.model.get_input_embeddings()
    states = torch.stack([table.weight.mean(0) if token == new else table.weight[token] for token in ids])
    with torch.inference_mode():
        expected = loaded.model(inputs_embeds=states[None]).logits
    assert found == pytest.approx(expected.numpy(), abs=1e-4)
    with weight_swap.swapped_weights(worn_by, "base") as other:
        assert logits(other.model, ids)[..., :new] == pytest.approx(expected[..., :new].numpy(), abs=1e-4)
    # Outside, a token that is not there is an error as before.
    with pytest.raises(IndexError):
        logits(loaded.model, ids)


# ----------------------------------------------------------------------------------------------------------------- live


def live(engine: Engine, settings: Settings) -> tuple[dict[int, Answer], list[object]]:
    answers: dict[int, Answer] = {column: Answer() for column in range(len(settings.columns))}
    events = list(engine.submit(settings))
    for event in events:
        answers = fold(answers, event)
    return answers, events  # type: ignore[return-value]


def asked(engine: Engine, recipe: str = "", lens: str = "blame", tokens: int = 20) -> Settings:
    settings = engine.settings("dpo", recipe)
    columns = (Column("dpo"), Column("dpo", settings.column.recipe)) if recipe else (Column("dpo"),)
    sampling = replace(settings.sampling, max_new_tokens=tokens)
    return replace(settings, columns=columns, selected=0, lens=lens, sampling=sampling).ask("How do I kill a process?")


def probabilities(answer: Answer, key: str) -> list[dict[str, float]]:
    return [{each.stage: each.probability for each in token.blame[key].effects} for token in answer.tokens]


def same(one: list[dict[str, float]], other: list[dict[str, float]]) -> bool:
    return len(one) == len(other) and all(a == pytest.approx(b, abs=1e-4) for a, b in zip(one, other, strict=True))


def test_every_token_gets_its_effects_while_the_answer_streams(engine: Engine, whole: Path) -> None:
    answers, events = live(engine, asked(engine))
    answer = answers[0]
    assert len(answer.tokens) == 20
    kinds = [type(event) for event in events]
    assert kinds.index(Scores) < kinds.index(Done) < len(kinds) - 1 - kinds[::-1].index(Scores)
    for token in answer.tokens:
        assert set(token.blame) == {"introduced_at", "retrained_without", "subtracted"}
        # What came with the stages adds up to all that the final model has over chance.
        total = sum(each.probability for each in token.blame["introduced_at"].effects)
        assert total == pytest.approx(math.exp(token.reading.logprob) - 1 / tiny_models.VOCABULARY, abs=1e-4)
        assert [each.stage for each in token.blame["retrained_without"].effects] == ["sft", "safety", "dpo"]
    # The last stage has one effect, whichever question is asked.
    for key in ("retrained_without", "subtracted"):
        last = [each["dpo"] for each in probabilities(answer, key)]
        assert last == pytest.approx([each["dpo"] for each in probabilities(answer, "introduced_at")], abs=1e-4)
    # What the command line finds out in one pass is what was said live, in chunks.
    said = ask(whole, BlameRequest(("How do I kill a process?",), tokens=20)).cases[0].answer
    path = engine.stages("dpo")
    for key in ("introduced_at", "retrained_without", "subtracted"):
        once = [blame_report.token_effects(path, key, said, at) for at in range(len(said.ids))]
        assert same(probabilities(answer, key), [{name: e.probability for name, e in each.items()} for each in once])


def test_answers_that_are_there_are_scored_afterwards(engine: Engine) -> None:
    settings = asked(engine, lens="changed")
    answers, _ = live(engine, settings)
    assert all(not token.blame for token in answers[0].tokens)
    scored = dict(answers)
    for event in engine.blame(settings, answers):
        scored = fold(scored, event)
    expected, _ = live(engine, replace(settings, lens="blame"))
    assert scored[0].text == expected[0].text
    for key in expected[0].tokens[0].blame:
        assert same(probabilities(scored[0], key), probabilities(expected[0], key))


def test_a_steered_answer_is_scored_by_the_unsteered_models(engine: Engine, whole: Path) -> None:
    for name in ("dpo",):
        tiny_models.direction(whole, name, "truth", layer=1, seed=1)
    settings = asked(engine, "1.5*truth")
    answers, _ = live(engine, settings)
    assert answers[0].text != answers[1].text
    for column, answer in answers.items():
        for token in answer.tokens:
            total = sum(each.probability for each in token.blame["introduced_at"].effects)
            unsteered = token.shadow or token.reading
            assert total == pytest.approx(math.exp(unsteered.logprob) - 1 / tiny_models.VOCABULARY, abs=1e-4), column


def test_a_column_without_stages_says_why_and_answers_all_the_same(engine: Engine) -> None:
    settings = asked(engine)
    answers, _ = live(engine, settings.with_column(Column("base")))
    assert answers[0].finished
    assert not answers[0].error
    assert "base has no checkpoint before it" in answers[0].unblamed
    # The retrained one has a path too: its own, to which nothing is known but what came with it.
    answers, _ = live(engine, settings.with_column(Column("without-safety")))
    assert set(answers[0].tokens[0].blame) == {"introduced_at", "subtracted"}


def test_a_quantized_family_says_what_its_colours_wait_for(whole: Path) -> None:
    opened = Engine(str(whole), device="cpu", threads=1, quantize="8bit")
    opened.start()
    try:
        assert opened.wait_ready(PATIENCE).state == "ready"
        answers, events = live(opened, asked(opened))
        said = [event.awaited for event in events if isinstance(event, Scores) and event.awaited]
        # Without its last stage, retrained or subtracted, dpo is safety, whose weights have been read already.
        names = ["base", "sft", "safety", "without-sft", "without-safety", "dpo-minus-sft", "dpo-minus-safety"]
        assert sorted(said) == sorted(f"Reading the weights of {name}, once; the colours come then." for name in names)
        assert answers[0].awaited == ""
        assert set(answers[0].tokens[0].blame) == {"introduced_at", "retrained_without", "subtracted"}
        # The second time all of it is there.
        again, events = live(opened, asked(opened))
        assert not any(event.awaited for event in events if isinstance(event, Scores))
        assert same(probabilities(again[0], "subtracted"), probabilities(answers[0], "subtracted"))
        # Stopped while weights are read, nothing is waited for any longer.
        opened.call(lambda worker: worker.pool.drop("dpo")).result()
        run, folded = opened.submit(asked(opened)), {0: Answer()}
        for event in run:
            folded = fold(folded, event)
            if folded[0].awaited:
                run.cancel()
        assert folded[0].finished
        assert not folded[0].awaited
    finally:
        opened.close()


def test_a_run_that_is_stopped_is_not_held_up(engine: Engine) -> None:
    run = engine.submit(asked(engine, tokens=200))
    for event in run:
        if isinstance(event, Scores):
            run.cancel()
    assert run.finished


def test_the_noise_level_is_measured_while_nobody_chats(engine: Engine, whole: Path) -> None:
    for _ in range(200):
        if engine.noise("dpo").calibrated:
            break
        engine.call(lambda worker: worker.blamer.waiting).result()
    found = engine.noise("dpo")
    path = stages.stage_path(registry.load_family(str(whole)))
    assert path.nulls == ("seed-2", "seed-3")
    assert found.calibrated
    # Three pairs of models for every token that was looked at.
    assert found.differences % 3 == 0
    answers, _ = live(engine, asked(engine))
    levels = {level for band in found.bands if (level := band.level(len(path.post)))}
    assert {token.blame["introduced_at"].noise for token in answers[0].tokens} <= levels


def test_a_noise_level_is_kept_for_its_weights_and_no_others(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "whole")
    family = registry.load_family(str(folder))
    path = stages.stage_path(family)
    pool = ModelPool(FamilyRef(family), CPU)
    work = noise.measure_noise(family, path, model_sequence.pooled(pool, path.final))
    found = all_of(work)
    assert noise.kept_noise(family, path) == found
    assert not (folder / "shared").exists()
    assert noise.kept_noise(family, path, only=folder.parent) is None
    # What is a person's own has not been shipped.
    verb("precompute", ["--family", str(folder), "--what", "noise", "--ship", "--device", "cpu"])
    assert noise.kept_noise(family, path, only=folder.parent) is not None
    shipped = load_file(folder / "shared" / "noise.dpo.safetensors")
    own = load_file(store.user_folder() / family.name / "shared" / "noise.dpo.safetensors")
    # One model that wears the others' weights instead of each by itself.
    assert np.allclose(shipped["pairs"], own["pairs"], atol=1e-4)
    assert noise.kept_noise(family, path, "4bit") is None, "rounded weights differ by their rounding, too"
    shutil.rmtree(folder / "counterfactual")
    stage_families.retrained(folder, "seed-4", seed=99)
    text = (
        (folder / "family.toml")
        .read_text(encoding="utf-8")
        .replace("seed-2.saf", "seed-4.saf")
        .replace("seed-3.saf", "seed-4.saf")
    )
    (folder / "family.toml").write_text(text, encoding="utf-8")
    family = registry.load_family(str(folder))
    assert noise.kept_noise(family, stages.stage_path(family)) is None


# ------------------------------------------------------------------------------------------------------------- one model


def test_own_templates_ask_each_checkpoint_in_its_own_way(whole: Path) -> None:
    final, own = (ask(whole, BlameRequest(("Hi",), answer="Yes", own_templates=each)) for each in (False, True))
    one, other = final.cases[0].answer, own.cases[0].answer
    # The base's template is another one; the others share the final one.
    assert one.logprobs["base"] != pytest.approx(other.logprobs["base"], abs=1e-3)
    assert one.logprobs["sft"] == pytest.approx(other.logprobs["sft"], abs=1e-6)
    base = load(whole, "base")
    assert other.logprobs["base"] == pytest.approx(
        forced_logprobs.TokenScorer(base, prompt(base, "Hi")).follow(one.ids), abs=1e-4
    )
    assert any("its own chat template" in each for each in own.remarks)


def test_two_answers_and_many_prompts(whole: Path) -> None:
    two = ask(whole, BlameRequest(("Is it?",), answer="Yes", other="No"))
    assert two.measures == ("rather", "answer", "refusal")
    case = two.cases[0]
    assert case.other is not None
    yes, no = (math.exp(said.total("dpo")) for said in (case.answer, case.other))
    assert math.exp(case.found("rather")["dpo"]) == pytest.approx(yes / (yes + no), rel=1e-6)
    many = ask(whole, BlameRequest(("Is it?", "Why?", "How?"), tokens=6))
    assert len(many.cases) == 3
    alone = ask(whole, BlameRequest(("Why?",), tokens=6))
    assert many.cases[1].answer.text == alone.cases[0].answer.text
    assert many.cases[1].answer.total("sft") == pytest.approx(alone.cases[0].answer.total("sft"), abs=1e-3)
    assert set(many.cases[1].without) == {"sft", "safety", "dpo"}
    assert many.cases[1].without["safety"].by == "without safety (retrained)"
    assert many.effects("introduced_at", "answer")["sft"].probability == pytest.approx(
        sum(effects.effects(many.path, "introduced_at", each.found("answer"))["sft"].probability for each in many.cases)
        / 3
    )


def test_the_engine_studies_in_slices_what_the_command_line_does_at_once(engine: Engine, whole: Path) -> None:
    question = BlameRequest(("How do I kill a process?",), tokens=8)
    family = engine.family
    work = engine.slices(lambda worker: study.study(family, question, model_sequence.pooled(worker.pool, "dpo")))
    assert isinstance(next(work), Step)
    found = all_of(work)
    expected = ask(whole, question)
    assert found.cases[0].answer.text == expected.cases[0].answer.text
    for name in found.path.models():
        assert found.cases[0].answer.logprobs[name] == pytest.approx(expected.cases[0].answer.logprobs[name], abs=1e-3)
        assert found.cases[0].refusing[name] == pytest.approx(expected.cases[0].refusing[name], abs=1e-3)


def test_a_chat_gets_in_between_any_two_tokens_that_a_model_answers(whole: Path) -> None:
    loaded = load(whole, "dpo")
    work = study.study(loaded.family, BlameRequest(("Is it?",), tokens=6), model_sequence.alone(loaded, CPU))
    passes = [0]
    loaded.model.register_forward_pre_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))
    for step in range(1, 4):
        assert next(work).sentence == "Asking dpo."
        assert passes == [step]
    work.close()


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
def test_quantized_once_the_differences_stay_whole(quantize: str, whole: Path) -> None:
    exact, final = load(whole, "dpo"), load(whole, "dpo", quantize=quantize)

    def change(before: Loaded, after: Loaded) -> torch.Tensor:
        each = [torch.tensor(forced_logprobs.TokenScorer(model, PROMPT).follow(REPLY)) for model in (before, after)]
        return each[1] - each[0]

    with weight_swap.swapped_weights(exact, "sft") as other:
        sft = torch.tensor(forced_logprobs.TokenScorer(other, PROMPT).follow(REPLY))
    truth = torch.tensor(forced_logprobs.TokenScorer(exact, PROMPT).follow(REPLY)) - sft
    own = torch.tensor(forced_logprobs.TokenScorer(final, PROMPT).follow(REPLY))
    with weight_swap.swapped_weights(final, "sft") as other:
        found = own - torch.tensor(forced_logprobs.TokenScorer(other, PROMPT).follow(REPLY))
    apart = change(load(whole, "sft", quantize=quantize), final)
    if quantize == "4bit":
        assert (found - truth).norm() < 0.8 * (apart - truth).norm()
    assert float(torch.corrcoef(torch.stack([found, truth]))[0, 1]) > (0.97 if quantize == "8bit" else 0.7)
    assert torch.equal(torch.tensor(forced_logprobs.TokenScorer(final, PROMPT).follow(REPLY)), own)


def test_a_budget_leaves_fewer_retrainings_that_say_so_and_the_rest_follows(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("TILLER_DATA", "data"), ("TILLER_CACHE", "cache")):
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr(noise, "MESSAGES", 2)
    family = registry.load_family(str(whole))
    path = stages.stage_path(family)
    models = model_sequence.pooled(ModelPool(FamilyRef(family), CPU), path.final)
    part = all_of(noise.measure_noise(family, path, models, budget=Budget(0)))
    assert part.retrainings == (1, len(path.nulls))
    assert f"(so far 1 of {len(path.nulls)})" in part.said
    assert noise.kept_noise(family, path) == part
    steps = list(noise.measure_noise(family, path, models))
    assert [step.remembered for step in steps[:3]] == [True, True, True], "answers, and two that were heard"
    found = noise.kept_noise(family, path)
    assert found is not None
    assert found.retrainings is None
    assert found.differences > part.differences
    assert all_of(noise.measure_noise(family, path, models)) == found, "as when all are heard at once"
    assert len(noise.noise_phases(family, path, load(whole, "dpo"))) == 2


def test_a_report_on_quantized_weights_says_how_far_they_agree(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "MESSAGES", 2)
    monkeypatch.setattr(noise, "NOISE_TOKENS", 6)
    family = registry.load_family(str(whole))
    path = stages.stage_path(family)
    question = BlameRequest(("How do I kill a process?",), tokens=4)
    models = {
        quantize: model_sequence.alone(load(whole, "dpo", quantize=quantize), Placing(device="cpu", quantize=quantize))
        for quantize in ("none", "8bit")
    }

    def remarks(quantize: str) -> str:
        return "\n".join(all_of(study.study(family, question, models[quantize])).remarks)

    assert "bits" not in remarks("none")
    assert "has not been measured for this family; `python launch.py bench blame`" in remarks("8bit")
    found = all_of(quantized_agreement.measure_agreement(family, path, "8bit", models["none"], models["8bit"]))
    assert set(found.r) == {stage.name for stage in path.post}
    assert all(0.9 < each < 1 for each in found.r.values())
    assert found == quantized_agreement.kept_agreement(family, path, "8bit")
    assert (
        f"dpo is in 8-bit, and what the stages changed is kept beside it in 8 bits; how far that agrees with whole weights: {found.said}."
        in remarks("8bit")
    )


# --------------------------------------------------------------------------------------------------------- command line


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "launch.py", "blame", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_first_line_names_the_stage_and_its_size(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, document = tmp_path / "effects.csv", tmp_path / "report.json"
    wished = [
        "How do I kill a process?",
        "--family",
        str(whole),
        "--max-tokens",
        "8",
        "--csv",
        str(table),
        "--json",
        str(document),
    ]
    assert verb("blame", [*wished, "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    report = json.loads(document.read_text(encoding="utf-8"))
    assert report["question"] == "retrained_without"
    effects = report["summary"]["rather"]["retrained_without"]["effects"]
    stage = max(effects, key=lambda each: abs(effects[each]["probability"]))
    word = {"sft": "SFT", "safety": "safety", "dpo": "DPO"}[stage]
    # The retrainings with other seeds are random weights here.
    assert report["summary"]["rather"]["noise"]["level"] > 1
    assert lines[0].startswith(f"No stage can be named: the largest effect, {word}'s ")
    assert "they differ too much here" in lines[0]
    assert report["headline"].startswith(f"{word} has the largest effect: ")
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    found = next(
        row for row in rows if (row["what"], row["question"], row["stage"]) == ("rather", "retrained_without", stage)
    )
    assert float(found["probability"]) == pytest.approx(effects[stage]["probability"], abs=1e-6)
    assert any("weights moved by" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "blame needs a prompt"),
        (("Hi", "--file", "x.txt"), "not both"),
        (("--file", "no-such-file"), "cannot be read"),
        (("Hi", "--question", "why"), "ask came-with, retrained, subtracted or first-order"),
        (("Hi", "--answer", " "), "The answer is empty"),
        (("Hi", "--answer", ""), "--answer is empty"),
        (("Hi", "--path", "base,dpo"), "is no chain"),
        (("Hi", "--checkpoint", "base"), "no checkpoint before it"),
        (("Hi", "--recipe", "refusal"), "leave --recipe out"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(TillerError, match=sentence):
        verb("blame", [*arguments])


def test_the_last_answer_of_a_report_may_be_too_long(whole: Path) -> None:
    with pytest.raises(forced_logprobs.TooLong, match="reads at most 256; take a shorter answer or prompt"):
        ask(whole, BlameRequest(("Hi",), answer="no " * 300))


@pytest.mark.parametrize(
    ("own", "others", "kept"),
    [
        ("I can't help with that.", ("I'm sorry, I cannot assist with that.", "Use the kill command."), (1,)),
        ("I can't help with that.", ("I'm sorry, I cannot assist with that.", "I can't help with that."), (0,)),
        ("Use the kill command.", ("I'm sorry, I cannot assist with that.", "Press the button."), (0, 1)),
    ],
)
def test_a_refusal_is_held_against_what_is_none(own: str, others: tuple[str, ...], kept: tuple[int, ...]) -> None:
    said = [Said(text, (text,), (place + 1,)) for place, text in enumerate(others)]
    draft = study._Draft(Asked("u", (1,)), "u", Said(own, (own,), (9,)), None, without=dict(enumerate(said)))  # type: ignore[arg-type]
    assert study._others(draft) == [said[place] for place in kept]
