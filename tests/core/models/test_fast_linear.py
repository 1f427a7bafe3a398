"""Packed linear layers: what they give, when they stand back, and that a model with them says what it said before."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from core.artefacts import store
from core.artefacts.direction import load_direction
from core.chat.events import Token
from core.chat.settings import Sampling
from core.families import registry
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.teacher_forcing import reply_logits
from core.models import fast_linear, loading
from core.models.fast_linear import MOST_ROWS, QuickLinear, quicken
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import parse
from core.steering.interventions import compile_recipe
from tests.support import tiny_models

KINDS = ("llama", "qwen2", "gemma2", "neox")


def rounded(layer: nn.Linear) -> nn.Linear:
    """The layer with its weight as a checkpoint saved in bfloat16 has it."""
    with torch.no_grad():
        layer.weight.copy_(layer.weight.bfloat16().float())
    return layer.requires_grad_(False)


def packed(bias: bool = True) -> QuickLinear:
    """A layer that is packed, on a machine where layers can be."""
    torch.manual_seed(3)
    holder = nn.Sequential(rounded(nn.Linear(48, 40, bias=bias)))
    if quicken(holder) == 0:
        pytest.skip("this machine's PyTorch has no FBGEMM")
    layer = holder[0]
    assert isinstance(layer, QuickLinear)
    return layer


def ordinary(layer: nn.Linear, states: Tensor) -> Tensor:
    return functional.linear(states, layer.weight, layer.bias)


@pytest.fixture
def quick_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of every call of the packed product."""
    rows: list[int] = []
    product = torch.fbgemm_linear_fp16_weight_fp32_activation

    def counting(states: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
        rows.append(states.numel() // states.shape[-1])
        return product(states, matrix, bias)

    monkeypatch.setattr(torch, "fbgemm_linear_fp16_weight_fp32_activation", counting)
    return rows


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 48), (3, 1, 48), (2, 5, 48), (4, 8, 48)])
def test_a_packed_product_is_the_product_to_float32s_rounding(
    shape: tuple[int, ...], bias: bool, quick_calls: list[int]
) -> None:
    layer = packed(bias)
    states = torch.randn(shape)
    quick_calls.clear()
    given = layer(states)
    assert len(quick_calls) == 1
    assert given.shape == (*shape[:-1], 40)
    exact = states.double() @ layer.weight.double().T + (layer.bias.double() if bias else 0)
    assert (given.double() - exact).abs().max() < 2e-6
    # Slices and transposes are read as they are meant, not as they lie in memory.
    spread = torch.randn(*shape, 2)[..., 0]
    assert torch.allclose(layer(spread), ordinary(layer, spread), atol=2e-6)


def test_a_rows_product_does_not_depend_on_the_rows_beside_it() -> None:
    layer = packed()
    states = torch.randn(MOST_ROWS, 48)
    together = layer(states)
    # The kernels for processors without AVX-512 add in another order for other numbers of rows.
    apart = 0 if "AVX512" in torch.backends.cpu.get_cpu_capability() else 2e-6
    for row in range(MOST_ROWS):
        assert (layer(states[row : row + 1])[0] - together[row]).abs().max() <= apart


def test_many_rows_and_other_types_go_the_ordinary_way(quick_calls: list[int]) -> None:
    layer = packed()
    quick_calls.clear()
    many = torch.randn(MOST_ROWS + 1, 48)
    assert torch.equal(layer(many), ordinary(layer, many))
    for states in (torch.randn(48), torch.randn(0, 48)):
        assert torch.equal(layer(states), ordinary(layer, states))
    layer.bfloat16()
    few = torch.randn(2, 48).bfloat16()
    assert torch.equal(layer(few), ordinary(layer, few))
    assert layer.weight.dtype is torch.bfloat16
    # Back in float32 there is no packed copy any more: it might have been of other numbers.
    layer.float()
    assert torch.equal(layer(few.float()), ordinary(layer, few.float()))
    assert quick_calls == []


def test_states_of_another_width_are_refused() -> None:
    layer = packed()
    with pytest.raises(RuntimeError):
        layer(torch.randn(2, 47))
    with pytest.raises(RuntimeError):
        layer(torch.randn(48, 2))


def test_a_gradient_is_the_ordinary_one(quick_calls: list[int]) -> None:
    layer = packed()
    quick_calls.clear()
    states = torch.randn(2, 48, requires_grad=True)
    layer(states).square().sum().backward()
    assert states.grad is not None
    own = states.grad.clone()
    states.grad = None
    ordinary(layer, states).square().sum().backward()
    assert torch.equal(own, states.grad)
    layer.requires_grad_(True)
    layer(torch.randn(2, 48)).sum().backward()
    assert layer.weight.grad is not None
    assert quick_calls == []
    with torch.inference_mode():
        layer(torch.randn(2, 48))
    assert quick_calls == [2]


@pytest.mark.parametrize("change", ["write", "load", "replace", "data"])
def test_a_weight_that_was_changed_is_the_one_that_counts(change: str) -> None:
    layer = packed()
    new = torch.randn(40, 48)
    with torch.no_grad():
        match change:
            case "write":
                layer.weight.copy_(new)
            case "load":
                layer.load_state_dict({"weight": new, "bias": layer.bias})
            case "replace":
                layer.weight = nn.Parameter(new, requires_grad=False)
            case "data":
                layer.weight.data = new
    states = torch.randn(3, 48)
    assert torch.equal(layer(states), functional.linear(states, new, layer.bias))
    # Packed again, the numbers of today are used: these have float32's precision and stay as they are.
    assert not layer.pack()
    rounded(layer)
    assert layer.pack()
    assert torch.allclose(layer(states), ordinary(layer, states), atol=1e-5)


def test_a_copy_is_a_layer_of_its_own() -> None:
    layer = packed()
    states = torch.randn(3, 48)
    before = layer(states)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(states), ordinary(layer, states))
        with torch.no_grad():
            twin.weight.zero_()
        assert torch.equal(twin(states), twin.bias.expand(3, -1))
    assert torch.equal(layer(states), before)
    assert sorted(layer.state_dict()) == ["bias", "weight"]


def test_a_weight_that_would_lose_precision_is_left_alone() -> None:
    packed()
    torch.manual_seed(1)
    fine = nn.Linear(48, 40)
    huge = rounded(nn.Linear(48, 40))
    empty = rounded(nn.Linear(48, 40))
    with torch.no_grad():
        huge.weight[0, 0] = 131072.0
        empty.weight.zero_()
    holder = nn.Sequential(fine, huge, empty)
    states = torch.randn(2, 48)
    expected = [layer(states) for layer in (fine, huge, empty)]
    assert quicken(holder) == 0
    for layer, before in zip((fine, huge, empty), expected, strict=True):
        assert torch.equal(layer(states), before)


def test_layers_of_another_kind_and_large_models_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Special(nn.Linear):
        pass

    monkeypatch.setattr(fast_linear, "multiplies_bfloat16", lambda: True)
    special = Special(48, 40)
    rounded(special)
    half = rounded(nn.Linear(48, 40)).bfloat16()
    assert quicken(nn.Sequential(special, half)) == 0
    assert type(special) is Special
    assert type(half) is nn.Linear
    monkeypatch.setattr(fast_linear, "_SMALL", 100)
    plain = rounded(nn.Linear(48, 40))
    assert quicken(nn.Sequential(plain)) == 0
    assert type(plain) is nn.Linear


@pytest.mark.parametrize("bias", [True, False])
def test_a_middle_sized_model_of_bfloat16_is_packed_for_two_threads_where_memory_allows(
    bias: bool, monkeypatch: pytest.MonkeyPatch, quick_calls: list[int]
) -> None:
    packed()
    monkeypatch.setattr(fast_linear, "multiplies_bfloat16", lambda: False)
    monkeypatch.setattr(fast_linear, "_SMALL", 100)
    threads = [2]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[0])
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(48, 40, bias=bias).bfloat16().requires_grad_(False))
    copies = 2 * sum(weight.numel() for weight in model.parameters())
    assert quicken(copy.deepcopy(model), 4 * copies - 1) == 0, "more than a quarter of what may be used"
    threads[0] = 3
    assert quicken(copy.deepcopy(model), 4 * copies) == 0, "three threads read it faster"
    threads[0] = 2
    assert quicken(model, 4 * copies) == 1
    layer = model[0]
    for rows in (1, 3, fast_linear.MOST_NARROW_ROWS, fast_linear.MOST_NARROW_ROWS + 1):
        quick_calls.clear()
        states = torch.randn(rows, 48).bfloat16()
        exact = states.double() @ layer.weight.double().T + (layer.bias.double() if bias else 0)
        given = layer(states)
        assert given.dtype is torch.bfloat16
        # Rounded once; where the exact number lies in the middle between two, float32's last digit decides.
        assert (given.double() - exact).abs().max() <= exact.abs().max() * 2**-8
        assert (given != exact.bfloat16()).sum() <= 1 + given.numel() // 100
        assert quick_calls == [rows] * (rows <= fast_linear.MOST_NARROW_ROWS)
    # What was written to is packed again where it was before, and only there.
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0] = 1.0
    quick_calls.clear()
    layer(torch.randn(2, 48).bfloat16())
    assert quick_calls == []
    other = nn.Sequential(nn.Linear(48, 40).bfloat16().requires_grad_(False))
    quicken(other)
    for each in (model, other):
        fast_linear.repack(each)
    quick_calls.clear()
    for each in (model, other):
        each(torch.randn(2, 48).bfloat16())
    assert quick_calls == [2]


@pytest.mark.parametrize(("of_its_own", "multiplies"), [((), False), (("avx512_bf16",), True), (("amx_tile",), True)])
def test_whether_a_processor_multiplies_in_bfloat16_is_not_asked_of_onednn_on_x86(
    of_its_own: tuple[str, ...], multiplies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_linear.platform, "machine", lambda: "x86_64")
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda name=name: name in of_its_own)
    assert fast_linear.multiplies_bfloat16() is multiplies


@pytest.mark.parametrize("multiplies", [True, False])
def test_many_rows_of_bfloat16_are_multiplied_in_float32_where_the_processor_cannot(
    multiplies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_linear, "multiplies_bfloat16", lambda: multiplies)
    # So that a weight is widened in several parts.
    monkeypatch.setattr(fast_linear, "_WIDENED", 7 * 48)
    monkeypatch.setattr(fast_linear, "_SMALL", 100)
    torch.manual_seed(3)
    for bias in (True, False):
        layer = nn.Linear(48, 40, bias=bias).bfloat16().requires_grad_(False)
        assert quicken(nn.Sequential(layer)) == 0, "nothing is packed"
        assert isinstance(layer, QuickLinear) is not multiplies
        states = torch.randn(3, 5, 48).bfloat16()
        exact = states.double() @ layer.weight.double().T + (layer.bias.double() if bias else 0)
        assert layer(states).dtype is torch.bfloat16
        assert (layer(states).double() - exact).abs().max() <= exact.abs().max() * 2**-8
        if not multiplies:
            assert torch.equal(layer(states), exact.bfloat16()), "rounded once"
            few = states[:1, :2]
            assert torch.equal(layer(few), ordinary(layer, few))
            layer.requires_grad_(True)
            layer(states).sum().backward()
            assert layer.weight.grad is not None


def test_without_fbgemm_a_model_goes_the_ordinary_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_weight: Tensor) -> Tensor:
        raise RuntimeError("This PyTorch installation was not built with FBGEMM operators")

    monkeypatch.setattr(torch, "fbgemm_pack_gemm_matrix_fp16", missing)
    layer = rounded(nn.Linear(48, 40))
    assert quicken(nn.Sequential(layer)) == 0
    states = torch.randn(2, 48)
    assert torch.equal(layer(states), ordinary(layer, states))


# ------------------------------------------------------------------------------------------------------------ whole models


def saved_in_bfloat16(kind: str, folder: Path) -> tuple[Loaded, PreTrainedModel]:
    """A tiny model whose weights are bfloat16's, as Tiller loads it and as transformers does."""
    tiny_models.family(folder, kind, ("chat",), plain_base=False)
    model = tiny_models.model(kind)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.bfloat16().float())
    model.save_pretrained(folder / "chat")
    tiny_models.direction(folder, "chat", "truth")
    plain = AutoModelForCausalLM.from_pretrained(folder / "chat", dtype=torch.float32).eval()
    return loading.load_model(registry.load_family(str(folder)), "chat", Placing("cpu")), plain


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_says_what_it_says_without(kind: str, tmp_path: Path, quick_calls: list[int]) -> None:
    packed()
    loaded, plain = saved_in_bfloat16(kind, tmp_path / "tiny")
    prompt = (0, *range(6, 14))
    path = store.find_artefact(loaded.family.places, "chat", "direction", "truth")
    assert path is not None
    truth = load_direction(path)
    steered = compile_recipe(parse("0.5*truth + !truth"), loaded, lambda *_: truth)
    speakers = [
        DecodingRow(0, prompt, (), Sampling(max_new_tokens=12)),
        DecodingRow(1, (*prompt, 20), steered, Sampling(max_new_tokens=12), shadow=True),
    ]
    stream = BatchDecoder(dataclasses.replace(loaded, ends=frozenset(), stops=()), speakers)
    quick_calls.clear()
    said: list[int] = []
    while not stream.done:
        said += [event.id for event in stream.step() if isinstance(event, Token) and event.column == 0]
    assert set(quick_calls[-10:]) == {3}
    ids = torch.tensor([prompt])
    wanted = GenerationConfig(do_sample=False, max_new_tokens=12, eos_token_id=tiny_models.VOCABULARY, pad_token_id=1)
    for model in (plain, loaded.model):
        made = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=wanted)
        assert made[0, len(prompt) :].tolist() == said
    reply = torch.randint(6, tiny_models.VOCABULARY, (9,), generator=torch.Generator().manual_seed(5)).tolist()
    with torch.inference_mode():
        theirs = plain(torch.tensor([[*prompt, *reply]])).logits[0, len(prompt) - 1 : -1]
    assert torch.allclose(reply_logits(loaded, [prompt], [reply])[0], theirs, atol=1e-4)


def test_states_are_copied_together_before_they_are_unembedded() -> None:
    model = tiny_models.model("llama")
    seen: list[bool] = []
    fast_linear.straighten(model)
    model.lm_head.register_forward_pre_hook(lambda _layer, given: seen.append(given[0].is_contiguous()))  # type: ignore[union-attr]
    ids = torch.tensor([[7, 8, 9], [9, 8, 7]])
    with torch.no_grad():
        kept = model(ids, logits_to_keep=1).logits
        assert torch.allclose(kept, model(ids).logits[:, -1:], atol=1e-6)
    assert seen == [True, True]
