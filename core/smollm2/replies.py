"""What a checkpoint itself answers to harmless requests: what its next stage holds on to, or shortens. Kept as it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.chat.settings import Sampling
from core.inference.decoding_batches import answer_all, askings
from core.inference.metrics import chat_prompts
from core.models.loading import Loaded
from core.smollm2.prompts import StagePrompt
from core.training.state import TrainingRefused
from core.util.files import json_text, read_json, write_bytes
from core.util.progress import finished

#: Requests that are answered before what was answered so far is written down.
_TOGETHER = 64
#: A sentence, with what ends it.
_SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)
#: Words that the beginning of an answer has at least.
_FEWEST = 5
#: The part of a reply that its beginning is, at least and at most.
_LEAST_OF, _MOST_OF = 0.4, 0.65


@dataclass(frozen=True)
class OwnReply:
    """A reply in text and ids; ``ended`` by itself."""

    text: str
    ids: tuple[int, ...]
    ended: bool


def own_replies(loaded: Loaded, wanted: Sequence[StagePrompt], file: Path, longest: int) -> dict[str, OwnReply]:
    """The greedy replies to requests by their names, of so many tokens at most; those in ``file`` are taken from there, and the others
    added.

    Raises:
        TrainingRefused: they are another checkpoint's, or of another length.
    """
    key = {"fingerprint": loaded.fingerprint, "longest": longest}
    kept: dict[str, Any] = read_json(file) if file.is_file() else {"key": key, "replies": {}}
    if kept["key"] != key:
        raise TrainingRefused(
            f"{file} holds replies of another checkpoint, or of another length: delete it and run again"
        )
    found: dict[str, Any] = kept["replies"]
    left = [each for each in wanted if each.name not in found]
    for start in range(0, len(left), _TOGETHER):
        part = left[start : start + _TOGETHER]
        asked = [each.ids for each in chat_prompts(loaded, [each.text for each in part])]
        sampling = Sampling(temperature=0.0, max_new_tokens=longest)
        for each, answer in zip(part, finished(answer_all(loaded, askings(asked), sampling)), strict=True):
            found[each.name] = [answer.text, [token.id for token in answer.tokens], answer.reason == "end"]
        write_bytes(file, json_text(kept).encode())
        print(
            f"{min(start + _TOGETHER, len(left))} of {len(left)} requests answered by {loaded.checkpoint.name}.",
            flush=True,
        )
    said = {each.name: found[each.name] for each in wanted}
    return {name: OwnReply(text, tuple(ids), ended) for name, (text, ids, ended) in said.items()}


def beginning(reply: str) -> str:
    """The sentences that a reply begins with, about half of it; empty where it has no such beginning that says something."""
    parts = _SENTENCE.findall(reply)
    best = ""
    for part in parts:
        if len(best) + len(part) > _MOST_OF * len(reply) and best:
            break
        best += part
        if len(best.split()) >= _FEWEST and len(best) >= _LEAST_OF * len(reply):
            break
    return best.strip() if len(best.split()) >= _FEWEST and len(best) <= _MOST_OF * len(reply) else ""
