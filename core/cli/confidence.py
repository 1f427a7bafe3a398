"""``launch.py confidence``: entropy neurons and calibration of a family's checkpoints, base against post-trained, in tables."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from core.artefacts import store
from core.cli import option_types
from core.cli.verb_parser import Arguments
from core.confidence import confidence
from core.confidence import tables as confidence_tables
from core.confidence.confidence import Confidence
from core.engine.precompute import BUILDERS, BuildRequest
from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import Family
from core.models import loading, memory
from core.util.files import write_bytes
from core.util.progress import Pace, duration
from core.util.table import Table

WHAT = "confidence"
_FORMATS = ("text", "csv", "json")


def run_confidence(arguments: list[str]) -> int:
    """Print the tables of the base and of a post-trained checkpoint; what was not measured yet is measured and kept first."""
    options = _parser().parse_args(arguments)
    if options.recipe:
        raise UsageError(
            "confidence measures a checkpoint as it is; leave --recipe out, and put !neurons:entropy into a chat's recipe to see what "
            "ablating does."
        )
    family = registry.load_family(options.family)
    torch.set_num_threads(options.threads or loading.threads())
    every = [_measured(family, name, options) for name in _names(family, options)]
    tables = confidence_tables.tables(every)
    if options.format == "json":
        print(json.dumps([_plain(each) for each in tables], ensure_ascii=False, indent=1))
    elif options.format == "csv":
        print("\n".join(f"# {each.title}\n{each.csv()}" for each in tables), end="")
    else:
        print("\n\n".join(each.text() for each in tables))
    if options.neurons:
        _write(options.neurons, confidence_tables.neuron_table(every[-1]).csv())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Arguments(
        "launch.py confidence",
        description="Which MLP neurons regulate how sure a model is, what ablating them changes, whether they carry the difference in "
        "entropy between a base and a post-trained checkpoint, and how well each is calibrated. What is measured is kept.",
    )
    parser.add_model(
        checkpoint="the post-trained checkpoint that is compared with the base (default: the final one)",
        recipe="refused: a checkpoint is measured as it is",
    )
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--format", choices=_FORMATS, default="text", help="how the tables are printed (default: text)")
    parser.add_argument(
        "--neurons",
        type=option_types.file,
        metavar="FILE",
        help="also write norm and LogitVar of every neuron of the last blocks to this CSV file",
    )
    return parser


def _names(family: Family, options: argparse.Namespace) -> list[str]:
    """The base and what it is compared with; the base alone where that is asked for, or is all there is."""
    post = family.checkpoint(options.checkpoint or family.final.name).name
    return list(dict.fromkeys((family.path(post)[0].name, post)))


def _measured(family: Family, name: str, options: argparse.Namespace) -> Confidence:
    """From disk where it was made from these weights; else measured now. Raises TillerError."""
    order = BuildRequest(family, name, store.user_folder())
    checkpoint = family.checkpoint(name)
    if not options.again and (found := _kept(order, options)) is not None:
        return found
    loaded = loading.load_model(
        family,
        checkpoint.name,
        device=options.device,
        dtype=options.dtype,
        quantize=options.quantize,
        max_memory=options.max_memory,
    )
    work = BUILDERS[WHAT].run(order, loaded)
    pace = Pace(BUILDERS[WHAT].plan(order, loaded).tokens)
    try:
        while True:
            step = next(work)
            pace.add(step)
            _draw(f"{pace.part:4.0%} · {name}: {step.sentence}", pace.left)
    except StopIteration:
        _draw("", None)
    del loaded
    memory.release()
    found = confidence.stored_confidence(family, name)
    assert found is not None
    return found


def _kept(order: BuildRequest, options: argparse.Namespace) -> Confidence | None:
    try:
        fingerprint = loading.model_fingerprint(order.family.checkpoint(order.checkpoint))
    except TillerError:
        # There are no weights to compare with; loading them says what is wrong.
        return None
    for root in (store.user_folder(), order.family.folder.parent):
        there = BuildRequest(order.family, order.checkpoint, root)
        if BUILDERS[WHAT].there(there, fingerprint, options.quantize):
            return confidence.load_confidence(there.artefact("neurons", "entropy"))
    return None


def _draw(line: str, left: float | None) -> None:
    """One line of a terminal; nothing in a pipe."""
    if sys.stderr.isatty():
        rest = f" · about {duration(left)} left" if left is not None else ""
        print(f"\r\x1b[K{line}{rest}", end="", file=sys.stderr, flush=True)


def _plain(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows],
        "note": table.note,
    }


def _write(path: Path, text: str) -> None:
    write_bytes(path, text.encode())
    print(f"Written to {path}.", file=sys.stderr)
