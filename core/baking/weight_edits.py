"""A recipe as a change of weights: what a model writes to the residual stream no longer has a direction in it, or has one more.

Ablating u from what a matrix writes is W' = W − u(uᵀW), and the same for its bias [Arditi et al., "Refusal is mediated by a single
direction", §2.4 and appendix E]: embeddings, and the matrices that a followed pass ends at (:mod:`core.models.flow`). Adding v to what
leaves block l is adding it to the bias of its MLP's last projection, where there is one or can be one. Everything is computed in float64
and rounded once.

Weights act on every token, so that a baked addition reaches the first token too, which the recipe leaves alone; an
ablation reaches it in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

from core.baking.widening import widened
from core.errors import TillerError
from core.models.flow import Flow, Written
from core.models.hooks import Site, followed
from core.models.loading import Loaded
from core.models.operations import Weight
from core.recipes.language import Recipe
from core.steering.interventions import RowEdit


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
        if (
            edit.kind == "set"
            and kind in ("resid_pre", "written")
            and edit.reach == "all and first"
            and edit.target == 0
        ):
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
    flow = check_model(loaded, wanted)
    model = loaded.model
    if ("resid_pre", 0) in wanted.removed or _normed(flow, wanted):
        _untie(model)
    if _normed(flow, wanted):
        return widened(loaded, flow, wanted.removed)
    _ablate(model, flow, wanted.removed)
    # Last, since what a recipe adds is not ablated in the layer that it is added at.
    _add(loaded, wanted.added)
    return model


def _ablate(model: nn.Module, flow: Flow, removed: Mapping[Site, Sequence[Tensor]]) -> None:
    for (kind, layer), units in removed.items():
        for weight in (flow.entries if kind == "resid_pre" else flow.blocks)[layer].weights or ():
            whole = model.get_parameter(weight.name)
            # Experts lie in one tensor, and one after the other takes less room.
            for each in whole if whole.dim() == 3 else (whole,):
                _write(each, _without(each.double(), units, weight.axis))


def check_model(loaded: Loaded, wanted: Changes) -> Flow:
    """How the model writes, by which weights.

    Raises:
        BakingError: it can be seen beforehand that the model cannot hold what is wanted.
    """
    model, kind = loaded.model, loaded.model.config.model_type
    if any(weight.is_meta or not weight.is_floating_point() for weight in model.parameters()):
        raise BakingError(
            f"{loaded.checkpoint.name} has to be in memory as a whole and not quantized to be baked; take a checkpoint that was saved in "
            "full precision, and --dtype bfloat16 if it does not fit."
        )
    if not all(type(each).__module__.startswith("transformers.") for each in (model, loaded.tokenizer)):
        raise BakingError(
            f"{loaded.checkpoint.name} brings Python code of its own, which a baked folder does not carry; steer it with the recipe."
        )
    if type(model.config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise BakingError(
            f"This {kind} model is a part of a larger one, which plain transformers does not load by itself; steer it with the recipe."
        )
    flow = followed(model, loaded.anatomy.blocks, weights=True)
    for place, layer in wanted.removed:
        if place == "resid_pre" and flow.entries[layer].weights is None:
            raise BakingError(
                f"This {kind} model cannot hold this ablation: a norm stands behind its embedding, or fixed numbers are added to it, so "
                "that what is removed comes back; name the layers, or steer it with the recipe."
            )
        written = flow.blocks[layer]
        if place == "written" and written.weights is None and not _only_normed(written):
            raise BakingError(
                f"This {kind} model cannot be baked: what layer {layer} writes is more than a sum of what matrices give, since a norm, a "
                "gate or a gain stands behind them; steer it with the recipe."
            )
    _check_additions(loaded, flow, wanted.added)
    return flow


def _normed(flow: Flow, wanted: Changes) -> bool:
    return any(place == "written" and flow.blocks[layer].weights is None for place, layer in wanted.removed)


def _only_normed(written: Written) -> bool:
    """Whether a block writes by two norms alone, each behind one matrix, as in Gemma 2 and OLMo-2."""
    behind = dict(written.normed)
    return (
        written.whole and len(written.writers) == 2 and all(_one_matrix(behind.get(each)) for each in written.writers)
    )


def _one_matrix(weights: frozenset[Weight] | None) -> bool:
    return len([each for each in weights or () if each.axis == -2]) == 1 and all(
        each.axis == -2 or each.name.endswith("bias") for each in weights or ()
    )


def _untie(model: Any) -> None:
    """Give the unembedding weights of its own: it reads the residual stream, and what reads must stay as it is."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head.weight is embedding.weight:
        head.weight = nn.Parameter(embedding.weight.detach().clone(), requires_grad=False)
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False


# ----------------------------------------------------------------------------------------------------------------- ablate


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


def _check_additions(loaded: Loaded, flow: Flow, added: Mapping[int, Tensor]) -> None:
    """Raise BakingError where an addition has no bias to go to, before anything is changed."""
    config, kind = loaded.model.config.get_text_config(), loaded.model.config.model_type
    names = {id(weight): name for name, weight in loaded.model.named_parameters()}
    for layer in added:
        if flow.blocks[layer].normed:
            raise BakingError(
                f"This {kind} model cannot hold an addition: a norm stands behind its MLP, and no bias behind that; steer it with the "
                "recipe."
            )
        down: Any = loaded.anatomy.down[layer]
        written = {each.name for each in flow.blocks[layer].weights or ()}
        if (
            down is None
            or names.get(id(down.weight)) not in written
            or (down.bias is None and not hasattr(config, "mlp_bias"))
        ):
            raise BakingError(
                f"This {kind} model cannot hold an addition: its MLP has no bias behind it, and its configuration none to switch on; bake "
                "an ablation, or steer it with the recipe."
            )


def _add(loaded: Loaded, added: Mapping[int, Tensor]) -> None:
    """Add to the biases behind the MLPs; a configuration that can have them gets them."""
    downs: dict[int, Any] = {layer: loaded.anatomy.down[layer] for layer in added}
    if any(each.bias is None for each in downs.values()):
        _make_biases(loaded)
        loaded.model.config.get_text_config().mlp_bias = True
    for layer, vector in added.items():
        bias = downs[layer].bias
        _write(bias, bias.double() + vector.to(bias.device))


def _make_biases(loaded: Loaded) -> None:
    """Biases of zero for every projection of every MLP: one switch of the configuration makes them all."""
    for part in loaded.anatomy.mlp:
        for layer in part.modules() if part is not None else ():
            if isinstance(layer, nn.Linear) and layer.bias is None:
                layer.bias = nn.Parameter(layer.weight.new_zeros(layer.out_features), requires_grad=False)
