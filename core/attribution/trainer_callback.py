"""The training log of a stage, written by transformers' ``Trainer``: ``Trainer(…, callbacks=[LogTraining("sft", parent="base")])``."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from core.attribution.training_log import TrainingLog


class LogTraining(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Notes every step's learning rates and items, and writes the log to the trainer's output folder, or to ``folder``: with every
    checkpoint that the trainer saves, and when training ends. A training that is resumed goes on with the log that lies there.

    Items are the numbers of the dataset's rows. Of a dataset that has none (an iterable one), and where several processes share the
    batches, the log has none either, and serves the rungs that need no replay.
    """

    def __init__(self, stage: str, parent: str | None = None, folder: Path | str | None = None) -> None:
        self._stage, self._parent, self._folder = stage, parent, folder
        self._log: TrainingLog | None = None
        #: The rows of the batches that were drawn and not yet learnt from, and those of the step that is being taken.
        self._drawn: deque[list[int]] | None = None
        self._step: list[int] = []
        #: Batches that a resumed training draws again and leaves.
        self._skip = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A training begins, or goes on: its optimizer is known. Raises LogError where the log of the steps before is not there."""
        optimizer = more["optimizer"]
        # accelerate wraps the optimizer.
        inner = getattr(optimizer, "optimizer", optimizer)
        self._log = TrainingLog(
            self._folder or args.output_dir,
            self._stage,
            more["model"].named_parameters(),
            inner,
            self._parent,
            args.max_grad_norm or None,
        )
        loader: Any = more.get("train_dataloader")
        self._drawn = _recorded(loader) if args.world_size == 1 else None
        self._step, self._skip = [], 0
        if state.global_step:
            self._log.go_on(state.global_step)
        if self._drawn is not None and not args.ignore_data_skip:
            accumulated = args.gradient_accumulation_steps
            self._skip = state.global_step % max(1, -(-len(loader) // accumulated)) * accumulated

    def on_substep_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Gradients of one more batch were added up."""
        self._take()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A step is about to be taken, with the rate that the optimizer has now."""
        assert self._log is not None
        self._take()
        self._log.step(self._step if self._drawn is not None else None)
        self._step = []

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A checkpoint was saved, from which the training may be resumed."""
        assert self._log is not None
        self._log.write()

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """The training has ended."""
        assert self._log is not None
        self._log.write()

    def _take(self) -> None:
        """Add the next batch's rows to the step's."""
        if self._drawn is None:
            return
        for _ in range(self._skip):
            self._drawn.popleft()
        self._skip = 0
        self._step += self._drawn.popleft()


def _recorded(loader: Any) -> deque[list[int]] | None:
    """The rows of every batch that a loader draws from now on, in that order; None where it draws no rows."""
    sampler = getattr(loader, "batch_sampler", None)
    if sampler is None:
        return None
    drawn: deque[list[int]] = deque()
    kind = type(sampler)

    def recording(self: Any) -> Iterator[list[int]]:
        for batch in kind.__iter__(self):
            drawn.append(list(batch))
            yield batch

    # A loader does not let its sampler be replaced; its class can be, and the object stays the same.
    sampler.__class__ = type(kind.__name__, (kind,), {"__iter__": recording})
    return drawn
