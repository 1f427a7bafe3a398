"""Quantized models by bitsandbytes: how they are asked for, what they take, and what must not be done with them.

bitsandbytes is imported when a checkpoint is to be quantized, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import TillerError
from core.models import memory

#: bitsandbytes packs matrices for the CPU whose columns and rows are multiples of these, and fails at others.
_COLUMNS, _ROWS = 64, 32


class QuantizedError(TillerError):
    """Something that quantized weights cannot do."""


def quantization_config(quantize: str) -> Any:
    """What transformers is told of ``8bit`` (LLM.int8()) or ``4bit`` (nf4, quantized twice, computed in bfloat16); None for ``none``.

    Dettmers et al., LLM.int8() (arXiv 2208.07339) and QLoRA (arXiv 2305.14314). In 8 bit, which columns of the activations
    are kept in float16 depends on every row of a batch, so that rows touch each other in the last digits.

    Raises:
        QuantizedError: bitsandbytes is not there or does not run here.
    """
    if quantize == "none":
        return None
    _import()
    from transformers import BitsAndBytesConfig

    made: Callable[..., Any] = BitsAndBytesConfig
    if quantize == "8bit":
        return made(load_in_8bit=True)
    return made(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _import() -> Any:
    try:
        import bitsandbytes
    except Exception as error:
        # A missing package, a library of another machine, a driver that is too old: all mean that it does not run here.
        raise QuantizedError(
            f"bitsandbytes, which quantizes, does not run here ({' '.join(str(error).split())[:150]}); use --quantize none."
        ) from error
    return bitsandbytes


def dequantized(codes: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """A matrix in float32 of its 4 bits as bitsandbytes stores them; ``state`` is what lies beside them, by bitsandbytes' names.

    Raises:
        QuantizedError: bitsandbytes is not there or does not run here.
    """
    _import()
    from bitsandbytes import functional

    found = functional.QuantState.from_dict(dict(state), device=codes.device)
    # Its own dtype would round once more.
    found.dtype = torch.float32
    made: Tensor = functional.dequantize_4bit(codes.view(torch.uint8), found)
    return made


def quantized_layers(model: nn.Module) -> list[Any]:
    """The quantized linear layers of a model, in its order; none of a model in full precision."""
    names = ("Linear4bit", "Linear8bitLt")
    return [module for module in model.modules() if type(module).__name__ in names]


def steady(model: nn.Module, differentiable: bool) -> None:
    """Pack the 4-bit weights that a CPU reads faster so, once and for all, or see to it that they never are.

    On a CPU with AVX512-BF16 a layer's first pass without gradients packs its weights into an order that only a faster product
    without gradients can read; from then on the layer silently drops out of autograd. Packing takes ten times the memory of what it
    packs, which is given back layer by layer here. Matrices of other shapes than that order knows are left as they are.

    Raises:
        QuantizedError: gradients are wanted, and a layer has been packed already.
    """
    if differentiable:
        check_differentiable(model)
    for layer in quantized_layers(model):
        if not getattr(layer, "support_avx512bf16_for_cpu", False):
            continue
        odd = layer.in_features % _COLUMNS or layer.out_features % _ROWS
        layer.support_avx512bf16_for_cpu = not (odd or differentiable)
        if layer.support_avx512bf16_for_cpu and layer.weight.device.type == "cpu":
            with torch.no_grad():
                layer(torch.zeros(1, layer.in_features, dtype=torch.bfloat16))
            memory.trim()
    memory.trim()


def check_differentiable(model: nn.Module) -> None:
    """Raise QuantizedError when gradients through a model would be silently wrong."""
    for layer in quantized_layers(model):
        if getattr(getattr(layer.weight, "quant_state", None), "packing_format_for_cpu", False):
            raise QuantizedError(
                "This 4-bit model has answered already, and its weights are packed in an order that no gradient passes; "
                "load it again for gradients, or use --quantize none."
            )


def memory_tensors(model: nn.Module) -> list[Tensor]:
    """Every stored tensor that a model keeps in memory, once each: weights, and what belongs to quantized weights."""
    found: list[Tensor] = list(model.parameters())
    for layer in quantized_layers(model):
        found += _beside(layer)
    return list({each.data_ptr(): each for each in found}.values())


def _beside(layer: Any) -> list[Tensor]:
    """The scales and code books of a quantized layer's weight."""
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        # Of 8 bits; the first forward pass moves them from the weight to the layer's state.
        kept = [getattr(layer.weight, "SCB", None), layer.state.SCB]
    else:
        nested = getattr(state, "state2", None)
        kept = [state.absmax, state.code, state.offset, getattr(nested, "absmax", None), getattr(nested, "code", None)]
    return [each for each in kept if isinstance(each, Tensor)]


def memory_size(model: nn.Module) -> int:
    """The bytes of a model's weights as they are in memory."""
    return sum(each.numel() * each.element_size() for each in memory_tensors(model))
