"""How evenly the words of the vocabulary read what an MLP neuron writes: LogitVar, from weights in full precision (methods.md §4).

Var over the vocabulary of cos(w_i, u_v): w_i a column of the MLP's down projection, u_v the unembedding row with the final norm's gain
folded in, centred over the vocabulary [Stolfo et al., "Confidence Regulation Neurons", §3.1]. A norm that an architecture puts behind
the MLP (Gemma, OLMo-2) is not folded in: w_i is the column as it is stored.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.confidence import unembedding as readout
from core.confidence.neurons import BLOCKS, Block
from core.confidence.unembedding import FinalNorm, Precise
from core.models.loading import Loaded
from core.util.progress import Slices

#: Above so many products of float64, cosines are computed in float32; their sums over the vocabulary stay in float64.
_MUCH = 10**11
_ROWS = 4096


def last_blocks(loaded: Loaded) -> list[int]:
    """The blocks whose neurons are judged. Raises AnatomyError for a mixture of experts, or an MLP without one down projection."""
    layers = list(range(max(0, loaded.anatomy.layers - BLOCKS), loaded.anatomy.layers))
    for layer in layers:
        loaded.anatomy.neurons(layer)
    return layers


def block(loaded: Loaded, layer: int, precise: Precise, norm: FinalNorm) -> Slices[Block]:
    """The norms and LogitVars of one block's neurons, from weights in full precision, a part of the vocabulary at a time.

    Raises:
        AnatomyError: a mixture of experts, or no single down projection.
        LoadError: the weights are not to be had in full precision.
    """
    weight = readout.columns(precise, loaded.anatomy.neurons(layer))
    unembedding = readout.unembedding_rows(precise, loaded)
    variances = yield from logit_variance(weight, unembedding, norm.gain)
    return Block(layer, np.asarray(weight.double().norm(dim=0).cpu()), np.asarray(variances.cpu()))


@torch.inference_mode()
def logit_variance(weight: Tensor, unembedding: Tensor, gain: Tensor) -> Slices[Tensor]:
    """Var over the vocabulary of cos(w_i, u_v) for every column w_i of ``weight`` [width, neurons]: [neurons] in float64.

    u_v is the row of ``unembedding`` [vocabulary, width] times ``gain`` [width], centred over the vocabulary. 0 for a column of zeros.
    """
    much = unembedding.numel() * weight.shape[1] > _MUCH
    kind = torch.float32 if much else torch.float64
    unit = weight.double()
    unit = (unit / unit.norm(dim=0).clamp_min(torch.finfo(torch.float64).tiny)).to(kind)
    gain = gain.double().to(unembedding.device)
    middle = unembedding.mean(0, dtype=torch.float64) * gain
    first = torch.zeros(weight.shape[1], dtype=torch.float64, device=weight.device)
    second = torch.zeros_like(first)
    for start in range(0, unembedding.shape[0], _ROWS):
        part = unembedding[start : start + _ROWS].double() * gain - middle
        part = part / part.norm(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
        cosines = (part.to(weight.device, kind) @ unit).double()
        first += cosines.sum(0)
        second += cosines.pow(2).sum(0)
        yield 0
    count = unembedding.shape[0]
    return (second / count - (first / count).pow(2)).clamp_min(0)
