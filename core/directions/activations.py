"""Reading the residual stream of many prompts, and how well two classes of them stand apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.directions import methods
from core.inference.batch import pad_batch
from core.models.hooks import Action, hooked
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices, Step
from core.util.resume import ResumeNotes

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
        padded = pad_batch(loaded, [prompts[index] for index in chosen])
        caught: dict[int, Tensor] = {}
        with hooked(
            loaded.anatomy,
            {("resid_post", layer): _catch(layer, positions, caught) for layer in range(loaded.anatomy.layers)},
        ):
            loaded.model(
                input_ids=padded.ids,
                attention_mask=padded.attention,
                position_ids=padded.positions,
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
class ClassStates:
    """Where two classes of prompts stand, from the training split, and how well they are told apart there.

    ``vectors``, ``positive`` and ``negative`` [positions, layers, width] are what the method found and the class means, in float64;
    ``above`` says for a split and class which of its prompts lie on the positive side of the midpoint, 1 or 0
    [prompts, positions, layers]. ``more`` are further vectors of the method, by name.
    """

    vectors: Means
    positive: Means
    negative: Means
    above: Mapping[Key, Means]
    more: Mapping[str, Means] = field(default_factory=dict)

    @property
    def accuracy(self) -> dict[str, Means]:
        """The balanced accuracy of the midpoint, by split: [positions, layers]."""
        return {
            split: (self.above[split, True].mean(0) + 1 - self.above[split, False].mean(0)) / 2
            for split in ("validation", "test")
        }


@dataclass(frozen=True)
class LearnMethod:
    """By which method of :mod:`core.directions.methods` a direction is learnt; ``polarity`` is that of each positive training prompt."""

    method: str = "mean_difference"
    polarity: tuple[int, ...] | None = None

    def learn(self, positive: Means, negative: Means) -> methods.Learnt:
        """The vectors for states [examples, layers, width]."""
        signs = None if self.polarity is None else np.asarray(self.polarity, np.float64)
        return methods.fit_direction(self.method, positive, negative, signs)


def class_states(
    loaded: Loaded,
    prompts: Mapping[Key, Sequence[Ids]],
    positions: int,
    rows: int,
    notes: ResumeNotes,
    sentence: str,
    how: LearnMethod | None = None,
) -> Learning[ClassStates]:
    """Read the prompts of every split and class at their last ``positions`` tokens.

    The splits other than train are read last, when it is known along which line they are to be told apart. For class means no state is
    kept longer than its batch; other methods need those of the training split together: 4 bytes × prompts × positions × layers × width.
    """
    kept = notes.recall_arrays("stand")
    if kept is not None:
        yield Step(activation_cost(prompts, rows).tokens, sentence, remembered=True)
        return _of_arrays(kept)
    if how is None or how.method == "mean_difference":
        found = yield from _means(loaded, prompts, positions, rows, sentence)
    else:
        found = yield from _learnt(loaded, prompts, positions, rows, sentence, how)
    for split in ("validation", "test"):
        for label in (True, False):
            side: list[Tensor] = []
            for tokens, batch in _read(loaded, prompts[split, label], positions, rows):
                side.append(_above(batch, found))
                yield Step(tokens, sentence)
            found[f"{split}.{int(label)}"] = torch.cat(side).double().numpy()
    notes.keep_arrays("stand", found)
    return _of_arrays(found)


def _means(
    loaded: Loaded, prompts: Mapping[Key, Sequence[Ids]], positions: int, rows: int, sentence: str
) -> Learning[dict[str, Means]]:
    """The class means and their difference, summed batch by batch."""
    means: dict[bool, Means] = {}
    for label in (True, False):
        total = torch.zeros(positions, loaded.anatomy.layers, loaded.width, dtype=torch.float64)
        for tokens, batch in _read(loaded, prompts["train", label], positions, rows):
            total += batch.double().sum(0)
            yield Step(tokens, sentence)
        means[label] = (total / len(prompts["train", label])).numpy()
    return {"vectors": means[True] - means[False], "positive": means[True], "negative": means[False]}


def _learnt(
    loaded: Loaded, prompts: Mapping[Key, Sequence[Ids]], positions: int, rows: int, sentence: str, how: LearnMethod
) -> Learning[dict[str, Means]]:
    """What a method finds, a layer of a position at a time: some take a second for one."""
    sides: dict[bool, Tensor] = {}
    for label in (True, False):
        own = prompts["train", label]
        sides[label] = torch.empty(len(own), positions, loaded.anatomy.layers, loaded.width)
        for chosen in _alike([len(ids) for ids in own], rows):
            sides[label][chosen] = states(loaded, [own[index] for index in chosen], positions, rows)
            yield Step(len(chosen) * len(own[chosen[-1]]), sentence)
    found: dict[str, Means] = {}
    for place in range(positions):
        for layer in range(loaded.anatomy.layers):
            one = how.learn(*(sides[label][:, place, layer : layer + 1].double().numpy() for label in (True, False)))
            for name, vectors in {**vars(one), **one.more}.items():
                if name != "more":
                    whole = found.setdefault(name, np.zeros((positions, loaded.anatomy.layers, loaded.width)))
                    whole[place, layer] = vectors[0]
            yield Step(0, f"Fitting layer {layer} at token {place - positions}.")
    return found


def gather(loaded: Loaded, prompts: Sequence[Ids], offset: int, layer: int, rows: int) -> Slices[Means]:
    """The states of prompts at one token and layer, in their order: [prompts, 1, width], float64."""
    found = torch.empty(len(prompts), 1, loaded.width)
    for chosen in _alike([len(ids) for ids in prompts], rows):
        found[chosen] = states(loaded, [prompts[index] for index in chosen], -offset, rows)[:, 0, layer : layer + 1]
        yield len(chosen) * len(prompts[chosen[-1]])
    whole: Means = found.double().numpy()
    return whole


def activation_cost(prompts: Mapping[Key, Sequence[Ids]], rows: int) -> Cost:
    """What :func:`class_states` takes."""
    whole = Cost()
    for part in prompts.values():
        batches = _alike([len(ids) for ids in part], rows)
        whole += Cost(len(part), len(batches), sum(len(batch) * len(part[batch[-1]]) for batch in batches))
    return whole


def _of_arrays(found: Mapping[str, Means]) -> ClassStates:
    above = {
        (split, label): found[f"{split}.{int(label)}"] for split in ("validation", "test") for label in (True, False)
    }
    more = {name: found[name] for name in found if name == "polarity"}
    return ClassStates(found["vectors"], found["positive"], found["negative"], above, more)


def _read(loaded: Loaded, prompts: Sequence[Ids], positions: int, rows: int) -> Iterator[tuple[int, Tensor]]:
    """For each batch of prompts its number of tokens and its states [batch, positions, layers, width]."""
    for chosen in _alike([len(ids) for ids in prompts], rows):
        tokens = len(chosen) * len(prompts[chosen[-1]])
        yield tokens, states(loaded, [prompts[index] for index in chosen], positions, rows)


def _above(batch: Tensor, found: Mapping[str, Means]) -> Tensor:
    """Which states lie on the positive side of the midpoint: [batch, positions, layers]."""
    vector, middle = torch.from_numpy(found["vectors"]), torch.from_numpy((found["positive"] + found["negative"]) / 2)
    # A position at a time: in float64 all of them together may take gigabytes.
    return torch.stack(
        [((batch[:, place].double() - middle[place]) * vector[place]).sum(-1) > 0 for place in range(batch.shape[1])],
        dim=1,
    )
