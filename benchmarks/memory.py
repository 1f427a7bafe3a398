"""What loading takes of memory, as it is seen from outside: the resident set of a process of its own, over what it was after imports.

Pairs of random-weight models of about a hundred million parameters, saved in shards as real releases are, are loaded by the same code as
any other family.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.artefacts.store import SHIPPED
from core.families.checkpoint import FamilyRef
from core.models.placement import Placing

#: What a shard of the saved models may hold.
SHARD = 50 * 10**6
SWITCHES = 50
_ROOT = Path(__file__).resolve().parent.parent
_WIDE: dict[str, Any] = {
    "vocab_size": 16_000, "hidden_size": 768, "intermediate_size": 2_048, "num_hidden_layers": 12, "num_attention_heads": 12,
    "num_key_value_heads": 4, "max_position_embeddings": 2_048, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
}  # fmt: skip


def memory(options: argparse.Namespace) -> bool:
    """Load pairs at every quantization, and switch between them; whether every promise is kept."""
    with tempfile.TemporaryDirectory(prefix="tiller-memory-") as made:
        good = [_pair(Path(made) / kind, kind) for kind in ("llama", "qwen3", "gemma2")]
    return all(good)


def _pair(folder: Path, kind: str) -> bool:
    _in_a_process("save", kind, str(folder))
    good = True
    for quantize in ("none", "8bit", "4bit"):
        found = _in_a_process("load", str(folder), quantize)
        limit = 1.3 * found["size"] + SHARD
        kept = found["peak"] <= limit
        good &= kept or quantize != "4bit"
        promise = f"; limit {limit / 1e6:.0f}: {'kept' if kept else 'MISSED'}" if quantize == "4bit" else ""
        print(
            f"  {kind} {quantize:<5} two checkpoints of {found['size'] / 2e6:.0f} MB: peak {found['peak'] / 1e6:.0f} MB over imports, "
            f"{found['after'] / 1e6:.0f} afterwards{promise}",
            flush=True,
        )
    found = _in_a_process("switch", str(folder), "4bit")
    growth = found["last"] / found["tenth"] - 1
    kept = growth < 0.01
    print(
        f"  {kind} 4bit  {SWITCHES} switches: {found['tenth'] / 1e6:.0f} MB at the 10th, {found['last'] / 1e6:.0f} at the last, "
        f"{growth:+.2%}; limit +1.00%: {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return good and kept


def _in_a_process(*words: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *words], cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


# ------------------------------------------------------------------------------------------- what runs in those processes


def save(kind: str, folder: str) -> dict[str, float]:
    """Write a family of two random checkpoints in shards of :data:`SHARD` bytes, in bfloat16, with Skiff's tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma2Config, LlamaConfig, Qwen3Config
    from transformers.utils import logging

    logging.disable_progress_bar()

    config: Any = {"llama": LlamaConfig, "qwen3": Qwen3Config, "gemma2": Gemma2Config}[kind](
        **_WIDE, head_dim=64, tie_word_embeddings=kind != "llama"
    )
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "skiff" / "base")
    lines = [f'title = "Random {kind}"']
    for seed, name in enumerate(("base", "post")):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        model.save_pretrained(Path(folder) / name, max_shard_size=SHARD)
        tokenizer.save_pretrained(Path(folder) / name)
        lines += ["[[checkpoint]]", f'name = "{name}"', f'path = "{name}"', 'template = "plain"']
        lines += ['parent = "base"'] if seed else []
    (Path(folder) / "family.toml").write_text("\n".join(lines), encoding="utf-8")
    return {"parameters": float(sum(weight.numel() for weight in model.parameters()))}


def load(folder: str, quantize: str) -> dict[str, float]:
    """Load both checkpoints; the peak of the resident set over what it was after imports, and what they take by themselves."""
    from core.families import registry
    from core.models import loading, quantization

    # Imports bitsandbytes.
    quantization.quantization_config("4bit")
    family = registry.load_family(folder)
    before = resident()
    with highest() as peak:
        both = [
            loading.load_model(family, each.name, Placing("cpu", "bfloat16", quantize)) for each in family.checkpoints
        ]
    size = sum(quantization.memory_size(each.model) for each in both)
    return {"size": size, "peak": peak() - before, "after": resident() - before}


def switch(folder: str, quantize: str) -> dict[str, float]:
    """Load one checkpoint after the other, :data:`SWITCHES` times, each with a forward pass; resident at the 10th and the last."""
    import torch

    from core.families import registry
    from core.models.placement import Placing
    from core.models.pool import ModelPool

    family = registry.load_family(folder)
    pool = ModelPool(FamilyRef(family), Placing("cpu", "bfloat16", quantize))
    found = {}
    for turn in range(1, SWITCHES + 1):
        name, other = ("base", "post") if turn % 2 else ("post", "base")
        pool.drop(other)
        with torch.inference_mode():
            pool.get(name).model(torch.tensor([[0, 5, 6, 7]]))
        if turn in (10, SWITCHES):
            found["tenth" if turn == 10 else "last"] = float(resident())
    return found


def resident() -> int:
    """The bytes of this process that are in memory now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


@contextmanager
def highest() -> Iterator[Callable[[], int]]:
    """Watches the resident set inside the ``with``; what it gives says how high it was.

    Linux keeps the highest value itself, and forgets it when it is told so; elsewhere it is looked at every two milliseconds.
    """
    status, forget = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if status.exists() and forget.exists():
        forget.write_text("5", encoding="ascii")
        yield lambda: 1024 * int(re.findall(r"VmHWM:\s+([0-9]+)", status.read_text(encoding="ascii"))[0])
        return
    most, over = [resident()], threading.Event()

    def watch() -> None:
        while not over.is_set():
            most[0] = max(most[0], resident())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: most[0]
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    work = {"save": save, "load": load, "switch": switch}[sys.argv[1]]
    print(json.dumps(work(*sys.argv[2:])))
