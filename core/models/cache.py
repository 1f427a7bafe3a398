"""Keys, values and states that a model keeps of what it has read, by the name that its class calls them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

_STATES, _KEYS = "cache_params", "past_key_values"


def keeps(model: PreTrainedModel) -> bool:
    """Whether a model can keep what it has read at all."""
    return not {_STATES, _KEYS}.isdisjoint(_parameters(model))


def new_cache(model: PreTrainedModel) -> dict[str, DynamicCache]:
    """An empty cache, by the keyword under which the model's forward takes it: ``cache_params`` for Mamba's, else ``past_key_values``."""
    return {_STATES if _STATES in _parameters(model) else _KEYS: DynamicCache(config=model.config)}


def keeps_keys(model: PreTrainedModel) -> bool:
    """Whether every layer keeps keys and values of its tokens, or of those in a window, and nothing else: no state, no index."""
    (name, cache), *_ = new_cache(model).items()
    kinds = {type(each) for each in cache.layers}
    return name == _KEYS and bool(kinds) and kinds <= {DynamicLayer, DynamicSlidingWindowLayer}


def going_on(cache: Mapping[str, DynamicCache], attention: Tensor | None) -> Tensor | None:
    """The attention mask to give with a cache that holds something: none for Mamba's states, in which padding has left nothing."""
    return None if _STATES in cache else attention


def _parameters(model: PreTrainedModel) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(type(model).forward).parameters
