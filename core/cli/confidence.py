"""``launch.py confidence``: entropy neurons and calibration of a family's checkpoints, base against post-trained, in tables."""

from __future__ import annotations

import sys
from pathlib import Path

from core.artefacts import store
from core.cli.options import Options
from core.cli.progress import TerminalProgress, foretold
from core.confidence import confidence
from core.confidence import tables as confidence_tables
from core.confidence.conclusion import confidence_conclusion
from core.confidence.confidence import Confidence
from core.confidence.measure import confidence_phases
from core.engine.precompute import BUILDERS, BuildRequest
from core.errors import TillerError
from core.families.checkpoint import Family
from core.models import loading, memory
from core.models.at_hand import open_family
from core.models.fingerprints import model_fingerprint
from core.util.budget import Budget, estimated
from core.util.files import json_text, write_bytes
from core.util.progress import Pace, finished
from core.util.table import Table

WHAT = "confidence"


def run_confidence(options: Options) -> int:
    """Print the tables of the base and of a post-trained checkpoint; what was not measured yet is measured and kept first."""
    family = open_family(options.family)
    names = _names(family, options)
    if options.dry_run:
        seconds = 0.0
        for name in names:
            order = BuildRequest(family, name, store.user_folder())
            if options.again or _kept(order, options) is None:
                loaded = loading.load_model(family, name, options.placing)
                seconds += estimated(confidence_phases(loaded, order.contrast("truth")))
        print(foretold(seconds, options.budget))
        return 0
    budget = Budget(options.budget)
    every = [_measured(family, name, options, budget.part(len(names) - place)) for place, name in enumerate(names)]
    for each in every:
        if each.unfinished:
            print(each.unfinished, file=sys.stderr)
    tables = confidence_tables.tables(every)
    if options.format == "json":
        print(json_text([_plain(each) for each in tables], ensure_ascii=False, indent=1))
    elif options.format == "csv":
        print("\n".join(f"# {each.title}\n{each.csv()}" for each in tables), end="")
    else:
        print(confidence_conclusion(every), *(each.text() for each in tables), sep="\n\n")
    if options.neurons:
        _write(options.neurons, confidence_tables.neuron_table(every[-1]).csv())
    return 0


def _names(family: Family, options: Options) -> list[str]:
    """The base and what it is compared with; the base alone where that is asked for, or is all there is."""
    post = family.checkpoint(options.checkpoint or family.final.name).name
    return list(dict.fromkeys((family.path(post)[0].name, post)))


def _measured(family: Family, name: str, options: Options, budget: Budget) -> Confidence:
    """From disk where it was made from these weights; else measured now. Raises TillerError."""
    order = BuildRequest(family, name, store.user_folder(), watch=budget)
    checkpoint = family.checkpoint(name)
    if not options.again and (found := _kept(order, options)) is not None:
        return found
    loaded = loading.load_model(family, checkpoint.name, options.placing)
    seconds = estimated(confidence_phases(loaded, order.contrast("truth")))
    print(f"{name}: {foretold(seconds, budget.seconds)}", file=sys.stderr)
    with TerminalProgress(Pace(BUILDERS[WHAT].plan(order, loaded).tokens), name) as progress:
        finished(BUILDERS[WHAT].run(order, loaded), progress.step)
    del loaded
    memory.release()
    found = confidence.stored_confidence(family, name)
    assert found is not None
    return found


def _kept(order: BuildRequest, options: Options) -> Confidence | None:
    try:
        fingerprint = model_fingerprint(order.family.checkpoint(order.checkpoint))
    except TillerError:
        # There are no weights to compare with; loading them says what is wrong.
        return None
    for root in (store.user_folder(), order.family.folder.parent):
        there = BuildRequest(order.family, order.checkpoint, root)
        if BUILDERS[WHAT].there(there, fingerprint, options.quantize):
            return confidence.load_confidence(there.artefact("neurons", "entropy"))
    return None


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
