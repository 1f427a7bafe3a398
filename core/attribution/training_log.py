"""The log of a training of your own, from which stage effects are estimated without training again. No torch.

One file a stage, ``training_log.json`` in the folder of the checkpoint that the stage led to::

    {
      "tiller": "training log", "format": 1,
      "stage": "sft",
      "parent": "base",                   # the name of the checkpoint it began with, null for random weights
      "optimizer": {
        "kind": "AdamW",                  # the class: SGD, Adam or AdamW
        "reset": true,                    # whether it was a new one at the first step
        "clip": 1.0,                      # the norm that gradients were clipped to, null for none
        "groups": [
          {"parameters": ["model.layers.0…", …], "weight_decay": 0.01, "betas": [0.9, 0.999], "eps": 1e-08},
          …                               # SGD has momentum, dampening and nesterov in place of betas and eps
        ]
      },
      "rates": [[0.0001, 0.0001], …],     # the learning rate of each group at each step
      "batches": [[17, 4, 92], …]         # what was in each step's batch, as numbers or texts that you can find the items by; or null
    }

:class:`TrainingLog` writes it from a plain loop, :class:`core.attribution.trainer_callback.LogTraining` from transformers'
``Trainer``. With the log and the checkpoints, :func:`core.attribution.stage_embeddings.scheduled` carries a stage through the
schedules and weight decay of later ones; with the batches too, :func:`core.attribution.stage_embeddings.replay_steps` takes the steps
again and regenerates momentum, Adam's moments and curvature, which no log holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from core.errors import TillerError
from core.util.files import json_text, read_json, write_bytes

LOG_NAME = "training_log.json"
_FORMAT = 1
_KIND = "training log"
#: What is kept of a group of an optimizer, where it has it.
_RULES = ("weight_decay", "betas", "eps", "momentum", "dampening", "nesterov", "amsgrad", "maximize")
_KINDS = ("SGD", "Adam", "AdamW")

LogItem = int | str


class LogError(TillerError):
    """A training log that is not there, damaged, or lacks what is asked of it."""


class TrainingLog:
    """Writes the log of one stage from a training loop::

        with TrainingLog("out/sft", "sft", model.named_parameters(), optimizer, parent="base", clip=1.0) as log:
            for batch in batches:
                ...                       # forward, backward, clip
                log.step(batch["index"])  # just before optimizer.step(), with the rate that the step has
                optimizer.step()

    The file is written at the end of the ``with``, also where an error ends it.

    Args:
        folder: the folder of the checkpoint; it is made where there is none.
        parameters: the model's, by name; those that the optimizer has not are left out.
        reset: False where the optimizer went on from the stage before.

    Raises:
        LogError: an optimizer that no estimator knows, or one that has none of the parameters.
    """

    def __init__(
        self,
        folder: Path | str,
        stage: str,
        parameters: Iterable[tuple[str, Any]],
        optimizer: Any,
        parent: str | None = None,
        clip: float | None = None,
        reset: bool = True,
    ) -> None:
        kind = next((each.__name__ for each in type(optimizer).__mro__ if each.__name__ in _KINDS), "")
        # PyTorch's Adam is AdamW where it is told so.
        if kind == "Adam" and any(group.get("decoupled_weight_decay") for group in optimizer.param_groups):
            kind = "AdamW"
        if not kind:
            raise LogError(
                f"{type(optimizer).__name__} is no optimizer that stage effects can be carried through; train with {', '.join(_KINDS)}."
            )
        names = {id(parameter): name for name, parameter in parameters}
        self.path = Path(folder) / LOG_NAME
        self._optimizer = optimizer
        groups = [
            {
                "parameters": [names[id(each)] for each in group["params"] if id(each) in names],
                **{key: group[key] for key in _RULES if key in group},
            }
            for group in optimizer.param_groups
        ]
        if not any(group["parameters"] for group in groups):
            raise LogError(
                "The optimizer has none of these parameters; give the named_parameters() of the model it trains."
            )
        self._document: dict[str, Any] = {
            "tiller": _KIND,
            "format": _FORMAT,
            "stage": stage,
            "parent": parent,
            "optimizer": {"kind": kind, "reset": reset, "clip": clip, "groups": groups},
        }
        self._rates: list[list[float]] = []
        self._batches: list[list[LogItem]] = []

    def step(self, batch: Iterable[LogItem] | None = None) -> None:
        """Note a step that is about to be taken. ``batch`` is what is in it; all steps have one, or none."""
        self._rates.append([float(group["lr"]) for group in self._optimizer.param_groups])
        if batch is not None:
            self._batches.append([each if isinstance(each, str) else int(each) for each in batch])

    def go_on(self, steps: int) -> None:
        """Begin with the first steps of the log that lies in the folder: the training was interrupted behind them.

        Raises:
            LogError: there is no log of so many steps, or one of another training.
        """
        before = read_log(self.path.parent)
        # As it would be read: JSON knows no tuples.
        own = _log(json.loads(json_text({**self._document, "rates": [], "batches": None})))
        if len(before.rates) < steps or (before.stage, before.kind, before.groups) != (own.stage, own.kind, own.groups):
            raise LogError(
                f"{self.path} is no log of the {steps} steps that this training has behind it; resume it with the log that it wrote, or "
                "train from the start."
            )
        self._document["optimizer"]["reset"] = before.reset
        self._rates = [list(rates) for rates in before.rates[:steps]]
        self._batches = [list(batch) for batch in before.batches[:steps]] if before.batches is not None else []

    def write(self) -> None:
        """Write what was noted so far. Raises LogError when only some steps have a batch, StoreError when it cannot be written."""
        if self._batches and len(self._batches) != len(self._rates):
            raise LogError(
                f"{len(self._batches)} of {len(self._rates)} steps say what was in their batch; give step() a batch always or never."
            )
        document = {**self._document, "rates": self._rates, "batches": self._batches or None}
        write_bytes(self.path, json_text(document).encode())

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.write()


@dataclass(frozen=True)
class Group:
    """Parameters, by name, that an optimizer treats alike, and its rules for them."""

    parameters: tuple[str, ...]
    rules: Mapping[str, Any]


@dataclass(frozen=True)
class Decayed:
    """What is left of one unit of a parameter, and what of it is in the optimizer's momentum: None before its first step."""

    weight: float = 1.0
    buffer: float | None = None


@dataclass(frozen=True)
class _Decay:
    """How an optimizer's steps shrink a group's parameters."""

    decay: float
    momentum: float
    dampening: float
    nesterov: bool

    @classmethod
    def of(cls, log: Log, group: Group) -> _Decay:
        """The rule of a group. Raises LogError for Adam with weight decay."""
        rules = group.rules
        decay = float(rules.get("weight_decay", 0.0))
        if decay and log.kind == "Adam":
            raise LogError(
                f"Adam's weight decay in {log.stage} goes through its moments; replay the log, or train with AdamW."
            )
        momentum = float(rules.get("momentum", 0.0)) if log.kind == "SGD" else 0.0
        return cls(decay, momentum, float(rules.get("dampening", 0.0)), bool(rules.get("nesterov", False)))

    def through(self, rates: Sequence[float], start: Decayed) -> Decayed:
        """One unit through the steps: b⁺ = μ b + (1 − d) λ θ, without d in the first step, and θ⁺ = θ − η b⁺."""
        weight, buffer = start.weight, start.buffer
        for rate in rates:
            push = self.decay * weight
            if self.momentum:
                buffer = push if buffer is None else self.momentum * buffer + (1 - self.dampening) * push
                push = push + self.momentum * buffer if self.nesterov else buffer
            weight -= rate * push
        return Decayed(weight, buffer)


def _alike(names: Iterable[str], before: Mapping[str, Decayed], reset: bool) -> Iterable[tuple[Decayed, list[str]]]:
    """Parameters that begin a stage alike, together: a group of thousands is gone through once."""
    found: dict[Decayed, list[str]] = {}
    for name in names:
        start = before.get(name, Decayed())
        found.setdefault(Decayed(start.weight) if reset else start, []).append(name)
    return found.items()


@dataclass(frozen=True)
class Log:
    """A training log that was read; ``rates`` has a row a step and a number a group in each."""

    stage: str
    parent: str | None
    kind: str
    reset: bool
    clip: float | None
    groups: tuple[Group, ...]
    rates: tuple[tuple[float, ...], ...]
    batches: tuple[tuple[LogItem, ...], ...] | None

    def decayed(self, before: Mapping[str, Decayed]) -> dict[str, Decayed]:
        """What the weight decay of every step leaves of parameters' units, by name; a parameter that is not in ``before`` begins whole.

        AdamW, and SGD without momentum: Π (1 − η_k λ). With momentum the decay goes through the buffer, which the stage after goes on
        with, unless its optimizer is a new one.

        Raises:
            LogError: Adam, whose decay goes through its moments and can only be replayed.
        """
        found = dict(before)
        for place, group in enumerate(self.groups):
            rule = _Decay.of(self, group)
            rates = [each[place] for each in self.rates]
            for start, names in _alike(group.parameters, before, self.reset):
                found |= dict.fromkeys(names, rule.through(rates, start))
        return found


def read_log(folder: Path) -> Log:
    """The log in a checkpoint's folder.

    Raises:
        LogError: there is none, it is damaged, or of another format.
    """
    path = folder / LOG_NAME
    try:
        document = read_json(path)
    except FileNotFoundError as error:
        raise LogError(
            f"{folder} has no {LOG_NAME}; without the log of its training, ask the questions that need checkpoints only."
        ) from error
    except (OSError, ValueError) as error:
        raise LogError(f"{path} cannot be read ({error}); copy it again.") from error
    try:
        if (document["tiller"], document["format"]) != (_KIND, _FORMAT):
            raise LogError(
                f"{path} is no training log of format {_FORMAT}; write it with core.attribution.training_log.TrainingLog."
            )
        return _log(document)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise LogError(f"{path} is damaged or incomplete ({type(error).__name__}: {error}); write it again.") from error


def _log(document: Mapping[str, Any]) -> Log:
    optimizer = document["optimizer"]
    groups = tuple(
        Group(tuple(map(str, each["parameters"])), {key: value for key, value in each.items() if key != "parameters"})
        for each in optimizer["groups"]
    )
    rates = tuple(tuple(float(rate) for rate in step) for step in document["rates"])
    if optimizer["kind"] not in _KINDS or any(len(step) != len(groups) for step in rates):
        raise ValueError("its rates or its optimizer do not fit its groups")
    decays = [float(each.rules.get("weight_decay", 0.0)) for each in groups]
    if not all(map(math.isfinite, [*decays, *(rate for step in rates for rate in step)])):
        raise ValueError("its rates or weight decays are not all finite")
    clip, batches = optimizer["clip"], document["batches"]
    return Log(
        str(document["stage"]),
        None if document["parent"] is None else str(document["parent"]),
        str(optimizer["kind"]),
        bool(optimizer["reset"]),
        None if clip is None else float(clip),
        groups,
        rates,
        None if batches is None else tuple(tuple(step) for step in batches),
    )


def chain(folders: Sequence[Path]) -> list[Log]:
    """The logs of stages that follow one another, in order. Raises LogError where one did not begin with the one before."""
    logs = [read_log(folder) for folder in folders]
    for before, after, folder in zip(folders, logs[1:], folders[1:], strict=False):
        if after.parent is None or Path(after.parent).name != before.name:
            raise LogError(
                f"{folder / LOG_NAME} says that {after.stage} began with {after.parent}, not with {before.name}."
            )
    return logs
