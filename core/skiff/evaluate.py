"""``launch.py evaluate``: measure a Skiff family against the design's thresholds and write its model card."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from core import families, loading
from core.arguments import Arguments
from core.errors import TillerError
from core.families import Family
from core.options import UsageError
from core.recipes import parse
from core.skiff import transcripts
from core.skiff.agreement import agreement_figures
from core.skiff.card import model_card
from core.skiff.log import read_log, write_text
from core.skiff.measure_chat import CHAT_MEASURES
from core.skiff.measure_neurons import neuron_figures
from core.skiff.measure_speed import speed_figures
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
    "neurons": neuron_figures,
    "speed": speed_figures,
    "scoring": lambda _subjects: agreement_figures(),
}
#: What is also measured on the other seeds of the stages after the base, where the family has them.
SEEDED = frozenset({*CHAT_MEASURES, *STEERING_MEASURES})
TRANSCRIPTS = "transcripts"


def evaluate(arguments: list[str]) -> int:
    """Run the evaluation from the command line; returns 0, or 1 when the family cannot be evaluated.

    The card is only written by a whole run, so that it never mixes figures of different weights. The transcripts are of one
    checkpoint and say of which weights; a whole run writes them too, and so does ``--only transcripts``. A run of one checkpoint,
    or of one that is steered or computed with otherwise, writes neither.
    """
    options = _parser().parse_args(arguments)
    chosen = _chosen(options)
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads or loading.threads())
    try:
        family = families.load(options.family)
        record = read_log(family.folder)
        subjects = _subjects(family, options)
        special = _special(options)
        seeds = {} if special else subjects.seeds()
        whole = "" if special else f": about {10 + 5 * len(seeds)} minutes in all"
        print(f"Evaluating {family.title} in {family.folder}{whole}.", flush=True)
        figures = list(_measure(subjects, seeds, [name for name in chosen if name != TRANSCRIPTS]))
        if subjects.only and not figures:
            raise TillerError(f"Nothing of what was asked for is measured on {subjects.only}; leave --only or --checkpoint out")
        if options.json:
            write_text(options.json, json.dumps([figure_json(figure) for figure in figures], indent=1) + "\n")
        if not options.only and not options.no_card and not special:
            card = family.folder / "README.md"
            write_text(card, model_card(figures, record, tuple(seeds)))
            print(f"Model card written to {card}.")
        if TRANSCRIPTS in chosen and not options.no_card and not special:
            page = family.folder / transcripts.NAME
            write_text(page, transcripts.write_transcripts(subjects))
            print(f"Transcripts written to {page}.")
    except TillerError as problem:
        print(f"evaluate: {problem}")
        return 1
    finally:
        torch.set_num_threads(before)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(prog="launch.py evaluate", description="Measure Skiff and write its model card.")
    parser.add_model(
        checkpoint="measure only this checkpoint, and write no card",
        recipe="measure the replies of that checkpoint (default: the final one) steered so, and write no card",
        device="where to compute; on another device than the CPU no card is written (default: cpu)",
        dtype="in which numbers; in others than float32 no card is written (default: float32)",
        threads="processor threads (default: as many as this process may use)",
        quantize="refused: what is measured reads the weights themselves",
    )
    parser.set_defaults(device="cpu", dtype="float32")
    parser.add_argument(
        "--only", nargs="+", choices=[*MEASURES, TRANSCRIPTS], help="measure or write only these, and no card"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument(
        "--no-card", action="store_true", help="write neither README.md nor transcripts.md into the family's folder"
    )
    return parser


def _special(options: argparse.Namespace) -> bool:
    """Whether something else is measured than what the card is about."""
    return bool(options.checkpoint or options.recipe) or (options.device, options.dtype) != ("cpu", "float32")


def _subjects(family: Family, options: argparse.Namespace) -> Subjects:
    if options.quantize != "none":
        raise UsageError("evaluate reads the weights themselves, which quantized ones are not; leave --quantize out.")
    only = family.checkpoint(options.checkpoint).name if options.checkpoint else ""
    if options.recipe and not only:
        only = family.final.name
    return Subjects(family, only=only, recipe=parse(options.recipe), device=options.device, dtype=options.dtype)


def _chosen(options: argparse.Namespace) -> list[str]:
    """What to measure. A recipe steers replies; measures that read the model itself would not show it."""
    if not options.recipe:
        return options.only or [*MEASURES, TRANSCRIPTS]
    unsteered = [name for name in options.only or () if name not in SEEDED]
    if unsteered:
        raise UsageError(
            f"{unsteered[0]} reads the model itself, which --recipe does not change; with it, measure {', '.join(sorted(SEEDED))}."
        )
    return options.only or list(CHAT_MEASURES)


def _measure(subjects: Subjects, seeds: Mapping[int, Subjects], chosen: list[str]) -> Iterator[Figure]:
    for name in chosen:
        started = time.monotonic()
        shipped = MEASURES[name](subjects)
        others = [list(MEASURES[name](view)) for view in seeds.values()] if name in SEEDED else []
        for figure in with_seeds(shipped, others):
            if subjects.only not in ("", figure.checkpoint):
                continue
            if subjects.only and (subjects.recipe or subjects.only != subjects.family.final.name):
                # The thresholds are the final checkpoint's, as it is.
                figure = replace(figure, target=None, first=None)
            print(figure_line(figure), flush=True)
            yield figure
        print(f"  ({name}: {time.monotonic() - started:.0f} s)", flush=True)


def with_seeds(shipped: Iterable[Figure], others: Sequence[Sequence[Figure]]) -> Iterator[Figure]:
    """The shipped seed's figures, each with the rates that the same figure has under the other seeds, where it has any."""
    for figure in shipped:
        rates = tuple(each.rate for other in others for each in other if each.key == figure.key)
        yield replace(figure, seeds=rates)


def figure_line(figure: Figure) -> str:
    """One figure as a line of text."""
    low, high = figure.interval
    targets = "  ".join(
        f"{name} {target} {figure.mark(target)}"
        for name, target in (("target", figure.target), ("first edition", figure.first))
        if target is not None
    )
    note = f"  ({figure.note})" if figure.note else ""
    spread = figure.over_seeds
    seeds = f"  {len(figure.seeds) + 1} seeds {spread[0]:.3f} ({spread[1]:.2f}–{spread[2]:.2f})" if spread else ""
    return (
        f"{figure.section}: {figure.name} [{figure.checkpoint}]  {figure.rate:.3f}  n {figure.n}  "
        f"95 % {low:.2f}–{high:.2f}{seeds}  {targets}{note}"
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
        "runs": list(figure.runs),
        "seeds": list(figure.seeds),
    }


def _plain(target: Target | None) -> list[object] | None:
    return [target.sense, target.value] if target else None
