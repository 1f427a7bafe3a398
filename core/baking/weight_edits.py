"""A recipe as a change of weights: what a model writes to the residual stream no longer has a direction in it, or has one more.

Ablating u from what a matrix writes is W' = W − u(uᵀW), and the same for its bias [Arditi et al., "Refusal is mediated by a single
direction", §2.4 and appendix E]: embeddings, attention output and MLP down projection. Adding v to what leaves block l is adding it to the
bias of its MLP's last projection, where there is one or can be one. Everything is computed in float64 and rounded once.

Weights act on every token, so that a baked addition reaches the beginning-of-text token too, which the recipe leaves alone; an
ablation reaches it in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from core.baking.widening import widened
from core.errors import TillerError
from core.models.hooks import Site
from core.models.loading import Loaded
from core.recipes.language import Recipe
from core.steering.interventions import RowEdit

_OUT = ("o_proj", "out_proj", "c_proj", "dense", "wo")
#: A norm between the embedding and block 0, by the names it has.
_EMBEDDING_NORMS = ("word_embeddings_layernorm", "embedding_norm", "embed_norm", "emb_norm")


class BakingError(TillerError):
    """A recipe that weights cannot hold, or a folder that cannot be written: one sentence with the reason."""


@dataclass(frozen=True)
class Changes:
    """What is to become of the weights: unit vectors [width] that are removed at a site, one after the other, and what is added to
    what leaves a layer; float64."""

    removed: Mapping[Site, Sequence[Tensor]]
    added: Mapping[int, Tensor]


def check_bakeable(recipe: Recipe) -> None:
    """Refuse what no weights can do. Raises BakingError naming the term."""
    if not recipe:
        raise BakingError("There is nothing to bake in an empty recipe; give one such as '!refusal'.")
    for term in recipe.terms:
        if term.kind == "neurons":
            raise BakingError(f"{term} cannot be baked: only directions are; leave it out, or steer with the recipe.")
        if term.kind not in ("ablate", "add") or term.gate:
            raise BakingError(
                f"{term} cannot be baked: it depends on where the model stands at each token, which weights alone cannot do; bake an "
                f"ablation (!{term.direction}) or an addition."
            )
        if term.scope != "all":
            raise BakingError(f"{term} cannot be baked: weights act on every token; leave out :{term.scope}.")


def changes(edits: Iterable[RowEdit]) -> Changes:
    """The changes that compiled edits ask for. Raises BakingError for one that acts on some tokens only, or depends on the state."""
    removed: dict[Site, list[Tensor]] = {}
    added: dict[int, Tensor] = {}
    for edit in edits:
        vector = torch.from_numpy(edit.vector).double()
        kind, layer = edit.site
        if edit.gate is not None:
            raise BakingError("This recipe acts at some tokens only, which weights cannot do.")
        if edit.kind == "set" and kind != "resid_post" and edit.reach == "all and BOS" and edit.target == 0:
            removed.setdefault(edit.site, []).append(vector)
        elif edit.kind == "add" and kind == "resid_post" and edit.reach == "all":
            added[layer] = added[layer] + vector if layer in added else vector
        else:
            raise BakingError(
                "This recipe does more than remove or add directions at every token, which weights cannot do."
            )
    return Changes(removed, added)


@torch.no_grad()
def operate(loaded: Loaded, wanted: Changes) -> Any:
    """The model that does by itself what the changes say: ``loaded.model``, changed in place, or another one where its shape has to change.

    Raises:
        BakingError: with the reason why this architecture cannot hold them.
    """
    model = loaded.model
    check_model(loaded, wanted)
    if wanted.removed and any(_normed(loaded, layer) for layer in range(loaded.anatomy.layers)):
        _untie(model)
        return widened(loaded, wanted.removed)
    _ablate(loaded, wanted.removed)
    # Last, since what a recipe adds is not ablated in the layer that it is added at.
    _add(loaded, wanted.added)
    return model


def _ablate(loaded: Loaded, removed: Mapping[Site, Sequence[Tensor]]) -> None:
    if ("resid_pre", 0) in removed:
        _untie(loaded.model)
    for (kind, layer), units in removed.items():
        if kind == "resid_pre":
            for embedding in _embeddings(loaded):
                _write(embedding.weight, _without(embedding.weight.double(), units, -1))
        else:
            _remove(loaded, kind, layer, units)


def check_model(loaded: Loaded, wanted: Changes) -> None:
    """Raise BakingError where it can be seen beforehand that a model cannot hold what is wanted."""
    if any(weight.is_meta or not weight.is_floating_point() for weight in loaded.model.parameters()):
        raise BakingError(
            f"{loaded.checkpoint.name} has to be in memory as a whole and not quantized to be baked; take a checkpoint that was saved in "
            "full precision, and --dtype bfloat16 if it does not fit."
        )
    if getattr(loaded.model.config, "auto_map", None):
        raise BakingError(
            f"{loaded.checkpoint.name} brings Python code of its own, which a baked folder does not carry; steer it with the recipe."
        )
    if ("resid_pre", 0) in wanted.removed and any(hasattr(_body(loaded), name) for name in _EMBEDDING_NORMS):
        raise BakingError(
            f"A {loaded.model.config.model_type} model cannot hold this ablation: a norm stands behind its embedding, and puts back "
            "what is removed from that; name the layers, or steer it with the recipe."
        )
    _check_additions(loaded, wanted.added)


def _body(loaded: Loaded) -> nn.Module:
    found: nn.Module = loaded.model.base_model
    return found


def _embeddings(loaded: Loaded) -> list[Any]:
    """What is added up to enter block 0: tokens, and positions where they are learnt."""
    first: Any = loaded.model.get_input_embeddings()
    beside = [each for each in _body(loaded).children() if isinstance(each, nn.Embedding) and each is not first]
    return [first, *beside]


def _normed(loaded: Loaded, layer: int) -> bool:
    """Whether norms stand behind what attention and MLP write, as in Gemma 2 and OLMo-2."""
    return "norm" in type(loaded.anatomy.mlp[layer]).__name__.lower()


def _untie(model: Any) -> None:
    """Give the unembedding weights of its own: it reads the residual stream, and what reads must stay as it is."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head.weight is embedding.weight:
        head.weight = nn.Parameter(embedding.weight.detach().clone(), requires_grad=False)
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False


# ----------------------------------------------------------------------------------------------------------------- ablate


def _remove(loaded: Loaded, kind: str, layer: int, units: Sequence[Tensor]) -> None:
    part = (loaded.anatomy.attention if kind == "attention" else loaded.anatomy.mlp)[layer]
    if kind == "mlp" and layer in loaded.anatomy.mixtures:
        _remove_from_experts(loaded, part, units)
        return
    writer = writer_of(loaded, kind, layer)
    _write(writer.weight, _without(writer.weight.double(), units, -1 if isinstance(writer, Conv1D) else 0))
    if writer.bias is not None:
        _write(writer.bias, _without(writer.bias.double(), units, 0))


def writer_of(loaded: Loaded, kind: str, layer: int) -> Any:
    """The last projection of a block's attention or MLP. Raises BakingError where there is no single one."""
    if kind == "attention":
        part: Any = loaded.anatomy.attention[layer]
        found = (
            part if isinstance(part, nn.Linear) else next((getattr(part, n) for n in _OUT if hasattr(part, n)), None)
        )
    else:
        found = loaded.anatomy.down[layer]
    if not isinstance(found, nn.Linear | Conv1D):
        raise BakingError(
            f"A {loaded.model.config.model_type} model cannot be baked: the last projection of its {kind} is not found; steer it with the "
            "recipe instead."
        )
    return found


def _remove_from_experts(loaded: Loaded, part: Any, units: Sequence[Tensor]) -> None:
    """Every expert of a mixture writes by a matrix of its own, [experts, width, inner] together; their sum is weighted, no more."""
    weight = getattr(part.experts, "down_proj", None)
    if not isinstance(weight, Tensor) or weight.dim() != 3 or weight.shape[1] != loaded.width:
        raise BakingError(
            f"A {loaded.model.config.model_type} model cannot be baked: what its experts write by is not found; steer it with the recipe "
            "instead."
        )
    for expert in weight:
        _write(expert, _without(expert.double(), units, 0))


def _without(matrix: Tensor, units: Sequence[Tensor], axis: int) -> Tensor:
    """A matrix, or bias, whose ``axis`` is the residual stream's, without what lies along each unit vector in turn."""
    flat = matrix.movedim(axis, 0)
    for unit in units:
        own = unit.to(flat.device)
        flat = flat - (torch.outer(own, own @ flat) if flat.dim() == 2 else own * (own @ flat))
    return flat.movedim(0, axis)


def _write(weight: Tensor, new: Tensor) -> None:
    weight.copy_(new.to(weight.dtype))


# -------------------------------------------------------------------------------------------------------------------- add


def _check_additions(loaded: Loaded, added: Mapping[int, Tensor]) -> None:
    """Raise BakingError where an addition has no bias to go to, before anything is changed."""
    config, kind = loaded.model.config.get_text_config(), loaded.model.config.model_type
    for layer in added:
        if _normed(loaded, layer):
            raise BakingError(
                f"A {kind} model cannot hold an addition: a norm stands behind its MLP, and no bias behind that; steer it with the recipe."
            )
        if writer_of(loaded, "mlp", layer).bias is None and not hasattr(config, "mlp_bias"):
            raise BakingError(
                f"A {kind} model cannot hold an addition: its MLP has no bias behind it, and its configuration none to switch on; bake an "
                "ablation, or steer it with the recipe."
            )


def _add(loaded: Loaded, added: Mapping[int, Tensor]) -> None:
    """Add to the biases behind the MLPs; a configuration that can have them gets them."""
    if any(writer_of(loaded, "mlp", layer).bias is None for layer in added):
        _make_biases(loaded)
        loaded.model.config.get_text_config().mlp_bias = True
    for layer, vector in added.items():
        bias = writer_of(loaded, "mlp", layer).bias
        _write(bias, bias.double() + vector.to(bias.device))


def _make_biases(loaded: Loaded) -> None:
    """Biases of zero for every projection of every MLP: one switch of the configuration makes them all."""
    for part in loaded.anatomy.mlp:
        for layer in part.modules():
            if isinstance(layer, nn.Linear) and layer.bias is None:
                layer.bias = nn.Parameter(layer.weight.new_zeros(layer.out_features), requires_grad=False)
