"""A linear map from one model's residual stream to another's, learnt on the same texts (methods.md §2).

Both models read the same texts; wherever a token of one and a token of the other end at the same character, their residuals are a pair.
So are those at the end of the same instruction in each one's own chat template. Widths that agree get an orthogonal map with one scale
[Schönemann 1966], others a ridge regression, its penalty chosen on validation texts. Layers are paired by relative depth, or with a
neighbour of that where it fits better on validation texts. R² is told on test texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.directions import activations
from core.directions.contrast import ContrastSet
from core.errors import TillerError
from core.inference import metrics
from core.inference.batch import batch_rows
from core.inference.prompts import encode
from core.models.loading import Loaded
from core.util.progress import Slices

_Floats = NDArray[np.float64]

#: Pairs of residuals at most, evenly taken: what is kept of two models while a map is learnt.
POINTS = 4_000
#: Penalties that are tried, as parts of the mean variance of the source's coordinates.
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: Fewer pairs than this per split are no map.
_FEWEST = 16


class LayerMapError(TillerError):
    """Two models between which no map can be learnt."""


@dataclass(frozen=True)
class LayerMap:
    """h_target ≈ matrix · h_source + offset, from the source's layer ``layer``; ``fit`` is R² on test texts, ``how`` names the method."""

    layer: int
    matrix: _Floats
    offset: _Floats
    fit: float
    how: str


@dataclass(frozen=True)
class Point:
    """A place in a text that both models have a token at: the text's split, and the token's index in each model's ids."""

    split: str
    text: int
    source: int
    target: int


@dataclass(frozen=True)
class Pairs:
    """The same texts in each model's ids, and the places to compare."""

    source: list[tuple[int, ...]]
    target: list[tuple[int, ...]]
    points: list[Point]


def residual_pairs(source: Loaded, target: Loaded, contrasts: Sequence[ContrastSet]) -> Pairs:
    """Where two models read the same. Raises MapError when they have too few places in common."""
    found = Pairs([], [], [])
    for contrast in contrasts:
        for item in contrast.items:
            ends = [_ends(loaded, item.text) for loaded in (source, target)]
            _add(found, item.split, ends[0][0], ends[1][0], _common(ends[0][1], ends[1][1]))
            # What refusal is read at stands behind the instruction, in whatever template.
            asked = [metrics.chat_prompts(loaded, [item.text])[0].ids for loaded in (source, target)]
            _add(found, item.split, asked[0], asked[1], [(len(asked[0]) - 1, len(asked[1]) - 1)])
    kept = Pairs(found.source, found.target, _thinned(found.points))
    counts = {split: sum(each.split == split for each in kept.points) for split in ("train", "validation", "test")}
    if min(counts.values()) < _FEWEST:
        raise LayerMapError(
            f"{source.family.name} and {target.family.name} have only {min(counts.values())} places of the same texts in common; take "
            f"contrast sets with more examples, at least {_FEWEST} a split."
        )
    return kept


def _add(
    found: Pairs, split: str, source: tuple[int, ...], target: tuple[int, ...], places: list[tuple[int, int]]
) -> None:
    index = len(found.source)
    found.source.append(source)
    found.target.append(target)
    found.points.extend(Point(split, index, at, other) for at, other in places)


def _ends(loaded: Loaded, text: str) -> tuple[tuple[int, ...], dict[int, int]]:
    """The ids of a text as the tokenizer begins one, and at which character each token ends: character -> index."""
    start = loaded.start
    if not loaded.tokenizer.is_fast:
        ids = encode(loaded, start + text)
        return ids, {len(text): len(ids) - 1}
    read = loaded.tokenizer(start + text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ends = {int(end) - len(start): index for index, (_, end) in enumerate(read["offset_mapping"])}
    return tuple(int(each) for each in read["input_ids"]), {end: index for end, index in ends.items() if end > 0}


def _common(one: Mapping[int, int], other: Mapping[int, int]) -> list[tuple[int, int]]:
    return [(one[end], other[end]) for end in sorted(set(one) & set(other))]


def _thinned(points: list[Point]) -> list[Point]:
    if len(points) <= POINTS:
        return points
    return [points[index * len(points) // POINTS] for index in range(POINTS)]


def residuals(
    loaded: Loaded, prompts: Sequence[tuple[int, ...]], places: Sequence[tuple[int, int]]
) -> Slices[NDArray[np.float32]]:
    """The residual leaving every layer at the places (prompt, index of a token): [places, layers, width]."""
    found = np.empty((len(places), loaded.anatomy.layers, loaded.width), np.float32)
    by_text: dict[int, list[int]] = {}
    for row, (text, _) in enumerate(places):
        by_text.setdefault(text, []).append(row)
    size = batch_rows(loaded)
    for length in sorted({len(prompts[text]) for text in by_text}):
        same = [text for text in by_text if len(prompts[text]) == length]
        for start in range(0, len(same), size):
            chosen = same[start : start + size]
            batch = activations.states(loaded, [prompts[text] for text in chosen], length, size)
            for place, text in enumerate(chosen):
                for row in by_text[text]:
                    found[row] = batch[place, places[row][1]].numpy()
            yield len(chosen) * length
    return found


def learn_maps(source: Loaded, target: Loaded, contrasts: Sequence[ContrastSet]) -> Slices[list[LayerMap]]:
    """A map for every layer of the target. Raises MapError."""
    both = residual_pairs(source, target, contrasts)
    read = yield from residuals(source, both.source, [(each.text, each.source) for each in both.points])
    seen = yield from residuals(target, both.target, [(each.text, each.target) for each in both.points])
    parts = {
        split: np.array([each.split == split for each in both.points]) for split in ("train", "validation", "test")
    }
    found = []
    for layer in range(target.anatomy.layers):
        tried = {
            own: fit_map(read[:, own].astype(np.float64), seen[:, layer].astype(np.float64), parts)
            for own in candidate_layers(layer, target.anatomy.layers, source.anatomy.layers)
        }
        own = max(tried, key=lambda each: tried[each][3])
        matrix, offset, how, _, told = tried[own]
        found.append(LayerMap(own, matrix, offset, told, how))
    return found


def candidate_layers(layer: int, layers: int, others: int) -> list[int]:
    """The layers of the other model at about the same depth: the nearest by relative depth first, then its neighbours."""
    middle = round(layer * (others - 1) / max(1, layers - 1))
    return [each for each in (middle, middle - 1, middle + 1) if 0 <= each < others]


Fit = tuple[_Floats, _Floats, str, float, float]


def fit_map(source: _Floats, target: _Floats, parts: Mapping[str, NDArray[np.bool_]]) -> Fit:
    """Matrix, offset, method, and R² on validation and on test pairs; ``source`` [pairs, width], ``target`` [pairs, its width]."""
    train = parts["train"]
    middle, goal = source[train].mean(0), target[train].mean(0)
    x, y = source[train] - middle, target[train] - goal
    if source.shape[1] == target.shape[1]:
        tried = {"Procrustes": _procrustes(x, y)}
    else:
        tried = {f"ridge, penalty {part:g}": matrix for part, matrix in _ridges(x, y)}
    scored = []
    for how, matrix in tried.items():
        offset = goal - matrix @ middle
        explained = [
            explains(source[parts[split]], target[parts[split]], matrix, offset) for split in ("validation", "test")
        ]
        scored.append((matrix, offset, how, explained[0], explained[1]))
    return max(scored, key=lambda each: each[3])


def _procrustes(x: _Floats, y: _Floats) -> _Floats:
    """The orthogonal matrix with one scale that minimises ‖y − x Mᵀ‖."""
    left, sizes, right = np.linalg.svd(y.T @ x)
    return np.asarray(left @ right * (sizes.sum() / max(float((x**2).sum()), 1e-30)), dtype=np.float64)


def _ridges(x: _Floats, y: _Floats) -> list[tuple[float, _Floats]]:
    square, cross = x.T @ x, x.T @ y
    unit = float(np.trace(square)) / len(square)
    solved = {part: np.linalg.solve(square + part * unit * np.eye(len(square)), cross).T for part in PENALTIES}
    return [(part, np.asarray(matrix, dtype=np.float64)) for part, matrix in solved.items()]


def explains(source: _Floats, target: _Floats, matrix: _Floats, offset: _Floats) -> float:
    """R²: one minus what is left of the target's variance round its mean."""
    left = float(((target - source @ matrix.T - offset) ** 2).sum())
    whole = float(((target - target.mean(0)) ** 2).sum())
    return 1 - left / whole if whole > 0 else 0.0


def as_arrays(found: Sequence[LayerMap]) -> dict[str, _Floats]:
    """A map as arrays, for notes."""
    return {
        "matrix": np.stack([each.matrix for each in found]),
        "offset": np.stack([each.offset for each in found]),
        "layer": np.array([each.layer for each in found], np.float64),
        "fit": np.array([each.fit for each in found]),
        "procrustes": np.array([float(each.how == "Procrustes") for each in found]),
    }


def from_arrays(arrays: Mapping[str, Any]) -> list[LayerMap]:
    """The map of :func:`as_arrays`."""
    return [
        LayerMap(int(layer), matrix, offset, float(told), "Procrustes" if rotated else "ridge")
        for layer, matrix, offset, told, rotated in zip(
            arrays["layer"], arrays["matrix"], arrays["offset"], arrays["fit"], arrays["procrustes"], strict=True
        )
    ]
