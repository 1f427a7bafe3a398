"""What the rows of a batch keep of the tokens that they have read: keys and values of every layer, and which positions are real."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from core.models.cache import going_on
from core.models.hooks import Action, Site, hooked
from core.models.loading import Loaded
from core.steering.readings import capture_residual

#: Positions in which no row has anything any more are cut off when there are so many: each time all is copied.
_EMPTY = 32


@dataclass
class KeyValues:
    """``cache`` is named as the model's forward takes it; ``attention`` [rows, positions] of 0 and 1, None where no row is padded."""

    cache: dict[str, DynamicCache]
    attention: Tensor | None = None

    @property
    def mergeable(self) -> bool:
        """Whether every layer keeps keys and values of all tokens, so that rows of another length can be put beside them."""
        return all(type(layer) is DynamicLayer for each in self.cache.values() for layer in each.layers)

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows go on."""
        if self.attention is not None:
            self.attention = self.attention[torch.tensor(rows, device=self.attention.device)]
        for cache in self.cache.values():
            # What beam search uses, since not every layer has the other way to choose rows.
            cache.reorder_cache(torch.tensor(rows))  # type: ignore[arg-type]

    def part(self, rows: Sequence[int]) -> KeyValues:
        """These rows in a cache of their own; the layers are those of :attr:`mergeable`."""
        attention = (
            self.attention[torch.tensor(rows, device=self.attention.device)] if self.attention is not None else None
        )
        found = KeyValues({name: rows_of(cache, rows) for name, cache in self.cache.items()}, attention)
        found.trim(least=1)
        return found

    def trim(self, least: int = _EMPTY) -> None:
        """Cut off the positions at the beginning in which every row is padded, where there are so many of them."""
        if self.attention is None:
            return
        empty = int(self.attention.any(0).int().argmax())
        if empty < least:
            return
        self.attention = self.attention[:, empty:].contiguous()
        for layer in _layers(self):
            layer.keys, layer.values = (_held(each)[:, :, empty:].contiguous() for each in (layer.keys, layer.values))


class RowsTogether(Protocol):
    """Where a decoder's rows are while they step together with those of others (:class:`core.inference.shared_batch.SharedBatch`)."""

    def drop(self, member: Any, before: int, keep: Sequence[int]) -> None:
        """Of the rows that a member had before, only these go on."""

    def changed(self) -> None:
        """A member is steered in another way."""


def merged(parts: Sequence[tuple[KeyValues, int]]) -> KeyValues:
    """The rows of several, so many of each, in one cache: the shorter ones are padded at their beginning."""
    lengths = [_held(_layers(kept)[0].keys).shape[2] for kept, _ in parts]
    longest = max(lengths)
    device = _held(_layers(parts[0][0])[0].keys).device
    attention = []
    for (kept, rows), length in zip(parts, lengths, strict=True):
        real = (
            kept.attention if kept.attention is not None else torch.ones(rows, length, dtype=torch.long, device=device)
        )
        attention.append(pad(real, (longest - length, 0)))
    caches: dict[str, DynamicCache] = {}
    for name in parts[0][0].cache:
        caches[name] = DynamicCache()
        for index, _ in enumerate(parts[0][0].cache[name].layers):
            keys, values = (
                torch.cat([
                    pad(_held(getattr(kept.cache[name].layers[index], which)), (0, 0, longest - length, 0))
                    for (kept, _), length in zip(parts, lengths, strict=True)
                ])
                for which in ("keys", "values")
            )  # fmt: skip
            caches[name].update(keys, values, index)
    return KeyValues(caches, torch.cat(attention))


def rows_of(cache: DynamicCache, rows: Sequence[int]) -> DynamicCache:
    """These rows, as often as they are named, with a cache of their own."""
    found = DynamicCache()
    for index, layer in enumerate(cache.layers):
        assert isinstance(layer, DynamicLayer)
        keys, values = (
            _held(each).index_select(0, torch.tensor(rows, device=_held(each).device))
            for each in (layer.keys, layer.values)
        )
        found.update(keys, values, index)
    return found


def _layers(kept: KeyValues) -> list[DynamicLayer]:
    return [layer for cache in kept.cache.values() for layer in cache.layers if isinstance(layer, DynamicLayer)]


def _held(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor


def forward_rows(
    loaded: Loaded, kept: KeyValues, ids: Tensor, positions: Tensor, actions: Mapping[Site, Action], layers: Collection[int],
    begins: bool = False,
) -> tuple[Tensor, dict[int, Tensor]]:  # fmt: skip
    """The logits behind the last of some more tokens [rows, vocabulary] in float32, and the residuals there by layer [rows, width];
    ``begins`` says that these are the first tokens of all."""
    caught: dict[int, Tensor] = {}
    with hooked(loaded.anatomy, capture_residual(actions, layers, caught)):
        output = loaded.model(
            input_ids=ids,
            attention_mask=kept.attention if begins else going_on(kept.cache, kept.attention),
            position_ids=positions,
            **kept.cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return output.logits[:, -1].float(), caught
