"""``launch.py probe``: truth probes of every method across checkpoints, each tried on the set that it did not learn from."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from core.artefacts import store
from core.cli.options import Options
from core.cli.progress import TerminalProgress, foretold
from core.directions import contrast, contrast_files
from core.directions.contrast import ContrastItem
from core.errors import UsageError
from core.families.checkpoint import Family, FamilyRef
from core.models.at_hand import open_family
from core.models.fingerprints import model_fingerprint
from core.models.pool import ModelPool
from core.transfer.left_out_sets import LeftOutCell, left_out_phases, left_out_table
from core.util.budget import Budget, estimated
from core.util.figures import figure_text
from core.util.files import json_text, write_bytes
from core.util.progress import finished
from core.util.resume import ResumeNotes
from core.util.table import Table, csv_text
from core.util.version import PROGRAM

_NOTE = (
    "Judged rightly (95 % interval), by the middle between the classes that were learnt from · with every set's mean taken away. Random "
    "directions are turned by those classes, too, so that they are right more often than not where the classes stand apart."
)


def run_probe(options: Options) -> int:
    """Learn and try the probes, print a table a method, and write the files that are asked for."""
    family = open_family(options.family)
    items = _items(family, options.files)
    pairs = _pairs(family, options)
    layer = options.layer if options.layer is not None else _layer(family, pairs[-1][1])
    print(f"block {layer}, at the last token of {len(items)} statements", file=sys.stderr, flush=True)
    pool = ModelPool(FamilyRef(family), options.placing)
    notes = _notebook(family, items, pairs, layer, options)
    said = foretold(estimated(left_out_phases(items, pairs, pool.get, layer, notes)), options.budget)
    print(said, file=sys.stdout if options.dry_run else sys.stderr, flush=True)
    if options.dry_run:
        return 0
    with TerminalProgress() as progress:
        work = left_out_table(items, pairs, pool.get, layer, budget=Budget(options.budget), notes=notes)
        cells = finished(work, progress.step)
    whole, done = ({each.category for each in items}, {cell.left_out for cell in cells})
    if whole == done:
        notes.forget()
    else:
        print(
            f"Unfinished, the time was up: {len(done)} of {len(whole)} sets were left out; the same command goes on from there.",
            file=sys.stderr,
        )
    for table in probe_tables(cells):
        print(f"\n{table.text()}", flush=True)
    if options.csv:
        write_bytes(options.csv, csv_text(_rows(cells)).encode())
    if options.json:
        write_bytes(options.json, (json_text([dataclasses.asdict(cell) for cell in cells], indent=1) + "\n").encode())
    return 0


def _notebook(
    family: Family, items: Sequence[ContrastItem], pairs: Sequence[tuple[str, str]], layer: int, options: Options
) -> ResumeNotes:
    prints = [
        model_fingerprint(family.checkpoint(name)) for name in dict.fromkeys(name for pair in pairs for name in pair)
    ]
    return ResumeNotes.of(
        kind="left-out probes", prints=prints, items=[dataclasses.astuple(each) for each in items], pairs=pairs, layer=layer,
        quantize=options.quantize, dtype=options.dtype, program=PROGRAM,
    )  # fmt: skip


def probe_tables(cells: Sequence[LeftOutCell]) -> Iterator[Table]:
    """The means of every method, then a table a method: a row for each set, a column for each source → target."""
    columns = list(dict.fromkeys((cell.source, cell.target) for cell in cells))
    methods = list(dict.fromkeys(cell.method for cell in cells))
    at = {(cell.method, cell.source, cell.target, cell.left_out): cell for cell in cells}
    sets = {method: list(dict.fromkeys(cell.left_out for cell in cells if cell.method == method)) for method in methods}
    heads = tuple(f"{source} → {target}" for source, target in columns)
    means = [
        (method, *(_mean([at[method, *pair, name] for name in sets[method]]) for pair in columns)) for method in methods
    ]
    yield Table("the mean over the sets that were left out", ("method", *heads), tuple(means), _NOTE)
    for method in methods:
        rows = [(name, *(_said(at[method, *pair, name]) for pair in columns)) for name in sets[method]]
        yield Table(method, ("left out", *heads), tuple(rows))


def _said(cell: LeftOutCell) -> str:
    return f"{cell.own} · {figure_text(cell.centred.value)}"


def _mean(cells: Sequence[LeftOutCell]) -> str:
    return " · ".join(
        figure_text(fmean(values))
        for values in zip(*((each.own.value, each.centred.value) for each in cells), strict=True)
    )


def _rows(cells: Sequence[LeftOutCell]) -> Iterator[tuple[object, ...]]:
    yield (
        "method",
        "source",
        "target",
        "left_out",
        "n",
        "own",
        "own_low",
        "own_high",
        "centred",
        "centred_low",
        "centred_high",
    )
    for cell in cells:
        rates = [figure for rate in (cell.own, cell.centred) for figure in (rate.value, *rate.interval)]
        yield cell.method, cell.source, cell.target, cell.left_out, cell.own.n, *rates


def _items(family: Family, files: Sequence[Path]) -> tuple[ContrastItem, ...]:
    if not files:
        return contrast.load_contrast(family, "truth").items
    names = [file.stem for file in files]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UsageError(f"Two of the files are called {twice}, which names their set; rename one.")
    return tuple(item for file in files for item in contrast_files.read_set(file))


def _pairs(family: Family, options: Options) -> list[tuple[str, str]]:
    """Base and final checkpoint, each on each; of a source or target that is named, the other one and itself."""
    base, final = family.present[0].name, family.final.name
    one = family.checkpoint(options.source_checkpoint).name if options.source_checkpoint else base
    other = family.checkpoint(options.checkpoint).name if options.checkpoint else final
    names = tuple(dict.fromkeys((one, other)))
    return [(source, target) for source in names for target in names]


def _layer(family: Family, target: str) -> int:
    """Where the target's truth direction acts. Raises UsageError where it has none."""
    path = store.find_artefact(family.places, target, "direction", "truth")
    if path is None:
        raise UsageError(f"{target} has no truth direction that says which layer to read; name one, such as --layer 4.")
    return store.read_card(path).layer
