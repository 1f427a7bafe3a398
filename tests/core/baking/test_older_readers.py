"""Baked folders are read by transformers 4 too, and those of checkpoints that are quantized in their files hold full weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, Gemma3TextConfig, LlamaConfig

from core.artefacts.direction import load_direction
from core.baking import bake as baking
from core.baking import evaluation
from core.baking.older_readers import name_for_older_readers, save_tokenizer
from core.families import registry
from core.inference import metrics, prompts
from core.models import loading
from core.models.files import LoadError
from core.models.placement import Placing
from core.util.progress import finished
from tests.core.models import test_packed
from tests.support import tiny_models

_LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
_WINDOWS = {
    "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 1000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
}


def test_the_angles_have_their_earlier_names_as_well(tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    for name, config in (
        ("plain", LlamaConfig(rope_parameters={"rope_type": "default", "rope_theta": 7.0}, dtype="bfloat16")),
        ("llama3", LlamaConfig(rope_parameters=_LLAMA3)),
        ("windows", Gemma3TextConfig(rope_parameters=_WINDOWS)),
    ):
        config.save_pretrained(tmp_path / name)
        before = AutoConfig.from_pretrained(tmp_path / name).to_dict()
        name_for_older_readers(tmp_path / name / "config.json")
        found[name] = json.loads((tmp_path / name / "config.json").read_text())
        after = AutoConfig.from_pretrained(tmp_path / name).to_dict()
        assert after["rope_parameters"] == before["rope_parameters"], "transformers 5 reads what it read before"
    assert (found["plain"]["rope_theta"], found["plain"]["torch_dtype"]) == (7.0, "bfloat16")
    assert "rope_scaling" not in found["plain"]
    assert found["llama3"]["rope_theta"] == 500.0
    assert found["llama3"]["rope_scaling"] == {key: value for key, value in _LLAMA3.items() if key != "rope_theta"}
    assert (found["windows"]["rope_theta"], found["windows"]["rope_local_base_freq"]) == (1000.0, 50.0)
    assert found["windows"]["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}


@pytest.mark.parametrize(
    ("kind", "angles"),
    [
        ("llama", {**_LLAMA3, "original_max_position_embeddings": 16}),
        ("mixtral", {"rope_type": "default", "rope_theta": 7.0}),
        ("gemma3", _WINDOWS),
    ],
)  # fmt: skip
def test_what_transformers_4_wrote_is_opened_as_what_it_was(tmp_path: Path, kind: str, angles: dict[str, Any]) -> None:
    """Its config.json and its tokenizer's files, key by key as 4.57.6 writes them."""
    folder = tiny_models.family(tmp_path / "toy", kind, ("chat",), plain_base=False)
    config: Any = tiny_models.configs()[kind]
    config.rope_parameters = angles
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    model.save_pretrained(folder / "chat", max_shard_size="60KB")
    (folder / "chat" / "model.safetensors").unlink()
    name_for_older_readers(folder / "chat" / "config.json")
    path = folder / "chat" / "config.json"
    said = json.loads(path.read_text())
    assert said.pop("rope_parameters")
    path.write_text(json.dumps({**said, "dtype": said.pop("torch_dtype"), "transformers_version": "4.57.6"}))
    (folder / "chat" / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "added_tokens_decoder": {
                    str(id_): {"content": text, "special": True} for id_, text in enumerate(tiny_models.SPECIALS)
                },
                "clean_up_tokenization_spaces": False, "extra_special_tokens": {}, "tokenizer_class": "PreTrainedTokenizerFast",
                "bos_token": "<s>", "eos_token": "<|end|>", "pad_token": "<pad>",
            }
        )
    )  # fmt: skip
    special = {
        name: {"content": text}
        for name, text in (("bos_token", "<s>"), ("eos_token", "<|end|>"), ("pad_token", "<pad>"))
    }
    (folder / "chat" / "special_tokens_map.json").write_text(json.dumps(special))
    loaded = loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))
    ids = torch.tensor([[0, 40, 41, 42, 43] * 5])
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-5)
    assert (loaded.ends, loaded.tokenizer.pad_token_id, loaded.model.dtype, loaded.remark) == (
        {5},
        1,
        torch.float32,
        "",
    )
    assert prompts.chat_prompt(loaded, "Hi") == prompts.encode(loaded, "<s><|user|>\nHi<|end|>\n<|assistant|>\n")


def test_a_tokenizers_own_files_are_kept_byte_by_byte(tmp_path: Path) -> None:
    (own := tmp_path / "own").mkdir()
    tiny_models.tokenizer().save_pretrained(own)
    said = json.loads((own / "tokenizer_config.json").read_text())
    said.pop("backend")
    (own / "tokenizer_config.json").write_text(json.dumps({**said, "tokenizer_class": "PreTrainedTokenizerFast"}))
    (own / "model.safetensors").write_bytes(b"")
    (made := tmp_path / "made").mkdir()
    save_tokenizer(AutoTokenizer.from_pretrained(own), made)
    names = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    assert {each.name for each in made.iterdir()} == names
    for name in names:
        assert (made / name).read_bytes() == (own / name).read_bytes()


def test_a_tokenizer_of_transformers_5_is_called_as_4_calls_it(tmp_path: Path) -> None:
    (own := tmp_path / "own").mkdir()
    tiny_models.tokenizer().save_pretrained(own)
    for source in (AutoTokenizer.from_pretrained(own), tiny_models.tokenizer()):
        shutil.rmtree(tmp_path / "made", ignore_errors=True)
        (made := tmp_path / "made").mkdir()
        save_tokenizer(source, made)
        said = json.loads((made / "tokenizer_config.json").read_text())
        assert said["tokenizer_class"] == "PreTrainedTokenizerFast"
        text = "<|user|>\nThe capital of France"
        assert AutoTokenizer.from_pretrained(made)(text)["input_ids"] == source(text)["input_ids"]


@pytest.mark.parametrize("way", ["blocks", "tensor"])
def test_a_checkpoint_of_fp8_is_baked_as_full_weights(
    tiny_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(metrics, "REFUSALS", ("I", "S"))
    monkeypatch.setattr(metrics, "LABELS", (" T", " F"))
    monkeypatch.setattr(evaluation, "_LONGEST", 4)
    folder = shutil.copytree(tiny_folder("llama"), tmp_path / "llama")
    tiny_models.contrast(folder, examples=2)
    change, said = test_packed.WAYS[way]
    meant = test_packed.rewrite(folder, change)
    test_packed.settings(folder, **said)
    direction = tiny_models.direction(folder, "chat", "truth")
    finished(
        baking.bake(registry.load_family(str(folder)), baking.BakeRequest("chat", "!truth", tmp_path / "out", "cpu"))
    )
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
    made = load_file(tmp_path / "out" / "model.safetensors")
    # The same as the full weights give, and what reads the residual stream is what it was.
    assert set(made) == set(meant)
    for name, each in meant.items():
        if not name.endswith(("o_proj.weight", "down_proj.weight", "embed_tokens.weight")):
            assert torch.equal(made[name], each), name
    unit = torch.from_numpy(load_direction(direction).unit(1))
    for name in ("model.layers.0.mlp.down_proj.weight", "model.layers.2.self_attn.o_proj.weight"):
        assert float((unit @ made[name]).abs().max()) < 1e-5
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").dtype is torch.float32


def test_a_folder_that_baking_widened_is_named_beside_its_plain_model(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "own", "gemma2")
    config = folder / "chat" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "hidden_size": 64}))
    with pytest.raises(
        LoadError, match=r"chat is 64 wide, and base 32: chat .* was baked, .* chat with it alone, by --model"
    ):
        loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu"))
