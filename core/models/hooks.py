"""Where the residual stream of a decoder-only model is, and how to read or replace it for one call.

The residual at layer ``l`` is what *leaves* block ``l`` (0-based). Four kinds of site are enough for everything Tiller does:
what enters block 0 (`resid_pre`), what attention and MLP write, and what leaves a block (`resid_post`). Hooks are installed by a context
manager and gone when it ends; whatever container a module returns (a tensor, a tuple) is kept.

Architectures. One search by the names that transformers' classes share finds the parts. Tested, each on a tiny random model of its
own class (``tests/core/models/test_hooks.py``): Llama, Mistral, Qwen2, Qwen3, Gemma 2, Gemma 3 (text, and the text decoder of
the class for pictures), Phi-3, OLMo-2, SmolLM3, GPT-2, GPT-NeoX, Falcon (parallel, new and ALiBi), BLOOM, Mixtral, Qwen3-MoE. A
mixture of experts is steered and read like any other; what needs single neurons of an MLP asks :meth:`Anatomy.neurons`, which refuses.

To add an architecture, try it first: a class built like one of these needs nothing. Where a part has another name, or writes in another
way, give ``OVERRIDES`` a function from the model to its :class:`Anatomy`, by ``config.model_type`` (:func:`_bloom` is one)::

    from core.models.hooks import OVERRIDES, Anatomy, locate

    def mine(model):
        blocks = tuple(model.transformer.layers)
        return Anatomy(blocks, tuple(b.mixer.out for b in blocks), tuple(b.ff for b in blocks), tuple(b.ff.out for b in blocks),
                       model.transformer.last_norm, model.get_output_embeddings())

    OVERRIDES["mine"] = mine

Then add a tiny configuration to ``tests/support/tiny_models.py`` and the paths of its parts to ``tests/core/models/test_hooks.py``. What
``attention[l]`` and ``mlp[l]`` return must add up with what entered block ``l`` to what leaves it: the test checks that too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn
from transformers import PreTrainedModel

from core.errors import TillerError

#: A place in the residual stream: what enters block 0, what a part of block l writes, or what leaves block l; and beside it the neurons of
#: block l's MLP, before their last projection.
Site = tuple[Literal["resid_pre", "attention", "mlp", "neurons", "resid_post"], int]
#: What is done at a site: gets the states [rows, positions, width], of neurons [rows, positions, neurons]; returns new ones, or None to
#: leave them as they are. The model may write into what it got later on (Falcon adds attention's output into the MLP's): whoever keeps
#: states for later keeps a copy.
Action = Callable[[Tensor], Tensor | None]

_ATTENTION = ("self_attn", "attn", "attention", "self_attention")
_MLP = ("mlp", "feed_forward", "block_sparse_moe", "ffn")
_DOWN = ("down_proj", "dense_4h_to_h", "c_proj", "fc2", "fc_out", "w2", "dense_output")
_FINAL_NORM = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "final_norm")


class AnatomyError(TillerError):
    """A model whose parts are not found."""


@dataclass(frozen=True)
class Anatomy:
    """Where a model's parts are.

    ``attention[l]`` and ``mlp[l]`` are the modules whose outputs are added to the residual stream by block ``l``: where an
    architecture normalises what a part writes (Gemma 2, OLMo-2), that norm. ``down[l]`` is the MLP's last projection, ``None``
    where there is no single one; ``mixtures`` names the layers whose MLP is a mixture of experts.
    """

    blocks: tuple[nn.Module, ...]
    attention: tuple[nn.Module, ...]
    mlp: tuple[nn.Module, ...]
    down: tuple[nn.Module | None, ...]
    final_norm: nn.Module
    unembedding: nn.Module
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
                f"The last projection of the MLP at layer {layer} is not found; name it in core.models.hooks.OVERRIDES."
            )
        return found

    def check_layer(self, layer: int) -> None:
        """Raise AnatomyError when the model has no such layer."""
        if not 0 <= layer < self.layers:
            raise AnatomyError(f"There is no layer {layer}; this model has layers 0 to {self.layers - 1}.")


def locate(model: PreTrainedModel) -> Anatomy:
    """Find a decoder-only model's parts, by the names that transformers' architectures share or by ``OVERRIDES``.

    Raises:
        AnatomyError: naming the part that is not found; ``OVERRIDES`` is where to say where it is.
    """
    kind = str(getattr(model.config, "model_type", "unknown"))
    return OVERRIDES.get(kind, _search)(model)


def _search(model: PreTrainedModel) -> Anatomy:
    kind = str(getattr(model.config, "model_type", "unknown"))
    unembedding = model.get_output_embeddings()
    if unembedding is None:
        raise AnatomyError(
            f"A {kind} model without a language-model head cannot be steered; load a …ForCausalLM checkpoint."
        )
    body = _body(model)
    blocks = _blocks(body, kind)
    writers = [_writers(block, kind) for block in blocks]
    mixtures = frozenset(layer for layer, block in enumerate(blocks) if hasattr(_mlp(block, kind), "experts"))
    return Anatomy(
        blocks=blocks,
        attention=tuple(attention for attention, _ in writers),
        mlp=tuple(mlp for _, mlp in writers),
        down=tuple(None if layer in mixtures else _down(block, kind) for layer, block in enumerate(blocks)),
        final_norm=_child(body, _FINAL_NORM, kind, "final norm"),
        unembedding=unembedding,
        mixtures=mixtures,
    )


def _body(model: PreTrainedModel) -> nn.Module:
    # A class for pictures and text has the decoder beside its eyes; elsewhere it is the base model, or one level deeper.
    body: nn.Module = model.base_model
    for name in ("language_model", "decoder"):
        inner = getattr(body, name, None)
        body = inner if isinstance(inner, nn.Module) else body
    return body


def _blocks(body: nn.Module, kind: str) -> tuple[nn.Module, ...]:
    lists = [child for child in body.children() if isinstance(child, nn.ModuleList)]
    decoders = [each for each in lists if len(each) and any(hasattr(each[0], name) for name in _ATTENTION)]
    if len(decoders) != 1:
        raise AnatomyError(
            f"The blocks of a {kind} model are not found; name them in core.models.hooks.OVERRIDES[{kind!r}]."
        )
    return tuple(decoders[0])


def _writers(block: nn.Module, kind: str) -> tuple[nn.Module, nn.Module]:
    # With a norm after the feed-forward part, the norm's output is what is added; elsewhere
    # post_attention_layernorm stands before the MLP and writes nothing.
    after = getattr(block, "post_feedforward_layernorm", None)
    if isinstance(after, nn.Module):
        return _child(block, ("post_attention_layernorm",), kind, "norm after attention"), after
    attention, mlp = _child(block, _ATTENTION, kind, "attention"), _mlp(block, kind)
    for part, what in ((attention, "attention"), (mlp, "MLP")):
        if "residual" in inspect.signature(part.forward).parameters:
            # What it returns is then not what it writes: an ablation would be right by accident, a reading wrong.
            raise AnatomyError(
                f"The {what} of a {kind} model adds to the residual stream by itself; name the module whose output it adds "
                f"in core.models.hooks.OVERRIDES[{kind!r}]."
            )
    return attention, mlp


def _mlp(block: nn.Module, kind: str) -> nn.Module:
    return _child(block, _MLP, kind, "MLP")


def _down(block: nn.Module, kind: str) -> nn.Module | None:
    mlp = _mlp(block, kind)
    return next((getattr(mlp, name) for name in _DOWN if isinstance(getattr(mlp, name, None), nn.Module)), None)


def _child(module: nn.Module, names: tuple[str, ...], kind: str, what: str) -> nn.Module:
    for name in names:
        child = getattr(module, name, None)
        if isinstance(child, nn.Module):
            return child
    raise AnatomyError(f"The {what} of a {kind} model is not found; name it in core.models.hooks.OVERRIDES[{kind!r}].")


def _bloom(model: PreTrainedModel) -> Anatomy:
    """BLOOM's attention and MLP add to the residual stream by themselves, behind their last projections."""
    body: Any = model.base_model
    blocks = tuple(body.h)
    down = tuple(block.mlp.dense_4h_to_h for block in blocks)
    attention = tuple(block.self_attention.dense for block in blocks)
    return Anatomy(blocks, attention, down, down, body.ln_f, model.get_output_embeddings())


#: Architectures that the generic search gets wrong: ``config.model_type`` -> a function from the model to its Anatomy.
OVERRIDES: dict[str, Callable[[PreTrainedModel], Anatomy]] = {"bloom": _bloom}


@contextmanager
def hooked(anatomy: Anatomy, actions: Mapping[Site, Action]) -> Iterator[None]:
    """Run ``actions`` at their sites in every forward pass inside the ``with``; everything is undone at its end.

    Raises:
        AnatomyError: for a layer the model does not have.
    """
    handles = []
    try:
        for (kind, layer), action in actions.items():
            anatomy.check_layer(layer)
            if kind == "neurons":
                handles.append(anatomy.neurons(layer).register_forward_pre_hook(_on_input(action), with_kwargs=True))
            elif kind == "resid_pre":
                handles.append(anatomy.blocks[layer].register_forward_pre_hook(_on_input(action), with_kwargs=True))
            else:
                module = {"attention": anatomy.attention, "mlp": anatomy.mlp, "resid_post": anatomy.blocks}[kind][layer]
                handles.append(module.register_forward_hook(_on_output(action)))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def caught(anatomy: Anatomy, sites: Collection[Site]) -> Iterator[dict[Site, Tensor]]:
    """The states [rows, positions, width] at ``sites`` in the latest forward pass inside the ``with``, copied as they went by.

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


def _on_input(action: Action) -> Callable[..., Any]:
    def hook(_module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        # A block is called by the name of its states at times; a projection never is.
        states = arguments[0] if arguments else keywords["hidden_states"]
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
