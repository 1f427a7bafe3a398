"""Entropy neurons: how many of the candidates in the last two blocks are any (methods.md §4) [Stolfo et al.].

Candidates are the ten neurons of lowest LogitVar among the quarter of a block's MLP with the largest output weights. What makes
one an entropy neuron is that it sets the entropy *through the final norm's scale*: ablated to its mean, it changes the entropy
by more than 95 of 100 neurons of like size do, and with the scale held as it was by less than half as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.layout import lay_out
from core.loading import Loaded
from core.prompts import encode
from core.skiff.judging import statements
from core.skiff.rates import Figure, count, percentile
from core.skiff.subjects import Subjects

NEURONS = "Confidence"
CANDIDATES = 10
MATCHED = 20
TEXTS = 64


def neuron_figures(subjects: Subjects) -> Iterator[Figure]:
    """Of the candidates of the last two blocks of base and final checkpoint, those that are entropy neurons."""
    for name in (subjects.base, subjects.final):
        loaded = subjects.load(name)
        found: list[bool] = []
        changes: list[float] = []
        for block in (loaded.anatomy.layers - 2, loaded.anatomy.layers - 1):
            outcomes, moved = _block(loaded, block)
            found += outcomes
            changes += moved
        honest = "" if any(found) else "none was found, with a tied unembedding; "
        # Of twenty neurons that are none, one passes the comparison with others of its size.
        note = f"{honest}by chance up to 1 in 20; largest change of entropy by a candidate {max(changes):.4f} nats"
        yield count(NEURONS, "candidates that are entropy neurons, last two blocks", name, found, note=note)


def _block(loaded: Loaded, block: int) -> tuple[list[bool], list[float]]:
    """Whether each candidate of a block is an entropy neuron, and by how much it changes the entropy."""
    down = loaded.anatomy.down[block]
    assert isinstance(down, nn.Linear)
    norms, variances = down.weight.detach().double().norm(dim=0), logit_variance(loaded, down.weight.detach())
    candidates, large = chosen(norms, variances)
    rest = sorted(set(large) - set(candidates))
    matched = np.random.default_rng(block).permutation(rest)[:MATCHED].tolist()
    probe = Ablation(loaded, down)
    others = [abs(probe.change(int(neuron))[0]) for neuron in matched]
    bar = percentile(others, 95)
    outcomes: list[bool] = []
    moved: list[float] = []
    for neuron in candidates:
        total, frozen = probe.change(neuron)
        outcomes.append(abs(total) > bar and abs(frozen) < abs(total) / 2)
        moved.append(abs(total))
    return outcomes, moved


def logit_variance(loaded: Loaded, weight: Tensor) -> Tensor:
    """Var over the vocabulary of cos(w_i, u_v) for every column w_i of ``weight`` [width, neurons], in float64.

    u_v is the unembedding row with the final norm's gain folded in, centred over the vocabulary.
    """
    norm: Any = loaded.anatomy.final_norm
    unembedding: Any = loaded.anatomy.unembedding
    rows = unembedding.weight.detach().double() * norm.weight.detach().double()
    rows = rows - rows.mean(0)
    columns = weight.double() / weight.double().norm(dim=0)
    cosines: Tensor = rows / rows.norm(dim=1, keepdim=True) @ columns
    return cosines.var(dim=0, correction=0)


def chosen(norms: Tensor, variances: Tensor) -> tuple[list[int], list[int]]:
    """The candidates, and the quarter of the neurons with the largest weights that they come from."""
    large = norms.argsort(descending=True)[: max(CANDIDATES, len(norms) // 4)]
    order = variances[large].argsort()[:CANDIDATES]
    return large[order].tolist(), large.tolist()


class Ablation:
    """What ablating a neuron of one MLP to its mean does to the entropy of the next token, over statements of the world."""

    def __init__(self, loaded: Loaded, down: nn.Linear) -> None:
        self.loaded, self.down = loaded, down
        bos = str(loaded.tokenizer.bos_token or "")
        texts = [item.text for item in statements("train")][::4][:TEXTS]
        self.sheet = lay_out(loaded, [encode(loaded, bos + text) for text in texts])
        states: list[Tensor] = []
        self.plain = self._final(lambda value: states.append(value))
        self.means = states[0][self._kept()].mean(0)
        self.scale = self._scale(self.plain)
        self.entropy = self._entropy(self.plain, self.scale)

    def change(self, neuron: int) -> tuple[float, float]:
        """Mean change of entropy in nats, in all and with the final norm's scale held as it was."""

        def ablate(value: Tensor) -> Tensor:
            new = value.clone()
            new[..., neuron] = self.means[neuron]
            return new

        final = self._final(ablate)
        total = self._entropy(final, self._scale(final)) - self.entropy
        frozen = self._entropy(final, self.scale) - self.entropy
        return float(total.mean()), float(frozen.mean())

    @torch.inference_mode()
    def _final(self, at: Callable[[Tensor], Tensor | None]) -> Tensor:
        """The residual that enters the final norm [tokens, width], while ``at`` sees the neurons' activations."""
        caught: list[Tensor] = []

        def before_down(_module: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor] | None:
            new = at(inputs[0])
            return None if new is None else (new,)

        def before_norm(_module: nn.Module, inputs: Sequence[Tensor]) -> None:
            caught.append(inputs[0].detach())

        hooks = (
            self.down.register_forward_pre_hook(before_down),
            self.loaded.anatomy.final_norm.register_forward_pre_hook(before_norm),
        )
        try:
            self.loaded.model(
                input_ids=self.sheet.ids,
                attention_mask=self.sheet.attention,
                position_ids=self.sheet.positions,
                use_cache=False,
                logits_to_keep=1,
            )
        finally:
            for hook in hooks:
                hook.remove()
        return caught[0][self._kept()].float()

    def _kept(self) -> Tensor:
        attention = self.sheet.attention
        return torch.ones_like(self.sheet.ids, dtype=torch.bool) if attention is None else attention.bool()

    def _scale(self, final: Tensor) -> Tensor:
        norm: Any = self.loaded.anatomy.final_norm
        epsilon = float(norm.variance_epsilon)
        return (final.pow(2).mean(-1, keepdim=True) + epsilon).rsqrt()

    @torch.inference_mode()
    def _entropy(self, final: Tensor, scale: Tensor) -> Tensor:
        norm: Any = self.loaded.anatomy.final_norm
        unembedding: Any = self.loaded.anatomy.unembedding
        logits: Tensor = (final * scale * norm.weight.float()) @ unembedding.weight.float().T
        logprobs = logits.log_softmax(-1)
        return -(logprobs.exp() * logprobs).sum(-1).double()
