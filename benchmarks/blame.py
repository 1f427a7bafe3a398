"""What blame costs: scoring an answer by every model of a path, against as many plain forward passes; the wait after an answer's last
token; how far blame on quantized weights agrees with blame on whole ones; and the resident set of a process that asks about checkpoints of
two hundred megabytes in memory."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.memory import SHARD, highest, resident
from benchmarks.ratios import interleaved
from core.artefacts.store import SHIPPED
from core.models.placement import Placing

#: The answer's length, and what scoring it may take of as many plain passes as there are models.
TOKENS, MOST = 64, 1.2
#: Seconds after an answer's last token in which all colours are there, on an idle machine of two cores.
WAIT = 0.3
_ROOT = Path(__file__).resolve().parent.parent
_STAGES = ("base", "sft", "safety", "dpo")
_FIFTY: dict[str, Any] = {
    "vocab_size": 16_000, "hidden_size": 512, "intermediate_size": 1_536, "num_hidden_layers": 10, "num_attention_heads": 8,
    "num_key_value_heads": 8, "max_position_embeddings": 2_048, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    "tie_word_embeddings": False,
}  # fmt: skip


def blame(options: argparse.Namespace) -> bool:
    """Measure all of it; whether every promise is kept."""
    good = _scoring(options)
    good &= _waiting(options)
    _quantized(options)
    with tempfile.TemporaryDirectory(prefix="tiller-blame-") as made:
        for kind in ("llama", "olmo2"):
            good &= _resident(Path(made) / kind, kind)
    return good


def _scoring(options: argparse.Namespace) -> bool:
    """An answer of :data:`TOKENS` tokens by all models of the path to a family's final checkpoint."""
    import torch

    from core.attribution.forced_logprobs import TokenScorer
    from core.families import registry, stages
    from core.inference.prompts import chat_prompt
    from core.models import loading

    torch.set_num_threads(options.threads or loading.threads())
    family = registry.load_family(options.family)
    path = stages.stage_path(family, options.checkpoint or "")
    models = [loading.load_model(family, name, Placing(options.device, options.dtype)) for name in path.models()]
    prompt = chat_prompt(models[0], "How do I kill a process?")
    draw = random.Random(0)
    answer = [draw.randrange(10, len(models[0].tokenizer)) for _ in range(TOKENS)]

    @torch.inference_mode()
    def plain() -> None:
        for each in models:
            each.model(input_ids=torch.tensor([[*prompt, *answer]], device=each.device), use_cache=False)

    def scored() -> None:
        for each in models:
            TokenScorer(each, prompt).follow(answer)

    found = interleaved({"plain": plain, "scored": scored}, options.pairs)
    ratio, low, high = found["scored"].over(found["plain"])
    kept = ratio <= MOST
    print(
        f"  scoring {TOKENS} tokens by {len(models)} models: {ratio:.2f} of {len(models)} plain passes ({low:.2f} to {high:.2f}); "
        f"limit {MOST:.2f}: {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


def _waiting(options: argparse.Namespace) -> bool:
    """How long the colours take after the last token of an answer, once all models are in memory; the middle of several answers."""
    from dataclasses import replace

    from core.chat.events import Done, Scores
    from core.engine.engine import Engine

    engine = Engine(options.family, device=options.device, threads=options.threads)
    engine.start()
    engine.wait_ready()
    settings = engine.settings(options.checkpoint or "")
    settings = replace(settings, columns=settings.columns[:1], selected=0, lens="blame")
    waits: list[float] = []
    for question in ("How do I kill a process?", "What is the capital of France?", "Tell me about whales.") * 4:
        ended = last = 0.0
        for event in engine.submit(settings.ask(question)):
            ended = time.perf_counter() if isinstance(event, Done) else ended
            last = time.perf_counter() if isinstance(event, Scores) else last
        waits.append(last - ended)
    engine.close()
    # The first answers load the models.
    middle = sorted(waits[3:])[len(waits[3:]) // 2]
    kept = middle <= WAIT
    print(
        f"  colours complete {middle * 1000:.0f} ms after the last token; limit {WAIT * 1000:.0f} ms: {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


def _quantized(options: argparse.Namespace) -> None:
    """r between the stages' effects with quantized and with whole weights; what is found is kept, and reports on such weights say it."""
    from core.attribution import model_sequence, quantized_agreement
    from core.families import registry, stages
    from core.models import loading
    from core.models.placement import Placing
    from core.util.progress import finished

    family = registry.load_family(options.family)
    path = stages.stage_path(family, options.checkpoint or "")
    models = {
        quantize: model_sequence.alone(
            loading.load_model(family, path.final, Placing(options.device, quantize=quantize)),
            Placing(device=options.device, quantize=quantize),
        )
        for quantize in ("none", "8bit", "4bit")
    }
    for quantize in ("8bit", "4bit"):
        found = finished(
            quantized_agreement.measure_agreement(family, path, quantize, models["none"], models[quantize])
        )
        print(f"  {family.title} {path.final} in {quantize}: {found.said}", flush=True)


def _resident(folder: Path, kind: str) -> bool:
    _in_a_process("save", kind, str(folder))
    found = _in_a_process("ask", str(folder))
    limit = 1.25 * found["size"] + 4 * found["largest"]
    kept = found["peak"] <= limit
    print(
        f"  {kind}: a path of {len(_STAGES)} checkpoints of {found['size'] / 1e6:.0f} MB in memory: "
        f"peak {found['peak'] / 1e6:.0f} MB over imports; limit {limit / 1e6:.0f}: {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


def _in_a_process(*words: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.blame", *words], cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


# ------------------------------------------------------------------------------------------- what runs in those processes


def save(kind: str, folder: str) -> dict[str, float]:
    """Write a family of four random checkpoints of fifty million parameters, in shards."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, Olmo2Config
    from transformers.utils import logging

    logging.disable_progress_bar()
    config: Any = {"llama": LlamaConfig, "olmo2": Olmo2Config}[kind](**_FIFTY)
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "skiff" / "base")
    lines = [f'title = "Random {kind}"']
    for seed, name in enumerate(_STAGES):
        torch.manual_seed(seed)
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(
            Path(folder) / name, max_shard_size=SHARD
        )
        tokenizer.save_pretrained(Path(folder) / name)
        lines += ["[[checkpoint]]", f'name = "{name}"', f'path = "{name}"', 'template = "plain"']
        lines += [f'parent = "{_STAGES[seed - 1]}"'] if seed else []
    (Path(folder) / "family.toml").write_text("\n".join(lines), encoding="utf-8")
    return {}


def ask(folder: str) -> dict[str, float]:
    """Ask about an answer; the peak of the resident set over what it was after imports, the model's bytes and its largest tensor's."""
    from core.attribution import model_sequence, study
    from core.attribution.report import BlameRequest
    from core.families import registry
    from core.models import loading, quantization
    from core.models.placement import Placing

    family = registry.load_family(folder)
    placing = Placing(device="cpu")
    before = resident()
    with highest() as peak:
        loaded = loading.load_model(family, "dpo", Placing("cpu"))
        work = study.study(
            family, BlameRequest(("How do I boil an egg?",), tokens=8), model_sequence.alone(loaded, placing)
        )
        for _ in work:
            pass
        most = peak() - before
    tensors = quantization.memory_tensors(loaded.model)
    largest = max(each.numel() * each.element_size() for each in tensors)
    return {"size": quantization.memory_size(loaded.model), "largest": largest, "peak": most}


if __name__ == "__main__":
    tasks: dict[str, Callable[..., dict[str, float]]] = {"save": save, "ask": ask}
    print(json.dumps(tasks[sys.argv[1]](*sys.argv[2:])))
