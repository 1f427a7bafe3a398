"""One checkpoint's part in causal tracing: its runs of a pair of sentences, and the rows of a map between two of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.knowledge import patching
from core.knowledge.maps import MapRequest, Traced
from core.knowledge.pairs import StatementPair
from core.knowledge.patching import Prefix, Trail
from core.models.loading import Loaded
from core.util.progress import Slices, Step

#: Gives a checkpoint, which stays in memory while the generator goes on.
Load = Callable[[str], Loaded]
#: Yields the maps as far as they are after every slice.
Tracing = Generator[tuple[Step, Traced], None, Traced]
Effects = NDArray[np.float64]

#: Noise on what enters the first block, in its standard deviations [ROME §2.1].
NOISE = 3.0
#: True and false runs whose metrics are closer than this many logits are not told apart: dividing by it would say nothing.
LEAST_GAP = 0.5


@dataclass
class Tracer:
    """One checkpoint's part: its pairs' runs, with the judged examples read once."""

    loaded: Loaded
    _before: dict[tuple[int, ...], Prefix] = field(default_factory=dict)

    def before(self, pair: StatementPair) -> Prefix:
        """The judged examples before a pair's sentences."""
        ids = pair.true[: pair.shared]
        if ids not in self._before:
            self._before = {ids: patching.prefix(self.loaded, ids)}
        return self._before[ids]

    def runs(self, pair: StatementPair) -> tuple[Trail, Trail]:
        """The runs of the true and the false sentence."""
        true, false = patching.trails(self.loaded, self.before(pair), [pair.true, pair.false])
        return true, false

    def noisy(self, pair: StatementPair, samples: int, seed: int) -> tuple[Trail, list[Trail]]:
        """The run of the true sentence, and runs of it with noise on what enters at its subject."""
        before = self.before(pair)
        (clean,) = patching.trails(self.loaded, before, [pair.true])
        spread = NOISE * float(clean.entered.float().std())
        made = torch.Generator().manual_seed(seed)
        at = [position - pair.shared for position in pair.subject]
        noises = []
        for _ in range(samples):
            noise = torch.zeros(clean.entered.shape)
            noise[at] = spread * torch.randn(len(at), clean.entered.shape[-1], generator=made)
            noises.append(noise)
        return clean, patching.trails(self.loaded, before, [pair.true] * samples, noises)

    def effects(
        self, pair: StatementPair, source: Trail, trail: Trail, whole: float, first: int
    ) -> Iterator[Slices[Effects]]:
        """The rows of a map, the first layer first: effects of the tokens after the examples; before ``first`` nothing changes.

        ``whole`` is the metric that counts as 1: that of the checkpoint's own true run.
        """
        nothing = float(_read(pair)(trail.logits[None])[0])
        for layer in range(self.loaded.anatomy.layers):
            yield self._row(pair, source, trail, layer, (nothing, whole), first)

    def _row(
        self, pair: StatementPair, source: Trail, trail: Trail, layer: int, ends: tuple[float, float], first: int
    ) -> Slices[Effects]:
        changed = list(range(first, len(trail.ids)))
        values = yield from patching.patched_row(self.loaded, trail, source, layer, changed, _read(pair))
        nothing, whole = ends
        row = np.zeros(len(pair.positions))
        row[first - pair.shared :] = (values.numpy() - nothing) / (whole - nothing)
        return row

    def metric(self, pair: StatementPair, trail: Trail) -> float:
        """logit(TRUE) − logit(FALSE) behind a run."""
        return float(_read(pair)(trail.logits[None])[0])


def _read(pair: StatementPair) -> Callable[[Tensor], Tensor]:
    true, false = pair.labels

    def read(logits: Tensor) -> Tensor:
        return logits[:, true] - logits[:, false]

    return read


def ways(order: MapRequest) -> list[tuple[str, str]]:
    """(source, target) of every map that is computed: each checkpoint in itself, then across."""
    within = [(name, name) for name in order.checkpoints]
    one, *others = order.checkpoints
    return within + ([(one, others[0]), (others[0], one)] if order.across else [])
