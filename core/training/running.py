"""A training as its command runs it: with so many threads, refused in a sentence, stopped by Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch

from core.training.state import TrainingRefused


def run_training(verb: str, threads: int, work: Callable[[], None]) -> int:
    """Do the work of a verb; returns the exit status. Refusals are printed as one sentence."""
    before = torch.get_num_threads()
    # Sums are rounded in another order on more threads: one thread is what makes it repeatable.
    torch.set_num_threads(threads)
    if threads > 1:
        print(f"With {threads} threads the weights come out with other bits than with one.", flush=True)
    try:
        work()
    except TrainingRefused as refusal:
        print(f"{verb}: {refusal}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from the last saved state.", flush=True)
        return 130
    finally:
        torch.set_num_threads(before)
    return 0
