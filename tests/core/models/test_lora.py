"""Adapters (LoRA): the merged model is the adapted one, and what cannot be merged is refused in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from core.artefacts.direction import load_direction
from core.chat.events import Started
from core.engine.engine import Engine
from core.families import registry
from core.models import loading, weights
from core.models.fingerprints import model_fingerprint
from core.models.loading import Loaded
from core.models.lora import AdapterError
from core.models.placement import Placing
from core.models.weight_swap import alike, swapped_weights
from core.steering.interventions import EditError, check_fit
from tests.support import tiny_models

IDS = torch.tensor([[0, 40, 41, 42, 43]])
TARGETS = ["q_proj", "v_proj", "down_proj"]


def family(folder: Path, kind: str = "llama", **changes: object) -> Path:
    """A family of a base and ``lora``, an adapter of it with random weights; gives its folder."""
    tiny_models.family(folder, kind, ("base",))
    adapter(folder, "lora", **changes)
    return named(folder, "lora", "base")


def named(folder: Path, name: str, of: str) -> Path:
    """Write a checkpoint that is an adapter of another one into a family's file."""
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[checkpoint]]\nname = "{name}"\npath = "{name}"\nadapter_of = "{of}"\ntemplate_from = "base"\n')
    return folder


def adapter(folder: Path, name: str, base: str = "base", seed: int = 1, **changes: object) -> None:
    """Save a random adapter of a checkpoint beside it."""
    torch.manual_seed(seed)
    bare = AutoModelForCausalLM.from_pretrained(folder / base)
    config = LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": TARGETS, **changes})  # type: ignore[arg-type]
    model = get_peft_model(bare, config)
    for key, weight in model.named_parameters():
        if "lora_" in key or "modules_to_save" in key:
            weight.data += torch.randn_like(weight) / 4
    model.save_pretrained(folder / name)


def load(folder: Path, name: str = "lora", **options: Any) -> Loaded:
    return loading.load_model(registry.load_family(str(folder)), name, Placing("cpu", **options))


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(IDS).logits


def adapted(folder: Path, *names: str) -> torch.Tensor:
    """The logits of peft's own model, the adapters merged into each other by peft where there are several."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder / "base").eval()
    for name in names:
        model = PeftModel.from_pretrained(model, folder / name).eval()
        last = logits(model)
        model = model.merge_and_unload()
    return last


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("llama", {}),
        (
            "llama",
            {"use_rslora": True, "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"1.self_attn.v_proj": 3}},
        ),
        ("llama", {"use_dora": True}),
        ("llama", {"modules_to_save": ["lm_head"]}),
        ("llama", {"target_modules": ["embed_tokens", "lm_head", "o_proj"]}),
        ("llama", {"target_modules": "all-linear", "layers_to_transform": [1, 2]}),
        ("gpt2", {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True}),
        ("qwen2", {"bias": "none"}),
    ],
)
def test_the_merged_model_is_the_adapted_one(kind: str, changes: Mapping[str, object], tmp_path: Path) -> None:
    if changes.get("layers_to_transform"):
        changes = {**changes, "target_modules": ["q_proj", "up_proj"]}
    folder = family(tmp_path / "own", kind, **changes)
    loaded = load(folder)
    wanted = adapted(folder, "lora")
    assert (logits(loaded.model) - wanted).abs().max() < 1e-5
    plain = logits(load(folder, "base").model)
    assert (plain - wanted).abs().max() > 1e-2


def test_a_retraining_is_an_adapter_on_a_checkpoint_or_on_another_retraining(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    for seed, name in enumerate(("again", "twice"), 5):
        adapter(folder, name, seed=seed)
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        for name, of in (("again", "base"), ("twice", "again")):
            file.write(
                f'\n[[counterfactual]]\nname = "{name}"\nof = "lora"\npath = "{name}"\nadapter_of = "{of}"\nwithout = "lora"\n'
            )
    for names in (["again"], ["again", "twice"]):
        loaded = load(folder, names[-1])
        assert (logits(loaded.model) - adapted(folder, *names)).abs().max() < 1e-5
        assert loaded.checkpoint.name == alike(loaded.family, names[-1]) == names[-1]
    assert [each.name for each in loaded.family.checkpoints] == ["base", "lora"]
    # Written into a model that is in memory, it is what it is when it is loaded.
    with swapped_weights(load(folder), "twice") as swapped:
        assert torch.equal(logits(swapped.model), logits(loaded.model))


def test_adapters_stand_on_each_other(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    adapter(folder, "second", seed=2, target_modules=["q_proj", "o_proj"])
    loaded = load(named(folder, "second", "lora"), "second")
    assert (logits(loaded.model) - adapted(folder, "lora", "second")).abs().max() < 1e-5
    assert [each.name for each in loaded.family.path("second")] == ["base", "lora", "second"]


def test_an_adapted_model_is_quantized_after_the_sum(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    model = AutoModelForCausalLM.from_pretrained(folder / "base")
    PeftModel.from_pretrained(model, folder / "lora").merge_and_unload().save_pretrained(folder / "whole")
    tiny_models.tokenizer(chat=False).save_pretrained(folder / "whole")
    with (folder / "family.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[checkpoint]]\nname = "whole"\npath = "whole"\ntemplate = "plain"\n')
    one, other = (load(folder, name, quantize="4bit") for name in ("lora", "whole"))
    assert (logits(one.model) - logits(other.model)).abs().max() < 1e-4


def test_the_sum_is_rounded_once(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    rounded, full = load(folder, dtype="bfloat16"), load(folder, dtype="float32")
    for name, weight in full.model.named_parameters():
        assert torch.equal(rounded.model.get_parameter(name), weight.to(torch.bfloat16)), name


def test_weights_by_name_are_those_of_the_sum(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    loaded = load(folder)
    own = weights.weights_of(loaded.checkpoint)
    for layer in ("self_attn.q_proj", "mlp.down_proj", "mlp.up_proj"):
        name = f"model.layers.2.{layer}.weight"
        assert torch.equal(own.full(name), loaded.model.get_parameter(name))


def test_the_fingerprint_is_of_the_weights_and_the_adapter(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    before = load(folder).fingerprint
    assert before not in ("", load(folder, "base").fingerprint)
    assert before == load(folder).fingerprint
    adapter(folder, "lora", seed=5)
    assert load(folder).fingerprint != before


def test_a_direction_of_an_adapted_checkpoint_fits_the_others_until_the_adapter_changes(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    loaded = load(folder, "base")
    found = load_direction(tiny_models.direction(folder, "base", "truth"))
    details = {**found.card.details, "fingerprint": load(folder).fingerprint}
    learnt = replace(found, card=replace(found.card, checkpoint="lora", details=details))
    assert check_fit(learnt, loaded) == ""
    adapter(folder, "lora", seed=5)
    with pytest.raises(EditError, match=r"learnt on a own/lora with fingerprint .*, which now has"):
        check_fit(learnt, loaded)


def test_an_adapters_own_tokenizer_and_template_are_used(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    tiny_models.tokenizer(chat=True).save_pretrained(folder / "lora")
    text = (folder / "family.toml").read_text().replace('template_from = "base"\n', "")
    (folder / "family.toml").write_text(text)
    loaded = load(folder)
    assert (loaded.template, loaded.tokenizer.chat_template) == (None, tiny_models.CHAT)


# ------------------------------------------------------------------------------------------------------- what is refused


def changed(folder: Path, **values: object) -> None:
    """Change an adapter's configuration."""
    path = folder / "lora" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refused(folder: Path) -> str:
    with pytest.raises(AdapterError) as caught:
        load(folder)
    said = str(caught.value)
    assert said.startswith(f"The adapter {folder / 'lora'} of 'lora' ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"peft_type": "IA3"}, "is of the kind IA3, and only LoRA can be merged"),
        ({"peft_type": None}, "is of the kind None"),
        (
            {"target_parameters": ["mlp.experts"]},
            "changes parameters that are no layers of their own (target_parameters)",
        ),
        ({"lora_bias": True}, "has biases of its own (lora_bias)"),
        ({"alora_invocation_tokens": [3]}, "acts from certain tokens on only"),
        ({"r": 0}, "cannot be merged at model.layers.0.mlp.down_proj"),
        ({"r": 9}, "cannot be merged at model.layers.0.mlp.down_proj"),
        ({"r": "four"}, "cannot be merged"),
        ({"use_quantum_ranks": True}, "was made by a newer peft, with use_quantum_ranks, which this one does not know"),
    ],
)
def test_what_cannot_be_merged_is_refused(values: dict[str, object], sentence: str, tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    changed(folder, **values)
    assert sentence in refused(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"peft_type": "LORA"'])
def test_a_configuration_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    (folder / "lora" / "adapter_config.json").write_text(text)
    assert "has an adapter_config.json that cannot be read" in refused(folder)


def test_an_adapter_of_another_shape_or_another_model(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    path = folder / "lora" / "adapter_model.safetensors"
    tensors = load_file(path)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    save_file({**tensors, name: torch.zeros(4, 48)}, path)
    assert "changes model.layers.0.self_attn.q_proj of shape 32 × 48, where the weights have 32 × 32" in refused(folder)
    save_file({key.replace("layers.0", "layers.7"): value for key, value in tensors.items()}, path)
    assert "changes model.layers.7.mlp.down_proj.weight, which the weights below it do not have" in refused(folder)
    save_file({key: value for key, value in tensors.items() if key != name}, path)
    assert "lacks a part of model.layers.0.self_attn.q_proj" in refused(folder)
    save_file({**tensors, "base_model.model.lm_head.weight": torch.zeros(330, 32)}, path)
    assert "replaces lm_head.weight by one of shape 330 × 32, where the weights have 320 × 32" in refused(folder)
    save_file(
        {**tensors, "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": torch.zeros(2)}, path
    )
    assert "token_adapter.trainable_tokens_delta, which cannot be merged; merge it with peft's" in refused(folder)
    save_file({**tensors, name: torch.full_like(tensors[name], torch.nan)}, path)
    assert "cannot be merged at model.layers.0.self_attn.q_proj (ValueError: NaNs" in refused(folder)


def test_an_adapter_with_tokens_of_its_own_enlarges_the_vocabulary(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "own", "llama", ("base",))
    torch.manual_seed(1)
    bare: Any = AutoModelForCausalLM.from_pretrained(folder / "base")
    bare.resize_token_embeddings(tiny_models.VOCABULARY + 2)
    config = LoraConfig(r=4, target_modules=TARGETS, modules_to_save=["lm_head", "embed_tokens"])
    model: Any = get_peft_model(bare, config).eval()
    for key, weight in model.named_parameters():
        if "lora_" in key or "modules_to_save" in key:
            weight.data += torch.randn_like(weight) / 4
    model.save_pretrained(folder / "lora")
    loaded = load(named(folder, "lora", "base"))
    new = torch.tensor([[0, 40, tiny_models.VOCABULARY + 1]])
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(new).logits, model(new).logits)
    # Beside a stage without these tokens the rest is compared.
    family = registry.load_family(str(folder))
    assert weights.distance(family.checkpoint("lora"), family.checkpoint("base")) > 0


def test_a_head_that_is_the_embedding_is_not_called_another_models(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "own", "qwen3", ("base",))
    adapter(folder, "lora", modules_to_save=["lm_head", "embed_tokens"])
    with pytest.raises(AdapterError, match="which the model uses at both of its ends; merge it with peft's"):
        load(named(folder, "lora", "base"))


def test_a_tied_embedding_is_not_changed_at_one_end(tmp_path: Path) -> None:
    folder = family(tmp_path / "own", modules_to_save=["lm_head"])
    config = folder / "base" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "tie_word_embeddings": True}))
    assert "changes lm_head.weight, which the model uses at both of its ends" in refused(folder)


def test_a_pickled_adapter_is_refused_with_a_command_that_converts_it(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    before = logits(load(folder).model)
    path = folder / "lora" / "adapter_model.safetensors"
    torch.save(load_file(path), folder / "lora" / "adapter_model.bin")
    path.unlink()
    said = refused(folder)
    assert "is pickled (adapter_model.bin), which is not read, since it can run code" in said
    command = said.partition('python -c "')[2].rstrip('"')
    subprocess.run([sys.executable, "-c", command], check=True)
    assert torch.equal(logits(load(folder).model), before)


def test_files_that_are_missing_or_cut_off(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    path = folder / "lora" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(loading.LoadError, match=r"Checkpoint 'lora' .* adapter_model\.safetensors is cut off"):
        load(folder)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    with pytest.raises(loading.LoadError, match=r"adapter_model.safetensors of checkpoint 'lora' is a Git LFS pointer"):
        load(folder)
    path.unlink()
    assert "has no adapter_model.safetensors in" in refused(folder)
    (folder / "lora" / "adapter_config.json").unlink()
    assert "has no adapter_config.json in" in refused(folder)


def test_an_adapter_is_not_taken_for_a_whole_model(tmp_path: Path) -> None:
    folder = family(tmp_path / "own")
    text = (folder / "family.toml").read_text().replace('adapter_of = "base"\n', "")
    (folder / "family.toml").write_text(text)
    with pytest.raises(loading.LoadError, match=r"lora is a PEFT adapter and no whole model; name .* by adapter_of"):
        load(folder)


def test_an_adapter_that_was_trained_on_other_weights_says_so_with_every_answer(tmp_path: Path) -> None:
    folder = family(tmp_path / "adapted")
    assert load(folder).remark == ""
    own = model_fingerprint(registry.load_family(str(folder)).checkpoint("base"))
    path = folder / "lora" / "adapter_model.safetensors"
    tensors = load_file(path)
    save_file(tensors, path, metadata={"tiller": json.dumps({"trained_on": own})})
    assert load(folder).remark == ""
    save_file(tensors, path, metadata={"tiller": json.dumps({"trained_on": "b179c9523d0e6a0f"})})
    said = load(folder).remark
    assert said.startswith("The adapter of lora was trained on other weights (b179c9523d0e6a0f) than those of ")
    assert own in said
    engine = Engine(str(folder), threads=1)
    engine.start()
    try:
        settings = engine.settings("lora").ask("Hello")
        started = next(each for each in engine.submit(settings) if isinstance(each, Started))
        assert said in started.note
    finally:
        engine.close()
