"""How long maps of a set, a checkpoint's confidence, the noise level, a transfer report and a whole report take, beside what was estimated
before."""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from core.attribution import noise
from core.attribution.model_sequence import alone
from core.cli.report import Maker
from core.confidence import measure
from core.directions import contrast
from core.errors import TillerError
from core.families import registry, stages
from core.families.checkpoint import Family, FamilyRef
from core.knowledge import facts, tracing
from core.knowledge.maps import MapError, MapRequest
from core.models import loading
from core.models.placement import Placing
from core.models.pool import ModelPool
from core.transfer import measure as transfer
from core.transfer.task import TransferTask
from core.util.budget import estimated
from core.util.progress import finished

#: Estimates are within this factor.
ESTIMATE = 1.5
#: So many pairs of a set are traced.
_PAIRS = 6

_Trial = tuple[str, Callable[[], float], Callable[[], object]]


def budgets(options: argparse.Namespace) -> bool:
    """Print a table; whether all estimates are within their limits."""
    torch.set_num_threads(options.threads or loading.threads())
    good = True
    names = ("skiff", "skiff-small") if options.family == "skiff" else (options.family,)
    families = [registry.load_family(name) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        # What an earlier run remembers, or a person has made, takes no time.
        os.environ["TILLER_CACHE"], os.environ["TILLER_DATA"] = f"{folder}/cache", f"{folder}/data"
        for family in families:
            good = _told(family, options) and good
    return good


def _told(family: Family, options: argparse.Namespace) -> bool:
    good = True
    print(f"{'family':<28} {'what':<12} {'estimate':>9} {'took':>8} {'ratio':>6}")
    for what, before, work in _works(family, options):
        expected = before()
        started = time.perf_counter()
        work()
        took = time.perf_counter() - started
        kept = 1 / ESTIMATE <= took / expected <= ESTIMATE
        good = good and kept
        said = f"{family.title[:28]:<28} {what:<12} {expected:>8.1f}s {took:>7.1f}s {took / expected:>6.2f}"
        print(f"{said} {'kept' if kept else 'MISSED'}", flush=True)
    return good


def _traced(family: Family, order: MapRequest, pool: ModelPool) -> None:
    finished(tracing.trace(family, order, pool.get))


def _reported(family: Family, options: argparse.Namespace) -> Iterator[_Trial]:
    """A report over the first set of which enough is known."""
    for category in facts.categories(facts.load_facts(family)[0]):
        asked: Any = copy.copy(options)
        asked.set, asked.pairs, asked.budget = (category,), _PAIRS, None
        maker = Maker(family, asked, lambda _: None)
        try:
            tracing.trace_seconds(
                family, MapRequest((maker.base, maker.post), set=category, pairs=_PAIRS), maker.pool.get
            )
        except MapError:
            continue
        yield "report", maker.seconds, maker.report
        return


def _works(family: Family, options: argparse.Namespace) -> Iterator[_Trial]:
    """What is measured, how long it is expected to take, and the work itself; everything anew."""
    placing: Placing = options.placing
    pool, final = ModelPool(FamilyRef(family), placing), family.final.name
    names = tuple(dict.fromkeys((family.path(final)[0].name, final)))
    for category in facts.categories(facts.load_facts(family)[0]):
        order = MapRequest(names, set=category, pairs=_PAIRS)
        try:
            expected = tracing.trace_seconds(family, order, pool.get)
        except MapError as error:
            print(error)
            continue
        yield (
            f"{_PAIRS} of {category}",
            partial(float, expected),
            partial(_traced, family, order, pool),
        )
        break
    loaded, truth = pool.get(final), contrast.load_contrast(family, "truth")
    yield (
        "confidence",
        lambda: estimated(measure.confidence_phases(loaded, truth)),
        lambda: finished(measure.measure_confidence(loaded, truth)),
    )
    try:
        path = stages.stage_path(family)
    except TillerError:
        # One checkpoint only: there are no stages, and no noise of them.
        return
    task = TransferTask(family, "refusal", Path(os.environ["TILLER_DATA"]))
    yield (
        "transfer",
        lambda: estimated(transfer.transfer_phases(task, lambda _, name: pool.get(name))),
        lambda: finished(transfer.transfer_in_slices(task, lambda _, name: pool.get(name))),
    )
    yield from _reported(family, options)
    if path.nulls:
        models = alone(loading.load_model(family, final, placing), placing)
        yield (
            "noise",
            lambda: estimated(noise.noise_phases(family, path, loaded)),
            lambda: finished(noise.measure_noise(family, path, models)),
        )
