"""Rows times the weights of a linear layer on this CPU: float32, bfloat16, and the ways of :mod:`core.models.fast_linear`; and what it
costs that another program is busy on a core, by how PyTorch's threads wait for each other."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import torch
from torch.nn import functional

from core.models import fast_linear

_ROWS = (1, 3, 9, 32, 128, 512)
#: A matrix of SmolLM2-135M's, and so many of them that none is still in the processor's cache when its turn comes again.
_OUT, _IN, _MATRICES = 1536, 576, 60
_TURNS = 5
_BUSY_TURNS = 3
#: Products by two threads, timed by themselves in a process of its own.
_ALONE = (
    f"import torch, time; torch.set_num_threads(2); w, x = torch.randn({_OUT}, {_IN}), torch.randn(3, {_IN}); n = 300\n"
    "for turn in range(2):\n    begun = time.perf_counter()\n    for _ in range(n): x @ w.T\n"
    "print((time.perf_counter() - begun) / n * 1e3)"
)


def products(options: argparse.Namespace) -> bool:
    """Print milliseconds a product; whether bfloat16 is widened where that is quicker for many rows, and not for one."""
    torch.manual_seed(0)
    torch.set_num_threads(options.threads or torch.get_num_threads())
    wide = [torch.randn(_OUT, _IN).bfloat16().float() for _ in range(_MATRICES)]
    narrow = [each.bfloat16() for each in wide]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packed = [fast_linear._pack(each) for each in wide]
    print(f"{torch.backends.cpu.get_cpu_capability()}, multiplies bfloat16 itself: {fast_linear.multiplies_bfloat16()}")
    print(
        f"{'rows':>5}{'float32':>10}{'bfloat16':>10}{'widened':>10}{'packed':>10}{'narrow':>10}  milliseconds a product"
    )
    found = {rows: _measured(rows, wide, narrow, packed) for rows in _ROWS}
    for rows, times in found.items():
        print(f"{rows:>5}" + "".join(f"{each:>10.3f}" for each in times))
    few, many = found[_ROWS[0]], found[_ROWS[-1]]
    own = fast_linear.multiplies_bfloat16()
    good = few[1] < few[2] and (many[1] < many[2] if own else many[2] < many[1])
    print("kept" if good else "MISSED: the way that is taken here is not the quicker one")
    waits = {name: [_beside_another(name) for _ in range(_BUSY_TURNS)] for name in ("passive", "active")}
    passive, active = (min(each) for each in waits.values())
    print(
        f"two threads, one core taken by another program: {passive:.3f} ms a product where they sleep while they wait, {active:.3f} where "
        f"they spin, {active / passive:.1f} times as long"
    )
    return good and passive < active


def _beside_another(policy: str) -> float:
    """Milliseconds a product by two threads while other programs take all cores but one."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(max(1, _cores() - 1))]
    try:
        around = {**os.environ, "OMP_WAIT_POLICY": policy}
        return float(
            subprocess.run([sys.executable, "-c", _ALONE], env=around, check=True, stdout=subprocess.PIPE).stdout
        )
    finally:
        for each in others:
            each.kill()
            each.wait()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@torch.inference_mode()
def _measured(
    rows: int, wide: list[torch.Tensor], narrow: list[torch.Tensor], packed: list[torch.Tensor | None]
) -> tuple[float, ...]:
    states = torch.randn(rows, _IN)
    halves = states.bfloat16()
    ways: list[Callable[[], object]] = [
        lambda: [functional.linear(states, each) for each in wide],
        lambda: [functional.linear(halves, each) for each in narrow],
        lambda: [fast_linear._widened(halves, each, None) for each in narrow],
        lambda: [
            torch.fbgemm_linear_fp16_weight_fp32_activation(states, each, None) for each in packed if each is not None
        ],
        lambda: [
            torch.fbgemm_linear_fp16_weight_fp32_activation(halves.float(), each, None).bfloat16()
            for each in packed
            if each is not None
        ],
    ]
    best = [float("inf")] * len(ways)
    for _ in range(_TURNS):
        for at, way in enumerate(ways):
            begun = time.perf_counter()
            way()
            best[at] = min(best[at], (time.perf_counter() - begun) / _MATRICES * 1e3)
    return tuple(best)
