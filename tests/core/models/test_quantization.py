"""Quantized checkpoints: the same loading, steering and readings; gradients guarded; full precision from disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig

from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.events import Token
from core.chat.settings import Sampling
from core.cli import precompute
from core.directions import contrast, controls, learn, quantized_twins, reply_rates
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import FamilyRef
from core.inference.decoding import BatchDecoder, DecodingRow
from core.models import files, loading, placement, quantization, weights
from core.models.files import LoadError
from core.models.loading import Loaded
from core.models.placement import Placing
from core.models.pool import ModelPool
from core.models.quantization import QuantizedError
from core.recipes.language import Recipe, parse
from core.steering import readings
from core.steering.interventions import compile_recipe
from core.util.progress import finished
from core.util.resume import ResumeNotes
from tests.support import tiny_models
from tests.support.command import verb
from tests.support.paths import ROOT

QUANTIZE = ("none", "8bit", "4bit")
KINDS = ("llama", "qwen3", "gemma2")
STRENGTH = 3.0
NEW = 6
IDS = (0, 40, 41, 42, 43)


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny family of a kind, its weights in shards as real releases have them."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            folder = tiny_models.family(tmp_path_factory.mktemp("sharded") / kind, kind)
            for name in ("base", "chat"):
                whole = folder / name / "model.safetensors"
                AutoModelForCausalLM.from_pretrained(folder / name).save_pretrained(
                    folder / name, max_shard_size=60_000
                )
                whole.unlink(missing_ok=True)
                tiny_models.direction(folder, name, "truth", layer=1, seed=1)
            made[kind] = folder
        return made[kind]

    return make


def load(folder: Path, quantize: str, **options: object) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu", quantize=quantize), **options)  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------------------------- loading


@pytest.mark.parametrize("quantize", QUANTIZE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_is_what_is_in_memory_then(kind: str, quantize: str, sharded: Callable[[str], Path]) -> None:
    folder = sharded(kind)
    loaded = load(folder, quantize, differentiable=True)
    need = placement.need(loaded.checkpoint, "cpu", "auto", quantize)
    assert len(list((folder / "chat").glob("model-*.safetensors"))) > 2
    assert need.size == quantization.memory_size(loaded.model)
    assert loaded.model.dtype == loading.DTYPES[need.dtype]
    assert len(quantization.quantized_layers(loaded.model)) == (0 if quantize == "none" else 7 * tiny_models.LAYERS)
    # Packed for a CPU, the scales of 4-bit weights are smaller; of a model this tiny with tied embeddings they are a tenth.
    assert quantization.memory_size(load(folder, quantize).model) == pytest.approx(need.size, rel=0.12)
    assert loaded.quantize == quantize
    assert loaded.fingerprint == store.folder_fingerprint(folder / "chat")


@pytest.mark.parametrize("quantize", QUANTIZE)
@pytest.mark.parametrize("kind", ["gpt2", "neox", "qwen2"])
def test_a_plan_knows_other_architectures(kind: str, quantize: str, tiny_folder: Callable[[str], Path]) -> None:
    loaded = load(tiny_folder(kind), quantize, differentiable=True)
    assert placement.need(loaded.checkpoint, "cpu", "auto", quantize).size == quantization.memory_size(loaded.model)


@pytest.mark.parametrize("quantize", QUANTIZE)
def test_every_byte_is_counted_and_every_shard_named(quantize: str, sharded: Callable[[str], Path]) -> None:
    seen: list[files.Progress] = []
    loaded = load(sharded("llama"), quantize, watch=seen.append)
    total = sum(each.size for each in files.stored_tensors(loaded.checkpoint, Path(loaded.checkpoint.source)).values())
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert (seen[-1].done, seen[-1].total) == (total, total)
    assert {each.shard for each in seen} == set(range(1, seen[0].shards + 1))


def test_a_model_is_what_it_was_saved_as_when_it_comes_from_a_cache_of_the_hub(
    sharded: Callable[[str], Path], tmp_path: Path
) -> None:
    """The cache is read when the Hub's client is imported, so that this runs in a process of its own."""
    folder, name = sharded("qwen3"), "0" * 40
    snapshot = tmp_path / "hub" / "models--maker--model" / "snapshots" / name
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(folder / "chat", target_is_directory=True)
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text(name)
    own = tmp_path / "own"
    own.mkdir()
    (own / "family.toml").write_text('[[checkpoint]]\nname = "chat"\nhub = "maker/model"\n')
    code = (
        "import torch; from core.families.registry import load_family; from core.models.loading import load_model\n"
        "from core.models.placement import Placing\n"
        f"for quantize in {QUANTIZE!r}:\n"
        f"  loaded = load_model(load_family({str(own)!r}), 'chat', Placing('cpu', quantize=quantize))\n"
        f"  print(loaded.fingerprint, loaded.model(torch.tensor([{list(IDS)}])).logits[0, -1, :4].tolist())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    for quantize, line in zip(QUANTIZE, found.stdout.splitlines(), strict=True):
        logits = load(folder, quantize).model(torch.tensor([IDS])).logits[0, -1, :4].tolist()
        assert line == f"maker/model@main {logits}"


def test_a_missing_shard_is_named(sharded: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "gap"
    (folder / "chat").mkdir(parents=True)
    for path in (sharded("llama") / "chat").glob("*.*"):
        (folder / "chat" / path.name).write_bytes(path.read_bytes())
    (folder / "family.toml").write_text('[[checkpoint]]\nname = "chat"\npath = "chat"\n')
    next(iter(sorted((folder / "chat").glob("model-00002*")))).unlink()
    with pytest.raises(LoadError, match=r"model-00002-of-\d+.safetensors of checkpoint 'chat' is missing"):
        load(folder, "none")


def test_what_is_quantized_already_is_not_quantized_again(sharded: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "packed", "llama", ("chat",), plain_base=False)
    config = folder / "chat" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "quantization_config": {"quant_method": "x"}}))
    with pytest.raises(LoadError, match="quantized already; use --quantize none"):
        load(folder, "4bit")


def test_bitsandbytes_that_does_not_run_is_one_sentence(
    sharded: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(QuantizedError, match=r"does not run here .*; use --quantize none"):
        load(sharded("llama"), "4bit")


def test_a_counterfactual_is_quantized_after_its_difference_was_added(tmp_path: Path) -> None:
    from core.models import deltas

    folder = tiny_models.family(tmp_path / "own", "llama")
    of = {name: each.detach() for name, each in tiny_models.model("llama", seed=1).named_parameters()}
    trained = {name: each + 0.1 * torch.randn_like(each) for name, each in of.items()}
    details = {
        "name": "other",
        "family": "own",
        "checkpoint": "chat",
        "fingerprint": store.folder_fingerprint(folder / "chat"),
    }
    difference = deltas.round_delta(trained, of)
    deltas.write_delta(folder / "counterfactual" / "other.safetensors", difference, details)
    with (folder / "family.toml").open("a") as file:
        file.write('[[counterfactual]]\nname = "other"\nof = "chat"\nfile = "counterfactual/other.safetensors"\n')
    restored = {name: each.clone() for name, each in of.items()}
    deltas.add(restored.items(), difference)
    whole = AutoModelForCausalLM.from_config(tiny_models.configs()["llama"], dtype=torch.float32)
    whole.load_state_dict(restored, strict=False)
    whole.save_pretrained(folder / "base")
    family = registry.load_family(str(folder))
    (ours, theirs) = (
        loading.load_model(family, name, Placing("cpu", quantize="4bit")).model for name in ("other", "base")
    )
    assert torch.equal(ours(torch.tensor([IDS])).logits, theirs(torch.tensor([IDS])).logits)


# ------------------------------------------------------------------------------------------------- steering and readings


def by_hand(loaded: Loaded, vector: torch.Tensor, layer: int, unit: np.ndarray) -> tuple[list[int], list[float]]:
    """Greedy tokens and projections of a plain batch of two rows, the first steered, by a hook on the block; no Tiller in it."""
    caught: list[torch.Tensor] = []

    def hook(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        added = output.float()
        # The first token is BOS, which is not steered.
        added[0, (1 if output.shape[1] > 1 else 0) :] += vector
        left = added.to(output.dtype)
        caught.append(left[0, -1])
        return left

    handle = loaded.anatomy.blocks[layer].register_forward_hook(hook)
    said: list[int] = []
    try:
        fed, past = torch.tensor([IDS, IDS]), None
        for _ in range(NEW):
            out = loaded.model(fed, past_key_values=past, use_cache=True)
            said.append(int(out.logits[0, -1].float().argmax()))
            fed, past = torch.tensor([[said[-1]], [said[-1]]]), out.past_key_values
    finally:
        handle.remove()
    return said, [float(each.double().numpy() @ unit) for each in caught]


@pytest.mark.parametrize("quantize", QUANTIZE)
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_steering_and_readings_are_a_hook_by_hand(kind: str, quantize: str, sharded: Callable[[str], Path]) -> None:
    folder = sharded(kind)
    loaded = replace(load(folder, quantize), ends=frozenset(), stops=())
    direction = load_direction(store.artefact_path(folder.parent, kind, "chat", "direction", "truth"))
    edits = compile_recipe(parse(f"{STRENGTH}*truth"), loaded, lambda _name, _checkpoint: direction)
    sampling = Sampling(max_new_tokens=NEW)
    stream = BatchDecoder(loaded, [DecodingRow(0, IDS, edits, sampling, True)], (readings.projection(direction),))
    tokens = []
    while not stream.done:
        tokens += [event for event in stream.step() if isinstance(event, Token)]
    vector = torch.from_numpy(STRENGTH * direction.vectors[1])
    said, projected = by_hand(loaded, vector, 1, direction.unit(1).astype(np.float64))
    assert [token.id for token in tokens] == said
    offset = float(direction.negative[1].astype(np.float64) @ direction.unit(1))
    expected = [(each - offset) / direction.gap(1) for each in projected]
    assert [token.reading.projections["truth"] for token in tokens] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
def test_plain_answers_of_a_quantized_model_are_generates_own(quantize: str, sharded: Callable[[str], Path]) -> None:
    loaded = replace(load(sharded("llama"), quantize), ends=frozenset(), stops=())
    stream = BatchDecoder(
        loaded, [DecodingRow(0, IDS, compile_recipe(Recipe(), loaded, None), Sampling(max_new_tokens=NEW), False)]
    )  # type: ignore[arg-type]
    said = []
    while not stream.done:
        said += [event.id for event in stream.step() if isinstance(event, Token)]
    loaded.model.generation_config.eos_token_id = None
    whole = loaded.model.generate(torch.tensor([IDS]), max_new_tokens=NEW, do_sample=False)  # type: ignore[operator]
    assert said == whole[0, len(IDS) :].tolist()


# ------------------------------------------------------------------------------------------------ gradients, full weights


def wide(folder: Path) -> Path:
    """A model whose matrices a CPU with AVX512-BF16 packs: their sides are multiples of 64."""
    tiny_models.family(folder, "llama", ("chat",), plain_base=False)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 1, "num_key_value_heads": 1}
    config = LlamaConfig(**{**tiny_models.configs()["llama"].to_dict(), "head_dim": 64, **shape})
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder / "chat")
    return folder


def gradient(model: torch.nn.Module) -> torch.Tensor:
    """Of the likelihood of a token, by the embeddings of the prompt."""
    ids = torch.tensor([IDS], device=next(model.parameters()).device)
    embedded = model.get_input_embeddings()(ids).detach().requires_grad_(True)  # type: ignore[operator]
    model(inputs_embeds=embedded).logits[0, -1].log_softmax(-1)[7].float().backward()
    assert embedded.grad is not None
    return embedded.grad.float().flatten()


def unpack(model: torch.nn.Module, twin: torch.nn.Module) -> None:
    """Give a twin in full precision every quantized matrix of a 4-bit model as it is when it is unpacked."""
    import bitsandbytes as bnb

    for name, module in model.named_modules():
        if type(module).__name__ == "Linear4bit":
            unpacked = bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)  # type: ignore[arg-type]
            twin.get_submodule(name).weight.data.copy_(unpacked)  # type: ignore[union-attr, operator]


def test_gradients_through_4_bits_are_right_or_refused(tmp_path: Path) -> None:
    folder = wide(tmp_path / "wide")
    loaded = load(folder, "4bit", differentiable=True)
    with torch.inference_mode():
        loaded.model(torch.tensor([IDS]))
    quantization.check_differentiable(loaded.model)
    # The same function in full precision.
    plain = Placing("cpu", "bfloat16")
    twin = loading.load_model(registry.load_family(str(folder)), "chat", plain).model
    unpack(loaded.model, twin)
    ours, theirs = gradient(loaded.model), gradient(twin)
    assert float(torch.cosine_similarity(ours, theirs, dim=0)) > 0.995
    # Packed, as a CPU with AVX512-BF16 does it, or as if it had: refused in a sentence.
    packed = load(folder, "4bit").model
    for layer in quantization.quantized_layers(packed):
        layer.weight.quant_state.packing_format_for_cpu = True
    for check in (quantization.check_differentiable, lambda model: quantization.steady(model, True)):
        with pytest.raises(QuantizedError, match="load it again for gradients, or use --quantize none"):
            check(packed)


@pytest.mark.parametrize("quantize", ["none", "8bit"])
def test_other_models_have_gradients(quantize: str, tmp_path: Path) -> None:
    quantization.check_differentiable(load(wide(tmp_path / "wide"), quantize).model)


def test_full_precision_comes_from_disk_by_name(sharded: Callable[[str], Path]) -> None:
    folder = sharded("llama")
    loaded = load(folder, "4bit")
    whole = {name: each for file in (folder / "chat").glob("*.safetensors") for name, each in load_file(file).items()}
    found = weights.weights_of(loaded.checkpoint)
    assert set(found) == set(whole)
    assert all(torch.equal(found[name], each) for name, each in whole.items())
    assert torch.equal(
        found.full("layers.0.mlp.down_proj.weight"), whole["model.layers.0.mlp.down_proj.weight"].float()
    )
    with pytest.raises(LoadError, match=r"chat has no tensor 'layers.9.x'"):
        found["layers.9.x"]


def test_every_dtype_is_read_as_it_is_stored(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    kinds = (torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int64, torch.int8, torch.bool)
    stored = {str(kind): (torch.arange(6).reshape(2, 3) - 2).to(kind) for kind in kinds}
    stored |= {"scalar": torch.tensor(3.5), "empty": torch.empty(0, 4)}
    folder = tiny_models.family(tmp_path / "kinds", "llama", ("chat",), plain_base=False)
    save_file(stored, folder / "chat" / "model.safetensors")
    found = weights.weights_of(registry.load_family(str(folder)).checkpoint("chat"))
    assert all(torch.equal(found[name], each) and found[name].dtype == each.dtype for name, each in stored.items())


# --------------------------------------------------------------------------------------------------------------- twins


def learnt(loaded: Loaded) -> Direction:
    unrelated = contrast.load_contrast(loaded.family, "refusal").part("validation", False, 2)
    own = contrast.load_contrast(loaded.family, "truth")
    return finished(learn.learn_in_slices("truth", loaded, own, unrelated, ResumeNotes()))


def test_a_direction_serves_the_quantized_twin_and_the_other_way(
    sharded: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    folder = sharded("llama")
    tiny_models.contrast(folder)
    whole, packed = load(folder, "none"), load(folder, "8bit")
    one, other = learnt(whole), learnt(packed)
    assert [each.card.details["quantize"] for each in (one, other)] == ["none", "8bit"]
    assert (
        one.card.details["fingerprint"]
        == other.card.details["fingerprint"]
        == store.folder_fingerprint(folder / "chat")
    )
    for direction, target in ((one, packed), (other, whole)):
        assert compile_recipe(parse("1*truth"), target, lambda _name, _checkpoint, it=direction: it)
    found = quantized_twins.agreement(one, other)
    assert len(found) == tiny_models.LAYERS
    assert min(found) > 0.9
    by_hand = [float(np.dot(one.unit(at), other.unit(at))) for at in range(tiny_models.LAYERS)]
    assert found == pytest.approx(by_hand, abs=1e-5)
    assert quantized_twins.agreement(one, one) == pytest.approx([1.0] * tiny_models.LAYERS)
    assert quantized_twins.twins(one, other)
    assert not quantized_twins.twins(one, one)
    assert f"cosine {found[one.card.layer]:.3f} at layer {one.card.layer}" in quantized_twins.twin_sentence(one, other)
    with pytest.raises(TillerError, match="of different shape"):
        quantized_twins.agreement(one, replace(other, vectors=other.vectors[:-1]))


def test_precompute_stores_the_quantization_and_says_the_agreement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precompute, "KINDS", ("truth",))
    monkeypatch.setattr(controls, "CONTROLS", 2)
    monkeypatch.setattr(reply_rates, "REPLY_TOKENS", 4)
    folder = tiny_models.family(tmp_path / "toy", "llama", ("chat",), plain_base=False)
    tiny_models.contrast(folder)
    model = ["--family", str(folder), "--checkpoint", "chat", "--device", "cpu", "--threads", "1", "--effort", "quick"]
    assert verb("precompute", model) == 0
    assert "cosine" not in capsys.readouterr().out
    assert verb("precompute", [*model, "--quantize", "8bit"]) == 0
    said = capsys.readouterr().out
    assert "chat truth: learnt in 8 bit and in full precision, cosine " in said
    path = store.artefact_path(store.user_folder(), "toy", "chat", "direction", "truth")
    details = store.read_card(path).details
    assert (details["quantize"], details["fingerprint"]) == ("8bit", store.folder_fingerprint(folder / "chat"))
    assert verb("precompute", [*model, "--quantize", "8bit"]) == 0
    assert "chat truth: there already." in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- several devices, as far as here


@torch.inference_mode()
def test_what_is_kept_elsewhere_is_brought_when_it_is_used(sharded: Callable[[str], Path]) -> None:
    """accelerate keeps a model's parts off the device that computes; with a CPU as that device, everything else is as on a GPU."""
    from accelerate import cpu_offload

    folder = sharded("llama")
    loaded = replace(load(folder, "none"), ends=frozenset(), stops=())
    direction = load_direction(store.artefact_path(folder.parent, "llama", "chat", "direction", "truth"))

    def answer() -> list[tuple[int, float]]:
        edits = compile_recipe(parse("2*truth + !truth"), loaded, lambda _name, _checkpoint: direction)
        stream = BatchDecoder(
            loaded, [DecodingRow(0, IDS, edits, Sampling(max_new_tokens=NEW), True)], (readings.projection(direction),)
        )
        events = []
        while not stream.done:
            events += [event for event in stream.step() if isinstance(event, Token)]
        return [(each.id, round(each.reading.projections["truth"], 4)) for each in events]

    before = answer()
    cpu_offload(loaded.model, execution_device=torch.device("cpu"))
    assert next(loaded.model.parameters()).device.type == "meta"
    assert loaded.device.type == "cpu"
    assert answer() == before


def test_a_shelf_of_quantized_checkpoints(sharded: Callable[[str], Path]) -> None:
    pool = ModelPool(FamilyRef(registry.load_family(str(sharded("gemma2")))), Placing("cpu", quantize="4bit"))
    assert str(pool.plan()).startswith("base 4-bit 71 kB + chat 4-bit 71 kB on cpu, ")
    assert pool.get("chat").quantize == "4bit"
