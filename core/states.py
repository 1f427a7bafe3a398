"""Reading the residual stream of many prompts, and how well two classes of them stand apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.layout import lay_out
from core.loading import Loaded
from core.notebook import Notebook
from core.residual import Action, hooked
from core.steps import Cost, Learning, Step

#: The part of a batch that may be padding when states are read: more costs time, less makes batches of few rows.
PADDING = 0.1

Means = NDArray[np.float64]
#: A split and a class of a contrast set.
Key = tuple[str, bool]
Ids = tuple[int, ...]


@torch.inference_mode()
def states(loaded: Loaded, prompts: Sequence[tuple[int, ...]], positions: int, rows: int = 64) -> Tensor:
    """The residual leaving every layer at the last ``positions`` tokens: [prompts, positions, layers, width], float32 on the CPU.

    Prompts of about the same length are read together, at most ``rows`` at a time, so that little is padded. Index −1 of the positions
    is the prompt's last token.
    """
    found = torch.empty(len(prompts), positions, loaded.anatomy.layers, loaded.width)
    for chosen in _alike([len(prompt) for prompt in prompts], rows):
        sheet = lay_out(loaded, [prompts[index] for index in chosen])
        caught: dict[int, Tensor] = {}
        with hooked(
            loaded.anatomy,
            {("leave", layer): _catch(layer, positions, caught) for layer in range(loaded.anatomy.layers)},
        ):
            loaded.model(
                input_ids=sheet.ids,
                attention_mask=sheet.attention,
                position_ids=sheet.positions,
                use_cache=False,
                logits_to_keep=1,
            )
        found[chosen] = torch.stack([caught[layer] for layer in range(loaded.anatomy.layers)], dim=2)
    return found


def _alike(lengths: Sequence[int], rows: int) -> list[list[int]]:
    """The indices of ``lengths`` in batches of at most ``rows``, of which at most :data:`PADDING` is padding."""
    batches: list[list[int]] = []
    real = 0
    for index in sorted(range(len(lengths)), key=lambda index: lengths[index]):
        longest = lengths[index]
        if not batches or len(batches[-1]) == rows or real + longest < (1 - PADDING) * longest * (len(batches[-1]) + 1):
            batches.append([])
            real = 0
        batches[-1].append(index)
        real += longest
    return batches


def _catch(layer: int, positions: int, caught: dict[int, Tensor]) -> Action:
    def action(residual: Tensor) -> None:
        caught[layer] = residual[:, -positions:].float().cpu()

    return action


# ----------------------------------------------------------------------------------------------------- two classes of them


@dataclass(frozen=True)
class Stand:
    """Where two classes of prompts stand, from the training split, and how well they are told apart there.

    ``positive`` and ``negative`` [positions, layers, width] are the class means in float64; ``accuracy`` gives for a split the balanced
    accuracy of the midpoint between them [positions, layers].
    """

    positive: Means
    negative: Means
    accuracy: Mapping[str, Means]


def stand(
    loaded: Loaded, prompts: Mapping[Key, Sequence[Ids]], positions: int, rows: int, notes: Notebook, sentence: str
) -> Learning[Stand]:
    """Read the prompts of every split and class at their last ``positions`` tokens; no state is kept longer than its batch.

    The splits other than train are read last, when it is known along which line they are to be told apart.
    """
    kept = notes.recall_arrays("stand")
    if kept is not None:
        yield Step(cost(prompts, rows).tokens, sentence, remembered=True)
        return _of_arrays(kept)
    means: dict[bool, Means] = {}
    for label in (True, False):
        total = torch.zeros(positions, loaded.anatomy.layers, loaded.width, dtype=torch.float64)
        for tokens, batch in _read(loaded, prompts["train", label], positions, rows):
            total += batch.double().sum(0)
            yield Step(tokens, sentence)
        means[label] = (total / len(prompts["train", label])).numpy()
    found = {"positive": means[True], "negative": means[False]}
    for split in ("validation", "test"):
        sides = []
        for label in (True, False):
            side: list[Tensor] = []
            for tokens, batch in _read(loaded, prompts[split, label], positions, rows):
                side.append(_above(batch, means))
                yield Step(tokens, sentence)
            sides.append(torch.cat(side).double().mean(0).numpy())
        found[split] = (sides[0] + 1 - sides[1]) / 2
    notes.keep_arrays("stand", found)
    return _of_arrays(found)


def cost(prompts: Mapping[Key, Sequence[Ids]], rows: int) -> Cost:
    """What :func:`stand` takes."""
    whole = Cost()
    for part in prompts.values():
        batches = _alike([len(ids) for ids in part], rows)
        whole += Cost(len(part), len(batches), sum(len(batch) * len(part[batch[-1]]) for batch in batches))
    return whole


def _of_arrays(found: Mapping[str, Means]) -> Stand:
    return Stand(found["positive"], found["negative"], {split: found[split] for split in ("validation", "test")})


def _read(loaded: Loaded, prompts: Sequence[Ids], positions: int, rows: int) -> Iterator[tuple[int, Tensor]]:
    """For each batch of prompts its number of tokens and its states [batch, positions, layers, width]."""
    for chosen in _alike([len(ids) for ids in prompts], rows):
        tokens = len(chosen) * len(prompts[chosen[-1]])
        yield tokens, states(loaded, [prompts[index] for index in chosen], positions, rows)


def _above(batch: Tensor, means: Mapping[bool, Means]) -> Tensor:
    """Which states lie on the positive side of the midpoint: [batch, positions, layers]."""
    positive, negative = torch.from_numpy(means[True]), torch.from_numpy(means[False])
    vector, middle = positive - negative, (positive + negative) / 2
    # A position at a time: in float64 all of them together may take gigabytes.
    return torch.stack(
        [((batch[:, place].double() - middle[place]) * vector[place]).sum(-1) > 0 for place in range(batch.shape[1])],
        dim=1,
    )
