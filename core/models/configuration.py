"""What is made of a config.json: the class of its model, and, where nothing can be, which of its settings stands in the way."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    PretrainedConfig,
)

#: So much of a setting is shown.
_SHOWN = 60


def class_for(config: Any) -> Any:
    """The kind of model that a configuration is loaded as: one for pictures and text is used for text alone."""
    pictures = type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING
    return AutoModelForImageTextToText if pictures else AutoModelForCausalLM


def read_configuration(folder: Path, options: Mapping[str, Any]) -> Any:
    """A folder's configuration. Raises whatever transformers does, and ValueError for one of which no model can be made."""
    return _checked(AutoConfig.from_pretrained(folder, **options))


def wrong_setting(found: Mapping[str, Any]) -> str:
    """The setting, as it stands in a config.json, without which a model could be made of it; empty where it is not one alone.

    It is found by trying, without memory for weights: what libraries say of a value that they cannot use names it seldom.
    """
    names = () if _makes(found) else [name for name in found if name != "model_type"]
    wrong = next((name for name in names if _makes({key: found[key] for key in found if key != name})), None)
    return "" if wrong is None else f'"{wrong}": {_short(json.dumps(found[wrong], ensure_ascii=False))}'


def _makes(found: Mapping[str, Any]) -> bool:
    try:
        config = _checked(AutoConfig.for_model(**found))
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            class_for(config).from_config(config)
    except Exception:
        # Whatever a library makes of a value that it cannot use.
        return False
    return True


def _checked(config: Any) -> Any:
    text = config.get_text_config()
    if not isinstance(text, PretrainedConfig) or getattr(text, "num_hidden_layers", 1) < 1:
        # transformers takes it, and a library fails later on.
        raise ValueError("no model can be made of this configuration")
    return config


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
