"""The training log of a stage, written by transformers' ``Trainer``: ``Trainer(…, callbacks=[LogTraining("sft", parent="base")])``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from core.attribution.training_log import TrainingLog


class LogTraining(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Notes every step's learning rates and writes the log to the trainer's output folder, or to ``folder``, when training ends.

    A ``Trainer`` does not tell its callbacks what is in a batch, so that this log serves the rungs that need no replay; where
    batches are to be replayed too, write :class:`core.attribution.training_log.TrainingLog` in a loop of your own.
    """

    def __init__(self, stage: str, parent: str | None = None, folder: Path | str | None = None) -> None:
        self._stage, self._parent, self._folder = stage, parent, folder
        self._log: TrainingLog | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A training begins, or goes on: its optimizer is known."""
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

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """A step is about to be taken, with the rate that the optimizer has now."""
        assert self._log is not None
        self._log.step()

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """The training has ended."""
        assert self._log is not None
        self._log.write()
