"""The methods that learn a direction, by name: :data:`METHODS`. Each turns the states of two classes into one vector a layer.

States are float64 arrays [examples, layers, width], read at one token of every prompt. What a method finds is a line through the
residual stream; its sign and its length come from the class means (:func:`fit_direction`), so that strength 1 is one gap for all of them:

    v = u · ((μ⁺ − μ⁻) · u),  u the unit vector of the line,  gap = |(μ⁺ − μ⁻) · u|

A reading along v is therefore 0 at the negative and 1 at the positive class mean, whatever the method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

_Array = NDArray[np.float64]
#: (positive [n, layers, width], negative [m, layers, width], polarity [n] or None) -> vectors [layers, width].
#: Where there is a polarity, positive[i] and negative[i] are a statement and its negation; +1 says that the positive one is
#: affirmed ("Paris is in France."), −1 that it is denied ("Paris is not in Norway.").
Method = Callable[[_Array, _Array, _Array | None], _Array]

#: The inverse strength of the logistic regression's penalty, on states of mean square 1.
C = 1.0
#: The weight of ‖θ‖² in the loss of CCS, on states of mean length 1; without it, d > n states have no finite optimum.
DECAY = 0.01
#: CCS starts from so many principal components of the pairs' differences, both ways, and keeps the best: it has local minima.
STARTS = 2


@dataclass(frozen=True)
class Learnt:
    """What a method found: ``vectors`` [layers, width] one gap long, both class means, and ``more`` vectors by name (``polarity``)."""

    vectors: _Array
    positive: _Array
    negative: _Array
    more: Mapping[str, _Array] = field(default_factory=dict)


def fit_direction(method: str, positive: _Array, negative: _Array, polarity: _Array | None = None) -> Learnt:
    """The direction of a method at every layer, one gap long, with both class means.

    Args:
        positive, negative: states [examples, layers, width], float64; ``pca`` takes those with the same index for pairs.
        polarity: [examples] for the methods of :data:`PAIRED`, which need a statement and its negation at each index.

    Raises:
        KeyError: no such method.
        ValueError: a method of :data:`PAIRED` without polarity, or with classes of unequal number.
    """
    if method in PAIRED and (polarity is None or len(positive) != len(negative) or len(polarity) != len(positive)):
        raise ValueError(
            f"{method} learns from statements and their negations, one at each index, with their polarity."
        )
    means = positive.mean(0), negative.mean(0)
    vectors = _to_the_gap(METHODS[method](positive, negative, polarity), means[0] - means[1])
    more = {"polarity": _polarity(positive, negative, polarity)} if method == "ttpd" and polarity is not None else {}
    return Learnt(vectors, *means, more)


def mean_difference(positive: _Array, negative: _Array, polarity: _Array | None = None) -> _Array:
    """v_l = mean(h⁺_l) − mean(h⁻_l) [layers, width]. [Marks & Tegmark, "Geometry of Truth", mass-mean probe; Arditi et al., §2.3]"""
    found: _Array = positive.mean(0) - negative.mean(0)
    return found


def pca(positive: _Array, negative: _Array, polarity: _Array | None = None) -> _Array:
    """The first principal component of the pairs, each centred on its own middle [layers, width].

    h⁺_i and h⁻_i become ±d_i/2 with d_i = h⁺_i − h⁻_i, so that u maximises Σ (d_i · u)². (Centring the d_i on their mean
    would take away the very contrast.) Classes of unequal number are paired as far as they go. The sign is that of the mean
    of d_i · u over all examples. [Zou et al., "Representation Engineering", §3.1; repeng's ``pca_center``]
    """
    count = min(len(positive), len(negative))
    return _by_layer(lambda at: _components(positive[:count, at] - negative[:count, at], 1)[0], positive)


def logistic(positive: _Array, negative: _Array, polarity: _Array | None = None) -> _Array:
    """The weights of a logistic regression with an L2 penalty, classes weighted alike [layers, width]. [Marks & Tegmark, §4]"""
    labels = np.r_[np.ones(len(positive), bool), np.zeros(len(negative), bool)]
    return _by_layer(lambda at: _regression(np.concatenate([positive[:, at], negative[:, at]]), labels), positive)


def ccs(positive: _Array, negative: _Array, polarity: _Array | None = None) -> _Array:
    """Contrast-consistent search [layers, width]: no label is used but for the sign.

    With x⁺ an affirmed statement's state and x⁻ its negation's, each set centred on its own mean, and p = σ(θ·x + b):
    min over θ, b of mean[(p⁺ + p⁻ − 1)² + min(p⁺, p⁻)²] + DECAY · ‖θ‖². [Burns et al., "Discovering Latent Knowledge", §2.2]
    """
    assert polarity is not None
    affirmed = polarity[:, None] > 0
    return _by_layer(
        lambda at: _consistent(
            np.where(affirmed, positive[:, at], negative[:, at]), np.where(affirmed, negative[:, at], positive[:, at])
        ),
        positive,
    )


def ttpd(positive: _Array, negative: _Array, polarity: _Array | None = None) -> _Array:
    """The general truth direction t_G [layers, width], by least squares of centred states on label τ and τ·polarity.

    h − mean(h) ≈ τ t_G + τ p t_P, with τ = ±1 for true and false and p = ±1 for affirmed and denied, so that t_G is what is
    left of truth when its part that turns round with the polarity is taken out. [Bürger et al., "Truth is Universal", §3]
    """
    assert polarity is not None
    tau = np.r_[np.ones(len(positive)), -np.ones(len(negative))]
    # A negation has the other truth value and the other polarity: τ·p is the same for both of a pair.
    design = np.stack([tau, np.r_[polarity, polarity]], axis=1)

    def fitted(at: int) -> _Array:
        rows = np.concatenate([positive[:, at], negative[:, at]])
        solution: _Array = np.linalg.lstsq(design, rows - rows.mean(0), rcond=None)[0]
        general: _Array = solution[0]
        return general

    return _by_layer(fitted, positive)


METHODS: dict[str, Method] = {
    "mean_difference": mean_difference,
    "pca": pca,
    "logistic": logistic,
    "ccs": ccs,
    "ttpd": ttpd,
}
#: The methods that need a statement and its negation at each index: they learn truth and nothing else.
PAIRED = ("ccs", "ttpd")


# ---------------------------------------------------------------------------------------------------------------- helpers


def _by_layer(at_layer: Callable[[int], _Array], states: _Array) -> _Array:
    return np.stack([at_layer(at) for at in range(states.shape[1])])


def _to_the_gap(lines: _Array, difference: _Array) -> _Array:
    """Lines [layers, width] turned towards the positive class, each as long as the gap along it; zero where there is no line."""
    lengths = np.linalg.norm(lines, axis=1, keepdims=True)
    units = lines / np.where(lengths > 0, lengths, 1)
    along: _Array = units * (units * difference).sum(1, keepdims=True)
    return along


def _polarity(positive: _Array, negative: _Array, polarity: _Array) -> _Array:
    """The direction from denied to affirmed statements [layers, width], one gap of theirs long [Bürger et al., §5]."""
    affirmed = np.r_[polarity, -polarity] > 0
    whole = np.concatenate([positive, negative])
    lines = _by_layer(lambda at: _regression(whole[:, at], affirmed), whole)
    return _to_the_gap(lines, whole[affirmed].mean(0) - whole[~affirmed].mean(0))


def _components(rows: _Array, count: int) -> _Array:
    """The directions along which ``rows`` [n, width], as they are, are longest: at most ``count`` of them [count, width]."""
    found: _Array = np.linalg.svd(rows, full_matrices=False)[2][:count]
    return found


def _spanned(rows: _Array) -> tuple[_Array, _Array]:
    """Coordinates [n, rank] and an orthonormal basis [rank, width] of ``rows``: the best weights lie in the span of the examples,
    and it has at most as many dimensions as there are examples."""
    left, sizes, basis = np.linalg.svd(rows, full_matrices=False)
    kept = sizes > sizes.max(initial=0.0) * 1e-12
    return left[:, kept] * sizes[kept], basis[kept]


def _regression(rows: _Array, labels: NDArray[np.bool_]) -> _Array:
    """The weights of a penalised logistic regression of ``labels`` on ``rows`` [n, width]; zero where the rows are all the same."""
    # It takes half a second to import, and most people learn by the means.
    from sklearn.linear_model import LogisticRegression

    centred = rows - rows.mean(0)
    scale = float(np.sqrt((centred**2).mean()))
    if scale == 0 or labels.all() or not labels.any():
        return np.zeros(rows.shape[1])
    coordinates, basis = _spanned(centred / scale)
    # Newton's method to the very end: a looser optimum would depend on the last digits of the states.
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-9, max_iter=200, class_weight="balanced")
    model.fit(coordinates, labels)
    weights: _Array = np.asarray(model.coef_[0], np.float64) @ basis
    return weights


def _consistent(affirmed: _Array, denied: _Array) -> _Array:
    """The weights of CCS for pairs [n, width]; zero where the pairs do not differ."""
    affirmed, denied = affirmed - affirmed.mean(0), denied - denied.mean(0)
    whole = np.concatenate([affirmed, denied])
    scale = float(np.linalg.norm(whole, axis=1).mean())
    if scale == 0:
        return np.zeros(whole.shape[1])
    coordinates, basis = _spanned(whole / scale)
    count = len(affirmed)
    starts = _components(coordinates[:count] - coordinates[count:], STARTS)
    tries = [_descend(coordinates[:count], coordinates[count:], start) for start in (*starts, *-starts)]
    weights: _Array = min(tries, key=lambda each: each[0])[1] @ basis
    return weights


def _descend(affirmed: _Array, denied: _Array, start: _Array) -> tuple[float, _Array]:
    """The loss and the weights at the minimum below ``start``."""
    # Front ends that list the methods paint before torch is there.
    import torch

    yes, no = torch.from_numpy(affirmed), torch.from_numpy(denied)
    weights = torch.tensor(np.r_[start, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=2_000, tolerance_grad=1e-11, tolerance_change=1e-15, history_size=50, line_search_fn="strong_wolfe"
    )  # fmt: skip

    def loss() -> Tensor:
        said, unsaid = ((side @ weights[:-1] + weights[-1]).sigmoid() for side in (yes, no))
        consistent, confident = (said + unsaid - 1) ** 2, torch.minimum(said, unsaid) ** 2
        return (consistent + confident).mean() + DECAY * (weights[:-1] ** 2).sum()

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    # The engine's thread computes without gradients; these few weights need theirs.
    with torch.inference_mode(False), torch.enable_grad():
        optimizer.step(closure)
        reached = float(loss().detach())
    return reached, weights.detach().numpy()[:-1]
