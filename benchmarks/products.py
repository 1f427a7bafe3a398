"""Rows times the weights of a linear layer on this CPU: float32, bfloat16, and the ways of :mod:`core.models.fast_linear`; and what it
costs that another program is busy on a core, by how PyTorch's threads wait for each other."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping

import torch
from torch.nn import functional

from core.models import fast_linear, loading

_ROWS = (1, 3, 9, 32, 128, 512)
#: A matrix of SmolLM2-135M's, and so many of them that none is still in the processor's cache when its turn comes again.
_OUT, _IN, _MATRICES = 1536, 576, 60
_TURNS = 5
_BUSY_TURNS = 3
#: How much longer than spinning threads sleeping ones may take beside other programs.
_LOSS = 1.1
#: Weights of 4 bits that share a scale, as in a GGUF file.
_GROUP = 32
#: Products by two threads, timed by themselves in a process of its own.
_ALONE = (
    f"import torch, time; torch.set_num_threads(2); w, x = torch.randn({_OUT}, {_IN}), torch.randn(3, {_IN}); n = 300\n"
    "for turn in range(2):\n    begun = time.perf_counter()\n    for _ in range(n): x @ w.T\n"
    "print((time.perf_counter() - begun) / n * 1e3)"
)


def products(options: argparse.Namespace) -> bool:
    """Print milliseconds a product; whether bfloat16 is widened where that is quicker for many rows, and not for one, and whether sleeping
    threads do not lose by it."""
    torch.manual_seed(0)
    torch.set_num_threads(options.threads or torch.get_num_threads())
    with warnings.catch_warnings():
        # PyTorch means to drop FBGEMM's older functions one day (core/models/fast_linear.py).
        warnings.simplefilter("ignore")
        ways = _ways()
        print(
            f"{torch.backends.cpu.get_cpu_capability()}, multiplies bfloat16 itself: {fast_linear.multiplies_bfloat16()}"
        )
        print(f"{'rows':>5}" + "".join(f"{name:>10}" for name in ways) + "  milliseconds a product")
        found = {rows: _measured(rows, ways) for rows in _ROWS}
    for rows, times in found.items():
        print(f"{rows:>5}" + "".join(f"{each:>10.3f}" for each in times.values()))
    few, many = found[_ROWS[0]], found[_ROWS[-1]]
    own = fast_linear.multiplies_bfloat16()
    good = few["bfloat16"] < few["widened"] and (many["bfloat16"] < many["widened"]) is own
    print("kept" if good else "MISSED: the way that is taken here is not the quicker one")
    waits = {name: [_beside_another(name) for _ in range(_BUSY_TURNS)] for name in ("passive", "active")}
    passive, active = (min(each) for each in waits.values())
    kept = passive <= _LOSS * active
    print(
        f"two threads, all cores but one taken by other programs: {passive:.3f} ms a product where they sleep while they wait, "
        f"{active:.3f} where they spin, {active / passive:.1f} times as long; limit {1 / _LOSS:.1f}: {'kept' if kept else 'MISSED'}"
    )
    return good and kept


def _beside_another(policy: str) -> float:
    """Milliseconds a product by two threads while other programs take all cores but one."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(max(1, loading.threads() - 1))
    ]
    try:
        around = {**os.environ, "OMP_WAIT_POLICY": policy}
        return float(
            subprocess.run([sys.executable, "-c", _ALONE], env=around, check=True, stdout=subprocess.PIPE).stdout
        )
    finally:
        for each in others:
            each.kill()
            each.wait()


_Way = Callable[[torch.Tensor], object]


def _ways() -> dict[str, _Way]:
    """Every way to multiply rows [rows, in], given in float32, with all the matrices, by its name in the table. ``packed`` and ``narrow``
    are those of :mod:`core.models.fast_linear` for float32 and bfloat16; ``shared`` and ``int4`` were tried and are not used."""
    wide = [torch.randn(_OUT, _IN).bfloat16().float() for _ in range(_MATRICES)]
    narrow = [each.bfloat16() for each in wide]
    ways: dict[str, _Way] = {
        "float32": lambda rows: [functional.linear(rows, each) for each in wide],
        "bfloat16": lambda rows: [functional.linear(rows.bfloat16(), each) for each in narrow],
        "widened": lambda rows: [fast_linear._widened(rows.bfloat16(), each, None) for each in narrow],
    }
    packed = [each for each in map(fast_linear._pack, wide) if each is not None]
    if len(packed) == len(wide):
        product = torch.fbgemm_linear_fp16_weight_fp32_activation
        ways["packed"] = lambda rows: [product(rows, each, None) for each in packed]
        ways["narrow"] = lambda rows: [product(rows.bfloat16().float(), each, None).bfloat16() for each in packed]
        shared = [torch.ops.quantized.linear_prepack_fp16(each, None) for each in wide]
        ways["shared"] = lambda rows: [torch.ops.quantized.linear_dynamic_fp16(rows, each) for each in shared]
    ops = torch.ops.aten
    fours = [
        (
            ops._convert_weight_to_int4pack_for_cpu(torch.randint(0, 16, (_OUT, _IN), dtype=torch.int32), 1),
            torch.rand(_IN // _GROUP, _OUT, 2),
        )
        for _ in wide
    ]
    ways["int4"] = lambda rows: [ops._weight_int4pack_mm_for_cpu(rows, each, _GROUP, scales) for each, scales in fours]
    return ways


@torch.inference_mode()
def _measured(rows: int, ways: Mapping[str, _Way]) -> dict[str, float]:
    """Milliseconds a product of so many rows, by each way's name: the best of some turns, all ways in each."""
    states = torch.randn(rows, _IN)
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(_TURNS):
        for name, way in ways.items():
            begun = time.perf_counter()
            way(states)
            best[name] = min(best[name], (time.perf_counter() - begun) / _MATRICES * 1e3)
    return best
