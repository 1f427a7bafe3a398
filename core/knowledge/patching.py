"""One residual of a run replaced by another run's, and what comes of it: activation patching, exact and quick.

A cell of a map is a forward pass in which the residual leaving layer ``l`` at one token is another run's [Meng et al., "Locating and
Editing Factual Associations in GPT"; methods.md §3]. What is below ``l`` or before that token stays as it was, so that only the
blocks above are computed, from that token on, against the keys and values that the run has left behind. All cells of a layer stand
behind each other in one sequence, with a mask that lets each see its own tokens and what the run had before them; where a model cannot
be given such a mask, cells are rows of a few batches. The rest of the forward pass is the model's own code (rotary embeddings, windows,
mixtures of experts), so that it holds for every architecture.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from core.errors import TillerError
from core.models.cache import keeps_keys
from core.models.hooks import Action, Site, caught, hooked
from core.models.loading import Loaded
from core.util.progress import Slices

#: Cells that are rows of one batch. Fewer leave out more of what is not changed, more make better use of the machine.
GROUP = 8
#: Tokens of one forward pass at most: it bounds the memory, whatever the length of the sentences.
MOST_TOKENS = 1_024

#: Keys and values of every layer, [rows, heads, positions, head width].
KeysValues = tuple[tuple[Tensor, Tensor], ...]


@dataclass(frozen=True)
class Prefix:
    """Tokens that many runs begin with, and the keys and values that they leave; empty where there are none."""

    ids: tuple[int, ...] = ()
    past: KeysValues = ()


@dataclass(frozen=True)
class Trail:
    """What a run has left behind.

    ``states`` [layers, positions, width] are the residuals leaving every layer at the tokens after the prefix, ``start`` is the first of
    these in ``ids``; ``entered`` [positions, width] is what entered the first block there. ``past`` holds the keys and values of all
    tokens, ``logits`` [vocabulary] what follows the last one (float32), ``returned`` how many things each block
    returned, 0 for a bare tensor.
    """

    ids: tuple[int, ...]
    start: int
    states: Tensor
    entered: Tensor
    past: KeysValues
    logits: Tensor
    returned: tuple[int, ...]

    @property
    def positions(self) -> range:
        """The tokens whose residuals are kept."""
        return range(self.start, len(self.ids))

    def residual(self, layer: int, position: int) -> Tensor:
        """The residual leaving ``layer`` at a token [width]."""
        return self.states[layer, position - self.start]


@torch.inference_mode()
def prefix(loaded: Loaded, ids: Sequence[int]) -> Prefix:
    """Read the tokens that many runs begin with, once."""
    _check_keys(loaded)
    if not ids:
        return Prefix()
    cache = _cache((), 0, 1)
    _forward(loaded, torch.tensor([list(ids)]), 0, cache)
    return Prefix(tuple(ids), _kept(cache))


@torch.inference_mode()
def trails(
    loaded: Loaded, before: Prefix, runs: Sequence[Sequence[int]], noise: Sequence[Tensor | None] | None = None
) -> list[Trail]:
    """Run token sequences of one length that begin with ``before``, as rows of one batch.

    Args:
        noise: for a run what is added to what enters its first block [positions after the prefix, width], or None.
    """
    _check_keys(loaded)
    start = len(before.ids)
    ids = torch.tensor([list(run[start:]) for run in runs])
    cache = _cache(before.past, start, len(runs))
    sites: list[Site] = [("resid_pre", 0), *(("resid_post", layer) for layer in range(loaded.anatomy.layers))]
    adding: dict[Site, Action] = {("resid_pre", 0): _adding(noise)} if noise else {}
    with _watched(loaded) as returned, hooked(loaded.anatomy, adding), caught(loaded.anatomy, sites) as states:
        logits = _forward(loaded, ids, start, cache)
    # On several devices a layer's residuals lie where the layer does; one place makes them easy to take from.
    entered, *left = (states[site].to(loaded.device) for site in sites)
    whole, past = torch.stack(left, dim=1), _kept(cache)
    return [
        Trail(
            ids=tuple(run),
            start=start,
            states=whole[row],
            entered=entered[row],
            past=tuple((keys[row : row + 1], values[row : row + 1]) for keys, values in past),
            logits=logits[row],
            returned=tuple(returned),
        )
        for row, run in enumerate(runs)
    ]


@torch.inference_mode()
def replaced(loaded: Loaded, trail: Trail, layer: int, positions: Sequence[int], states: Tensor) -> Tensor:
    """What follows a run whose residual leaving ``layer`` at one token is another: a row for each, [rows, vocabulary] in float32.

    Args:
        positions: the token of each row, all of them after the prefix, in order.
        states: what stands there instead [rows, width].
    """
    if _takes_masks(loaded, len(trail.ids)):
        return _in_one_sequence(loaded, trail, layer, positions, states)
    first = positions[0]
    rows, length = len(positions), len(trail.ids) - first
    new = trail.states[layer, first - trail.start :].expand(rows, -1, -1).clone()
    new[torch.arange(rows), torch.tensor(positions) - first] = states.to(new)
    ids = torch.tensor([trail.ids[first:]]).expand(rows, length)
    with _from(loaded, trail, layer, new):
        return _forward(loaded, ids, first, _cache(trail.past, first, rows))


def _in_one_sequence(loaded: Loaded, trail: Trail, layer: int, positions: Sequence[int], states: Tensor) -> Tensor:
    """The same with the cells behind each other: of each only the tokens that change, from its own on."""
    end, upto = len(trail.ids), positions[-1]
    places = torch.cat([torch.arange(position, end) for position in positions])
    cell = torch.cat([torch.full((end - position,), row) for row, position in enumerate(positions)])
    starts = torch.tensor(positions)[cell]
    new = trail.states[layer, places - trail.start].clone()
    new[places == starts] = states.to(new)
    past = torch.arange(upto)[None] < starts[:, None]
    own = (cell[:, None] == cell[None]) & (places[None] <= places[:, None])
    seen = torch.cat([past, own], dim=1)
    mask = torch.zeros(seen.shape, dtype=loaded.model.dtype).masked_fill(~seen, torch.finfo(loaded.model.dtype).min)
    kept = (places == end - 1).nonzero()[:, 0].to(loaded.device)
    with _from(loaded, trail, layer, new[None]), _read_at(loaded, kept):
        output = loaded.model(
            input_ids=torch.tensor(trail.ids)[None, places].to(loaded.device),
            position_ids=places[None].to(loaded.device),
            attention_mask=mask[None, None].to(loaded.device),
            past_key_values=_cache(trail.past, upto, 1),
            use_cache=True,
            logits_to_keep=kept,
        )
    logits: Tensor = output.logits[0]
    return logits.float()


def _takes_masks(loaded: Loaded, length: int) -> bool:
    """Whether a model can be told what every token sees.

    It must take positions (BLOOM makes them, like Falcon's ALiBi, out of the mask), and have no window that the mask would have to show.
    """
    config = loaded.model.config.get_text_config()
    if (
        getattr(config, "alibi", False)
        or "position_ids" not in inspect.signature(loaded.model.base_model.forward).parameters
    ):
        return False
    window = getattr(config, "sliding_window", None)
    return window is None or window > length


def patched_row(
    loaded: Loaded,
    trail: Trail,
    source: Trail,
    layer: int,
    positions: Sequence[int],
    read: Callable[[Tensor], Tensor],
) -> Slices[Tensor]:
    """One row of a map: ``read`` of what follows ``trail`` with the residual of ``source`` at each of the tokens, [positions] in float64.

    Tokens come in order. A slice ends with every forward pass, and yields how many tokens it computed.
    """
    last = len(trail.ids) - 1
    changed = list(positions)
    values = read(trail.logits[None]).expand(len(changed)).clone()
    if layer == loaded.anatomy.layers - 1:
        # Above the last block stand only the norm and the unembedding, which look at the last token alone.
        changed = [position for position in changed if position == last]
    for group in _groups(changed, len(trail.ids), _takes_masks(loaded, len(trail.ids))):
        states = torch.stack([source.residual(layer, position) for position in group])
        at = [position - positions[0] for position in group]
        values[at] = read(replaced(loaded, trail, layer, group, states))
        yield sum(len(trail.ids) - position for position in group)
    return values.double().cpu()


def _groups(positions: Sequence[int], end: int, one_sequence: bool) -> Iterator[list[int]]:
    """Tokens that share a forward pass; in a batch it begins for all of them at the first."""
    group: list[int] = []
    for position in positions:
        rows = [*group, position]
        tokens = sum(end - each for each in rows) if one_sequence else len(rows) * (end - rows[0])
        if group and (tokens > MOST_TOKENS or (len(rows) > GROUP and not one_sequence)):
            yield group
            rows = [position]
        group = rows
    if group:
        yield group


# ------------------------------------------------------------------------------------------------------- forward passes


def _forward(loaded: Loaded, ids: Tensor, start: int, cache: DynamicCache) -> Tensor:
    """The logits behind the last token [rows, vocabulary], float32, of tokens that stand from position ``start`` on."""
    places = torch.arange(start, start + ids.shape[1])[None].expand(ids.shape[0], -1)
    handle = loaded.anatomy.unembedding.register_forward_pre_hook(_in_one_piece)
    try:
        output = loaded.model(
            input_ids=ids.to(loaded.device),
            position_ids=places.to(loaded.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    finally:
        handle.remove()
    logits: Tensor = output.logits[:, -1]
    return logits.float()


def _in_one_piece(_module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    # The last position of many rows is a tensor with gaps, for which PyTorch multiplies by a copy of the unembedding for every row.
    return (arguments[0].contiguous(), *arguments[1:])


def _cache(past: KeysValues, upto: int, rows: int) -> DynamicCache:
    """A fresh cache of the first ``upto`` positions, the same for every row.

    Layers that see a window only keep all positions, too: the model's masks see to the window.
    """
    cache = DynamicCache()
    for keys, values in past if upto else ():
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys = keys[:, :, :upto].expand(rows, -1, -1, -1)
        layer.values = values[:, :, :upto].expand(rows, -1, -1, -1)
        cache.layers.append(layer)
    return cache


def _kept(cache: DynamicCache) -> KeysValues:
    found = []
    for layer in cache.layers:
        assert isinstance(layer, DynamicLayer)
        keys, values = layer.keys, layer.values
        assert keys is not None
        assert values is not None
        found.append((keys, values))
    return tuple(found)


def _check_keys(loaded: Loaded) -> None:
    if not keeps_keys(loaded.model):
        raise TillerError(
            f"{loaded.checkpoint.name} keeps other things of its tokens than keys and values, so that no token's residual can be replaced "
            "by itself; for a map take a model with ordinary attention in every layer."
        )


@contextmanager
def _watched(loaded: Loaded) -> Iterator[list[int]]:
    """How many things each block returns in the forward pass inside the ``with``; 0 for a tensor that comes alone."""
    found: list[int] = []

    def watch(_module: nn.Module, _arguments: Any, output: Any) -> None:
        found.append(0 if isinstance(output, Tensor) else len(output))

    handles = [block.register_forward_hook(watch) for block in loaded.anatomy.blocks]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _from(loaded: Loaded, trail: Trail, layer: int, states: Tensor) -> Iterator[None]:
    """Let forward passes begin above ``layer``, with ``states`` as what has left it."""

    def put(old: Tensor) -> Tensor:
        return states.to(old)

    with _skipping(loaded, trail.returned[: layer + 1]), hooked(loaded.anatomy, {("resid_post", layer): put}):
        yield


@contextmanager
def _read_at(loaded: Loaded, kept: Tensor) -> Iterator[None]:
    """Let the last block's MLP look at the ``kept`` tokens only: nothing reads what it writes at the others.

    It is the larger part of a block, and works on each token by itself.
    """
    module = loaded.anatomy.mlp[-1]
    if module is None:
        yield
        return
    whole, own = module.forward, module.__dict__.get("forward")

    def forward(states: Tensor, *arguments: Any, **keywords: Any) -> Any:
        output = whole(states[:, kept], *arguments, **keywords)
        written = output.new_zeros(*states.shape[:2], output.shape[-1])
        written[:, kept] = output
        return written

    module.forward = forward
    try:
        yield
    finally:
        _restore(module, own)


@contextmanager
def _skipping(loaded: Loaded, returned: Sequence[int]) -> Iterator[None]:
    """Make the first blocks hand on what they get, in the container that they return at other times."""
    with ExitStack() as undo:
        for block, things in zip(loaded.anatomy.blocks, returned, strict=False):
            own = block.__dict__.get("forward")
            block.forward = _handing_on(things)
            undo.callback(_restore, block, own)
        yield


def _handing_on(things: int) -> Callable[..., Any]:
    def forward(hidden_states: Tensor, *_arguments: Any, **_keywords: Any) -> Any:
        return (hidden_states, *[None] * (things - 1)) if things else hidden_states

    return forward


def _restore(module: nn.Module, own: Any) -> None:
    # A forward of its own is one that accelerate has wrapped, to bring the module's weights when it is called.
    if own is None:
        del module.forward
    else:
        module.forward = own


def _adding(noise: Sequence[Tensor | None]) -> Action:
    def action(states: Tensor) -> Tensor:
        new = states.clone()
        for row, each in enumerate(noise):
            if each is not None:
                new[row] = new[row] + each.to(states)
        return new

    return action
