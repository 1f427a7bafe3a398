"""What setting MLP neurons to their mean does to the entropy of the next token: in all, and with the final norm's scale held.

[Stolfo et al., "Confidence Regulation Neurons", §3.2]: an entropy neuron acts through the scale. What is left of its effect when the scale
is the unablated run's went to the logits directly.

One pass computes the texts as they are and keeps what enters the last blocks, with the arguments that the model calls them with; an
ablation runs these blocks again, and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.artefacts.neuron_sets import Neuron
from core.confidence.confidence import NeuronEffect, NeuronFigures, Plain
from core.confidence.unembedding import Head
from core.inference.batch import PaddedBatch, batch_rows, pad_batch
from core.models.hooks import AnatomyError
from core.models.loading import Loaded
from core.util.progress import Slices

#: Logits are formed for so many tokens at a time that they have at most this many elements.
_ELEMENTS = 2**24

_Ids = Sequence[int]
#: Gets an MLP's neurons [rows, positions, neurons]; returns new ones, or None to leave them.
At = Callable[[Tensor], Tensor | None]


@dataclass(frozen=True)
class _Call:
    """How the model called a block: what entered it, and the rest."""

    states: Tensor
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


@dataclass(frozen=True)
class _Batch:
    """Texts of one pass. ``kept`` [rows, positions] are the tokens whose prediction of the next one counts; ``scale``, ``entropy`` and
    ``loss`` are theirs, in this order."""

    texts: tuple[int, ...]
    calls: Mapping[int, _Call]
    kept: Tensor
    owner: Tensor
    targets: Tensor
    scale: Tensor
    entropy: Tensor
    loss: Tensor
    tokens: int


def mean_activations(loaded: Loaded, layers: Sequence[int], texts: Sequence[_Ids]) -> Slices[dict[int, Tensor]]:
    """The mean of every MLP neuron of ``layers`` over the texts' tokens but the first: [neurons] in float32 a layer.

    Raises:
        AnatomyError: a layer is a mixture of experts.
    """
    sums: dict[int, Tensor] = {}
    count = 0
    for chosen in _batches(loaded, texts):
        padded = pad_batch(loaded, [texts[index] for index in chosen])
        kept = _counted(padded)
        caught: dict[int, Tensor] = {}
        with _at_neurons(loaded, {layer: _catch(caught, layer) for layer in layers}):
            _run(loaded, padded)
        for layer, states in caught.items():
            own = states[kept.to(states.device)].double().sum(0).cpu()
            sums[layer] = sums[layer] + own if layer in sums else own
        count += int(kept.sum())
        yield padded.ids.numel()
    return {layer: (total / count).float() for layer, total in sums.items()}


class Ablation:
    """Texts that have been read once, and what ablating neurons of the last blocks changes about them."""

    def __init__(self, loaded: Loaded, head: Head, means: Mapping[int, Tensor]) -> None:
        self.loaded, self.head, self.means = loaded, head, means
        self._layers = range(min(means), loaded.anatomy.layers)
        self._batches: list[_Batch] = []
        self._texts = 0

    @property
    def plain(self) -> Plain:
        """The texts as they are."""
        return Plain(
            self._by_text([each.entropy for each in self._batches]),
            self._by_text([each.loss for each in self._batches]),
        )

    def read(self, texts: Sequence[_Ids]) -> Slices[None]:
        """Read the texts, each of two tokens and more behind the first.

        Raises:
            AnatomyError: the model's logits are not what its final norm and unembedding make of the last block's residual.
        """
        self._texts = len(texts)
        for chosen in _batches(self.loaded, texts):
            padded = pad_batch(self.loaded, [texts[index] for index in chosen])
            self._batches.append(self._first(tuple(chosen), padded))
            yield padded.ids.numel()

    def change(self, neurons: Sequence[Neuron]) -> Slices[NeuronEffect]:
        """What setting these neurons to their means changes, a batch of texts at a time."""
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for batch in self._batches:
            final = self._final(batch, neurons)[batch.kept.to(self._where)]
            total, frozen, loss = self._entropy(final, batch.scale, batch.targets)
            parts.append((total - batch.entropy, frozen - batch.entropy, loss - batch.loss))
            yield self.work(batch.tokens)
        return NeuronEffect(*(self._by_text([part[place] for part in parts]) for place in range(3)))

    def work(self, tokens: int) -> int:
        """The tokens of whole passes that running the last blocks again on ``tokens`` amounts to."""
        return max(1, tokens * len(self._layers) // self.loaded.anatomy.layers)

    @property
    def _where(self) -> torch.device:
        return self._batches[0].scale.device

    @torch.inference_mode()
    def _first(self, texts: tuple[int, ...], padded: PaddedBatch) -> _Batch:
        calls: dict[int, _Call] = {}
        caught: list[Tensor] = []

        def before_norm(_module: nn.Module, inputs: Sequence[Tensor]) -> None:
            caught.append(inputs[0].detach().clone())

        hooks = [
            self.loaded.anatomy.blocks[layer].register_forward_pre_hook(_keep(calls, layer), with_kwargs=True)
            for layer in self._layers
        ]
        hooks.append(self.loaded.anatomy.final_norm.register_forward_pre_hook(before_norm))
        try:
            logits = _run(self.loaded, padded)
        finally:
            for hook in hooks:
                hook.remove()
        final = caught[0]
        if not self._batches:
            self.head.check(final[:, -1], logits[:, -1])
        kept = _counted(padded)
        # What the last token predicts is not known.
        kept[:, -1] = False
        following = torch.roll(padded.ids.cpu(), -1, dims=1)
        owner = torch.tensor(texts)[:, None].expand_as(kept)[kept]
        here = final[kept.to(final.device)]
        scale, targets = self.head.norm.scale(here), following[kept].to(final.device)
        entropy, _, loss = self._entropy(here, scale, targets)
        return _Batch(texts, calls, kept, owner, targets, scale, entropy, loss, padded.ids.numel())

    @torch.inference_mode()
    def _final(self, batch: _Batch, neurons: Sequence[Neuron]) -> Tensor:
        """The residual behind the last block [rows, positions, width], with neurons at their means."""
        chosen: dict[int, list[int]] = {}
        for layer, neuron in neurons:
            chosen.setdefault(layer, []).append(neuron)
        first = min(chosen, default=self._layers[-1])
        states = batch.calls[first].states.clone()
        with _at_neurons(self.loaded, {layer: self._ablate(layer, own) for layer, own in chosen.items()}):
            for layer in range(first, self.loaded.anatomy.layers):
                call = batch.calls[layer]
                output = self.loaded.anatomy.blocks[layer](states, *call.arguments, **call.keywords)
                states = output if isinstance(output, Tensor) else output[0]
        return states

    def _ablate(self, layer: int, neurons: list[int]) -> At:
        means = self.means[layer][neurons]

        def at(states: Tensor) -> Tensor:
            new = states.clone()
            new[..., neurons] = means.to(states.device, states.dtype)
            return new

        return at

    @torch.inference_mode()
    def _entropy(self, final: Tensor, scale: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """At every token [tokens], in float64 nats on the CPU: the entropy, that with ``scale`` held, and the loss."""
        text: Any = self.loaded.model.config.get_text_config()
        size = max(1, _ELEMENTS // int(text.vocab_size))
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        for start in range(0, len(final), size):
            part = slice(start, start + size)
            free, held = self.head.with_scales(final[part], scale[part])
            total, loss = _entropy_of(free, targets[part].to(free.device))
            frozen, _ = _entropy_of(held, targets[part].to(free.device))
            found.append((total, frozen, loss))
        total, frozen, loss = (torch.cat([each[place] for each in found]) for place in range(3))
        return total, frozen, loss

    def _by_text(self, parts: Sequence[Tensor]) -> NeuronFigures:
        """The mean over each text's tokens [texts]."""
        owner = torch.cat([each.owner for each in self._batches])
        sums = torch.zeros(self._texts, dtype=torch.float64).index_add(0, owner, torch.cat(list(parts)))
        counts = torch.zeros(self._texts, dtype=torch.float64).index_add(
            0, owner, torch.ones(len(owner), dtype=torch.float64)
        )
        if bool((counts == 0).any()):
            raise AnatomyError("A text has fewer than two tokens, so that nothing is predicted in it; leave it out.")
        return np.asarray((sums / counts).numpy())


def _entropy_of(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """−Σ p ln p and −ln p(target) of logits [tokens, vocabulary], with one exponential."""
    below = logits - logits.amax(-1, keepdim=True)
    powers = below.exp()
    whole = powers.sum(-1)
    entropy = whole.log() - (powers * below).sum(-1) / whole
    loss = whole.log() - below.gather(-1, targets[:, None])[:, 0]
    return entropy.double().cpu(), loss.double().cpu()


def ablation_cost(loaded: Loaded, texts: Sequence[_Ids]) -> tuple[int, int]:
    """How many passes reading the texts takes, and how many tokens, padding included."""
    found = [[len(texts[index]) for index in chosen] for chosen in _batches(loaded, texts)]
    return len(found), sum(len(each) * max(each) for each in found)


def _batches(loaded: Loaded, texts: Sequence[_Ids]) -> list[list[int]]:
    """Texts of like length together, so that little is padded."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    size = batch_rows(loaded)
    return [order[start : start + size] for start in range(0, len(order), size)]


def _counted(padded: PaddedBatch) -> Tensor:
    """Every token but padding and the first: [rows, positions]."""
    mask = padded.masks["all"]
    assert mask is not None
    return mask[:, :, 0].bool().cpu()


@torch.inference_mode()
def _run(loaded: Loaded, padded: PaddedBatch) -> Tensor:
    """The logits at the last position [rows, 1, vocabulary]."""
    output = loaded.model(
        input_ids=padded.ids,
        attention_mask=padded.attention,
        position_ids=padded.positions,
        use_cache=False,
        logits_to_keep=1,
    )
    logits: Tensor = output.logits
    return logits


def _keep(calls: dict[int, _Call], layer: int) -> Callable[..., None]:
    def hook(_module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        rest = dict(keywords)
        states = arguments[0] if arguments else rest.pop("hidden_states")
        calls[layer] = _Call(states.detach().clone(), arguments[1:], rest)

    return hook


def _catch(caught: dict[int, Tensor], layer: int) -> At:
    def at(states: Tensor) -> None:
        caught[layer] = states.detach().clone()

    return at


@contextmanager
def _at_neurons(loaded: Loaded, actions: Mapping[int, At]) -> Iterator[None]:
    """Run ``actions`` on what enters the MLPs' down projections, by layer, inside the ``with``."""

    def hook_for(action: At) -> Callable[..., tuple[Tensor, ...] | None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            new = action(inputs[0])
            return None if new is None else (new, *inputs[1:])

        return hook

    hooks = []
    try:
        for layer, action in actions.items():
            hooks.append(loaded.anatomy.neurons(layer).register_forward_pre_hook(hook_for(action)))
        yield
    finally:
        for hook in hooks:
            hook.remove()
