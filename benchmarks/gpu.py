"""A pair of models of an 8B model's shape on one GPU: what loading takes there, what steering, colouring by stages, maps and learning cost.

Weights are random, in the shape of Llama 3.1 8B. The tokenizer is Skiff's, which knows a small part of so many ids; no figure here
depends on what a model says.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.large import LEARNT, LENGTHS, TOKENS, Crowd, prompts
from benchmarks.ratios import interleaved, report
from benchmarks.tracing import POSITIONS, one_by_one, whole_map
from core.artefacts.store import SHIPPED
from core.chat.events import Done, Scores
from core.directions.activations import states
from core.engine.engine import Engine
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import Family
from core.models import loading, memory, placement
from core.models.loading import Loaded
from core.models.placement import Placing

#: Llama 3.1 8B's config.json, as far as shapes go.
EIGHT: dict[str, Any] = {
    "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "max_position_embeddings": 8192, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    "tie_word_embeddings": False,
}  # fmt: skip
#: Bytes of a shard, as real releases have them, and by how much more than what is kept loading may take at most.
_SHARD, _MOST = 5 * 10**9, 1.3
_QUANTIZE = ("none", "4bit", "8bit")
#: A map's cell by a plain pass is timed for so many of them.
_CELLS = 16


def gpu(options: argparse.Namespace) -> bool:
    """Measure all of it on the first GPU, or with ``--quantize`` that part; whether every promise is kept.

    Raises:
        TillerError: there is no GPU.
    """
    if not torch.cuda.is_available():
        raise TillerError("There is no NVIDIA GPU here; this benchmark needs one.")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tiller-gpu-") as made:
        family = _saved(Path(made) / "eight")
        good = True
        for quantize in _QUANTIZE if options.quantize == "none" else (options.quantize,):
            with _loaded(family, quantize) as (both, kept):
                good &= kept
                good &= _decoding(both[1], quantize, options.pairs)
                if quantize == "none":
                    good &= _maps(both[1])
                    _learning(both[1])
            del both
            _colours(family, quantize)
    return good


def _saved(folder: Path) -> Family:
    """A family of two random checkpoints in bfloat16, in shards."""
    from transformers import AutoModelForCausalLM, LlamaConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    lines, start = ['title = "Random 8B"'], time.perf_counter()
    for seed, name in enumerate(("base", "post")):
        torch.manual_seed(seed)
        with torch.device("cuda"):
            model: Any = AutoModelForCausalLM.from_config(LlamaConfig(**EIGHT), dtype=torch.bfloat16)
        model.save_pretrained(folder / name, max_shard_size=_SHARD)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(SHIPPED / "skiff" / "base" / file, folder / name / file)
        lines += ["[[checkpoint]]", f'name = "{name}"', f'path = "{name}"', 'template = "plain"']
        lines += ['parent = "base"'] if seed else []
        size = sum(each.numel() for each in model.parameters())
        del model
        memory.release()
    (folder / "family.toml").write_text("\n".join(lines), encoding="utf-8")
    print(
        f"  two random checkpoints of {size / 1e9:.2f} G parameters written in {time.perf_counter() - start:.0f} s",
        flush=True,
    )
    return registry.load_family(str(folder))


@contextmanager
def _loaded(family: Family, quantize: str) -> Iterator[tuple[list[Loaded], bool]]:
    """Both checkpoints on the GPU; what that took, against what was planned."""
    memory.release()
    torch.cuda.reset_peak_memory_stats()
    before, start = torch.cuda.memory_allocated(), time.perf_counter()
    both = [loading.load_model(family, each.name, Placing("cuda", quantize=quantize)) for each in family.checkpoints]
    seconds = time.perf_counter() - start
    planned = sum(placement.need(each, "cuda", "auto", quantize).size for each in family.checkpoints)
    taken, peak = torch.cuda.memory_allocated() - before, torch.cuda.max_memory_allocated() - before
    kept = peak <= _MOST * planned and abs(taken / planned - 1) < 0.05
    print(
        f"  {quantize:<5} planned {memory.size_in_words(planned)}, taken {memory.size_in_words(taken)}, "
        f"at most {memory.size_in_words(peak)} while loading, "
        f"{seconds:.0f} s; limit {_MOST} of the plan, and 5 % beside it: {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    # What is given has to be all there is, so that it can be let go.
    both[:] = [replace(each, ends=frozenset(), stops=()) for each in both]
    yield both, kept
    both.clear()


def _decoding(loaded: Loaded, quantize: str, pairs: int) -> bool:
    """Steered answers over ``generate``: one at a time, and eight."""
    good = True
    for rows in (1, 8):
        crowd = Crowd(loaded, rows)
        recipes = {"plain": "", "one added term": "0.5*random", "ablation everywhere": "!random"}
        things: dict[str, Any] = {"generate": crowd.generate}
        things |= {name: lambda recipe=recipe, crowd=crowd: crowd.answers(recipe) for name, recipe in recipes.items()}
        timed = interleaved(things, pairs // 8, 5)
        for name in recipes:
            step = f"{timed[name].median / TOKENS * 1e3:.1f} ms a step, generate {timed['generate'].median / TOKENS * 1e3:.1f}"
            good &= report(f"{quantize}, {rows} at once, {name}", timed[name].over(timed["generate"]), None, step)
    return good


def _maps(loaded: Loaded) -> bool:
    """A map of every layer and token, over a pass a cell."""
    made = torch.Generator().manual_seed(0)
    common = torch.randint(2, 1_000, (80,), generator=made).tolist()
    true, false = (common + torch.randint(2, 1_000, (POSITIONS,), generator=made).tolist() for _ in range(2))
    layers = loaded.anatomy.layers
    some = [(place * layers // _CELLS, 80 + place) for place in range(_CELLS)]
    timed = interleaved(
        {
            "map": lambda: whole_map(loaded, common, true, false),
            "cells": lambda: one_by_one(loaded, true, false, some),
        },
        5,
        5,
    )
    part = (POSITIONS * layers + 1) / (len(some) + 1)
    middle, low, high = (each / part for each in timed["map"].over(timed["cells"]))
    note = f"{1 / middle:.1f} times faster; {timed['map'].median:.2f} s"
    return report(
        f"{layers} × {POSITIONS} cells behind 80 common tokens, over a pass a cell", (middle, low, high), 1 / 12, note
    )


def _learning(loaded: Loaded) -> None:
    both = prompts(loaded, 2 * LEARNT, LENGTHS)
    start = time.perf_counter()
    states(loaded, both, 1)
    print(f"  all layers' residuals of {len(both)} prompts: {time.perf_counter() - start:.1f} s", flush=True)


def _colours(family: Family, quantize: str) -> None:
    """How long the colours take after an answer's last token, both checkpoints in memory (quantized: worn by one)."""
    engine = Engine(str(family.folder), device="cuda", quantize=quantize)
    engine.start()
    try:
        status = engine.wait_ready(300)
        if status.state != "ready":
            raise TillerError(status.detail)
        settings = engine.settings("post", "")
        sampling = dataclasses.replace(settings.sampling, max_new_tokens=64)
        settings = replace(settings, columns=settings.columns[:1], selected=0, lens="blame", sampling=sampling)
        waits: list[float] = []
        for _ in range(5):
            ended = last = 0.0
            for event in engine.submit(settings.ask("How do I kill a process?")):
                ended = time.perf_counter() if isinstance(event, Done) else ended
                last = time.perf_counter() if isinstance(event, Scores) else last
            waits.append(last - ended)
    finally:
        engine.close()
    later = sorted(waits[1:])[len(waits[1:]) // 2]
    print(
        f"  {quantize}: colours complete {later:.2f} s after the last token; of the first answer, with reading weights, {waits[0]:.1f} s",
        flush=True,
    )
