"""Ablation where a norm stands behind what is written (Gemma 2 and 3, GLM-4, OLMo-2): the same model with a residual stream twice as wide.

Such a block writes g∘x/rms(x), x = Wz, and the recipe makes P(g∘x)/rms(x) of it, P the projection that leaves the direction out. No
matrix in W's place gives that: P changes rms(x) as well, and mixes what g scales one by one. With as many coordinates again it can be
had exactly. With D = diag(g), c the largest eigenvalue of DPᵀPD, and B with BᵀB = c·I − DPᵀPD, ‖PDx‖² + ‖Bx‖² = c‖x‖² for every x:

    W' = [PDW; BW]/√(c/2),    gain' = [√c, …; 0, …]

The norm over 2d coordinates divides by rms(x) as before; the new half is counted by the norm and never written. The stream holds √2·h and
zeros, so that norms over 2d coordinates see the same mean square, and their ε means the same; gains of norms that read it are divided
by √2, and what reads it without a norm is. Embeddings take PE; matrices that read get columns of zeros.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import TillerError
from core.models.flow import Flow, Written, is_norm
from core.models.hooks import Site, locate
from core.models.loading import Loaded

_ROOT = math.sqrt(2)


class WideningError(TillerError):
    """A model with norms behind what it writes that cannot be widened."""


@torch.no_grad()
def widened(loaded: Loaded, flow: Flow, removed: Mapping[Site, Sequence[Tensor]]) -> Any:
    """A model of twice the width that writes without the directions that are ``removed`` at each site.

    Raises:
        WideningError: it is built otherwise than the architectures that are known here.
    """
    old: Any = loaded.model
    config = _config(old, loaded.width)
    new: Any = type(old)(config).to(device=loaded.device, dtype=old.dtype)
    new.requires_grad_(False).eval()
    before, after = loaded.anatomy, locate(new)
    filled: dict[int, Tensor] = {}
    _embed(old, new, removed.get(("resid_pre", 0), ()), filled)
    _pad(before.unembedding, after.unembedding, 1.0, filled)
    _reading_norm(before.final_norm, after.final_norm, filled)
    for layer in range(before.layers):
        _block(
            old,
            (before.blocks[layer], after.blocks[layer]),
            flow.blocks[layer],
            removed.get(("written", layer), ()),
            filled,
        )
    for (name, weight), own in zip(new.named_parameters(), old.parameters(), strict=True):
        value = filled.get(id(weight), own)
        if value.shape != weight.shape:
            raise WideningError(
                f"This {old.config.model_type} model cannot be baked: its {name} depends on the width in a way that is not known here; "
                "steer it with the recipe instead."
            )
        weight.copy_(value.to(weight.dtype))
    kept = new.state_dict()
    for (name, buffer), own in zip(new.named_buffers(), old.buffers(), strict=True):
        if name in kept:
            buffer.copy_(own)
    new.generation_config = copy.deepcopy(old.generation_config)
    return new


def _config(old: Any, width: int) -> Any:
    config = copy.deepcopy(old.config)
    if config.get_text_config() is not config:
        raise WideningError(
            f"This {config.model_type} model cannot be baked: norms stand behind what it writes, and it is more than a text model; steer "
            "it with the recipe instead."
        )
    # Where the configuration does not say it, a head's size follows from the width.
    if config.to_dict().get("head_dim") is None:
        config.head_dim = width // config.num_attention_heads
    config.hidden_size = 2 * width
    return config


def _embed(old: Any, new: Any, units: Sequence[Tensor], filled: dict[int, Tensor]) -> None:
    """Gemma multiplies its embedding by the root of the width, which has grown."""
    before, after = old.get_input_embeddings(), new.get_input_embeddings()
    grown = _scale(after) / _scale(before)
    kept = before.weight.double() @ _projection(units, before.weight).T
    filled[id(after.weight)] = nn.functional.pad(kept * (_ROOT / grown), (0, kept.shape[1]))


def _scale(embedding: Any) -> float:
    return float(getattr(embedding, "embed_scale", 1.0))


def _block(
    model: Any,
    blocks: tuple[nn.Module, nn.Module],
    written: Written,
    units: Sequence[Tensor],
    filled: dict[int, Tensor],
) -> None:
    old, new = blocks
    norms = dict(written.normed)
    names = {each.name for weights in norms.values() for each in weights or ()}
    writers = {id(model.get_parameter(name)) for name in names}
    pairs: list[tuple[Any, Any]] = list(zip(old.modules(), new.modules(), strict=True))
    # OLMo-2 has no norm before what reads.
    raw = not any(is_norm(child) and child not in norms for child in old.children())
    for own, wide in pairs:
        if isinstance(own, nn.Linear) and id(own.weight) not in writers:
            _pad(own, wide, 1 / _ROOT if raw else 1.0, filled)
    for own, wide in zip(old.children(), new.children(), strict=True):
        if is_norm(own) and own not in norms:
            _reading_norm(own, wide, filled)
    wides = {id(own): wide for own, wide in pairs}
    for norm, weights in norms.items():
        behind = {id(model.get_parameter(each.name)) for each in weights or ()}
        writer = next((own for own, _ in pairs if isinstance(own, nn.Linear) and id(own.weight) in behind), None)
        if writer is None:
            raise WideningError(
                "This model cannot be baked: the matrix behind one of its norms is no layer of its own; steer it with the recipe."
            )
        _writing(writer, norm, wides[id(writer)], wides[id(norm)], units, filled)


def _writing(
    writer: Any, norm: Any, wide: Any, wide_norm: Any, units: Sequence[Tensor], filled: dict[int, Tensor]
) -> None:
    gain, offset = _gain(norm)
    width = len(gain)
    if units:
        scaled = _projection(units, gain) * gain
        gram = scaled.T @ scaled
        values, basis = torch.linalg.eigh(gram)
        most = values[-1]
        rest = (most - values).clamp_min(0).sqrt()[:, None] * basis.T
        change = torch.cat([scaled, rest]) / (most / 2).sqrt()
        new_gain = most.sqrt().expand(width)
    else:
        change = torch.cat(
            [torch.eye(width, dtype=gain.dtype, device=gain.device) * _ROOT, torch.zeros_like(gain).diag()]
        )
        new_gain = gain
    filled[id(wide.weight)] = change @ writer.weight.double()
    if writer.bias is not None:
        filled[id(wide.bias)] = change @ writer.bias.double()
    filled[id(wide_norm.weight)] = torch.cat([new_gain, torch.zeros_like(gain)]) - offset


def _pad(own: Any, wide: Any, factor: float, filled: dict[int, Tensor]) -> None:
    """What reads the stream reads its first half."""
    weight = own.weight.double() * factor
    filled[id(wide.weight)] = nn.functional.pad(weight, (0, weight.shape[1]))


def _reading_norm(own: Any, wide: Any, filled: dict[int, Tensor]) -> None:
    gain, offset = _gain(own)
    filled[id(wide.weight)] = torch.cat([gain / _ROOT, torch.zeros_like(gain)]) - offset


def _gain(norm: Any) -> tuple[Tensor, float]:
    """What a norm multiplies by, in float64, and by how much that is more than its weight (Gemma: 1)."""
    weight = norm.weight.double()
    ones = torch.ones_like(norm.weight, dtype=torch.float32)
    # A vector of ones comes out as the gain, but for ε.
    offset = round(float((norm(ones).double() - weight).mean()))
    return weight + offset, float(offset)


def _projection(units: Sequence[Tensor], like: Tensor) -> Tensor:
    """The matrix that takes out the directions, one after the other: [width, width], float64."""
    width = like.shape[-1]
    found = torch.eye(width, dtype=torch.float64, device=like.device)
    for unit in units:
        own = unit.to(like.device)
        found = found - torch.outer(own, own @ found)
    return found
