"""What a knowledge map costs against one forward pass a cell, on a random model of a hundred million parameters; what Skiff's maps take.

The baseline is a forward pass as transformers' models are called, which unembeds every token; beside it, without a limit, stands one that
is told to unembed the last token only. All compute the same numbers: the difference is shown, and one above 1e-4 counts as a failure.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from benchmarks.large import random_model
from benchmarks.memory import highest
from benchmarks.ratios import interleaved, report
from core.directions import contrast
from core.families import registry
from core.knowledge import patching
from core.knowledge import tracing as knowledge
from core.knowledge.maps import MapRequest, Traced
from core.knowledge.pairs import Pairing
from core.models import loading
from core.models.hooks import hooked
from core.models.loading import Loaded
from core.models.placement import Placing
from core.util.progress import finished

#: Tokens that are patched, and how many common ones stand before them, with the part of one-pass-a-cell's time that a map may take.
POSITIONS = 16
PREFIXES = ((0, 1 / 8), (80, 1 / 12))
#: A map takes a second or more: it is timed so many times less often than an answer.
LONGER, FEWEST = 8, 5
_SAME = 1e-4
#: Seconds that a map of one pair may take on Skiff, and the comparison of two checkpoints over so many pairs of a set.
ONE, MANY, PAIRS = 1.0, 120.0, 200
#: Bytes that the peak of the resident set may grow by from a tenth of the pairs to all of them.
GROWTH = 64_000_000
_SENTENCES = ("The city of Lyon is in France.", "The city of Berlin is in France.")


def tracing(options: argparse.Namespace) -> bool:
    """Time a map of every layer and token, without and with common tokens before them, and maps of Skiff."""
    good = True
    with random_model("llama", options) as loaded:
        for before, limit in PREFIXES:
            good &= _compared(loaded, before, limit, options.pairs)
    return good & _skiff(options)


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
            "last": lambda: one_by_one(loaded, true, false, some, logits_to_keep=1),
        },
        pairs // LONGER,
        FEWEST,
    )
    # Every cell is a pass, and one more reads the residuals.
    part = (POSITIONS * layers + 1) / (len(some) + 1)
    kept = True
    for name, what, most in (
        ("cells", "over one pass a cell", limit),
        ("last", "the same, last token unembedded alone", None),
    ):
        middle, low, high = (each / part for each in times["map"].over(times[name]))
        faster = f"{1 / middle:.1f} times faster; {times['map'].median:.2f} s; largest difference of a cell {off:.0e}"
        title = f"{layers} × {POSITIONS} cells, {before} common tokens, {what}"
        kept &= report(title, (middle, low, high), most, faster)
    return kept and off < _SAME


def _skiff(options: argparse.Namespace) -> bool:
    """One pair on one checkpoint, against one pass a cell; then two checkpoints over many pairs with their null, and the memory of it."""
    family = registry.load_family("skiff")
    names = (family.checkpoints[0].name, family.final.name)
    every = {name: loading.load_model(family, name, Placing(options.device)) for name in names}
    loaded = every[names[1]]

    def traced(order: MapRequest) -> Traced:
        return finished(knowledge.trace(family, order, every.__getitem__))

    one = MapRequest(names[1:], true=_SENTENCES[0], false=_SENTENCES[1])
    pair = Pairing(loaded, contrast.load_contrast(family, "truth")).pair(*_SENTENCES)
    cells = [(layer, at) for layer in range(loaded.anatomy.layers) for at in pair.positions]
    times = interleaved(
        {"map": lambda: traced(one), "cells": lambda: one_by_one(loaded, pair.true, pair.false, cells)},
        options.pairs // LONGER,
        FEWEST,
    )
    middle, low, high = times["map"].over(times["cells"])
    report("Skiff, one pair, over one pass a cell", (middle, low, high), None, f"{1 / middle:.1f} times faster")
    good = _within("Skiff, one pair", times["map"].median, ONE)
    # What libraries keep for themselves is there before anything is measured.
    traced(MapRequest(names, set="cities", pairs=PAIRS // 10))
    few, many = (
        _taken(lambda count=count: traced(MapRequest(names, set="cities", pairs=count)))  # type: ignore[misc]
        for count in (PAIRS // 10, PAIRS)
    )
    good &= _within(f"Skiff, {PAIRS} pairs of cities in two checkpoints, with their null", many[0], MANY)
    grown = many[1] - few[1]
    kept = grown <= GROWTH
    print(
        f"  peak of the resident set with ten times the pairs: {grown / 1e6:+.0f} MB; limit {GROWTH / 1e6:.0f}: "
        f"{'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return good and kept


def _taken(work: Callable[[], object]) -> tuple[float, int]:
    """The seconds that some work takes, and the peak of the resident set in bytes."""
    with highest() as peak:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start, peak()


def _within(what: str, seconds: float, limit: float) -> bool:
    kept = seconds <= limit
    print(
        f"  {what}: {seconds:.2f} s on {torch.get_num_threads()} threads; limit {limit:g}: {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


def whole_map(loaded: Loaded, common: Sequence[int], true: Sequence[int], false: Sequence[int]) -> Tensor:
    """Tiller's map [layers, tokens], from nothing: prefix and both runs included."""
    source, trail = patching.trails(loaded, patching.prefix(loaded, common), [true, false])
    rows = [
        finished(patching.patched_row(loaded, trail, source, layer, list(trail.positions), _read))
        for layer in range(loaded.anatomy.layers)
    ]
    return torch.stack(rows)


@torch.inference_mode()
def one_by_one(
    loaded: Loaded, true: Sequence[int], false: Sequence[int], cells: Sequence[tuple[int, int]], logits_to_keep: int = 0
) -> list[Tensor]:
    """The same by a whole forward pass for each cell (and one that reads the residuals); ``logits_to_keep`` 0 unembeds every token."""
    kept: dict[int, Tensor] = {}

    def keep(layer: int, states: Tensor) -> None:
        kept[layer] = states.clone()

    def put(layer: int, position: int, states: Tensor) -> Tensor:
        new = states.clone()
        new[:, position] = kept[layer][:, position]
        return new

    layers = sorted({layer for layer, _ in cells})
    with hooked(loaded.anatomy, {("resid_post", layer): partial(keep, layer) for layer in layers}):
        _logits(loaded, true, logits_to_keep)
    found = []
    for layer, position in cells:
        action = lambda states, layer=layer, position=position: put(layer, position, states)  # noqa: E731
        with hooked(loaded.anatomy, {("resid_post", layer): action}):
            found.append(_read(_logits(loaded, false, logits_to_keep))[0])
    return found


def _logits(loaded: Loaded, ids: Sequence[int], logits_to_keep: int) -> Tensor:
    """A plain forward pass, as transformers' models are called."""
    asked = torch.tensor([list(ids)], device=loaded.device)
    logits: Tensor = loaded.model(asked, logits_to_keep=logits_to_keep).logits[:, -1]
    return logits.float()


def _read(logits: Tensor) -> Tensor:
    return logits[:, 10] - logits[:, 20]
