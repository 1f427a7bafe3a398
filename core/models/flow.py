"""What a model adds to its residual stream, found by following one short forward pass.

Classes differ in the names of their parts, in how many write beside each other, and in the norms and factors behind them. What they do
is the same everywhere: the stream comes in, things are added, the stream goes on. So the operations of a pass over a few tokens are
recorded and walked back from what leaves a block. A sum leads to what was summed, a factor that is the same along the width to what it
scales, a change of shape or dtype to what was changed. The walk ends at what entered the block, which is the stream, and else at the
outermost modules whose outputs were added: the block's writers. Where it ends at anything else (a norm of the stream itself, a part
that returns tokens without rows), the block is not followed wholly, and what it adds has to be taken at its end.

With weights the walk goes on through the writers to the matrices and biases that write: what a change of weights has to reach.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from core.models.cache import going_on, new_cache
from core.models.fast_linear import QuickLinear
from core.models.operations import WIDTH, Recorded, Recorder, Walk, Weight


@dataclass(frozen=True)
class Written:
    """What is added at one place.

    ``writers`` are the modules whose outputs [rows, positions, width] are added, and ``whole`` says whether they are all of it.
    ``continues`` says whether it is added to the stream that was there before. ``weights`` are what it is written by; None where it is
    more than a sum of matrices' outputs, or weights were not asked for. ``normed`` are the writers that are norms, each with the weights
    that write what it norms.
    """

    writers: tuple[nn.Module, ...]
    whole: bool
    continues: bool
    weights: frozenset[Weight] | None = None
    normed: tuple[tuple[nn.Module, frozenset[Weight] | None], ...] = ()


@dataclass
class Flow:
    """What a pass showed.

    ``entries[l]`` is what was added between the blocks before block ``l`` (before block 0: the embedding), ``blocks[l]`` what block
    ``l`` added. ``final_norm`` is the module that reads what leaves the last block; None if that goes into the unembedding.
    ``shape`` is that of the first states that are not [2, tokens, width]; ``logits`` are [2, tokens, vocabulary]. ``differs`` is by how
    much the logits of two tokens change, relative to their size, when padding stands before them, tokens behind them are left out, and
    what was read before is remembered.
    """

    entries: list[Written] = field(default_factory=list)
    blocks: list[Written] = field(default_factory=list)
    final_norm: nn.Module | None = None
    shape: tuple[int, ...] | None = None
    logits: Tensor = field(default_factory=lambda: torch.empty(0))
    differs: float = 0.0


@torch.no_grad()
def follow(
    model: Any, blocks: Sequence[nn.Module], unembedding: nn.Module, words: Tensor, width: int, weights: bool = False
) -> Flow:
    """Follow a forward pass over two rows, tokens [tokens] and the first of them behind padding, and look at a token more.

    With ``weights`` the model has to be in memory as a whole.
    """
    tokens, pads = len(words), 2
    ids = torch.stack([words, torch.cat([words[:1].expand(pads), words[:-pads]])])
    real = torch.ones_like(ids)
    real[1, :pads] = 0
    positions = (real.cumsum(1) - 1).clamp(min=0)
    recorder = Recorder(width, {id(each): name for name, each in model.named_parameters()} if weights else {})
    passing = _Pass(model, blocks, unembedding, recorder, tuple(ids.shape))
    cache = new_cache(model)
    with ExitStack() as stack:
        for handle in passing.hooks():
            stack.callback(handle.remove)
        if weights and model._can_set_experts_implementation():
            # Written out as one product an expert; others are one kernel for all.
            stack.callback(model.set_experts_implementation, model.get_experts_implementation())
            model.set_experts_implementation("eager")
        stack.enter_context(recorder)
        logits = model(input_ids=ids, attention_mask=real, position_ids=positions, use_cache=True, **cache).logits
    following = words[[0, tokens - pads]][:, None]
    real = torch.cat([real, torch.ones_like(following)], dim=1)
    after = model(
        input_ids=following,
        attention_mask=going_on(cache, real),
        position_ids=positions[:, -1:] + 1,
        use_cache=True,
        **cache,
    ).logits
    # The second row's last token and the one behind it stand in the first row too, with more to their right, and no padding.
    again = torch.stack([logits[1, -1], after[1, -1]]).float()
    wanted = logits[0, tokens - pads - 1 : tokens - pads + 1].float()
    passing.flow.logits, passing.flow.differs = logits, float((again - wanted).norm() / wanted.norm())
    return passing.flow


class _Pass:
    """The hooks of one pass, and what they have found so far."""

    def __init__(
        self, model: Any, blocks: Sequence[nn.Module], unembedding: nn.Module, recorder: Recorder, ids: tuple[int, ...]
    ) -> None:
        self.model, self.blocks, self.unembedding, self.recorder = model, blocks, unembedding, recorder
        self.expected = (*ids, recorder.width)
        self.flow = Flow()
        self._stream: Recorded | None = None
        self._readers: list[nn.Module] = []
        self._normed: dict[nn.Module, Recorded] = {}

    def hooks(self) -> Iterator[Any]:
        """Everything that is hooked; each is removed at the end."""
        inside = {each for block in self.blocks for each in block.modules()}
        for layer, block in enumerate(self.blocks):
            yield block.register_forward_pre_hook(self._enters(layer), with_kwargs=True)
            for part in block.modules():
                if is_norm(part):
                    yield part.register_forward_pre_hook(self._norms)
                yield part.register_forward_hook(self._leaves(layer) if part is block else self._returned)
        for part in self.model.modules():
            if part not in inside:
                yield part.register_forward_pre_hook(self._reads)
                yield part.register_forward_hook(self._returned)
                yield part.register_forward_hook(self._has_read)

    def _enters(self, layer: int) -> Callable[..., None]:
        def hook(_block: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            if len(self.flow.entries) == layer:
                states = states_of(arguments, keywords)
                self._check(states)
                self.flow.entries.append(self._written(self.recorder.node(states), self._stream))
                self._stream = self.recorder.start(states)

        return hook

    def _leaves(self, layer: int) -> Callable[..., None]:
        def hook(_block: nn.Module, _arguments: Any, output: Any) -> None:
            if len(self.flow.blocks) == layer:
                states = output if isinstance(output, Tensor) else output[0]
                self._check(states)
                self.flow.blocks.append(self._written(self.recorder.node(states), self._stream, layer))
                self._stream = self.recorder.start(states)

        return hook

    def _returned(self, module: nn.Module, arguments: Any, output: Any) -> None:
        if isinstance(module, nn.Dropout):
            return
        if isinstance(module, QuickLinear):
            # Its kernel for few rows is none of torch's own products.
            self.recorder.note("linear", (arguments[0], module.weight, module.bias), output)
        # Inner modules come first, so that the outermost one stays.
        states = output[0] if isinstance(output, tuple | list) and output else output
        if isinstance(states, Tensor) and id(states) in self.recorder.nodes and tuple(states.shape) == self.expected:
            self.recorder.nodes[id(states)].module = module

    def _norms(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if arguments and isinstance(arguments[0], Tensor):
            self._normed[module] = self.recorder.node(arguments[0])

    def _reads(self, module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if (
            len(self.flow.blocks) == len(self.blocks)
            and self.flow.final_norm is None
            and module is not self.unembedding
        ):
            states = next((each for each in arguments if isinstance(each, Tensor)), None)
            if states is not None and self._stream is not None and self._only(self.recorder.node(states), self._stream):
                self._readers.append(module)

    def _has_read(self, module: nn.Module, _arguments: Any, output: Any) -> None:
        if (
            module in self._readers
            and not isinstance(module, nn.Dropout)
            and isinstance(output, Tensor)
            and output.shape[-1] == self.recorder.width
        ):
            # Outer modules begin earlier and end later; the outermost one that keeps the width is the norm.
            self.flow.final_norm = module

    def _check(self, states: Tensor) -> None:
        if self.flow.shape is None and tuple(states.shape) != self.expected:
            self.flow.shape = tuple(states.shape)

    def _only(self, node: Recorded, stream: Recorded) -> bool:
        if node is stream:
            return True
        parts = self.recorder.parts(node, WIDTH)
        return bool(parts) and all(self._only(each, stream) for each, _ in parts or ())

    def _written(self, node: Recorded, stream: Recorded | None, layer: int | None = None) -> Written:
        walk = Walk(self.recorder, stream)
        continues = walk.holds(node, WIDTH)
        writers: dict[nn.Module, None] = {}
        whole = walk.modules(node, writers) and continues
        weights, normed = None, []
        if self.recorder.names:
            block = self.blocks[layer] if layer is not None else None
            weights = self._weights(walk, node, block)
            normed = [
                (each, self._weights(walk, self._normed[each], block)) for each in writers if each in self._normed
            ]
        return Written(tuple(writers), whole, continues, weights, tuple(normed))

    def _weights(self, walk: Walk, node: Recorded, block: nn.Module | None) -> frozenset[Weight] | None:
        found: set[Weight] = set()
        if not walk.weights(node, WIDTH, found):
            return None
        return frozenset(found if block is None else self._siblings(block, found))

    def _siblings(self, block: nn.Module, weights: set[Weight]) -> Iterator[Weight]:
        """Of experts that are modules of their own only some work at a few tokens; the same weights of the others write too."""
        lists = [name for name, each in block.named_modules() if isinstance(each, nn.ModuleList)]
        own = {self.recorder.names[id(each)]: name for name, each in block.named_parameters()}
        for weight in weights:
            yield weight
            pattern = re.escape(own.get(weight.name, ""))
            for name in lists:
                pattern = re.sub(rf"^{re.escape(re.escape(name))}\\\.\d+\\\.", re.escape(name) + r"\\.\\d+\\.", pattern)
            yield from (
                Weight(each, weight.axis) for each, name in own.items() if pattern and re.fullmatch(pattern, name)
            )


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a norm, by the name of its class."""
    return "norm" in type(module).__name__.lower()


def states_of(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Tensor:
    """The states that a block is called with: its first argument, or the keyword of that name."""
    found: Tensor = arguments[0] if arguments else keywords["hidden_states"]
    return found
