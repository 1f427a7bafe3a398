"""Reading the residual stream of many prompts, and how well two classes of them stand apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.directions import methods
from core.inference.batch import check_finite, pad_batch
from core.inference.shared_prefix import Begun, begin, can_branch, common_start, read_rests
from core.models.hooks import Action, Site, hooked
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices, Step
from core.util.resume import ResumeNotes

#: The part of a batch that may be padding when states are read: more costs time, less makes batches of few rows.
PADDING = 0.1

Means = NDArray[np.float64]
#: A split and a class of a contrast set.
Key = tuple[str, bool]
Ids = tuple[int, ...]


class RepliedIds(tuple[int, ...]):
    """A prompt with a reply behind it, whose last ``reply`` tokens are read as one place: by the mean of their states."""

    reply: int

    def __new__(cls, prompt: Sequence[int], reply: Sequence[int]) -> RepliedIds:
        """The ids of both."""
        made = super().__new__(cls, (*prompt, *reply))
        made.reply = len(reply)
        return made


@torch.inference_mode()
def states(loaded: Loaded, prompts: Sequence[tuple[int, ...]], positions: int, rows: int = 64) -> Tensor:
    """The residual leaving every layer at the last ``positions`` tokens: [prompts, positions, layers, width], float32 on the CPU.

    Prompts of about the same length are read together, at most ``rows`` at a time, so that little is padded. Index −1 of the positions
    is the prompt's last token; of :class:`RepliedIds` there is one position, the mean over the reply.
    """
    found = torch.empty(len(prompts), positions, loaded.anatomy.layers, loaded.width)
    for chosen, _, batch in _read(loaded, prompts, positions, rows):
        found[chosen] = batch
    return found


@torch.inference_mode()
def _of_batch(loaded: Loaded, prompts: Sequence[Ids], positions: int, start: int, begun: Begun | None) -> Tensor:
    """The states of prompts that are read together, from their token ``start`` on where they have begun."""
    caught: dict[int, Tensor] = {}
    sites: dict[Site, Action] = {
        ("resid_post", layer): _catch(layer, positions, caught, _shares(prompts))
        for layer in range(loaded.anatomy.layers)
    }
    if begun is not None:
        read_rests(loaded, begun, [tuple(each[start:]) for each in prompts], sites)
    else:
        padded = pad_batch(loaded, prompts)
        with hooked(loaded.anatomy, sites):
            loaded.model(
                input_ids=padded.ids,
                attention_mask=padded.attention,
                position_ids=padded.positions,
                use_cache=False,
                logits_to_keep=1,
            )
    found = torch.stack([caught[layer] for layer in range(loaded.anatomy.layers)], dim=2)
    check_finite(loaded, found.abs().flatten(1).amax(1), [False] * len(prompts))
    return found


def _shared(loaded: Loaded, prompts: Sequence[Ids], positions: int) -> int:
    """How many tokens that all prompts begin with are computed once."""
    longest = max((len(prompt) for prompt in prompts), default=0)
    last = max((each.reply for each in prompts if isinstance(each, RepliedIds)), default=positions)
    return common_start(prompts, last) if can_branch(loaded, longest) else 0


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


def _shares(prompts: Sequence[Ids]) -> Tensor | None:
    """What each of the last tokens of a row counts for in its reply's mean [rows, tokens, 1]; None where no replies are read."""
    counts = [each.reply for each in prompts if isinstance(each, RepliedIds)]
    if not counts:
        return None
    longest = max(counts)
    inside = torch.arange(longest)[None] >= longest - torch.tensor(counts)[:, None]
    return (inside / inside.sum(1, keepdim=True))[..., None]


def _catch(layer: int, positions: int, caught: dict[int, Tensor], shares: Tensor | None) -> Action:
    def action(residual: Tensor) -> None:
        if shares is None:
            caught[layer] = residual[:, -positions:].float().cpu()
        else:
            last = residual[:, -shares.shape[1] :].float()
            caught[layer] = (last * shares.to(last.device)).sum(1, keepdim=True).cpu()

    return action


# ----------------------------------------------------------------------------------------------------- two classes of them


@dataclass(frozen=True)
class ClassStates:
    """Where two classes of prompts stand, from the training split, and how well they are told apart there.

    ``vectors``, ``positive`` and ``negative`` [positions, layers, width] are what the method found and the class means, in float64;
    ``above`` says for a split and class which of its prompts lie on the positive side of the midpoint, 1 or 0
    [prompts, positions, layers]. ``more`` are further vectors of the method, by name; ``spread`` [positions, layers] is how far states
    of the training split lie from their class's mean, root mean square, where the method has kept it.
    """

    vectors: Means
    positive: Means
    negative: Means
    above: Mapping[Key, Means]
    more: Mapping[str, Means] = field(default_factory=dict)
    spread: Means | None = None

    @property
    def clearness(self) -> Means:
        """How far the class means lie apart for how far states lie from them (root mean square): [positions, layers].

        Where the method has not kept that, for how long the states are.
        """
        middle = np.linalg.norm((self.positive + self.negative) / 2, axis=-1)
        found: Means = np.linalg.norm(self.vectors, axis=-1) / (
            (middle if self.spread is None else self.spread) + 1e-12
        )
        return found

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
        yield Step(activation_cost(loaded, prompts, positions, rows).tokens, sentence, remembered=True)
        return _of_arrays(kept)
    if how is None or how.method == "mean_difference":
        found = yield from _means(loaded, prompts, positions, rows, sentence)
    else:
        found = yield from _learnt(loaded, prompts, positions, rows, sentence, how)
    for split in ("validation", "test"):
        for label in (True, False):
            side: list[Tensor] = []
            for _, tokens, batch in _read(loaded, prompts[split, label], positions, rows):
                side.append(_above(batch, found))
                yield Step(tokens, sentence)
            found[f"{split}.{int(label)}"] = torch.cat(side).double().numpy()
    notes.keep_arrays("stand", found)
    return _of_arrays(found)


def _means(
    loaded: Loaded, prompts: Mapping[Key, Sequence[Ids]], positions: int, rows: int, sentence: str
) -> Learning[dict[str, Means]]:
    """The class means and their difference, and how far states lie from the mean of their class, summed batch by batch."""
    means: dict[bool, Means] = {}
    spread = np.zeros((positions, loaded.anatomy.layers))
    for label in (True, False):
        count = len(prompts["train", label])
        total = torch.zeros(positions, loaded.anatomy.layers, loaded.width, dtype=torch.float64)
        squares = torch.zeros(positions, loaded.anatomy.layers, dtype=torch.float64)
        for _, tokens, batch in _read(loaded, prompts["train", label], positions, rows):
            total += batch.double().sum(0)
            squares += batch.double().square().sum((0, -1))
            yield Step(tokens, sentence)
        means[label] = (total / count).numpy()
        spread += np.maximum(0.0, squares.numpy() / count - np.square(means[label]).sum(-1)) / 2
    return {
        "vectors": means[True] - means[False], "positive": means[True], "negative": means[False], "spread": np.sqrt(spread),
    }  # fmt: skip


def _learnt(
    loaded: Loaded, prompts: Mapping[Key, Sequence[Ids]], positions: int, rows: int, sentence: str, how: LearnMethod
) -> Learning[dict[str, Means]]:
    """What a method finds, a layer of a position at a time: some take a second for one."""
    sides: dict[bool, Tensor] = {}
    for label in (True, False):
        own = prompts["train", label]
        sides[label] = torch.empty(len(own), positions, loaded.anatomy.layers, loaded.width)
        for chosen, tokens, batch in _read(loaded, own, positions, rows):
            sides[label][chosen] = batch
            yield Step(tokens, sentence)
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
    for chosen, tokens, batch in _read(loaded, prompts, -offset, rows):
        found[chosen] = batch[:, 0, layer : layer + 1]
        yield tokens
    whole: Means = found.double().numpy()
    return whole


def activation_cost(loaded: Loaded, prompts: Mapping[Key, Sequence[Ids]], positions: int, rows: int) -> Cost:
    """What :func:`class_states` takes."""
    whole = Cost()
    for part in prompts.values():
        _, batches = _batches(loaded, part, positions, rows)
        whole += Cost(len(part), len(batches), sum(tokens for _, tokens in batches))
    return whole


def _batches(
    loaded: Loaded, prompts: Sequence[Ids], positions: int, rows: int
) -> tuple[int, list[tuple[list[int], int]]]:
    """With how many tokens all prompts begin, which are read together, and how many tokens are computed for them."""
    start = _shared(loaded, prompts, positions)
    found = [
        (chosen, len(chosen) * (len(prompts[chosen[-1]]) - start))
        for chosen in _alike([len(ids) for ids in prompts], rows)
    ]
    # What they all begin with is computed once, for the first of them.
    return start, [(chosen, tokens + start * (place == 0)) for place, (chosen, tokens) in enumerate(found)]


def _of_arrays(found: Mapping[str, Means]) -> ClassStates:
    above = {
        (split, label): found[f"{split}.{int(label)}"] for split in ("validation", "test") for label in (True, False)
    }
    more = {name: found[name] for name in found if name == "polarity"}
    return ClassStates(found["vectors"], found["positive"], found["negative"], above, more, found.get("spread"))


def _read(loaded: Loaded, prompts: Sequence[Ids], positions: int, rows: int) -> Iterator[tuple[list[int], int, Tensor]]:
    """For each batch which prompts are in it, its number of tokens, and its states [batch, positions, layers, width]."""
    start, batches = _batches(loaded, prompts, positions, rows)
    begun = begin(loaded, tuple(prompts[0][:start])) if start else None
    for chosen, tokens in batches:
        yield chosen, tokens, _of_batch(loaded, [prompts[index] for index in chosen], positions, start, begun)


def _above(batch: Tensor, found: Mapping[str, Means]) -> Tensor:
    """Which states lie on the positive side of the midpoint: [batch, positions, layers]."""
    vector, middle = torch.from_numpy(found["vectors"]), torch.from_numpy((found["positive"] + found["negative"]) / 2)
    # A position at a time: in float64 all of them together may take gigabytes.
    return torch.stack(
        [((batch[:, place].double() - middle[place]) * vector[place]).sum(-1) > 0 for place in range(batch.shape[1])],
        dim=1,
    )
