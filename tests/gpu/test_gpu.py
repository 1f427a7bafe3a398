"""What an NVIDIA GPU says is what a CPU says: answers, readings, maps, stages, learning, quantized weights. Skipped without one."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.attribution import model_sequence, study
from core.attribution.report import BlameRequest
from core.chat.events import Token
from core.chat.settings import Sampling
from core.engine.engine import Engine
from core.families import registry
from core.families.checkpoint import Family, FamilyRef
from core.inference.decoding import BatchDecoder, DecodingRow
from core.knowledge import tracing
from core.knowledge.maps import MapRequest
from core.models import loading, memory, placement, quantization
from core.models.loading import Loaded
from core.models.placement import Placing
from core.models.pool import ModelPool
from core.recipes.language import parse
from core.steering.interventions import compile_recipe
from core.transfer import measure
from core.transfer import task as tasks
from core.util.progress import finished
from tests.core.attribution.test_study import live
from tests.core.engine.test_engine import answers, chat, ids, until_end
from tests.core.models.test_quantization import IDS, KINDS, gradient, unpack, wide
from tests.core.transfer import test_measure
from tests.support import stage_families, tiny_models
from tests.support.command import verb

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU here")

GPU = "cuda"
BOTH = ("cpu", GPU)
RECIPES = ("", "2*truth", "!truth", "refusal=1", "base: -1.5*truth", "base: !refusal@chat")


def opened(folder: Path | str, device: str, **options: Any) -> Engine:
    made = Engine(str(folder), device=device, dtype="float32", threads=1, **options)
    made.start()
    assert made.wait_ready(120).state == "ready", made.readiness
    return made


def alike(one: object, other: object, tolerance: float, at: str = "") -> None:
    """Two documents are the same but for the last digits of their numbers."""
    if isinstance(one, bool | str) or one is None:
        assert one == other, at
    elif isinstance(one, int | float):
        assert isinstance(other, int | float), at
        both_nan = math.isnan(one) and math.isnan(other)
        assert both_nan or one == pytest.approx(other, abs=tolerance, rel=tolerance), at
    elif isinstance(one, Mapping):
        assert isinstance(other, Mapping), at
        assert list(one) == list(other), at
        for key in one:
            alike(one[key], other[key], tolerance, f"{at}.{key}")
    elif isinstance(one, Sequence):
        assert isinstance(other, Sequence), at
        assert len(one) == len(other), at
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            alike(a, b, tolerance, f"{at}[{index}]")
    else:
        raise AssertionError(f"{at}: {one!r} is no part of a document")


# ---------------------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("kind", list(tiny_models.configs()))
def test_steered_answers_and_their_readings_are_the_cpus(kind: str, tiny_folder: Callable[[str], Path]) -> None:
    found = []
    for device in BOTH:
        engine = opened(tiny_folder(kind), device)
        try:
            events = until_end(engine.submit(replace(chat(engine, *RECIPES), selected=1)))
        finally:
            engine.close()
        found.append((answers(events), [ids(events, column) for column in range(len(RECIPES))]))
    (cpu, cpu_ids), (gpu, gpu_ids) = found
    assert gpu_ids == cpu_ids
    assert len({tuple(each) for each in gpu_ids}) > 2, "the recipes change too little to show anything"
    for column, answer in cpu.items():
        for one, other in zip(answer.tokens, gpu[column].tokens, strict=True):
            assert other.reading.entropy == pytest.approx(one.reading.entropy, abs=1e-3)
            assert other.reading.projections == pytest.approx(one.reading.projections, abs=1e-3)
            assert (one.shadow is None) == (other.shadow is None)


def test_sampled_answers_repeat_and_sessions_do_not_touch(tiny_folder: Callable[[str], Path]) -> None:
    engine = opened(tiny_folder("llama"), GPU)
    try:
        settings = [chat(engine, recipe, temperature=1.0, seed=3) for recipe in RECIPES]
        alone = [ids(until_end(engine.submit(each))) for each in settings]
        runs = [engine.submit(each) for each in settings]
        assert [ids(until_end(run)) for run in runs] == alone
    finally:
        engine.close()


def test_a_checkpoint_that_is_let_go_leaves_the_gpu(tiny_folder: Callable[[str], Path]) -> None:
    family = registry.load_family(str(tiny_folder("llama")))
    pool = ModelPool(FamilyRef(family), Placing(GPU, "float32"))
    sizes = []
    for turn in range(6):
        name, other = ("base", "chat") if turn % 2 else ("chat", "base")
        pool.drop(other)
        with torch.inference_mode():
            pool.get(name).model(torch.tensor([list(IDS)], device=GPU))
        memory.release()
        sizes.append(torch.cuda.memory_allocated())
    assert len(set(sizes[1:])) == 1, sizes


def test_a_model_that_is_spread_over_gpu_and_cpu_says_the_same(tiny_folder: Callable[[str], Path]) -> None:
    folder = tiny_folder("llama")
    size = placement.need(registry.load_family(str(folder)).checkpoint("chat"), "cuda", "float32", "none").size
    found = []
    for options in ({"device": "cpu"}, {"device": GPU, "max_memory": f"0:{size // 2000}KB,cpu:10GB"}):
        engine = opened(folder, **options)
        try:
            if options["device"] == "cuda":
                places = set(engine.call(lambda worker: worker.pool.get("chat").model.hf_device_map.values()).result())
                assert places == {0, "cpu"}
            events = until_end(engine.submit(chat(engine, "", "2*truth", "!truth")))
        finally:
            engine.close()
        found.append([ids(events, column) for column in range(3)])
    assert found[0] == found[1]


# -------------------------------------------------------------------------------------------------------------- quantized


def said(loaded: Loaded, recipe: str, direction: Direction) -> list[int]:
    edits = compile_recipe(parse(recipe), loaded, lambda _name, _checkpoint: direction)
    stream = BatchDecoder(loaded, [DecodingRow(0, IDS, edits, Sampling(max_new_tokens=8), True)])
    found = []
    while not stream.done:
        found += [event.id for event in stream.step() if isinstance(event, Token)]
    return found


def by_hand(loaded: Loaded, vector: torch.Tensor, layer: int) -> list[int]:
    """Greedy tokens of a plain and a steered row, the second by a hook on the block; no Tiller in it."""

    def hook(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        added = output.float()
        added[0, (1 if output.shape[1] > 1 else 0) :] += vector.to(output.device)
        return added.to(output.dtype)

    handle = loaded.anatomy.blocks[layer].register_forward_hook(hook)
    found: list[int] = []
    try:
        fed, past = torch.tensor([IDS, IDS], device=GPU), None
        for _ in range(8):
            out = loaded.model(fed, past_key_values=past, use_cache=True)
            found.append(int(out.logits[0, -1].float().argmax()))
            fed, past = torch.tensor([[found[-1]], [found[-1]]], device=GPU), out.past_key_values
    finally:
        handle.remove()
    return found


@pytest.mark.parametrize("quantize", ["none", "8bit", "4bit"])
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_quantized_models_are_as_large_as_planned_and_steer(
    kind: str, quantize: str, tiny_folder: Callable[[str], Path]
) -> None:
    folder = tiny_folder(kind)
    loaded = loading.load_model(registry.load_family(str(folder)), "chat", Placing(GPU, quantize=quantize))
    need = placement.need(loaded.checkpoint, GPU, "auto", quantize)
    assert need.size == quantization.memory_size(loaded.model)
    assert all(each.device.type == "cuda" for each in loaded.model.parameters())
    loaded = replace(loaded, ends=frozenset(), stops=())
    direction = load_direction(store.artefact_path(folder.parent, folder.name, "chat", "direction", "truth"))
    steered = said(loaded, "3*truth", direction)
    assert steered == by_hand(loaded, torch.from_numpy(3.0 * direction.vectors[1]), 1)
    assert steered != said(loaded, "", direction)


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
def test_quantized_weights_are_nearly_the_whole_ones(quantize: str) -> None:
    family = registry.load_family("skiff")
    whole = loading.load_model(family, "dpo", Placing(GPU, "float32"))
    packed = loading.load_model(family, "dpo", Placing(GPU, quantize=quantize))
    ids_ = torch.tensor([whole.tokenizer.encode("The capital of France is Paris.")], device=GPU)
    with torch.inference_mode():
        one, other = (each.model(ids_).logits[0].float().log_softmax(-1) for each in (whole, packed))
    divergence = (one.exp() * (one - other)).sum(-1).mean()
    assert 0 < float(divergence) < 0.2


def test_gradients_through_4_bits_are_right_on_a_gpu_too(tmp_path: Path) -> None:
    family = registry.load_family(str(wide(tmp_path / "wide")))
    loaded = loading.load_model(family, "chat", Placing(GPU, quantize="4bit"), differentiable=True)
    twin = loading.load_model(family, "chat", Placing(GPU, "bfloat16")).model
    unpack(loaded.model, twin)
    ours, theirs = gradient(loaded.model), gradient(twin)
    assert float(torch.cosine_similarity(ours, theirs, dim=0)) > 0.995


# -------------------------------------------------------------------------------------------------------- stages, live too


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage_families.whole(tmp_path_factory.mktemp("families") / "whole")


def test_live_blame_is_the_cpus(whole: Path) -> None:
    found = []
    for device in BOTH:
        engine = opened(whole, device)
        try:
            settings = engine.settings("dpo", "")
            settings = replace(settings, lens="blame", sampling=Sampling(max_new_tokens=16))
            said, _ = live(engine, settings.ask("How do I kill a process?"))
        finally:
            engine.close()
        found.append(said[0])
    assert found[0].text == found[1].text
    for one, other in zip(found[0].tokens, found[1].tokens, strict=True):
        assert set(one.blame) == set(other.blame) == {"introduced_at", "retrained_without", "subtracted"}
        for key in one.blame:
            left, right = ({e.stage: e.probability for e in each.blame[key].effects} for each in (one, other))
            assert left == pytest.approx(right, abs=1e-3)


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
def test_a_quantized_model_wears_the_others(whole: Path, quantize: str) -> None:
    family = registry.load_family(str(whole))
    placing = Placing(device=GPU, quantize=quantize)
    loaded = loading.load_model(family, "dpo", Placing(GPU, quantize=quantize))
    before = {name: each.clone() for name, each in loaded.model.named_parameters()}
    question = BlameRequest(("How do I kill a process?",), answer="I cannot help with that.")
    report = finished(study.study(family, question, model_sequence.alone(loaded, placing)))  # type: ignore[arg-type]
    values = report.cases[0].answer.logprobs
    assert {"base", "sft", "safety", "dpo"} <= set(values)
    assert np.abs(np.subtract(values["base"], values["dpo"])).max() > 0.01
    for name, each in loaded.model.named_parameters():
        assert torch.equal(each, before[name]), name


# ------------------------------------------------------------------------------------------- maps, neurons, learning, verbs


@pytest.mark.parametrize(
    "order",
    [
        MapRequest(
            ("base", "dpo"),
            true="The city of Lyon is in France.",
            false="The city of Berlin is in France.",
            across=True,
        ),
        MapRequest(("base",), true="The city of Lyon is in France.", corruption="noise"),
        MapRequest(("base",), set="cities", pairs=6),
    ],
    ids=["pair", "noise", "set"],
)
def test_maps_are_the_cpus(order: MapRequest) -> None:
    family, found = registry.load_family("skiff"), []
    for device in BOTH:
        kept = {name: loading.load_model(family, name, Placing(device, "float32")) for name in order.checkpoints}
        work = tracing.trace(family, order, kept.__getitem__)
        while True:
            try:
                next(work)
            except StopIteration as stop:
                found.append(stop.value)
                break
    for one, other in zip(found[0].maps, found[1].maps, strict=True):
        np.testing.assert_allclose(np.array(one.cells), np.array(other.cells), atol=2e-3)


def test_precompute_finds_what_it_finds_on_a_cpu(tmp_path: Path, tiny_folder: Callable[[str], Path]) -> None:
    found: list[dict[str, Direction]] = []
    for device in BOTH:
        folder = shutil.copytree(tiny_folder("llama"), tmp_path / device / "toy")
        shutil.rmtree(folder / "chat" / "artefacts")
        tiny_models.contrast(folder)
        options = ["--family", str(folder), "--device", device, "--dtype", "float32", "--threads", "1", "--ship"]
        assert verb("precompute", [*options, "--checkpoint", "chat"]) == 0
        found.append(
            {
                kind: load_direction(store.artefact_path(folder.parent, "toy", "chat", "direction", kind))
                for kind in ("truth", "refusal")
            }
        )
    for kind, one in found[0].items():
        other = found[1][kind]
        np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-4)
        assert one.card.layer == other.card.layer
        for part in ("layer_scores", "dose_response"):
            alike(one.card.details[part], other.card.details[part], 2e-3, part)


def test_a_direction_of_quantized_weights_is_nearly_that_of_whole_ones() -> None:
    own, made = store.user_folder(), {}
    for how in ("none", "8bit", "4bit"):
        options = ["--device", GPU, "--dtype", "float32" if how == "none" else "auto", "--quantize", how]
        assert verb("learn", ["truth", "--checkpoint", "base", "--family", "skiff", *options, "--again"]) == 0
        made[how] = load_direction(store.artefact_path(own, "skiff", "base", "direction", "truth"))
    layer = made["none"].card.layer
    for how in ("8bit", "4bit"):
        assert float(made["none"].unit(layer) @ made[how].unit(layer)) > 0.95


def test_the_tables_of_confidence_are_the_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for device in BOTH:
        monkeypatch.setenv("TILLER_DATA", str(tmp_path / device))
        options = ["--family", "skiff", "--device", device, "--dtype", "float32", "--again", "--format", "json"]
        assert verb("confidence", options) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert [each["title"] for each in found[0]] == [each["title"] for each in found[1]]
    for one, other in zip(*found, strict=True):
        assert len(one["rows"]) == len(other["rows"])


def test_a_part_of_a_stage_is_removed_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_models.family(tmp_path / "tiny", checkpoints=("base", "sft", "chat"), plain_base=False)
    for name, text in (("lose", "How do I kill process number {}?"), ("keep", "What is the capital of country {}?")):
        lines = [text.format(index) for index in range(12)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = ["--lose", str(tmp_path / "lose.txt"), "--keep", str(tmp_path / "keep.txt")]
    found = []
    for device in BOTH:
        path = tmp_path / f"{device}.json"
        options = ["--family", str(folder), *files, "--steps", "3", "--device", device, "--dtype", "float32"]
        assert verb("undo", ["sft", *options, "--json", str(path)]) == 0
        found.append(json.loads(path.read_text(encoding="utf-8")))
    assert [row["title"] for row in found[0]["rows"]] == [row["title"] for row in found[1]["rows"]]
    for one, other in zip(found[0]["rows"], found[1]["rows"], strict=True):
        assert one["divergence"] == pytest.approx(other["divergence"], rel=0.05, abs=1e-3)


def test_the_report_of_a_transfer_is_the_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family, found = test_measure.made(tmp_path / "tiny", "llama", ("base", "chat")), []
    for device in BOTH:
        monkeypatch.setenv("TILLER_DATA", str(tmp_path / device))
        kept: dict[str, Loaded] = {}

        def load(which: Family, name: str, device: str = device, kept: dict[str, Loaded] = kept) -> Loaded:
            if name not in kept:
                kept[name] = loading.load_model(which, name, Placing(device, "float32"))
            return kept[name]

        task = tasks.TransferTask(family, "truth", store.user_folder(), None, test_measure.SIZES)
        found.append(finished(measure.transfer_in_slices(task, load)))  # type: ignore[arg-type]
    one, other = found
    assert set(one.profiles) == set(other.profiles)
    for name, values in one.profiles.items():
        np.testing.assert_allclose(values, other.profiles[name], atol=5e-3, err_msg=name)
    for source in one.sources:
        for target in one.targets:
            left, right = one.cell(source, target), other.cell(source, target)
            assert left.cosine == pytest.approx(right.cosine, abs=1e-3)
            assert left.layer == right.layer
            assert left.probe == right.probe


def test_the_engine_takes_the_gpu_by_itself() -> None:
    engine = Engine("skiff")
    engine.start()
    try:
        assert engine.wait_ready(120).state == "ready"
        settings = engine.settings("dpo", "")
        said, _ = live(engine, settings.ask("What is the capital of France?"))
        assert "Paris" in said[0].text
        place = engine.call(lambda worker: worker.pool.get("dpo").device.type).result()
        assert place == "cuda"
    finally:
        engine.close()
