"""Linear layers that are quick on a CPU: for few rows, which decoding spends its time on, and in bfloat16 for many, which prompts have.

A product of a few rows with a weight does hardly any arithmetic; it waits for the weight to come out of memory, and PyTorch's float32
product takes twice as long for three rows as for one. FBGEMM, which PyTorch's x86 builds contain, has kernels for just this shape: the
weight is kept in float16 in the order in which it is read, everything is computed in float32, and a row's result does not depend
on the rows beside it: bit for bit where the processor has AVX-512, elsewhere to float32's rounding.

Float16 holds every bfloat16 number of ordinary size exactly, so a checkpoint that was saved in bfloat16 loses nothing. A weight that
would lose more than float32's own rounding (one trained in float32, or one with numbers beyond float16's range) stays as it is.

Larger models are kept in bfloat16. A processor that cannot multiply in it (x86 without AVX512-BF16 or AMX) is quick with one row, which
waits for memory anyway, and takes four to eight times float32's time for a prompt: there a weight is widened to float32 for as long as
the product takes. Where there are one or two threads, FBGEMM's kernel is quicker than both: with a packed copy, which a middle-sized
model gets where memory allows, three rows take a third of bfloat16's time, and nothing waits for a second thread that another program
holds up.
``launch.py bench products`` measures all of this.
"""

from __future__ import annotations

import math
import platform
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models import memory

#: Rows (of a batch, times positions) up to which the packed weight is used; above, PyTorch's threads make up for it, in bfloat16 later.
MOST_ROWS = 32
MOST_NARROW_ROWS = 64
#: Models with more parameters are read faster by all threads together than by the one that FBGEMM's product runs on: by more than two
#: threads, that is; by two, only models with more parameters than a second copy is kept of.
_SMALL = 60_000_000
_MIDDLE = 600_000_000
_FEW_THREADS = 2
#: The part of the usable memory that the packed copies of a middle-sized model may take.
_SHARE = 0.25
#: Rows of a bfloat16 product up to which widening its weight takes longer than it saves.
_NARROW = 8
#: Numbers of a weight that are widened at once, so that a whole vocabulary's takes no half gigabyte.
_WIDENED = 4_000_000
#: After a weight of more numbers is packed, what that took is given back to the system.
_LARGE = 10**6
#: Rows of a weight that are looked at together: in double precision a whole vocabulary's would take more than the model's other parts.
_LOOKED_AT = 256
#: What rounding to float32 may lose of a number, relative to it: a weight may lose no more in being packed, in the mean square.
_ROUNDING = 2.0**-24


@dataclass(frozen=True)
class _Packed:
    """A packed copy, for ``rows`` rows at most, and what it is a copy of: ``weight`` when it had been written to ``version`` times and
    lay at ``address``.
    """

    matrix: Tensor
    rows: int
    weight: Tensor
    version: int
    address: int


class QuickLinear(nn.Linear):
    """An ``nn.Linear`` with a packed copy of its weight, used for few rows on the CPU when no gradient is asked for; rows of bfloat16
    are multiplied in float32 and rounded once, which is what bfloat16's own product does.

    Everything else goes the ordinary way: so does every call after the weight was written to, moved or replaced, since
    the packed copy is then out of date, and every call of a copy of the layer. (What is written through ``weight.data`` PyTorch
    does not count: write to the weight itself, under ``torch.no_grad()``.)
    """

    #: Whether a packed copy is kept of it, as long as its weight has one.
    packs = False
    _packed: _Packed | None = None

    def forward(self, input: Tensor) -> Tensor:
        """``input`` [..., in_features] -> [..., out_features]."""
        packed = self._packed
        if (
            packed is not None
            # From where a module keeps it: its attributes take longer than the small products that are wanted here.
            and self._parameters.get("weight") is packed.weight
            and input.dim() > 1
            and 0 < input.numel() <= packed.rows * self.in_features
            and input.dtype is packed.weight.dtype
            and input.is_cpu
            and packed.weight._version == packed.version
            and packed.weight.data_ptr() == packed.address
            and not (torch.is_grad_enabled() and (input.requires_grad or packed.weight.requires_grad))
        ):
            bias = self._parameters.get("bias")
            if input.dtype is torch.float32:
                return torch.fbgemm_linear_fp16_weight_fp32_activation(input, packed.matrix, bias)
            wide = None if bias is None else bias.float()
            return torch.fbgemm_linear_fp16_weight_fp32_activation(input.float(), packed.matrix, wide).to(input.dtype)
        weight = self.weight
        narrow = weight.dtype is torch.bfloat16
        if narrow and input.dtype is torch.bfloat16 and weight.is_cpu and input.numel() > _NARROW * self.in_features:
            return _widened(input, weight, self.bias)
        return functional.linear(input, weight, self.bias)

    def pack(self) -> bool:
        """Make the packed copy of the weight as it is now; whether there is one now: not every weight and machine has one."""
        matrix = None if self.weight.is_inference() else _pack(self.weight.detach().float())
        if matrix is None:
            self._packed = None
        else:
            rows = MOST_NARROW_ROWS if self.weight.dtype is torch.bfloat16 else MOST_ROWS
            self._packed = _Packed(matrix, rows, self.weight, self.weight._version, self.weight.data_ptr())
        return matrix is not None

    def _apply(self, fn: Any, recurse: bool = True) -> QuickLinear:
        # Moving a module to another device or dtype replaces what its parameters hold without counting it as a new version.
        self._packed = None
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        # A copy has a weight of its own, and FBGEMM's object cannot be copied.
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}


def quicken(model: nn.Module, usable: int = 0) -> int:
    """Make a model's linear layers on the CPU quick, in place, and pack the weights of one that is small, or of middle size where two
    threads at most are there to read it; gives the number of layers packed.

    A layer of a class of its own (quantized, an adapter) is left alone. The model's weights, names and hooks stay as they are.

    Args:
        usable: the bytes of memory that may be used: the copies of a middle-sized model take a small part of it, or are not made.
    """
    size = sum(weight.numel() for weight in model.parameters())
    packs = size <= _SMALL or (
        size <= _MIDDLE and torch.get_num_threads() <= _FEW_THREADS and 2 * size <= _SHARE * usable
    )
    quick = {torch.float32} if packs else set()
    if not multiplies_bfloat16():
        quick.add(torch.bfloat16)
    packed = 0
    for layer in model.modules():
        if type(layer) is nn.Linear and layer.weight.dtype in quick and layer.weight.device.type == "cpu":
            # Changing the class keeps the object: whoever holds it (hooks, tied weights, a block) goes on holding it.
            layer.__class__ = QuickLinear
            assert isinstance(layer, QuickLinear)
            layer.packs = packs
            packed += packs and layer.pack()
            if layer.weight.numel() > _LARGE:
                # Packing frees a float16 copy of the weight, which glibc would keep.
                memory.trim()
    return packed


def multiplies_bfloat16() -> bool:
    """Whether this processor has products of its own for bfloat16 (x86 with AVX512-BF16 or AMX, newer Arm)."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        # oneDNN says yes wherever there is AVX-512, and without these two computes such a product number by number.
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(asked()) for name in names if (asked := getattr(torch.cpu, name, None)) is not None)
    asked = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(asked()) if torch.backends.mkldnn.is_available() and asked is not None else False


def _widened(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """bfloat16 states [..., in] times a bfloat16 weight [out, in] in float32, some rows of the weight at a time: [..., out] in bfloat16."""
    wide, rows = states.float(), max(1, _WIDENED // weight.shape[1])
    parts = [
        functional.linear(
            wide, part.float(), None if bias is None else bias[at * rows : at * rows + rows].float()
        ).bfloat16()
        for at, part in enumerate(weight.split(rows))
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def straighten(model: nn.Module) -> None:
    """Have the states of the last tokens copied together before they are unembedded.

    They are cut out of all states, and PyTorch multiplies such a piece row by row with a copy of the whole matrix for each: with a
    vocabulary of 49,152 and 64 prompts, four fifths of the time that reading them took.
    """
    find = getattr(model, "get_output_embeddings", None)
    layer = find() if find is not None else None
    if isinstance(layer, nn.Module):
        layer.register_forward_pre_hook(lambda _layer, given: (given[0].contiguous(), *given[1:]))


def repack(model: nn.Module) -> None:
    """Make the packed copies again that are out of date since the model's weights were written to."""
    for layer in model.modules():
        if isinstance(layer, QuickLinear) and layer.packs:
            layer.pack()


def forget(model: nn.Module) -> None:
    """Give up the packed copies of a model whose weights are about to be written to: they would be out of date, and take half as much, or
    as much again. That is done where memory is short: none are made later."""
    for layer in model.modules():
        if isinstance(layer, QuickLinear):
            layer._packed = None


def _pack(weight: Tensor) -> Tensor | None:
    """FBGEMM's packed copy of a float32 weight [out, in]; None where it would lose precision, or where there is no FBGEMM."""
    # Not a number, which a weight of zeros or of infinities gives, fails this too.
    if not _lost(weight) <= _ROUNDING:
        return None
    try:
        with warnings.catch_warnings():
            # PyTorch means to drop these two functions one day: from then on, models go the ordinary way. The newer function for the
            # same kernel (torch.ops.quantized.linear_dynamic_fp16) takes as long to be called as such a product takes.
            warnings.simplefilter("ignore")
            packed: Tensor = torch.fbgemm_pack_gemm_matrix_fp16(weight)
            torch.fbgemm_linear_fp16_weight_fp32_activation(torch.ones(1, weight.shape[1]), packed, None)
    except (AttributeError, RuntimeError, TypeError):
        # No FBGEMM in this build or for this processor, or functions of another signature than the one meant here.
        return None
    return packed


def _lost(weight: Tensor) -> float:
    """The relative error of a weight that is kept in float16, in the mean square; not a number for a weight of zeros."""
    lost = whole = 0.0
    for start in range(0, len(weight), _LOOKED_AT):
        rows = weight[start : start + _LOOKED_AT]
        exact = rows.double()
        lost += float((rows.half().double() - exact).square().sum())
        whole += float(exact.square().sum())
    return math.sqrt(lost / whole) if whole else math.nan
