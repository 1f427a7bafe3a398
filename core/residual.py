"""Where the residual stream of a decoder-only model is, and how to read or replace it for one call.

The residual at layer ``l`` is what *leaves* block ``l`` (0-based). Four kinds of site are enough for everything Tiller does:
what enters block 0, what attention and MLP write, and what leaves a block. Hooks are installed by a context manager and gone
when it ends; whatever container a module returns (a tensor, a tuple) is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn
from transformers import PreTrainedModel

from core.errors import TillerError

#: A place in the residual stream: what enters block 0, what a part of block l writes, or what leaves block l.
Site = tuple[Literal["enter", "attention", "mlp", "leave"], int]
#: What is done at a site: gets the states [rows, positions, width]; returns new ones, or None to leave them as they are.
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
    where there is no single one (mixtures of experts).
    """

    blocks: tuple[nn.Module, ...]
    attention: tuple[nn.Module, ...]
    mlp: tuple[nn.Module, ...]
    down: tuple[nn.Module | None, ...]
    final_norm: nn.Module
    unembedding: nn.Module

    @property
    def layers(self) -> int:
        """The number of blocks."""
        return len(self.blocks)


#: Architectures that the generic search gets wrong: ``config.model_type`` -> a function from the model to its Anatomy.
OVERRIDES: dict[str, Callable[[PreTrainedModel], Anatomy]] = {}


def locate(model: PreTrainedModel) -> Anatomy:
    """Find a decoder-only model's parts, by the names that transformers' architectures share.

    Raises:
        AnatomyError: naming the part that is not found; ``OVERRIDES`` is where to say where it is.
    """
    kind = str(getattr(model.config, "model_type", "unknown"))
    if kind in OVERRIDES:
        return OVERRIDES[kind](model)
    body = _body(model)
    blocks = _blocks(body, kind)
    writers = [_writers(block, kind) for block in blocks]
    unembedding = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if unembedding is None:
        raise AnatomyError(
            f"A {kind} model without a language-model head cannot be steered; load a …ForCausalLM checkpoint."
        )
    return Anatomy(
        blocks=blocks,
        attention=tuple(attention for attention, _ in writers),
        mlp=tuple(mlp for _, mlp in writers),
        down=tuple(_down(block, kind) for block in blocks),
        final_norm=_child(body, _FINAL_NORM, kind, "final norm"),
        unembedding=unembedding,
    )


def _body(model: PreTrainedModel) -> nn.Module:
    body: nn.Module = model.base_model
    # Some wrappers keep the decoder one level deeper.
    inner = getattr(body, "decoder", None)
    return inner if isinstance(inner, nn.Module) else body


def _blocks(body: nn.Module, kind: str) -> tuple[nn.Module, ...]:
    lists = [child for child in body.children() if isinstance(child, nn.ModuleList)]
    decoders = [each for each in lists if len(each) and any(hasattr(each[0], name) for name in _ATTENTION)]
    if len(decoders) != 1:
        raise AnatomyError(
            f"The blocks of a {kind} model are not found; name them in core.residual.OVERRIDES[{kind!r}]."
        )
    return tuple(decoders[0])


def _writers(block: nn.Module, kind: str) -> tuple[nn.Module, nn.Module]:
    # With a norm after the feed-forward part, the norm's output is what is added; elsewhere
    # post_attention_layernorm stands before the MLP and writes nothing.
    after = getattr(block, "post_feedforward_layernorm", None)
    if isinstance(after, nn.Module):
        return _child(block, ("post_attention_layernorm",), kind, "norm after attention"), after
    return _child(block, _ATTENTION, kind, "attention"), _child(block, _MLP, kind, "MLP")


def _down(block: nn.Module, kind: str) -> nn.Module | None:
    mlp = _child(block, _MLP, kind, "MLP")
    return next((getattr(mlp, name) for name in _DOWN if isinstance(getattr(mlp, name, None), nn.Module)), None)


def _child(module: nn.Module, names: tuple[str, ...], kind: str, what: str) -> nn.Module:
    for name in names:
        child = getattr(module, name, None)
        if isinstance(child, nn.Module):
            return child
    raise AnatomyError(f"The {what} of a {kind} model is not found; name it in core.residual.OVERRIDES[{kind!r}].")


@contextmanager
def hooked(anatomy: Anatomy, actions: Mapping[Site, Action]) -> Iterator[None]:
    """Run ``actions`` at their sites in every forward pass inside the ``with``; everything is undone at its end.

    Raises:
        AnatomyError: for a layer the model does not have.
    """
    handles = []
    try:
        for (kind, layer), action in actions.items():
            if not 0 <= layer < anatomy.layers:
                raise AnatomyError(f"There is no layer {layer}; this model has layers 0 to {anatomy.layers - 1}.")
            if kind == "enter":
                handles.append(anatomy.blocks[layer].register_forward_pre_hook(_on_input(action), with_kwargs=True))
            else:
                module = {"attention": anatomy.attention, "mlp": anatomy.mlp, "leave": anatomy.blocks}[kind][layer]
                handles.append(module.register_forward_hook(_on_output(action)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _on_input(action: Action) -> Callable[..., Any]:
    def hook(_module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
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
