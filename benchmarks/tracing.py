"""What a knowledge map costs against one forward pass a cell, on a random model of a hundred million parameters.

Both compute the same numbers: the difference is shown, and a difference above 1e-4 counts as a failure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.large import random_model
from benchmarks.ratios import interleaved, report
from core import patching
from core.loading import Loaded
from core.residual import hooked
from core.steps import finished

#: Tokens that are patched, and how many common ones stand before them, with the part of one-pass-a-cell's time that a map may take.
POSITIONS = 16
PREFIXES = ((0, 1 / 8), (80, 1 / 12))
#: A map takes a second or more: it is timed so many times less often than an answer.
LONGER, FEWEST = 8, 5
_SAME = 1e-4


def tracing(options: argparse.Namespace) -> bool:
    """Time a map of every layer and token, without and with common tokens before them."""
    good = True
    with random_model("llama", options) as loaded:
        for before, limit in PREFIXES:
            good &= _compared(loaded, before, limit, options.pairs)
    return good


def _compared(loaded: Loaded, before: int, limit: float, pairs: int) -> bool:
    made = torch.Generator().manual_seed(before)
    common = torch.randint(2, 1_000, (before,), generator=made).tolist()
    true, false = (common + torch.randint(2, 1_000, (POSITIONS,), generator=made).tolist() for _ in range(2))
    layers = loaded.anatomy.layers
    # One pass a cell takes the same time at every layer: a token each, at layers from the first to the last, stands for all of them.
    some = [(place * layers // POSITIONS, before + place) for place in range(POSITIONS)]
    plain = one_by_one(loaded, true, false, some)
    quick = whole_map(loaded, common, true, false)
    off = max(abs(float(plain[place] - quick[layer, at - before])) for place, (layer, at) in enumerate(some))
    times = interleaved(
        {
            "map": lambda: whole_map(loaded, common, true, false),
            "cells": lambda: one_by_one(loaded, true, false, some),
        },
        pairs // LONGER,
        FEWEST,
    )
    part = POSITIONS * layers / len(some)
    middle, low, high = (each / part for each in times["map"].over(times["cells"]))
    faster = f"{1 / middle:.1f} times faster; {times['map'].median:.2f} s; largest difference of a cell {off:.0e}"
    kept = report(
        f"map of {layers} × {POSITIONS} cells, {before} common tokens, over one pass a cell",
        (middle, low, high),
        limit,
        faster,
    )
    return kept and off < _SAME


def whole_map(loaded: Loaded, common: Sequence[int], true: Sequence[int], false: Sequence[int]) -> Tensor:
    """Tiller's map [layers, tokens], from nothing: prefix and both runs included."""
    source, trail = patching.trails(loaded, patching.prefix(loaded, common), [true, false])
    rows = [
        finished(patching.layer_of(loaded, trail, source, layer, list(trail.positions), _read))
        for layer in range(loaded.anatomy.layers)
    ]
    return torch.stack(rows)


@torch.inference_mode()
def one_by_one(
    loaded: Loaded, true: Sequence[int], false: Sequence[int], cells: Sequence[tuple[int, int]]
) -> list[Tensor]:
    """The same by a whole forward pass for each cell (and one that reads the residuals)."""
    kept: dict[int, Tensor] = {}

    def keep(layer: int, states: Tensor) -> None:
        kept[layer] = states.clone()

    def put(layer: int, position: int, states: Tensor) -> Tensor:
        new = states.clone()
        new[:, position] = kept[layer][:, position]
        return new

    layers = sorted({layer for layer, _ in cells})
    with hooked(
        loaded.anatomy, {("leave", layer): lambda states, layer=layer: keep(layer, states) for layer in layers}
    ):  # type: ignore[misc]
        _logits(loaded, true)
    found = []
    for layer, position in cells:
        action = lambda states, layer=layer, position=position: put(layer, position, states)  # noqa: E731
        with hooked(loaded.anatomy, {("leave", layer): action}):
            found.append(_read(_logits(loaded, false))[0])
    return found


def _logits(loaded: Loaded, ids: Sequence[int]) -> Tensor:
    """A plain forward pass, as transformers' models are called."""
    logits: Tensor = loaded.model(torch.tensor([list(ids)], device=loaded.device)).logits[:, -1]
    return logits.float()


def _read(logits: Tensor) -> Tensor:
    return logits[:, 10] - logits[:, 20]
