"""Checkpoints that are quantized in their files: their weights are the numbers that the codes stand for, or are refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, GptOssConfig, LlamaConfig

from core.families import registry
from core.models import loading, memory, placement, weights
from core.models.files import LoadError
from core.models.placement import Placing
from tests.support import tiny_models

IDS = torch.tensor([[0, 40, 41, 42, 43]])
_BLOCKS = (24, 16)
Codes = dict[str, Tensor]


def write(folder: Path, kind: str = "llama", config: Any = None) -> Path:
    """A family of one checkpoint, ``chat``; gives its folder."""
    if config is None:
        return tiny_models.family(folder, kind, ("chat",), plain_base=False)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder / "chat")
    tiny_models.tokenizer().save_pretrained(folder / "chat")
    (folder / "family.toml").write_text('[[checkpoint]]\nname = "chat"\npath = "chat"\n')
    return folder


def settings(folder: Path, **config: Any) -> None:
    path = folder / "chat" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "quantization_config": config}))


def rewrite(folder: Path, change: Callable[[str, Tensor], tuple[Codes, Tensor]]) -> Codes:
    """Write every projection as ``change`` gives it; gives the weights that are meant."""
    path = folder / "chat" / "model.safetensors"
    stored, meant = {}, {}
    for name, each in load_file(path).items():
        codes, value = change(name, each) if "proj" in name else ({name: each}, each)
        stored.update(codes)
        meant[name] = value
    save_file({name: each.contiguous() for name, each in stored.items()}, path, metadata={"format": "pt"})
    return meant


def by_block(name: str, weight: Tensor) -> tuple[Codes, Tensor]:
    """fp8 with a scale for 24 rows and 16 columns, the last of which are fewer, as DeepSeek-V3 has them."""
    rows, columns = _BLOCKS
    codes, value = torch.zeros_like(weight), torch.zeros_like(weight)
    scales = torch.zeros(-(-weight.shape[0] // rows), -(-weight.shape[1] // columns))
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            at = (slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns))
            scales[i, j] = weight[at].abs().max() / 448
            codes[at] = (weight[at] / scales[i, j]).to(torch.float8_e4m3fn).float()
            value[at] = codes[at] * scales[i, j]
    return {name: codes.to(torch.float8_e4m3fn), f"{name}_scale_inv": scales}, value


def by_tensor(name: str, weight: Tensor) -> tuple[Codes, Tensor]:
    scale = weight.abs().max() / 448
    codes = (weight / scale).to(torch.float8_e4m3fn)
    beside = {f"{name}_scale_inv": scale, name.replace("weight", "activation_scale"): torch.ones(())}
    return {name: codes, **beside}, codes.float() * scale


def by_row(name: str, weight: Tensor) -> tuple[Codes, Tensor]:
    scale = weight.abs().amax(1, keepdim=True) / 127
    codes = (weight / scale).round().to(torch.int8)
    return {name: codes, f"{name}_scale": scale}, codes.float() * scale


WAYS: dict[str, tuple[Callable[[str, Tensor], tuple[Codes, Tensor]], dict[str, Any]]] = {
    "blocks": (by_block, {"quant_method": "fp8", "weight_block_size": list(_BLOCKS), "activation_scheme": "dynamic"}),
    "tensor": (by_tensor, {"quant_method": "fp8", "weight_block_size": None, "activation_scheme": "static"}),
    "rows": (by_row, {"quant_method": "compressed-tensors", "format": "int-quantized"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_codes_with_scales_are_the_weights_that_they_stand_for(
    tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "own")
    change, said = WAYS[way]
    meant = rewrite(folder, change)
    settings(folder, **said)
    family = registry.load_family(str(folder))
    found = weights.weights_of(family.final)
    assert set(found) == set(meant)
    for name, each in meant.items():
        assert torch.equal(found.full(name), each), name
    # The model is made of the same, in whatever dtype is wanted.
    loaded = loading.load_model(family, "chat", Placing("cpu", "float32"))
    plain: Any = tiny_models.model("llama")
    plain.load_state_dict(meant)
    with torch.inference_mode():
        assert torch.equal(loaded.model(IDS).logits, plain(IDS).logits)
    need = placement.need(family.final, "cpu", "float32", "none")
    assert need.size == sum(each.numel() * 4 for each in meant.values())
    method = {"rows": "compressed-tensors"}.get(way, "FP8")
    assert (
        f"of chat are quantized in its files ({method}); its weights are computed from them, and it takes"
        in caplog.text
    )
    assert caplog.messages[0].endswith(f" {memory.size_in_words(need.size)} of memory.")


def test_a_stage_of_fp8_is_as_far_from_its_parent_as_its_weights_are(tmp_path: Path) -> None:
    folder = tiny_models.family(tmp_path / "own")
    before = load_file(folder / "chat" / "model.safetensors")
    family = registry.load_family(str(folder))
    assert weights.distance(family.checkpoint("chat"), family.checkpoint("chat")) == 0
    meant = rewrite(folder, by_block)
    settings(folder, **WAYS["blocks"][1])
    moved = sum(float((meant[name] - each).norm()) ** 2 for name, each in before.items())
    base = tmp_path / "own" / "base" / "model.safetensors"
    save_file(before, base, metadata={"format": "pt"})
    whole = sum(float(each.norm()) ** 2 for each in before.values())
    found = weights.distance(family.checkpoint("chat"), family.checkpoint("base"))
    assert found == pytest.approx((moved / whole) ** 0.5, rel=1e-5)
    assert found < 0.05


@pytest.mark.parametrize("bits", [4, 8])
def test_what_bitsandbytes_packed_is_what_it_unpacks(tmp_path: Path, bits: int) -> None:
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    folder = write(
        tmp_path / "own", config=LlamaConfig(vocab_size=320, **shape, bos_token_id=0, eos_token_id=5, pad_token_id=1)
    )
    how: Any = BitsAndBytesConfig(
        load_in_4bit=bits == 4, load_in_8bit=bits == 8, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
    )
    small: Any = AutoModelForCausalLM.from_pretrained(
        folder / "chat", quantization_config=how, dtype=torch.float32, device_map={"": "cpu"}
    )
    small.save_pretrained(folder / "chat")
    meant = small.dequantize(dtype=torch.float32).state_dict()
    family = registry.load_family(str(folder))
    found = weights.weights_of(family.final)
    assert set(found) == set(meant)
    for name, each in meant.items():
        torch.testing.assert_close(found.full(name), each.float(), rtol=1e-5, atol=1e-7)
    # It stays as small as it is in memory, unless its weights are to be changed.
    loaded = loading.load_model(family, "chat", Placing("cpu"))
    assert {type(each).__name__ for each in loaded.model.modules()} & {"Linear4bit", "Linear8bitLt"}
    whole = loading.load_model(family, "chat", Placing("cpu", "float32"), unpack=True)
    for name, each in meant.items():
        torch.testing.assert_close(whole.model.state_dict()[name], each.float(), rtol=1e-5, atol=1e-7)
    packed, full = (placement.need(family.final, "cpu", "float32", "none", unpack).size for unpack in (False, True))
    assert packed < full == sum(each.numel() * 4 for each in meant.values())


def test_an_adapter_is_added_to_what_bitsandbytes_packed(tmp_path: Path) -> None:
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    folder = write(tmp_path / "own", config=LlamaConfig(vocab_size=320, **shape, bos_token_id=0, eos_token_id=5))
    how: Any = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    small: Any = AutoModelForCausalLM.from_pretrained(
        folder / "chat", quantization_config=how, dtype=torch.float32, device_map={"": "cpu"}
    )
    small.save_pretrained(folder / "chat")
    whole = small.dequantize(dtype=torch.float32)
    whole.config.__dict__.pop("quantization_config", None)
    model: Any = get_peft_model(whole, LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "down_proj"]))
    for key, weight in model.named_parameters():
        if "lora_" in key:
            weight.data = torch.randn_like(weight) / 4
    model.save_pretrained(folder / "lora")
    with (folder / "family.toml").open("a") as file:
        file.write('\n[[checkpoint]]\nname = "lora"\npath = "lora"\nadapter_of = "chat"\n')
    loaded = loading.load_model(registry.load_family(str(folder)), "lora", Placing("cpu", "float32"))
    with torch.inference_mode():
        torch.testing.assert_close(loaded.model(IDS).logits, model.eval()(IDS).logits, rtol=1e-4, atol=1e-5)


def test_mxfp4_is_what_transformers_makes_of_it(tmp_path: Path) -> None:
    shape = {
        "hidden_size": 64,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "head_dim": 16,
    }
    mixture = {"num_local_experts": 2, "num_experts_per_tok": 1, "sliding_window": 16, "num_key_value_heads": 2}
    folder = write(
        tmp_path / "own",
        config=GptOssConfig(vocab_size=320, **shape, **mixture, bos_token_id=0, eos_token_id=5, pad_token_id=1),
    )
    path = folder / "chat" / "model.safetensors"
    stored, random = {}, torch.Generator().manual_seed(0)
    for name, each in load_file(path).items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            experts, inner, outer = each.shape
            size = (experts, outer, inner // 32, 16)
            stored[f"{name}_blocks"] = torch.randint(0, 256, size, generator=random, dtype=torch.uint8)
            stored[f"{name}_scales"] = torch.full(size[:-1], 125, dtype=torch.uint8)
        else:
            stored[name] = each.to(torch.bfloat16)
    save_file(stored, path, metadata={"format": "pt"})
    settings(folder, quant_method="mxfp4")
    family = registry.load_family(str(folder))
    theirs = AutoModelForCausalLM.from_pretrained(folder / "chat", dtype=torch.bfloat16).state_dict()
    ours = loading.load_model(family, "chat", Placing("cpu", "bfloat16"))
    found = weights.weights_of(family.final)
    for name, each in theirs.items():
        assert torch.equal(ours.model.state_dict()[name], each), name
        assert torch.equal(found.full(name), each.float()), name
    need = placement.need(family.final, "cpu", "bfloat16", "none")
    assert need.size == sum(each.numel() * 2 for each in theirs.values())


def test_what_cannot_be_read_is_refused_with_what_to_take_instead(tmp_path: Path) -> None:
    folder = write(tmp_path / "own")

    def packed(name: str, weight: Tensor) -> tuple[Codes, Tensor]:
        return {
            name.replace("weight", "qweight"): torch.zeros(weight.shape[1] // 8, len(weight), dtype=torch.int32)
        }, weight

    rewrite(folder, packed)
    settings(folder, quant_method="gptq", bits=4, group_size=128)
    final = registry.load_family(str(folder)).final
    with pytest.raises(
        LoadError, match=r"quantized by GPTQ, and its weights cannot be read .* take the full-precision"
    ):
        weights.weights_of(final)
    with pytest.raises(LoadError, match="quantized already; use --quantize none"):
        placement.need(final, "cpu", "auto", "4bit")
    with pytest.raises(LoadError, match="take the full-precision model"):
        placement.need(final, "cpu", "auto", "none", unpack=True)
