"""The whole of removing a stage's part, from two lists of prompts to a table, a slice at a time, as all front ends run it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from core.families.checkpoint import Checkpoint
from core.models import fast_linear
from core.models.loading import Loaded
from core.undo import controls as undo_controls
from core.undo import fit
from core.undo.controls import Judge, Outcome
from core.undo.examples import Prompts, UndoError, examples
from core.undo.fit import STEPS, Strengths, edited
from core.util.figures import figure_text, percent_text
from core.util.progress import Learning

_T = TypeVar("_T")
#: Gives a checkpoint by its name.
_Load = Callable[[str], Loaded]
#: Controls that lose as much and keep as much, to this, do as well.
_AS_WELL = 0.05
_HEADS = (
    "lose: as before",
    "lose: refused",
    "keep: as before",
    "keep: refusals kept",
    "keep: newly refused",
    "keep: change",
)


@dataclass(frozen=True)
class PromptRow:
    """A model and how it does. ``seconds`` is how long making it took, None for one that was there."""

    title: str
    outcome: Outcome
    seconds: float | None = None
    control: bool = False


@dataclass(frozen=True)
class Undone:
    """A stage's part, removed, with everything that says how well: the rows are before, after, all of it subtracted, and the controls."""

    stage: Checkpoint
    checkpoint: str
    prompts: Prompts
    alike: int
    strengths: Strengths
    rows: tuple[PromptRow, ...]

    @property
    def before(self) -> Outcome:
        """The model as it is."""
        return self.rows[0].outcome

    @property
    def after(self) -> Outcome:
        """The edited model."""
        return self.rows[1].outcome

    @property
    def verdict(self) -> str:
        """In a sentence, whether blame was of use: whether the controls do as well."""
        own = self.after
        lost = f"{percent_text(own.lose_as_before)} of the held-out prompts to lose"
        if own.lose_as_before > self.before.lose_as_before - _AS_WELL:
            return f"Removing {self.stage.stage}'s part changed little: {lost} are answered as before. Give more prompts, or another stage."
        if not any(row.control for row in self.rows):
            return (
                f"With {self.stage.stage}'s part removed, {lost} are answered as before, "
                f"and {percent_text(own.keep_as_before)} of those to keep. No control was run beside it."
            )
        equal = [row.title for row in self.rows if row.control and _as_good(row.outcome, own)]
        if equal:
            return f"As good here: {', '.join(equal)}. So to know the stage to blame added nothing to that."
        return f"No control loses as much and keeps as much as {self.stage.stage}'s part removed."

    def table(self) -> list[str]:
        """The rows as lines of text, under a head."""
        width = max(len(row.title) for row in self.rows)
        lines = [f"{'':<{width}}  " + "  ".join(_HEADS) + "  time"]
        for row in self.rows:
            cells = "  ".join(f"{cell:>{len(head)}}" for cell, head in zip(_cells(row.outcome), _HEADS, strict=True))
            lines.append(f"{row.title:<{width}}  {cells}  {'' if row.seconds is None else f'{row.seconds:.0f} s'}")
        return lines

    @property
    def heads(self) -> tuple[str, ...]:
        """What the columns of the table are."""
        return (*_HEADS, "time")

    def cells(self) -> list[tuple[str, list[str]]]:
        """The rows of the table: a title, and a text for each column."""
        return [
            (row.title, [*_cells(row.outcome), "" if row.seconds is None else f"{row.seconds:.0f} s"])
            for row in self.rows
        ]

    @property
    def how(self) -> str:
        """What was fitted on and judged by, and what the columns mean."""
        prompts = self.prompts
        return (
            f"Fitted on {len(prompts.lose)} prompts to lose ({self.alike} of them answered alike before {self.stage.stage}, and left out) "
            f"and {len(prompts.keep)} to keep; judged on {len(prompts.lose_held_out)} and {len(prompts.keep_held_out)} held-out ones. "
            f"Mean strength {figure_text(self.strengths.mean)}. Every figure is a part of the held-out prompts; the change is KL in nats a "
            "token."
        )

    def document(self) -> dict[str, object]:
        """The same for JSON."""
        rows = [
            {"title": row.title, "seconds": row.seconds, "control": row.control, **vars(row.outcome)}
            for row in self.rows
        ]
        return {
            "tiller": "undo", "stage": self.stage.stage, "checkpoint": self.checkpoint, "answered_alike": self.alike,
            "mean_strength": self.strengths.mean, "verdict": self.verdict, "rows": rows,
        }  # fmt: skip


def _as_good(control: Outcome, own: Outcome) -> bool:
    loses = control.lose_as_before <= own.lose_as_before + _AS_WELL
    keeps = control.keep_as_before >= own.keep_as_before - _AS_WELL
    refuses = (control.keep_refused or 0.0) >= (own.keep_refused or 0.0) - _AS_WELL
    return loses and keeps and refuses


def _cells(outcome: Outcome) -> list[str]:
    kept, newly = outcome.keep_refused, outcome.keep_answered_refused
    return [
        figure_text(outcome.lose_as_before),
        figure_text(outcome.lose_refused),
        figure_text(outcome.keep_as_before),
        "" if kept is None else figure_text(kept),
        "" if newly is None else figure_text(newly),
        figure_text(outcome.divergence),
    ]


def chosen(loaded: Loaded, name: str) -> tuple[Checkpoint, Checkpoint]:
    """The checkpoint that a stage led to and the one it began with, on the path to a loaded checkpoint.

    Raises:
        UndoError: there is no such stage on the path, or it began with random weights.
    """
    chain = loaded.family.path(loaded.checkpoint.name)
    for place, each in enumerate(chain):
        if name in (each.stage, each.name):
            if not place:
                raise UndoError(
                    f"{name} began with random weights, so that its part is the whole model; choose a later stage."
                )
            return each, chain[place - 1]
    there = ", ".join(each.stage for each in chain[1:]) or "none"
    raise UndoError(f"There is no stage {name!r} on the path to {loaded.checkpoint.name}; there is {there}.")


@dataclass
class _Parts:
    """Counts the parts that the work consists of, so that whoever waits knows how far it is."""

    total: int
    begun: int = 0
    title: str = ""

    def begin(self, title: str) -> None:
        """The next part begins."""
        self.begun, self.title = self.begun + 1, title

    def told(self, work: Learning[_T]) -> Learning[_T]:
        """Work of this part, with its number and its title before what is said of each slice."""
        while True:
            try:
                step = next(work)
            except StopIteration as stop:
                found: _T = stop.value
                return found
            said = step.sentence[:1].lower() + step.sentence[1:]
            yield step._replace(sentence=f"Part {self.begun} of {self.total}, {self.title}: {said}")


def undo(
    loaded: Loaded, stage: str, prompts: Prompts, controls: bool = True, steps: int = STEPS, load: _Load | None = None
) -> Learning[Undone]:
    """Fit, judge, and compare. Closing the generator cancels; after every slice the model is as it was, so that others may use it.

    ``load`` gives other checkpoints of the family by name; without it they are loaded for this work alone.

    Raises:
        UndoError: no such stage, one that is not to blame, or a quantized model.
        TillerError: a checkpoint that is needed cannot be loaded.
    """
    after, before = chosen(loaded, stage)
    final = loaded.checkpoint.name
    other = undo_controls.other_stage(loaded.family, final, after) if controls else None
    twins = undo_controls.retrained(loaded.family, final, after) if controls else ()
    parts = _Parts(4 + (other is not None) + controls + len(twins))
    parts.begin(f"{final} as it is")
    judge = yield from parts.told(Judge.of(loaded, prompts))
    rows = [PromptRow(parts.title, (yield from parts.told(judge.judge(loaded))))]
    parts.begin(f"fitting to {after.stage}")
    started = time.perf_counter()
    change = fit.stage_delta(loaded, after, before)
    load = load or partial(undo_controls.load_like, loaded)
    parent = load(before.name)
    learnt = yield from parts.told(examples(loaded, parent, prompts))
    del parent
    strengths = yield from parts.told(fit.fit_strengths(loaded, change, learnt, steps))
    seconds = time.perf_counter() - started
    parts.begin(f"part of {after.stage} removed")
    rows.append(PromptRow(parts.title, (yield from parts.told(_judged(judge, loaded, strengths))), seconds))
    parts.begin(f"all of {after.stage} subtracted")
    outcome = yield from parts.told(_judged(judge, loaded, fit.same_strength(change)))
    rows.append(PromptRow(parts.title, outcome))
    if other is not None:
        parts.begin(f"same fit on {other.stage}")
        started = time.perf_counter()
        delta = fit.stage_delta(loaded, other, loaded.family.checkpoint(other.parent or ""))
        found = yield from parts.told(fit.fit_strengths(loaded, delta, learnt, steps))
        outcome = yield from parts.told(_judged(judge, loaded, found))
        rows.append(PromptRow(parts.title, outcome, time.perf_counter() - started, control=True))
    if controls:
        parts.begin("LoRA on the same prompts")
        started = time.perf_counter()
        adapted = yield from parts.told(undo_controls.lora(loaded, learnt, steps))
        outcome = yield from parts.told(judge.judge(adapted))
        rows.append(PromptRow(parts.title, outcome, time.perf_counter() - started, control=True))
        del adapted
    for each in twins:
        parts.begin(each.title)
        rows.append(PromptRow(parts.title, (yield from parts.told(judge.judge(load(each.name)))), control=True))
    fast_linear.repack(loaded.model)
    return Undone(after, loaded.checkpoint.name, prompts, learnt.alike, strengths, tuple(rows))


def _judged(judge: Judge, loaded: Loaded, strengths: Strengths) -> Learning[Outcome]:
    work = judge.judge(loaded)
    while True:
        # Between two slices a chat may use the model: it is edited for a slice at a time.
        with edited(loaded, strengths):
            try:
                step = next(work)
            except StopIteration as stop:
                found: Outcome = stop.value
                return found
        yield step
