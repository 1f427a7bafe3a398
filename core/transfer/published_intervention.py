"""The truthfulness intervention as the authors of the study run it [Du et al., §4.2; their interventions.py], beside ours.

Their figures are comparable with these, not with those of :mod:`core.transfer.truth_intervention`: the vector is that of *one* layer (true
less false, means over the other categories), it is added at a *range* of layers, at the *last two tokens* of the statement alone, once, and
the four judged examples are of the statement's own category, drawn and ordered anew for each statement. Their normalised indirect effect,
``(p after − p before) / (±1 − p before)`` with p the mean of P(TRUE) − P(FALSE), is the same; they print the mean of both ways.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.directions.activations import states
from core.directions.contrast import ContrastItem, ContrastSet
from core.errors import TillerError
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.prompts import encode, encode_text
from core.models.hooks import hooked
from core.models.loading import Loaded
from core.steering.interventions import BatchEdits, RowEdit
from core.util.progress import Slices

#: Judged examples before a statement, and tokens of it that are steered.
_SHOTS, _STEERED = 4, 2


@dataclass(frozen=True)
class PublishedEffect:
    """What the intervention does to a category: NIE of true statements pushed to false, of false ones to true, and how many there are."""

    category: str
    down: float
    up: float
    statements: int

    @property
    def mean(self) -> float:
        """What the authors print."""
        return (self.down + self.up) / 2


def mass_mean(loaded: Loaded, contrast: ContrastSet, category: str, layer: int) -> NDArray[np.float64]:
    """The mean of true statements less that of false ones, at their last token leaving a layer, over all other categories [width]."""
    others = [each for each in contrast.items if each.category != category]
    prompts = [encode_text(loaded, each.text) for each in others]
    read = states(loaded, prompts, 1, batch_rows(loaded))[:, 0, layer].double().numpy()
    labels = np.array([each.positive for each in others])
    return np.asarray(read[labels].mean(0) - read[~labels].mean(0), np.float64)


def published_effect(
    loaded: Loaded,
    contrast: ContrastSet,
    category: str,
    vector: NDArray[np.float64],
    layers: Sequence[int],
    coefficient: float = 1.0,
    most: int = 100,
) -> Slices[PublishedEffect]:
    """Steer statements of a category, true ones down and false ones up, a forward pass at a time.

    Raises:
        TillerError: there is no such category, or it has too few statements.
    """
    items = [each for each in contrast.items if each.category == category]
    sides = {label: [each for each in items if each.positive == label] for label in (True, False)}
    if min(map(len, sides.values())) < _SHOTS:
        every = ", ".join(dict.fromkeys(each.category for each in contrast.items))
        raise TillerError(f"{category!r} has too few statements to judge by; there is {every}.")
    effect: dict[bool, float] = {}
    count = 0
    for label, side in sides.items():
        sign = -1.0 if label else 1.0
        edits = tuple(
            RowEdit(("resid_post", layer), "add", "reply", (sign * coefficient * vector).astype(np.float32))
            for layer in layers
        )
        margins = []
        for at, item in enumerate(side[:most]):
            prompt = _prompt(loaded, item, items, at)
            margins.append([_margin(loaded, *prompt, each) for each in ((), edits)])
            yield 2 * len(prompt[0])
        plain, pushed = np.mean(margins, axis=0)
        effect[label] = float((pushed - plain) / (sign - plain))
        count += len(margins)
    return PublishedEffect(category, effect[True], effect[False], count)


def _prompt(
    loaded: Loaded, item: ContrastItem, items: Sequence[ContrastItem], at: int
) -> tuple[tuple[int, ...], tuple[int, int], tuple[int, int]]:
    """A statement behind examples of its own category: the ids, where those of its last two tokens begin and end, and the labels' ids."""
    drawn = random.Random(f"{item.category}.{item.positive}.{at}")
    others = [each for each in items if each.text != item.text]
    shots = [
        (each.text, each.positive)
        for label in (True, False)
        for each in drawn.sample([one for one in others if one.positive == label], _SHOTS // 2)
    ]
    drawn.shuffle(shots)
    (asked,) = metrics.statement_prompts(loaded, [item.text], shots)
    before = encode(loaded, asked.text.removesuffix(metrics.QUESTION.format(statement="")))
    end = next((at for at, (a, b) in enumerate(zip(before, asked.ids, strict=False)) if a != b), len(before))
    true, false = (metrics.continuation(loaded, asked, label)[0] for label in metrics.LABELS)
    return asked.ids, (max(0, end - _STEERED), end), (true, false)


@torch.inference_mode()
def _margin(
    loaded: Loaded, ids: Sequence[int], steered: tuple[int, int], labels: tuple[int, int], edits: tuple[RowEdit, ...]
) -> float:
    """P(TRUE) − P(FALSE) behind a prompt, of which only some tokens are steered."""
    mask = torch.zeros(1, len(ids), 1, device=loaded.device)
    mask[0, slice(*steered)] = 1
    with hooked(loaded.anatomy, BatchEdits([edits], loaded.device).actions({"reply": mask})):
        output: Any = loaded.model(input_ids=torch.tensor([list(ids)], device=loaded.device), use_cache=False)
    chances = output.logits[0, -1].double().softmax(-1)
    return float(chances[labels[0]] - chances[labels[1]])
