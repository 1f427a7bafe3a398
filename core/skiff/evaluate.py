"""``launch.py evaluate``: measure a Skiff family against the design's thresholds and write its model card."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from core import families, loading
from core.arguments import Arguments
from core.errors import TillerError
from core.skiff.card import model_card
from core.skiff.log import read_log, write_text
from core.skiff.measure_chat import CHAT_MEASURES
from core.skiff.measure_steering import STEERING_MEASURES
from core.skiff.measure_world import fact_figures, judging_figures, probe_figures
from core.skiff.rates import Figure, Target
from core.skiff.subjects import Subjects

MEASURES: dict[str, Callable[[Subjects], Iterator[Figure]]] = {
    "facts": fact_figures,
    "judging": judging_figures,
    "probe": probe_figures,
    **CHAT_MEASURES,
    **STEERING_MEASURES,
}


def evaluate(arguments: list[str]) -> int:
    """Run the evaluation from the command line; returns 0, or 1 when the family cannot be evaluated.

    The card is only written by a whole run, so that it never mixes figures of different weights.
    """
    options = _parser().parse_args(arguments)
    chosen = options.only or list(MEASURES)
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads or loading.threads())
    try:
        family = families.load(options.family)
        record = read_log(family.folder)
        print(f"Evaluating {family.title} in {family.folder}: about six minutes in all.", flush=True)
        figures = list(_measure(Subjects(family), chosen))
        if options.json:
            write_text(options.json, json.dumps([figure_json(figure) for figure in figures], indent=1) + "\n")
        if not options.only and not options.no_card:
            card = family.folder / "README.md"
            write_text(card, model_card(figures, record))
            print(f"Model card written to {card}.")
    except TillerError as problem:
        print(f"evaluate: {problem}")
        return 1
    finally:
        torch.set_num_threads(before)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="launch.py evaluate", description="Measure Skiff and write its model card.")
    parser.add_argument(
        "--family", default="skiff", help="family name, or a folder with a family.toml (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), help="measure only these, and write no card")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--no-card", action="store_true", help="do not write README.md into the family's folder")
    parser.add_argument(
        "--threads", type=int, default=0, help="processor threads (default: as many as this process may use)"
    )
    return parser


def _measure(subjects: Subjects, chosen: list[str]) -> Iterator[Figure]:
    for name in chosen:
        started = time.monotonic()
        for figure in MEASURES[name](subjects):
            print(figure_line(figure), flush=True)
            yield figure
        print(f"  ({name}: {time.monotonic() - started:.0f} s)", flush=True)


def figure_line(figure: Figure) -> str:
    """One figure as a line of text."""
    low, high = figure.interval
    targets = "  ".join(
        f"{name} {target} {figure.mark(target)}"
        for name, target in (("target", figure.target), ("first edition", figure.first))
        if target is not None
    )
    note = f"  ({figure.note})" if figure.note else ""
    return (
        f"{figure.section}: {figure.name} [{figure.checkpoint}]  {figure.rate:.3f}  n {figure.n}  "
        f"95 % {low:.2f}–{high:.2f}  {targets}{note}"
    )


def figure_json(figure: Figure) -> dict[str, object]:
    """One figure for ``--json``."""
    low, high = figure.interval
    return {
        "section": figure.section,
        "name": figure.name,
        "checkpoint": figure.checkpoint,
        "hits": figure.hits,
        "n": figure.n,
        "rate": figure.rate,
        "low": low,
        "high": high,
        "target": _plain(figure.target),
        "first_edition": _plain(figure.first),
        "note": figure.note,
    }


def _plain(target: Target | None) -> list[object] | None:
    return [target.sense, target.value] if target else None
