"""What small files of a model may say that takes all memory before anything can be refused: blocks without number, and texts that grow with
every step on their way to tokens. No torch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from core.util.limits import MAX_ADDED, MAX_BLOCKS, MAX_EXPERTS, MAX_GROWTH, MAX_PARTS

#: What a setting is called that counts the parts of a model, as num_hidden_layers, n_layer, num_local_experts or depths.
_COUNT = re.compile(r"(?:^|_)(?:layers?|blocks?|experts?|depths?)$")
#: What one is called that is no count, but a size, a place, a token or a number to reckon with, which may be large.
_SIZE = re.compile(
    r"size|dim|width|hidden|embd|inner|vocab|token|_ids?$|ind(?:ex|ices)|idx|position|length|_len|ctx|context|window|chunk|theta|base|scale"
    r"|factor|freq|rate|seed|max|min|version|param|numel|bytes|eps|bias|time_|step|hop|fft|sampl|pixel|patch|height"
)


def endless_model(config: Mapping[str, Any]) -> str:
    """The count in a config.json of which transformers would make parts until the memory is full; empty for none."""
    counts = [(key, value) for key, value in _numbers(config) if _COUNT.search(key) or not _SIZE.search(key)]
    deepest = max([1, *(value for key, value in counts if _COUNT.search(key) and "expert" not in key)])
    for key, value in counts:
        if value > (MAX_PARTS if not _COUNT.search(key) else MAX_EXPERTS / deepest if "expert" in key else MAX_BLOCKS):
            return f'"{key}": {json.dumps(value)[:30]}'
    return ""


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a config.json with the name that it stands under, in nested tables and lists too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, key)
    elif isinstance(value, int) or (isinstance(value, float) and _COUNT.search(key)):
        yield key, value


def endless_text(tokenizer: Mapping[str, Any]) -> str:
    """The part of a tokenizer.json by whose steps, one after another, a text may become too many times as long, or that adds tokens without
    number; empty for none."""
    around = tokenizer.get("post_processor")
    # A template that names a token of many ids as often as it likes: both are lists in the file, which multiply.
    if isinstance(around, dict) and _listed(around) > MAX_ADDED:
        return "post_processor"
    for name in ("normalizer", "pre_tokenizer", "decoder"):
        if sum(map(_growth, _steps(tokenizer.get(name)))) > math.log(MAX_GROWTH):
            return name
    return ""


def _listed(part: Any) -> int:
    """How many things all lists of a part hold together."""
    inner = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []
    return (len(part) if isinstance(part, list) else 0) + sum(map(_listed, inner))


def _steps(part: Any) -> Iterator[Mapping[str, Any]]:
    """The steps of a normalizer or of a pre-tokenizer, which may be lists of others."""
    if not isinstance(part, dict):
        return
    yield part
    for inner in (part.get("normalizers"), part.get("pretokenizers"), part.get("decoders")):
        for each in inner if isinstance(inner, list) else ():
            yield from _steps(each)


def _growth(step: Mapping[str, Any]) -> float:
    """The logarithm of how many times as long a step makes a text at the most."""
    if step.get("type") == "ByteLevel":
        # Every byte becomes a letter, half of them one of two bytes.
        return math.log(2)
    content, pattern = step.get("content"), step.get("pattern")
    if step.get("type") != "Replace" or not isinstance(content, str):
        return 0.0
    found = pattern.get("String") if isinstance(pattern, dict) else None
    # Of an expression it is not known how little it may stand for.
    return math.log(max(1.0, len(content) / len(found) if isinstance(found, str) and found else 1 + len(content)))
