"""``launch.py evaluate``: measure a Skiff family against the design's thresholds and write its model card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import torch

from core.cli.options import Options
from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import Family
from core.models import loading
from core.recipes.language import parse
from core.skiff.evaluate import transcripts
from core.skiff.evaluate.measure_chat import CHAT_MEASURES
from core.skiff.evaluate.measure_directions import evaluate_directions
from core.skiff.evaluate.measures import SEEDED, SKIFF_MEASURES, measured, tasks
from core.skiff.evaluate.model_card import model_card
from core.skiff.evaluate.subjects import Subjects
from core.skiff.train.log import read_training_log, write_text
from core.training.card_figures import Figure, figure_json, figure_line
from core.util.files import json_text

TRANSCRIPTS = "transcripts"


def evaluate_skiff(options: Options) -> int:
    """Run the evaluation from the command line; returns 0. Raises TillerError when the family cannot be evaluated.

    The card is only written by a whole run, so that it never mixes figures of different weights. The transcripts are of one
    checkpoint and say of which weights; a whole run writes them too, and so does ``--only transcripts``. A run of one checkpoint,
    or of one that is steered or computed with otherwise, writes neither.
    """
    chosen = _chosen(options)
    before = torch.get_num_threads()
    threads = options.threads or loading.threads()
    torch.set_num_threads(threads)
    try:
        family = registry.load_family(options.family)
        record = read_training_log(family.folder)
        subjects = _subjects(family, options)
        special = _special(options)
        if options.what == "directions":
            figures = evaluate_directions(subjects, card=not (options.no_card or special))
            if options.json:
                write_text(options.json, json_text([figure_json(figure) for figure in figures], indent=1) + "\n")
            return 0
        seeds = () if special else tuple(subjects.seeds())
        # On another device than the CPU one process has it all.
        processes = threads if options.device == "cpu" else 1
        whole = "" if special else f": about {_minutes(len(seeds), processes)} minutes in all"
        print(f"Evaluating {family.title} in {family.folder}{whole}.", flush=True)
        figures = list(_measure(subjects, seeds, [name for name in chosen if name != TRANSCRIPTS], processes))
        if subjects.only and not figures:
            raise TillerError(
                f"Nothing of what was asked for is measured on {subjects.only}; leave --only or --checkpoint out"
            )
        if options.json:
            write_text(options.json, json_text([figure_json(figure) for figure in figures], indent=1) + "\n")
        if not options.only and not options.no_card and not special:
            card = family.folder / "README.md"
            write_text(card, model_card(figures, record, seeds))
            print(f"Model card written to {card}.")
        if TRANSCRIPTS in chosen and not options.no_card and not special:
            page = family.folder / transcripts.TRANSCRIPTS_NAME
            write_text(page, transcripts.write_transcripts(subjects))
            print(f"Transcripts written to {page}.")
    finally:
        torch.set_num_threads(before)
    return 0


def _special(options: Options) -> bool:
    """Whether something else is measured than what the card is about."""
    return bool(options.checkpoint or options.recipe) or (options.device, options.dtype) != ("cpu", "float32")


def _subjects(family: Family, options: Options) -> Subjects:
    only = family.checkpoint(options.checkpoint).name if options.checkpoint else ""
    if options.recipe and not only:
        only = family.final.name
    return Subjects(family, only=only, recipe=parse(options.recipe), device=options.device, dtype=options.dtype)


def _chosen(options: Options) -> list[str]:
    """What to measure. A recipe steers replies; measures that read the model itself would not show it."""
    if not options.recipe:
        return options.only or [*SKIFF_MEASURES, TRANSCRIPTS]
    unsteered = [name for name in options.only or () if name not in SEEDED]
    if unsteered:
        raise UsageError(
            f"{unsteered[0]} reads the model itself, which --recipe does not change; with it, measure {', '.join(sorted(SEEDED))}."
        )
    return options.only or list(CHAT_MEASURES)


def _measure(subjects: Subjects, seeds: Sequence[int], chosen: Sequence[str], processes: int) -> Iterator[Figure]:
    """Every figure of what is chosen, printed when it is there; each with the rates of the other seeds."""
    found = measured(subjects, tasks(chosen, seeds), processes)
    for name in chosen:
        done = [next(found) for _ in range(1 + len(seeds) * (name in SEEDED))]
        for figure in with_seeds(done[0].figures, [each.figures for each in done[1:]]):
            if subjects.only not in ("", figure.checkpoint):
                continue
            if subjects.only and (subjects.recipe or subjects.only != subjects.family.final.name):
                # The thresholds are the final checkpoint's, as it is.
                figure = replace(figure, target=None, first=None)
            print(figure_line(figure), flush=True)
            yield figure
        print(f"  ({name}: {sum(each.seconds for each in done):.0f} s)", flush=True)


def _minutes(seeds: int, processes: int) -> int:
    """About how long a whole run takes, on a processor without AVX-512: ten minutes of one core, and seven for every other seed."""
    return math.ceil((10 + 7 * seeds) / processes)


def with_seeds(shipped: Iterable[Figure], others: Sequence[Sequence[Figure]]) -> Iterator[Figure]:
    """The shipped seed's figures, each with the rates that the same figure has under the other seeds, where it has any."""
    for figure in shipped:
        rates = tuple(each.rate for other in others for each in other if each.key == figure.key)
        yield replace(figure, seeds=rates)
