"""``launch.py transfer``: carry a direction between all checkpoints of a family, or from another family, and print the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import numpy as np

from core.artefacts import store
from core.cli.options import Options
from core.cli.progress import TerminalProgress, foretold
from core.errors import TillerError, UsageError
from core.families import registry
from core.families.checkpoint import Family, FamilyRef
from core.models.at_hand import open_family
from core.models.loading import Loaded
from core.models.pool import ModelPool
from core.transfer import checks, matrix
from core.transfer import measure as transfer
from core.transfer import task as tasks
from core.transfer.conclusion import transfer_conclusion
from core.transfer.cross_steering import expected
from core.transfer.matrix_measures import MEASURES
from core.transfer.report import SCALINGS, TransferReport
from core.transfer.task import ABOUT, TransferTask
from core.util.budget import Budget, estimated
from core.util.figures import figure_text
from core.util.files import json_text, write_bytes
from core.util.progress import Pace, duration, finished


def run_transfer(options: Options) -> int:
    """Make what is not there yet, and print it."""
    for about in options.about:
        if about not in ABOUT:
            raise UsageError(
                f"transfer carries {' and '.join(ABOUT)}, not {about!r}; leave it out, or name one of them."
            )
    family = open_family(options.family)
    other = registry.load_family(options.source) if options.source else None
    if other is not None and other.name == family.name:
        raise UsageError(f"--from takes another family than {family.name}; leave it out to carry within the family.")
    if other is None and family.alone:
        raise TillerError(family.alone)
    if options.ship:
        # What is shipped lies in the family's own folder, whatever a person's own artefacts of it are kept under.
        family = replace(family, name=family.folder.name)
    root = family.folder.parent if options.ship else store.user_folder()
    pools = {each.name: ModelPool(FamilyRef(each), options.placing) for each in (family, other) if each is not None}
    documents = []
    for about in options.about or ABOUT:
        task = TransferTask(family, about, root, other)
        if options.dry_run:
            _foretell(task, pools, options)
            continue
        report = _report(task, pools, options)
        pair = _pair(report, options)
        print("\n".join(lines(report, pair)), flush=True)
        documents.append(_document(report))
    if options.json:
        write_bytes(options.json, (json_text(documents, indent=1) + "\n").encode())
    return 0


def _pair(report: TransferReport, options: Options) -> tuple[str, str]:
    """Whose layers are shown: source and target."""
    first = matrix.opening(report)
    source, target = options.source_checkpoint or first[0], options.checkpoint or first[1]
    for name, known, option in ((source, report.sources, "--source"), (target, report.targets, "--checkpoint")):
        if name not in known:
            raise UsageError(f"{option} takes {', '.join(known)}, not {name!r}.")
    return source, target


def _load(pools: dict[str, ModelPool]) -> Callable[[Family, str], Loaded]:
    return lambda family, name: pools[family.name].get(name)


def _foretell(task: TransferTask, pools: dict[str, ModelPool], options: Options) -> None:
    seconds = 0.0
    if options.again or tasks.fresh(task) is None:
        seconds = estimated(transfer.transfer_phases(task, _load(pools)))
    print(f"{task.about}: {foretold(seconds, options.budget)}", flush=True)


def _report(task: TransferTask, pools: dict[str, ModelPool], options: Options) -> TransferReport:
    report = None if options.again else tasks.fresh(task)
    if report is not None:
        print(f"{task.about}: there already, in {report.card.path}", flush=True)
        return report
    _foretell(task, pools, options)
    started = time.monotonic()
    with TerminalProgress(Pace(expected(task)), task.about) as progress:
        work = transfer.transfer_in_slices(task, _load(pools), Budget(options.budget))
        found = finished(work, progress.step)
    print(f"{task.about}: measured in {duration(time.monotonic() - started)}, written to {found.card.path}", flush=True)
    return found


# -------------------------------------------------------------------------------------------------------------- printing


def lines(report: TransferReport, pair: tuple[str, str]) -> Iterator[str]:
    """A report as text: a table for every measure, the controls, the layers of one cell, maps, and the checks."""
    yield f"\n{transfer_conclusion(report, *pair)}"
    yield from (f"\n{said}" for said in report.cautions)
    yield f"\n{report.kind}: rows are where the direction comes from, columns what it steers; with 95 % intervals"
    for measure in MEASURES[report.kind].values():
        yield f"\n{measure.title}"
        rows = [["", *report.targets]]
        for source in report.sources:
            rows.append([source, *(measure.text(report.cell(source, target)) for target in report.targets)])
        yield from _table(rows)
    yield "\ntargets: layer and strength, and what controls of that norm do (mean, 95th percentile)"
    yield from _table([["target", "layer", "strength", *_control_names(report)], *_targets(report)])
    if report.kind == "refusal":
        yield "\nreplies: all classes"
        yield from _table(_replies(report))
    yield f"\nlayers of {pair[0]} → {pair[1]}"
    yield from _table(_layers(report, pair))
    for way, told in report.maps().items():
        yield f"map {way}: R² by layer {', '.join(figure_text(each) for each in told['r2'])} ({', '.join(sorted(set(told['methods'])))})"
    yield ""
    for check in checks.checks(report):
        yield str(check)
        yield from (f"    {part}" for part in check.parts)
    # Once more where a terminal stands still.
    yield f"\n{transfer_conclusion(report, *pair)}"


def _layers(report: TransferReport, pair: tuple[str, str]) -> list[list[str]]:
    profile = report.profile(*pair)
    count = len(profile["cosine"])
    return [
        ["layer", *profile],
        *([str(at), *(figure_text(values[at]) for values in profile.values())] for at in range(count)),
    ]


def _control_names(report: TransferReport) -> list[str]:
    return list(max((report.target(name).controls for name in report.steered), key=len, default=()))


def _targets(report: TransferReport) -> Iterator[list[str]]:
    names = _control_names(report)
    for name in report.steered:
        known = report.target(name)
        found = [known.controls.get(each) for each in names]
        rates = [
            f"{figure_text(sum(each) / len(each))}, {figure_text(float(np.quantile(each, 0.95)))}" if each else "–"
            for each in found
        ]
        yield [name, str(known.layer), f"{known.strength:g}", *rates]


def _replies(report: TransferReport) -> list[list[str]]:
    rows = [["target", "source", "to harmless requests", "to harmful requests"]]
    for target in report.steered:
        known = report.target(target)
        rows.append([target, "as it is", str(known.plain["harmless"]), str(known.plain["harmful"])])
        for source in report.sources:
            cell = report.cell(source, target)
            if not cell.steered:
                continue
            added = "; ".join(f"{SCALINGS[how]}: {said}" for how, said in cell.added.items())
            rows.append([target, source, f"added: {added}", f"ablated: {cell.ablated}"])
    return rows


def _table(rows: list[list[str]]) -> Iterator[str]:
    """Rows of text in columns that are as wide as they need to be."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _document(report: TransferReport) -> dict[str, object]:
    """A report as plain values, for ``--json``."""
    details = dict(report.card.details)
    profiles = {name: values.tolist() for name, values in report.profiles.items()}
    verdicts = [{**asdict(check), "verdict": check.verdict} for check in checks.checks(report)]
    return {**details, "profiles": profiles, "checks": verdicts}
