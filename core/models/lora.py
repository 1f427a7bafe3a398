"""PEFT adapters (LoRA): merged into the weights they were trained on while these are read, one matrix at a time.

A LoRA adapter (arXiv 2106.09685, section 4.1) keeps W' = W + s·B·A for some matrices W. ``peft`` itself merges every one of them, in
float32 and from full precision, so that whatever it knows of scales, ranks by name and decomposed weights (DoRA) holds here; what is
quantized afterwards is the sum. Only ``adapter_model.safetensors`` is read.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.artefacts.store import fingerprint_of, read_metadata
from core.families.checkpoint import Checkpoint, Source
from core.models import files
from core.models.files import LoadError, Stored
from core.util.files import read_json

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_PICKLED = "adapter_model.bin"
#: What peft puts before the names of a model's tensors.
_PREFIX = "base_model.model."
#: How a LoRA's tensors of one matrix are called behind the matrix's name.
_PARTS = (
    *("lora_A.weight", "lora_B.weight", "lora_embedding_A", "lora_embedding_B"),
    *("lora_magnitude_vector", "lora_magnitude_vector.weight"),
)
#: What peft calls the parts of a layer that is trained as a whole; of a resized one it saves these, too, beside what they make.
_WRAPPED = (".modules_to_save.", ".original_module.")
#: What the matrices at both ends of a model are called.
_ENDS = ("embed_tokens.", "wte.", "embed_in.", "word_embeddings.", "lm_head.", "embed_out.")
#: What of a configuration would make a merged model another one than the adapted.
_UNMERGEABLE = {
    "target_parameters": "changes parameters that are no layers of their own",
    "lora_bias": "has biases of its own",
    "alora_invocation_tokens": "acts from certain tokens on only",
    "trainable_token_indices": "trains single tokens' embeddings",
}

#: Makes a tensor of the adapted checkpoint of the same tensor below it, by its name.
Change = Callable[[str, Tensor], Tensor]
_Shape = tuple[int, ...]


class AdapterError(LoadError):
    """An adapter that cannot be merged into the weights it is said to belong to."""


@dataclass(frozen=True)
class _Adapter:
    """An adapter's files, read: ``matrices`` are its parts by the name of the layer they change, ``whole`` what it replaces."""

    checkpoint: str
    source: Source
    config: Any
    matrices: Mapping[str, Mapping[str, Tensor]]
    whole: Mapping[str, Tensor]

    def wrong(self, sentence: str) -> AdapterError:
        """The error that a sentence is about."""
        return AdapterError(f"The adapter {self.source} of {self.checkpoint!r} {sentence}")


def adapter_change(
    checkpoint: Checkpoint, stored: Mapping[str, Stored], model: Mapping[str, Any]
) -> tuple[Change, Mapping[str, _Shape]]:
    """What makes a checkpoint's tensors out of those of the weights below its adapters.

    Args:
        stored: the tensors of those weights.
        model: their config.json.

    Raises:
        AdapterError: an adapter is no LoRA, is pickled, or changes what the weights do not have in this shape.
        Exception: whatever the Hub's client raises.

    Returns:
        that, and the shapes of the embeddings that an adapter replaces by ones for a larger vocabulary.
    """
    steps, shapes = [], {name: each.shape for name, each in stored.items()}
    for source in checkpoint.adapters:
        adapter = _read(checkpoint, source)
        steps.append(_step(adapter, shapes, model))
        shapes |= _resized(adapter, shapes)

    def changed(name: str, weight: Tensor) -> Tensor:
        for step in steps:
            weight = step(name, weight)
        return weight

    return changed, {name: shape for name, shape in shapes.items() if shape != stored[name].shape}


def adapter_folder(source: Source) -> Path:
    """The folder of an adapter's files; from the Hub they are fetched first, with the tokenizer that may lie beside them.

    Raises:
        Exception: whatever the Hub's client raises.
    """
    if source.local:
        return Path(source.source)
    return files.fetched(source, (*files.SMALL_FILES, WEIGHTS))


def adapter_fingerprint(checkpoint: Checkpoint, below: str) -> str:
    """What an adapted checkpoint is known by: the fingerprint of the weights ``below`` and the adapters' bytes."""
    parts = (adapter_folder(source) / name for source in checkpoint.adapters for name in (CONFIG, WEIGHTS))
    return fingerprint_of(itertools.chain([below.encode()], (part.read_bytes() for part in parts)))


def trained_on_others(checkpoint: Checkpoint, below: str) -> str:
    """That an adapter says it was trained on other weights than those of the fingerprint ``below``; empty where it does not.

    An adapter says so in the metadata of its weights: ``tiller`` is a JSON document with ``trained_on``.
    """
    for source in checkpoint.adapters:
        said = (read_metadata(adapter_folder(source) / WEIGHTS) or {}).get("trained_on")
        if said and said != below:
            return (
                f"The adapter of {checkpoint.name} was trained on other weights ({said}) than those of {checkpoint.weights} ({below}); "
                "what was measured of it may differ a little."
            )
    return ""


# ---------------------------------------------------------------------------------------------------------------- reading


def _read(checkpoint: Checkpoint, source: Source) -> _Adapter:
    folder = adapter_folder(source)
    empty = _Adapter(checkpoint.name, source, None, {}, {})
    if not (folder / CONFIG).is_file():
        raise empty.wrong(f"has no {CONFIG} in {folder}; restore the folder, or correct family.toml.")
    if not (folder / WEIGHTS).is_file():
        raise empty.wrong(_without_weights(folder))
    files.check_whole(checkpoint, folder / WEIGHTS)
    config = _config(empty, folder)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise empty.wrong(f"cannot be read ({error}); copy {folder / WEIGHTS} again.") from error
    matrices: dict[str, dict[str, Tensor]] = {}
    whole: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        # An adapted embedding is saved with what it was before, which is then the layer's own matrix.
        plain = name.removeprefix(_PREFIX).replace(".base_layer.", ".")
        part = next((each for each in _PARTS if plain.endswith(f".{each}")), None)
        if part:
            matrices.setdefault(plain.removesuffix(f".{part}"), {})[part] = tensor
        elif "lora_" in plain or "token_adapter" in plain:
            raise empty.wrong(f"holds {plain}, which cannot be merged; {_MERGE_YOURSELF}")
        elif not any(own in plain for own in _WRAPPED):
            whole[plain] = tensor
    return _Adapter(checkpoint.name, source, config, matrices, whole)


_MERGE_YOURSELF = "merge it with peft's merge_and_unload, save the model to a folder, and name that one."


def _without_weights(folder: Path) -> str:
    if not (folder / _PICKLED).is_file():
        return f"has no {WEIGHTS} in {folder}; restore it."
    # Nothing runs when tensors alone are unpickled, which is what weights_only says.
    convert = (
        "import torch, safetensors.torch as s; "
        f"s.save_file({{n: t.contiguous() for n, t in torch.load('{folder / _PICKLED}', weights_only=True).items()}}, '{folder / WEIGHTS}')"
    )
    return f'is pickled ({_PICKLED}), which is not read, since it can run code; if you trust it, convert it: python -c "{convert}"'


def _config(adapter: _Adapter, folder: Path) -> Any:
    try:
        document = read_json(folder / CONFIG)
        kind = str(document["peft_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise adapter.wrong(
            f"has an {CONFIG} that cannot be read ({type(error).__name__}); copy {folder / CONFIG} again."
        ) from error
    if kind != "LORA":
        raise adapter.wrong(f"is of the kind {kind}, and only LoRA can be merged into weights; take a LoRA.")
    for key, what in _UNMERGEABLE.items():
        if document.get(key):
            raise adapter.wrong(f"{what} ({key}), which cannot be merged into weights; {_MERGE_YOURSELF}")
    from peft import LoraConfig

    if newer := [key for key, value in document.items() if value and key not in LoraConfig.__dataclass_fields__]:
        # peft would go on without it.
        raise adapter.wrong(
            f"was made by a newer peft, with {newer[0]}, which this one does not know; {_MERGE_YOURSELF}"
        )
    try:
        return LoraConfig.from_pretrained(str(folder))
    except Exception as error:
        # peft and Python raise whatever they like for a value that is not of the right kind.
        reason = " ".join(str(error).split())[:200]
        raise adapter.wrong(f"has an {CONFIG} that peft cannot use ({reason}); {_MERGE_YOURSELF}") from error


# ---------------------------------------------------------------------------------------------------------------- merging


def _step(adapter: _Adapter, stored: Mapping[str, _Shape], model: Mapping[str, Any]) -> Change:
    """One adapter's change, once it is known to fit; ``stored`` are the shapes below it."""
    # First, since a tied model need not store the matrix that such an adapter names.
    _check_tied(adapter, model)
    layers = {_named(adapter, f"{layer}.weight", stored): layer for layer in adapter.matrices}
    whole = {_named(adapter, name, stored): name for name in adapter.whole}
    for name, layer in layers.items():
        _check_shape(adapter, layer, stored[name])
    larger = _resized(adapter, stored)
    for name, own in whole.items():
        if tuple(adapter.whole[own].shape) != larger.get(name, stored[name]):
            raise adapter.wrong(
                f"replaces {own} by one of shape {_said(adapter.whole[own].shape)}, where the weights have "
                f"{_said(stored[name])}; {_MERGE_YOURSELF}"
            )

    def step(name: str, weight: Tensor) -> Tensor:
        if name in whole:
            weight = adapter.whole[whole[name]].float()
        return _merged(adapter, layers[name], weight.float()) if name in layers else weight

    return step


def _resized(adapter: _Adapter, stored: Mapping[str, _Shape]) -> dict[str, _Shape]:
    """The shapes of embeddings with more rows, for tokens that came with the adapter: all that the model has are replaced, or none."""
    names = {_named(adapter, name, stored): name for name in adapter.whole if any(end in name for end in _ENDS)}
    found = {name: tuple(adapter.whole[own].shape) for name, own in names.items()}
    ends = [name for name in stored if any(end in name for end in _ENDS)]
    whole = set(ends) <= set(found) and len({shape[0] for shape in found.values()}) == 1
    return {name: shape for name, shape in found.items() if whole and shape[1:] == stored[name][1:]}


def _named(adapter: _Adapter, name: str, stored: Mapping[str, _Shape]) -> str:
    """What the weights' files call a tensor."""
    if name in stored:
        return name
    # Files may lack the first part of every name, when they were saved from the model without its head.
    alike = [each for each in stored if name.endswith(f".{each}") or each.endswith(f".{name}")]
    if len(alike) != 1:
        raise adapter.wrong(
            f"changes {name}, which the weights below it do not have; it was trained on another model, so correct adapter_of or --base."
        )
    return alike[0]


def _check_tied(adapter: _Adapter, model: Mapping[str, Any]) -> None:
    text = model.get("text_config") or {}
    if not model.get("tie_word_embeddings", text.get("tie_word_embeddings", False)):
        return
    for name in (*(f"{layer}.weight" for layer in adapter.matrices), *adapter.whole):
        if any(end in name for end in _ENDS):
            raise adapter.wrong(f"changes {name}, which the model uses at both of its ends; {_MERGE_YOURSELF}")


def _check_shape(adapter: _Adapter, layer: str, shape: tuple[int, ...]) -> None:
    parts = adapter.matrices[layer]
    # A linear layer's A reads and its B writes; an embedding's A stands for the rows.
    if "lora_A.weight" in parts and "lora_B.weight" in parts:
        made = (parts["lora_B.weight"].shape[0], parts["lora_A.weight"].shape[1])
        turned = bool(adapter.config.fan_in_fan_out)
    elif "lora_embedding_A" in parts and "lora_embedding_B" in parts:
        made, turned = (parts["lora_embedding_B"].shape[0], parts["lora_embedding_A"].shape[1]), True
    else:
        raise adapter.wrong(f"lacks a part of {layer}; copy it again.")
    if (made[::-1] if turned else made) != shape:
        raise adapter.wrong(
            f"changes {layer} of shape {_said(made[::-1] if turned else made)}, where the weights have {_said(shape)}; it was trained "
            "on another model, so correct adapter_of or --base."
        )


def _said(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _merged(adapter: _Adapter, layer: str, weight: Tensor) -> Tensor:
    """A float32 matrix with what the adapter adds to it: peft is given a model of this one layer, under its full name."""
    from peft import inject_adapter_in_model, set_peft_model_state_dict

    host = nn.Module()
    place = host
    *path, last = layer.split(".")
    for part in path:
        place.add_module(part, nn.Module())
        place = place.get_submodule(part)
    place.add_module(last, _alone(adapter, layer, weight))
    parts = {f"{layer}.{part}": tensor.float() for part, tensor in adapter.matrices[layer].items()}
    try:
        inject_adapter_in_model(_for_layer(adapter.config, layer), host)
        report: Any = set_peft_model_state_dict(host, parts)
        adapted: Any = host.get_submodule(layer)
        adapted.merge(safe_merge=True)
    except Exception as error:
        # Whatever peft says about ranks, variants or broken numbers, the adapter cannot be used.
        reason = " ".join(str(error).split())[:200]
        raise adapter.wrong(
            f"cannot be merged at {layer} ({type(error).__name__}: {reason}); {_MERGE_YOURSELF}"
        ) from error
    if report.unexpected_keys:
        raise adapter.wrong(f"holds {report.unexpected_keys[0]}, which peft does not know; {_MERGE_YOURSELF}")
    found = adapted.get_base_layer().weight
    assert isinstance(found, Tensor)
    return found.detach()


def _alone(adapter: _Adapter, layer: str, weight: Tensor) -> nn.Module:
    """A layer of the kind that holds such a matrix, with the matrix in it."""
    if "lora_embedding_A" in adapter.matrices[layer]:
        return nn.Embedding(weight.shape[0], weight.shape[1], _weight=weight)
    if adapter.config.fan_in_fan_out:
        from transformers.pytorch_utils import Conv1D

        turned: Any = Conv1D(weight.shape[1], weight.shape[0])
        turned.weight = nn.Parameter(weight, requires_grad=False)
        assert isinstance(turned, nn.Module)
        return turned
    with torch.device("meta"):
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    return linear


def _for_layer(config: Any, layer: str) -> Any:
    """An adapter's configuration for a model of this one layer, with the rank and the scale that it has there."""
    from peft.utils.other import get_pattern_key

    own = copy.copy(config)
    ranks, scales = config.rank_pattern, config.alpha_pattern
    own.r = ranks.get(get_pattern_key(list(ranks), layer), config.r)
    own.lora_alpha = scales.get(get_pattern_key(list(scales), layer), config.lora_alpha)
    own.rank_pattern, own.alpha_pattern = {}, {}
    own.target_modules = {layer}
    own.exclude_modules = own.modules_to_save = own.layers_to_transform = own.layers_pattern = own.task_type = None
    own.bias = "none"
    return own
