"""Where the residual stream of a decoder-only model is, and how to read or replace it for one call.

The residual at layer ``l`` is what *leaves* block ``l`` (0-based). Three kinds of site are enough for everything Tiller does: what
enters a block (`resid_pre`), what a block writes (`written`), and what leaves it (`resid_post`). Hooks are installed by a context manager
and gone when it ends; whatever container a module returns (a tensor, a tuple) is kept.

Architectures. The blocks are the list of modules that is as long as the configuration says. What each of them writes, and what reads
what leaves the last one, is not looked up by name but followed through one pass over a few tokens (:mod:`core.models.flow`), so that
attention, MLPs, experts, state-space layers, and norms behind any of them are found alike. ``tests/core/models/test_architectures.py``
runs over every causal class of the installed transformers. Single neurons of an MLP are found by the names that classes share; a
mixture of experts has none.

To add an architecture, try it first: nearly every class needs nothing. Where the blocks are not found, give ``OVERRIDES`` a function
from the model to them, by ``config.model_type``::

    from core.models.hooks import OVERRIDES

    OVERRIDES["mine"] = lambda model: tuple(model.transformer.towers[0].layers)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from core.errors import TillerError
from core.models.cache import keeps
from core.models.flow import Flow, Written, follow, states_of

#: A place in the residual stream: what enters block l, what it writes (each of its writers' outputs in turn), or what leaves it; and beside
#: it the neurons of block l's MLP, before their last projection.
Site = tuple[Literal["resid_pre", "written", "neurons", "resid_post"], int]
#: What is done at a site: gets the states [rows, positions, width], of neurons [rows, positions, neurons]; returns new ones, or None to
#: leave them as they are. The model may write into what it got later on (Falcon adds attention's output into the MLP's): whoever keeps
#: states for later keeps a copy.
Action = Callable[[Tensor], Tensor | None]

_MLP = ("mlp", "feed_forward", "block_sparse_moe", "ffn")
_DOWN = ("down_proj", "dense_4h_to_h", "c_proj", "fc2", "fc_out", "w2", "dense_output")
#: Tokens of the pass that is followed.
_TOKENS = 5
#: Where in the vocabulary else it is looked, where a model seems to mix the texts of a batch.
_ELSEWHERE = (0.25, 0.5, 0.75)


class AnatomyError(TillerError):
    """A model whose parts are not found, or that has no single residual stream."""


@dataclass(frozen=True)
class Anatomy:
    """Where a model's parts are.

    ``writers[l]`` are the modules whose outputs block ``l`` adds to the residual stream, in the order in which they are added: where an
    architecture normalises what a part writes (Gemma 2, OLMo-2), that norm. In the layers of ``partly`` the block writes otherwise too:
    what it adds is then taken as a whole, at its end. ``mlp[l]`` is the writer that is the MLP or a part of it, ``None`` where a norm
    stands behind it or there is no MLP. ``entries`` are the layers before which something is written: 0, for the embedding,
    and those that get more than what left the one before. ``down[l]`` is the MLP's last projection, ``None`` where there is no single
    one; ``mixtures`` names the layers with a mixture of experts.
    """

    blocks: tuple[nn.Module, ...]
    writers: tuple[tuple[nn.Module, ...], ...]
    mlp: tuple[nn.Module | None, ...]
    down: tuple[nn.Module | None, ...]
    final_norm: nn.Module
    unembedding: nn.Module
    partly: frozenset[int] = frozenset()
    entries: tuple[int, ...] = (0,)
    mixtures: frozenset[int] = frozenset()

    @property
    def layers(self) -> int:
        """The number of blocks."""
        return len(self.blocks)

    def neurons(self, layer: int) -> nn.Module:
        """The projection that the MLP neurons of ``layer`` go into: its input is [rows, positions, neurons].

        Its weight is [width, neurons], a neuron a column; in GPT-2's ``Conv1D`` it is [neurons, width].

        Raises:
            AnatomyError: for a layer the model does not have, a mixture of experts, or an MLP without one such projection.
        """
        self.check_layer(layer)
        found = self.down[layer]
        if layer in self.mixtures:
            raise AnatomyError(
                f"Layer {layer} is a mixture of experts, where another set of neurons works at every token, so there are no single "
                "MLP neurons to analyse; steering and readings work, and for neurons take a model without experts."
            )
        if found is None:
            raise AnatomyError(
                f"Layer {layer} has no MLP whose last projection is known here, so there are no neurons to analyse; steering and readings "
                "work, and for neurons take another model."
            )
        return found

    def check_layer(self, layer: int) -> None:
        """Raise AnatomyError when the model has no such layer."""
        if not 0 <= layer < self.layers:
            raise AnatomyError(f"There is no layer {layer}; this model has layers 0 to {self.layers - 1}.")


def locate(model: PreTrainedModel) -> Anatomy:
    """Find a decoder-only model's parts, by one pass over a few tokens.

    Raises:
        AnatomyError: the blocks are not found (``OVERRIDES`` is where to say where they are), the model does not run on text alone, has
            no single residual stream, or answers with what are no numbers.
    """
    blocks = blocks_of(model)
    flow = followed(model, blocks)
    seen: dict[nn.Module, int] = {}
    for each in (writer for block in flow.blocks for writer in block.writers):
        seen[each] = seen.get(each, 0) + 1
    # What several blocks share cannot be hooked for one of them.
    writers = [tuple(each for each in block.writers if seen[each] == 1) for block in flow.blocks]
    mixtures = frozenset(layer for layer, block in enumerate(blocks) if _experts(block))
    unembedding = model.get_output_embeddings()
    assert isinstance(unembedding, nn.Module)
    return Anatomy(
        blocks=blocks,
        writers=tuple(writers),
        mlp=tuple(_first(_mlp(block), each) for block, each in zip(blocks, writers, strict=True)),
        down=tuple(None if layer in mixtures else _down(block) for layer, block in enumerate(blocks)),
        final_norm=flow.final_norm or nn.Identity(),
        unembedding=unembedding,
        partly=frozenset(
            layer for layer, block in enumerate(flow.blocks) if not block.whole or writers[layer] != block.writers
        ),
        entries=tuple(layer for layer, entry in enumerate(flow.entries) if not _passes(entry)),
        mixtures=mixtures,
    )


def followed(model: PreTrainedModel, blocks: tuple[nn.Module, ...], weights: bool = False) -> Flow:
    """What one pass over a few tokens shows of how the blocks write, and with ``weights`` by which. Raises AnatomyError."""
    kind, width = _kind(model), int(model.config.get_text_config().hidden_size)
    unembedding = model.get_output_embeddings()
    if not isinstance(unembedding, nn.Module):
        raise AnatomyError(
            f"A {kind} model without a language-model head cannot be steered; load a …ForCausalLM checkpoint."
        )
    if not keeps(model):
        raise AnatomyError(
            f"This {kind} model does not keep what it has read as other models in transformers do, so that it cannot chat here; take "
            "another model."
        )
    try:
        flow = follow(model, blocks, unembedding, ordinary_ids(model, _TOKENS)[0], width, weights)
    except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError, IndexError, KeyError) as error:
        said = " ".join(str(error).split())[:200]
        raise AnatomyError(
            f"This {kind} model does not run on a few tokens of text alone ({type(error).__name__}: {said}); take another model."
        ) from error
    if flow.shape is not None:
        raise AnatomyError(
            f"This {kind} model carries states of shape {' × '.join(map(str, flow.shape))} from block to block instead of one residual "
            "stream, so that it cannot be read or steered here; take a model with one stream."
        )
    if len(flow.blocks) != len(blocks):
        raise AnatomyError(f"The blocks of a {kind} model do not run one after another; take another model.")
    if bool(flow.logits.isnan().any() | flow.logits.isposinf().any()):
        dtype = str(model.dtype).removeprefix("torch.")
        remedy = "use --dtype bfloat16" if dtype == "float16" else "its weights are damaged, so copy its folder again"
        raise AnatomyError(f"The numbers of this {kind} model overflow in {dtype}; {remedy}.")
    if not bool(flow.logits.max() > flow.logits.min()):
        raise AnatomyError(
            f"This {kind} model finds every token equally likely; its weights are damaged, so copy its folder again."
        )
    # Rounding alone tips a model over at some tokens, above all at those that it was never trained on; what mixes texts does it at all.
    most, words = (
        max(1e-3, 32 * torch.finfo(model.dtype).eps),
        (ordinary_ids(model, _TOKENS, part)[0] for part in _ELSEWHERE),
    )
    if not flow.differs <= most and not any(
        follow(model, blocks, unembedding, each, width).differs <= most for each in words
    ):
        raise AnatomyError(
            f"This {kind} model answers otherwise when other texts stand beside its own, or what it has read is kept, than without; it "
            "is not built for chats side by side, so take another model."
        )
    return flow


def blocks_of(model: PreTrainedModel) -> tuple[nn.Module, ...]:
    """The blocks, in order. Raises AnatomyError when they are not found."""
    kind = _kind(model)
    if kind in OVERRIDES:
        return OVERRIDES[kind](model)
    lists = next(filter(None, map(_lists, _bodies(model))), [])
    number = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    found = [each for each in lists if len(each) == number] or lists
    if len(found) != 1:
        raise AnatomyError(
            f"This {kind} model is not built as a decoder-only language model, whose blocks stand in one list; take another model, or name "
            f"its blocks in core.models.hooks.OVERRIDES[{kind!r}]."
        )
    return tuple(found[0])


def embedding_rows(model: PreTrainedModel) -> int:
    """How many ids the input embedding has a row for."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return int(weight.shape[0])


def input_device(model: PreTrainedModel) -> torch.device:
    """Where token ids go: where the input embedding is, or is brought to when it is used."""
    embedding = model.get_input_embeddings()
    weight = embedding.weight
    assert isinstance(weight, Tensor)
    if weight.device.type != "meta":
        return weight.device
    # accelerate keeps what does not fit on the GPU elsewhere, and brings it there for its call.
    return torch.device(embedding._hf_hook.execution_device)  # type: ignore[union-attr, arg-type]


def _kind(model: PreTrainedModel) -> str:
    return str(getattr(model.config, "model_type", "unknown"))


def _passes(entry: Written) -> bool:
    return entry.continues and entry.whole and not entry.writers


def ordinary_ids(model: PreTrainedModel, number: int, part: float = 0.0) -> Tensor:
    """Token ids [1, number] that are words: those with a meaning to the program, such as a picture's place, are left out. They are the
    first ones behind that ``part`` of the vocabulary."""
    special: set[int] = set()
    for config in (model.config, model.config.get_text_config()):
        for name, value in config.to_dict().items():
            if "token" in name:
                special |= {each for each in (value if isinstance(value, list) else [value]) if isinstance(each, int)}
    rows = embedding_rows(model)
    first = int(part * max(0, rows - len(special) - number))
    found = [each for each in range(first, min(rows, first + len(special) + number)) if each not in special][:number]
    return torch.tensor([found], device=input_device(model))


def _bodies(model: PreTrainedModel) -> Iterator[Any]:
    """Where the blocks may be: transformers' own search first, which takes another part for the decoder at times."""
    for body in (model.get_decoder(), model.base_model):
        yield body
        yield getattr(body, "model", None)


def _lists(body: Any) -> list[nn.ModuleList]:
    children = body.children() if isinstance(body, nn.Module) else ()
    return [child for child in children if isinstance(child, nn.ModuleList) and len(child)]


def _experts(block: nn.Module) -> bool:
    return any(name.rpartition(".")[2] == "experts" for name, _ in block.named_modules())


def _mlp(block: nn.Module) -> nn.Module | None:
    return next((getattr(block, name) for name in _MLP if isinstance(getattr(block, name, None), nn.Module)), None)


def _first(mlp: nn.Module | None, writers: Iterable[nn.Module]) -> nn.Module | None:
    inside = list(mlp.modules()) if mlp is not None else []
    return next((each for each in writers if any(each is part for part in inside)), None)


def _down(block: nn.Module) -> nn.Module | None:
    mlp = _mlp(block)
    return next((getattr(mlp, name) for name in _DOWN if isinstance(getattr(mlp, name, None), nn.Module)), None)


#: Architectures whose blocks the search does not find: ``config.model_type`` -> a function from the model to its blocks, in order.
OVERRIDES: dict[str, Callable[[PreTrainedModel], tuple[nn.Module, ...]]] = {}
#: In this order, since what a block writes is changed before what leaves it, and what enters it before that.
_ORDER = ("neurons", "resid_pre", "written", "resid_post")


@contextmanager
def hooked(anatomy: Anatomy, actions: Mapping[Site, Action]) -> Iterator[None]:
    """Run ``actions`` at their sites in every forward pass inside the ``with``; everything is undone at its end.

    Raises:
        AnatomyError: for a layer the model does not have.
    """
    handles = []
    try:
        for (kind, layer), action in sorted(actions.items(), key=lambda each: _ORDER.index(each[0][0])):
            anatomy.check_layer(layer)
            block = anatomy.blocks[layer]
            if kind == "neurons":
                handles.append(anatomy.neurons(layer).register_forward_pre_hook(_on_input(action), with_kwargs=True))
            elif kind == "resid_pre":
                handles.append(block.register_forward_pre_hook(_on_input(action), with_kwargs=True))
            elif kind == "resid_post":
                handles.append(block.register_forward_hook(_on_output(action)))
            else:
                handles += [each.register_forward_hook(_on_output(action)) for each in anatomy.writers[layer]]
                if layer in anatomy.partly:
                    entered: list[Tensor] = []
                    handles.append(block.register_forward_pre_hook(_on_input(_keep(entered)), with_kwargs=True))
                    handles.append(block.register_forward_hook(_on_output(_on_difference(action, entered))))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def caught(anatomy: Anatomy, sites: Collection[Site]) -> Iterator[dict[Site, Tensor]]:
    """The states [rows, positions, width] at ``sites`` in the latest forward pass inside the ``with``, copied as they went by; of what a
    block writes, the last part.

    Raises:
        AnatomyError: for a layer the model does not have.
    """
    found: dict[Site, Tensor] = {}

    def keeping(site: Site) -> Action:
        def action(states: Tensor) -> None:
            found[site] = states.clone()

        return action

    with hooked(anatomy, {site: keeping(site) for site in sites}):
        yield found


def _keep(entered: list[Tensor]) -> Action:
    def action(states: Tensor) -> None:
        entered[:] = [states.clone()]

    return action


def _on_difference(action: Action, entered: list[Tensor]) -> Action:
    """An action on what has been added to what entered; rows that it leaves alone stay as they are, to the bit."""

    def difference(states: Tensor) -> Tensor | None:
        before = states.float() - entered.pop().to(states.device).float()
        after = action(before)
        return None if after is None else (states.float() + (after - before)).to(states.dtype)

    return difference


def _on_input(action: Action) -> Callable[..., Any]:
    def hook(_module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        # A block is called by the name of its states at times; a projection never is.
        states = states_of(arguments, keywords)
        new = action(states)
        if new is None:
            return None
        if arguments:
            return (new, *arguments[1:]), keywords
        return arguments, {**keywords, "hidden_states": new}

    return hook


def _on_output(action: Action) -> Callable[..., Any]:
    def hook(_module: nn.Module, _arguments: tuple[Any, ...], output: Any) -> Any:
        states = output if isinstance(output, Tensor) else output[0]
        new = action(states)
        if new is None:
            return None
        return new if isinstance(output, Tensor) else (new, *output[1:])

    return hook
