"""A target steered by its own direction, by everyone else's, and by controls; the figures of a transfer report's cells.

Everybody's vector acts at the target's own layer. Controls (:mod:`core.transfer.steering_controls`) are of the norm that the target's own
direction has at the strength that is used; what they are compared with is measured on the same statements or requests as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core.directions import contrast
from core.directions.contrast import ContrastSet
from core.inference.batch import batch_rows
from core.transfer.alignment import ProbeReading
from core.transfer.refusal_cells import added_edit, refusal_cells, request_prompts, steered_replies
from core.transfer.steering_controls import chunks, control_kinds
from core.transfer.sweep import PUSH_STRENGTHS, Found, SteeringSweep, SteeringVectors
from core.transfer.task import Sizes, TransferTask
from core.transfer.truth_cells import asked_statements, judge_steered, truth_cells
from core.util.progress import Learning, finished
from core.util.resume import ResumeNotes


def expected_tokens(about: str, examples: ContrastSet, sizes: Sizes, sources: Sequence[str]) -> int:
    """About how many tokens one target takes."""
    mean = sum(len(each.text) for each in examples.items) // (4 * len(examples.items)) + 8
    if about == "truth":
        rows = 2 * sizes.choosing * (len(PUSH_STRENGTHS) + 1) + 4 * sizes.statements * len(sources)
        compared = len(control_kinds(sources)) * sizes.controls + len(sources)
        return (rows + 2 * compared * sizes.control_statements) * 5 * mean
    replies = sizes.requests * (2 + 3 * len(sources))
    replies += 2 * (len(control_kinds(sources)) * sizes.controls + len(sources)) * sizes.control_requests
    return replies * (mean + sizes.reply // 2)


def expected(task: TransferTask) -> int:
    """About how many tokens a report computes, for a progress bar: known before any checkpoint is loaded."""
    examples = contrast.load_contrast(task.family, task.about)
    read = sum(len(each.text) // 4 + 8 for each in examples.items)
    return len(task.sources) * read + len(task.targets) * (
        read + expected_tokens(task.about, examples, task.sizes, task.sources)
    )


def steering_left(target: str, about: str, sizes: Sizes, sources: Sequence[str], notes: ResumeNotes) -> float:
    """How many statements are judged, or replies written, until a target is done; what is remembered counts no more."""
    pushes = {source: f"{target}.{source.replace('/', '.')}" for source in sources}
    if about == "truth":
        work = {
            f"strength.{target}": 2.0 * sizes.choosing * (1 + len(PUSH_STRENGTHS)),
            f"plain.{target}": 2 * sizes.statements,
        }
        work |= {f"push.{each}": 4 * sizes.statements for each in pushes.values()}
        trials: dict[str, float] = {"": 2 * sizes.control_statements}
    else:
        work = {f"plain.{target}.{what}": sizes.requests for what in ("harmless", "harmful")}
        work |= {f"push.{each}": 2 * sizes.requests for each in pushes.values()}
        work |= {f"ablate.{each}": sizes.requests for each in pushes.values()}
        trials = {f".{what}": sizes.control_requests for what in ("added", "ablated")}
    for what, each in trials.items():
        work[f"compared.{target}{what}"] = each * (1 + len(sources))
        work |= {
            f"control.{target}.{how}{what}.{piece.start}": each * (piece.stop - piece.start)
            for how in control_kinds(sources)
            for piece in chunks(sizes.controls)
        }
    return sum(count for name, count in work.items() if notes.recall(name) is None)


def steering_trial(sweep: SteeringSweep) -> tuple[int, Callable[[], object]]:
    """A piece of the same work, and how many statements or replies it is."""
    own = sweep.own.vectors[sweep.layer].astype(np.float64)
    if sweep.about == "truth":
        asked = asked_statements(sweep, "validation", sweep.sizes.choosing)
        return 3 * len(asked.all), lambda: finished(judge_steered(sweep, asked, [None, own, 2 * own]))
    prompts = [each for label in (False, True) for each in request_prompts(sweep, label, sweep.sizes.control_requests)]
    # As many at once as are answered at once, half of them as the model is and half steered.
    times = max(1, batch_rows(sweep.loaded) // (2 * len(prompts)))
    jobs = [(prompts, edits) for edits in ((), added_edit(sweep, own)) for _ in range(times)]
    return len(jobs) * len(prompts), lambda: finished(steered_replies(sweep, jobs))


def cross_steer(
    sweep: SteeringSweep,
    vectors: Mapping[str, SteeringVectors],
    removed: Mapping[str, int],
    reading: ProbeReading,
    notes: ResumeNotes,
) -> Learning[Found]:
    """Every figure of a target.

    Args:
        vectors: each source's direction in the target's space [layers, width], the target's own first.
        removed: the layer whose vector is ablated, for each source: its own, as in a recipe.
        reading: what was read of the target, of which controls are made.
    """
    if sweep.about == "truth":
        found = yield from truth_cells(sweep, vectors, reading, notes)
    else:
        found = yield from refusal_cells(sweep, vectors, removed, reading, notes)
    return found
