"""Carrying a direction from one checkpoint to another: everything that is measured of it (methods.md §2; Du et al., §4 and §5).

Twice through the checkpoints. First each one's directions are read from the contrast's texts, with what their noise is; then every
target is probed and pushed by its own direction and by everyone else's, made as strong as its own in two ways: of equal norm, and of
equal projection on the target's own direction. Everything is told on the test split; the strength is chosen on validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, replace
from datetime import date
from typing import Any

import numpy as np

from core.artefacts import store
from core.directions import contrast
from core.directions.contrast import ContrastSet
from core.errors import TillerError
from core.families.checkpoint import Family
from core.families.commands import family_option
from core.inference.batch import batch_rows
from core.models.loading import Loaded
from core.models.untrained import untrained
from core.stats import groups as grouping
from core.steering.interventions import check_fit
from core.transfer import alignment, layer_maps, mapped_direction
from core.transfer import report as transfers
from core.transfer.alignment import ProbeReading, texts_of, transfer_prompts
from core.transfer.cross_steering import cross_steer, steering_left, steering_trial
from core.transfer.report import TransferReport
from core.transfer.sweep import SteeringSweep, finite, rate_told
from core.transfer.task import ABOUT, TransferTask, fresh, marks, stored_direction, trained
from core.util.budget import Budget, TimedPart, spread
from core.util.files import check_writable
from core.util.progress import Learning, Step, finished, told
from core.util.resume import ResumeNotes
from core.util.version import PROGRAM

#: A checkpoint of a family, in memory.
_Load = Callable[[Family, str], Loaded]

_READING = "Reading the examples with {}."


# -------------------------------------------------------------------------------------------------------------- the work


def transfer_in_slices(
    task: TransferTask,
    load: _Load,
    budget: Budget | None = None,
    written: Callable[[], None] = lambda: None,
    first: str = "",
) -> Learning[TransferReport]:
    """Make the report, a slice at a time, going on from what an earlier run has kept; writes it and returns it.

    Args:
        budget: when to end. What every checkpoint's own direction is comes first, then the cells of the ``first`` target (the final
            checkpoint unless another is named), those of its root, then the others; what is lacking then is said by the report.
        written: told whenever a report, or more of one, was written.

    Raises:
        TillerError: a checkpoint without its direction, or one that was learnt on other weights; nothing can be written; or the budget
            was spent before there was anything to tell.
    """
    check_writable(task.path)
    now = marks(task)
    work = _Work(task, load, _notebook(task, now), contrast.load_contrast(task.family, task.about), budget or Budget())
    report = yield from work.report(now, written, first)
    if not report.unfinished:
        work.notes.forget()
    return report


def _notebook(task: TransferTask, now: dict[str, Any]) -> ResumeNotes:
    return ResumeNotes.of(kind="transfer", about=task.about, family=task.family.name, marks=now)


def transfer_phases(task: TransferTask, load: _Load) -> list[TimedPart]:
    """The parts of :func:`transfer_in_slices` that an earlier run has not done, for an estimate: reading, and steering a target."""
    work = _Work(task, load, _notebook(task, marks(task)), contrast.load_contrast(task.family, task.about), Budget())
    target = task.family.final.name
    loaded, count = work._loaded(target), len(work.texts.texts)
    prompts = transfer_prompts(loaded, task.about, work.texts.texts)
    some = [prompts[place] for place in spread(count)[: batch_rows(loaded)]]
    offset = int(work.stored[target].card.details["position"]["offset"])
    # What the states are multiplied by is a part of reading them.
    few = {name: rows[:, : len(some)] for name, rows in work.weights.items()}

    def read() -> None:
        finished(alignment.read_states(loaded, some, offset, few, batch_rows(loaded)))

    # One that was never taught to chat writes on for as long as it may; those after it go at the final one's pace.
    root, steering = task.family.path(target)[0].name, []
    for name, alike in {target: [each for each in task.targets if each != root], root: [root]}.items():
        sweep = SteeringSweep(work._loaded(name), task.about, work.examples, work.stored[name], task.sizes)
        rows, trial = steering_trial(sweep)
        left = sum(steering_left(each, task.about, task.sizes, task.sources, work.notes) for each in alike)
        steering.append(TimedPart(left / rows, trial))
    readings = sum(not work.is_read(source) for source in task.sources)
    probes = sum(work.notes.recall(f"probe.{name}") is None for name in task.targets)
    return [TimedPart((readings + probes) * count / len(some), read), *steering]


class _Work:
    """One report while it is made."""

    def __init__(
        self, task: TransferTask, load: _Load, notes: ResumeNotes, examples: ContrastSet, budget: Budget
    ) -> None:
        self.task, self.load, self.notes, self.examples, self.budget = task, load, notes, examples, budget
        self.stored = {source: stored_direction(task, trained(source)) for source in task.sources}
        #: Those that are compared: where there is no room for an untrained copy of a source, that control is missing.
        self.sources = list(task.sources)
        self.texts = texts_of(examples)
        self.weights = alignment.weights(self.texts)
        final = self.stored[task.family.final.name].card.details
        self.template, self.offset = str(final.get("template", "")), int(final["position"]["offset"])
        self.own: dict[str, ProbeReading] = {}
        self.alike: dict[str, ProbeReading] = {}
        #: What each checkpoint's tokenizer puts before a text.
        self.starts: dict[str, str] = {}
        self.maps: dict[tuple[str, str], list[layer_maps.LayerMap]] = {}

    def report(self, now: dict[str, Any], written: Callable[[], None], first: str) -> Learning[TransferReport]:
        """All of it, the most telling first; written after every target, so that it can be looked at while it grows."""
        task = self.task
        for place, source in enumerate(task.sources):
            self._check_time(f"the examples were read on {place} of {len(task.sources)} checkpoints")
            yield from self._read(source)
        for source in self.sources[len(task.targets) :]:
            for target in task.targets:
                self._check_time(f"the maps from {source} were learnt")
                yield from self._map(source, target)
        profiles = self._profiles()
        cells = {
            (source, target): self._cell(source, target, None) for source in self.sources for target in task.targets
        }
        known: dict[str, dict[str, Any]] = {}
        # A whole report that is made again is replaced by a whole one.
        whole, there = 0, fresh(task) is not None
        for target in task.telling(first):
            if self.budget.over():
                break
            loaded = self._loaded(target)
            probe = yield from self._probed(loaded, target)
            for how, hits in zip(("probe", "recentred"), probe["hits"], strict=True):
                profiles[how][:, task.targets.index(target)] = np.asarray(hits) / len(self.texts.texts)
            cells |= {(source, target): self._cell(source, target, probe) for source in self.sources}
            order = sorted(self.sources, key=lambda source: source != target)
            vectors = {source: self._vectors(source, target) for source in order}
            mapped = {source: self._mapped_controls(source, target) for source in task.foreign}
            sweep = SteeringSweep(
                loaded, task.about, self.examples, self.stored[target], task.sizes, self.budget, mapped
            )
            removed = {source: self._removed(source, target) for source in order}
            found = yield from cross_steer(sweep, vectors, removed, self.own[target], self.notes)
            known[target] = found.target
            for source, steered in found.cells.items():
                cells[source, target] |= {**steered, "steered": True}
            whole += found.whole
            if whole < len(task.targets) and not there:
                self._written(now, profiles, list(cells.values()), known, whole)
                written()
        report = self._written(now, profiles, list(cells.values()), known, whole)
        written()
        return report

    def is_read(self, source: str) -> bool:
        """Whether a source's own reading is remembered."""
        return self.notes.recall_arrays(self._reading_name(source, None)) is not None

    def _check_time(self, what: str) -> None:
        if self.budget.over():
            raise TillerError(
                f"The time was up when {what}, before there was anything to tell; started again, the work goes on from there."
            )

    @staticmethod
    def _reading_name(source: str, template: str | None) -> str:
        return f"read.{source.replace('/', '.')}.{'own' if template is None else 'shared'}"

    def _loaded(self, source: str) -> Loaded:
        loaded = self._found(source)
        assert loaded is not None, f"{source} was read before"
        return loaded

    def _found(self, source: str) -> Loaded | None:
        """A source in memory; None where there is no room for an untrained copy of one."""
        family, name = self.task.place(source)
        loaded = self.load(family, name)
        check_fit(self.stored[source], loaded)
        return loaded if source in self.task.directed else untrained(loaded)

    # ------------------------------------------------------------------------------------------------------- first pass

    def _read(self, source: str) -> Learning[None]:
        """A source's own reading, and, where templates differ, one at the template of the final checkpoint."""
        details = self.stored[source].card.details
        offset, template = int(details["position"]["offset"]), str(details.get("template", ""))
        own = yield from self._reading(source, offset, None)
        if own is None:
            self.sources.remove(source)
            return
        self.own[source] = own
        if self.task.about != "truth":
            same = (template, offset) == (self.template, self.offset)
            shared = own if same else (yield from self._reading(source, self.offset, self.template))
            self.alike[source] = shared or own

    def _reading(self, source: str, offset: int, template: str | None) -> Learning[ProbeReading | None]:
        name = self._reading_name(source, template)
        sentence = _READING.format(source)
        kept = self.notes.recall_arrays(name)
        begun = self.notes.recall(f"start.{name}")
        if kept is not None:
            # Readings of earlier versions do not say it.
            self.starts |= {source: str(begun["value"])} if begun else {}
            yield Step(0, sentence, remembered=True)
            return ProbeReading(dict(kept))
        loaded = self._found(source)
        if loaded is None:
            return None
        if template is not None:
            loaded = replace(loaded, template=template, thoughts=[])
        prompts = transfer_prompts(loaded, self.task.about, self.texts.texts)
        read = alignment.read_states(loaded, prompts, offset, self.weights, batch_rows(loaded))
        found = yield from told(read, sentence)
        self.starts[source] = loaded.start
        self.notes.keep(f"start.{name}", {"tokens": 0, "value": loaded.start})
        self.notes.keep_arrays(name, found.rows)
        return found

    def _map(self, source: str, target: str) -> Learning[None]:
        name = f"map.{source.replace('/', '.')}.{target}"
        sentence = f"Learning a map from {source} to {target}."
        kept = self.notes.recall_arrays(name)
        if kept is None:
            # A map that is learnt on both classes of the examples brings their difference with it, also from a model that knows
            # nothing. One class alone says where such texts lie, and nothing of the other.
            one = replace(self.examples, items=tuple(each for each in self.examples.items if not each.positive))
            others = [contrast.load_contrast(self.task.family, about) for about in ABOUT if about != self.task.about]
            learning = layer_maps.learn_maps(self._loaded(source), self._loaded(target), [*others, one])
            found = yield from told(learning, sentence)
            self.notes.keep_arrays(name, layer_maps.as_arrays(found))
        else:
            yield Step(0, sentence, remembered=True)
            found = layer_maps.from_arrays(kept)
        self.maps[source, target] = found

    # ------------------------------------------------------------------------------------------------------ comparisons

    def _moved(self, reading: ProbeReading, source: str, target: str) -> ProbeReading:
        """A source's reading in the target's space."""
        if (source, target) not in self.maps:
            return reading
        found = self.maps[source, target]
        matrices, offsets = np.stack([each.matrix for each in found]), np.stack([each.offset for each in found])
        return reading.mapped(matrices, offsets, [each.layer for each in found])

    def _vectors(self, source: str, target: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A source's stored direction in the target's space [layers, width]."""
        vectors = (
            self.stored[source].vectors.astype(np.float64) if source in self.task.directed else self.own[source].vectors
        )
        if (source, target) not in self.maps:
            return vectors
        return np.stack([each.matrix @ vectors[each.layer] for each in self.maps[source, target]])

    def _mapped_controls(self, source: str, target: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A source's directions from shuffled labels, mapped into the target's layer [controls, width]."""
        found = self.maps[source, target][self.stored[target].card.layer]
        return np.asarray(self.own[source].rows["shuffled"][:, found.layer] @ found.matrix.T, np.float64)

    def _removed(self, source: str, target: str) -> int:
        """The layer whose vector an ablation removes: the one that a recipe takes."""
        return self.stored[source if source in self.task.targets else target].card.layer

    def _profiles(self) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
        """Every layer profile [sources, targets, layers]; the probes' are filled in later."""
        task = self.task
        layers = len(self.stored[task.targets[0]].vectors)
        names = [name for name in transfers.PROFILES if self.alike or not name.startswith("shared")]
        found = {name: np.full((len(self.sources), len(task.targets), layers), np.nan) for name in names}
        for row, source in enumerate(self.sources):
            for column, target in enumerate(task.targets):
                vectors, own = self._vectors(source, target), self.stored[target].vectors
                found["cosine"][row, column] = alignment.cosine(vectors, own)
                found["winsorised"][row, column] = alignment.cosine(
                    alignment.winsorised(vectors), alignment.winsorised(own)
                )
                moved = self._moved(self.own[source], source, target)
                found["ceiling"][row, column] = alignment.ceiling(moved, self.own[target])
                found["null"][row, column] = alignment.null(moved, self.own[target])
                if self.alike:
                    alike = self._moved(self.alike[source], source, target)
                    found["shared"][row, column] = alignment.cosine(alike.vectors, self.alike[target].vectors)
                    found["shared_ceiling"][row, column] = alignment.ceiling(alike, self.alike[target])
                    found["shared_null"][row, column] = alignment.null(alike, self.alike[target])
        self.profiles = found
        return found

    def _probed(self, loaded: Loaded, target: str) -> Learning[dict[str, Any]]:
        """Hits of every source at every layer, with its own midpoint and with the target's, and what is right at the target's layer."""
        offset = int(self.stored[target].card.details["position"]["offset"])
        sources = [self._moved(self.own[source], source, target) for source in self.sources]
        prompts = transfer_prompts(loaded, self.task.about, self.texts.texts)
        rows, layer = batch_rows(loaded), self.stored[target].card.layer

        def work() -> Any:
            found = yield from alignment.probed(loaded, prompts, offset, self.texts, sources, self.own[target], rows)
            return {
                "hits": [each.sum(1).tolist() for each in found],
                "right": [each[..., layer].astype(int).tolist() for each in found],
            }

        found: dict[str, Any] = yield from self.notes.once(f"probe.{target}", work, f"Trying every probe on {target}.")
        return found

    def _cell(self, source: str, target: str, probe: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is known of a cell without steering; of no probes where none were tried yet."""
        row, column = self.sources.index(source), self.task.targets.index(target)
        layer, groups = self.stored[target].card.layer, self.texts.group
        right = [np.array(each, dtype=bool) for each in probe["right"]] if probe else []
        moved = self._moved(self.own[source], source, target)
        at = {name: float(values[row, column, layer]) for name, values in self.profiles.items()}
        return {
            "source": source,
            "target": target,
            "layer": layer,
            **{name: at[name] for name in ("cosine", "winsorised", "ceiling", "null")},
            "shared": at.get("shared"),
            "shared_ceiling": at.get("shared_ceiling"),
            "interval": alignment.interval(moved, self.own[target], layer, at["cosine"]),
            "freed": finite(astuple(alignment.freed_cosine(moved, self.own[target], layer))),
            **self._shared(source, target, layer, at),
            "probe": rate_told(grouping.rate(right[0][row], groups)) if probe else [0, 0],
            "recentred": rate_told(grouping.rate(right[1][row], groups)) if probe else [0, 0],
            "recentred_less": finite(
                grouping.paired_difference(right[1][row], right[1][self.sources.index(target)], groups)
            )
            if probe
            else None,
            "steered": False,
            "recipes": {},
        }

    def _shared(self, source: str, target: str, layer: int, at: dict[str, float]) -> dict[str, Any]:
        """The interval of the cosine at a shared template, and the cosine freed of noise there; None where templates are one."""
        if not self.alike:
            return {"shared_interval": None, "shared_freed": None}
        alike = self._moved(self.alike[source], source, target)
        return {
            "shared_interval": alignment.interval(alike, self.alike[target], layer, at["shared"]),
            "shared_freed": finite(astuple(alignment.freed_cosine(alike, self.alike[target], layer))),
        }

    # ---------------------------------------------------------------------------------------------------------- writing

    def _written(
        self,
        now: dict[str, Any],
        profiles: dict[str, Any],
        cells: list[dict[str, Any]],
        known: dict[str, Any],
        whole: int,
    ) -> TransferReport:
        task = self.task
        details = {
            "kind": transfers.TRANSFER_KIND,
            "name": transfers.report_name(task.about, task.other.name if task.other else ""),
            "about": task.about,
            "other": task.other.name if task.other else "",
            "family": task.family.name,
            "checkpoint": "shared",
            "sources": list(self.sources),
            "targets": list(task.targets),
            "parents": {each.name: each.parent for each in task.family.checkpoints},
            "final": task.family.final.name,
            "starts": {
                name: self.starts[name] for name in task.targets if name in self.starts and task.about == "truth"
            },
            "cells": cells,
            "of_targets": known,
            "maps": {f"{a}>{b}": mapped_direction.map_told(found) for (a, b), found in self.maps.items()},
            "marks": now,
            "program": PROGRAM,
            "date": date.today().isoformat(),
        }
        if whole < len(task.targets):
            steered = sum(bool(each["steered"]) for each in cells)
            details["unfinished"] = {"cells": [steered, len(cells)], "targets": [whole, len(task.targets)]}
        # Probes by layer are told once they were tried on every target.
        profiles = {name: values for name, values in profiles.items() if np.isfinite(values).all()}
        store.save_artefact(task.path, {name: values.astype(np.float32) for name, values in profiles.items()}, details)
        for (source, target), found in self.maps.items():
            if source in task.foreign:
                pair = (self.stored[source], self.stored[target])
                mapped_direction.keep_mapped(task, (source, target), pair, self._vectors(source, target), found)
        return transfers.load_report(task.path, family_option(task.family))
