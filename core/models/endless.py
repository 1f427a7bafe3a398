"""What small files of a model may say that takes all memory before anything can be refused: blocks without number, and texts that grow with
every step on their way to tokens. No torch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from core.util.limits import MAX_BLOCKS, MAX_EXPERTS, MAX_GROWTH

#: What a setting is called that counts the parts of a model, as num_hidden_layers, n_layer, num_local_experts or depth.
_COUNT = re.compile(r"(?:^|_)(?:layers?|blocks?|experts?|depth)$")


def endless_model(config: Mapping[str, Any]) -> str:
    """The count in a config.json of which transformers would make blocks or experts until the memory is full; empty for none."""
    counts = dict(_counts(config))
    blocks = {key: value for key, value in counts.items() if "expert" not in key}
    deepest = max([1, *blocks.values()])
    most = {key: MAX_BLOCKS if key in blocks else MAX_EXPERTS / deepest for key in counts}
    wrong = next((key for key, value in counts.items() if value > most[key]), None)
    return "" if wrong is None else f'"{wrong}": {json.dumps(counts[wrong])[:30]}'


def _counts(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a config.json by whose name it counts blocks or experts, nested ones too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _counts(inner, str(name))
    elif isinstance(value, int | float) and _COUNT.search(key):
        yield key, value


def endless_text(tokenizer: Mapping[str, Any]) -> str:
    """The part of a tokenizer.json (``normalizer`` or ``pre_tokenizer``) by whose steps, one after another, a text may become too many
    times as long; empty for none."""
    return next(
        (name for name in ("normalizer", "pre_tokenizer") if sum(map(_growth, _steps(tokenizer.get(name)))) > math.log(MAX_GROWTH)),
        "",
    )  # fmt: skip


def _steps(part: Any) -> Iterator[Mapping[str, Any]]:
    """The steps of a normalizer or of a pre-tokenizer, which may be lists of others."""
    if not isinstance(part, dict):
        return
    yield part
    for inner in (part.get("normalizers"), part.get("pretokenizers")):
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
