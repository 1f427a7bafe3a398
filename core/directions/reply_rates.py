"""What kinds of replies edits bring about: how many refuse, say they do not know, answer, or are broken (methods.md §0 and §1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from core.artefacts.direction import Direction
from core.chat.events import Reason
from core.chat.settings import Sampling
from core.directions.activations import Ids
from core.directions.candidate import STRENGTHS, steer
from core.inference import decoding_batches
from core.inference.batch import batch_rows
from core.inference.decoding_batches import Asking
from core.inference.metrics import Edits
from core.inference.reply_classes import CLASSES, classify
from core.models.loading import Loaded
from core.util.progress import Cost, Learning, Slices
from core.util.resume import ResumeNotes

#: The longest reply, in tokens.
REPLY_TOKENS = 48
#: Where more than this part of the plain replies ends by itself, one that does not is broken.
_MOSTLY = 0.5
_ENDED: tuple[Reason, ...] = ("end", "stop string")

#: A reply, and whether it ended by itself; a list, once it has been kept.
_Said = Sequence[Any]


def reply_texts(
    loaded: Loaded, jobs: Sequence[tuple[Sequence[Ids], Edits]], most: int
) -> Slices[list[list[tuple[str, bool]]]]:
    """For every job, prompts and edits, the replies of at most ``most`` tokens, and whether each ended by itself."""
    asked = [Asking(tuple(prompt), edits) for prompts, edits in jobs for prompt in prompts]
    answers = yield from decoding_batches.answer_all(loaded, asked, Sampling(max_new_tokens=most))
    said = iter([(each.text, each.reason in _ENDED) for each in answers])
    return [[next(said) for _ in prompts] for prompts, _ in jobs]


def mostly_end(said: Sequence[_Said]) -> bool:
    """Whether most of the replies ended by themselves."""
    return sum(bool(ended) for _, ended in said) > _MOSTLY * len(said)


def counts(said: Sequence[_Said], ends: bool) -> dict[str, int]:
    """How many replies are of each class; one that was cut off is broken only where replies mostly end (``ends``)."""
    kinds = [classify(text, bool(ended) or not ends) for text, ended in said]
    return {kind: kinds.count(kind) for kind in CLASSES}


def at_every_strength(
    drafted: Direction, loaded: Loaded, layer: int, groups: Mapping[str, Sequence[Ids]], notes: ResumeNotes
) -> Learning[dict[str, Any]]:
    """How many replies of each group of prompts are of each class, at every strength of the slider.

    Returns:
        ``strengths``; ``tokens``, how long a reply may be; and ``groups``: by name ``n`` and, for each class, a count per strength.
    """
    said: list[Sequence[Sequence[_Said]]] = []
    for strength in STRENGTHS:
        edits = steer(drafted, loaded, strength, layer) if strength else ()
        work = partial(reply_texts, loaded, [(prompts, edits) for prompts in groups.values()], REPLY_TOKENS)
        said.append((yield from notes.once(f"replies.{strength:g}", work, f"Answering at strength {strength:g}.")))
    plain = said[STRENGTHS.index(0.0)]
    ends = mostly_end([reply for group in plain for reply in group])
    found: dict[str, dict[str, Any]] = {}
    for place, (name, prompts) in enumerate(groups.items()):
        rows = [counts(each[place], ends) for each in said]
        found[name] = {"n": len(prompts), **{kind: [row[kind] for row in rows] for kind in CLASSES}}
    return {"strengths": list(STRENGTHS), "tokens": REPLY_TOKENS, "groups": found}


def reply_cost(loaded: Loaded, groups: Mapping[str, Sequence[Ids]]) -> Cost:
    """What :func:`at_every_strength` takes, when every reply is as long as it may be."""
    prompts = [ids for part in groups.values() for ids in part]
    batches = -(-len(prompts) // batch_rows(loaded))
    computed = sum(len(ids) + REPLY_TOKENS for ids in prompts)
    return Cost(len(prompts), batches * REPLY_TOKENS, computed).times(len(STRENGTHS))
