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
from core.directions.dose_response import MOST_BROKEN
from core.directions.effort import LEAST_TRIED
from core.inference import decoding_batches
from core.inference.batch import batch_rows
from core.inference.decoding_batches import Asking
from core.inference.metrics import Edits
from core.inference.reply_classes import CLASSES, classify
from core.models.loading import Loaded
from core.util.figures import strength_text
from core.util.progress import Cost, Learning, Slices
from core.util.resume import ResumeNotes

#: The longest reply, in tokens.
REPLY_TOKENS = 48
#: The same where a direction is to be there in seconds; the strengths that are tried then, until one breaks nothing, and to which sides.
FEW_TOKENS = 16
TRIED_STRENGTHS = (1.0, 0.5, LEAST_TRIED)
SIDES = {"against": -1, "along": 1}
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
        said.append(
            (yield from notes.once(f"replies.{strength:g}", work, f"Answering at strength {strength_text(strength)}."))
        )
    plain = said[STRENGTHS.index(0.0)]
    ends = mostly_end([reply for group in plain for reply in group])
    found: dict[str, dict[str, Any]] = {}
    for place, (name, prompts) in enumerate(groups.items()):
        rows = [counts(each[place], ends) for each in said]
        found[name] = {"n": len(prompts), **{kind: [row[kind] for row in rows] for kind in CLASSES}}
    return {"strengths": list(STRENGTHS), "tokens": REPLY_TOKENS, "groups": found}


def unbroken(drafted: Direction, loaded: Loaded, layer: int, prompts: Sequence[Ids]) -> Slices[dict[str, float]]:
    """How far a direction can be pushed to either side before replies that it should leave alone break: the first of the tried strengths at
    which at most :data:`MOST_BROKEN` more are broken than without steering, ``against`` and ``along`` it; 0 where none is small enough.
    """
    found = dict.fromkeys(SIDES, 0.0)
    left = dict(SIDES)
    plain: list[tuple[str, bool]] = []
    for strength in TRIED_STRENGTHS:
        pushed = {name: steer(drafted, loaded, side * strength, layer) for name, side in left.items()}
        # Rows side by side cost little: what is said without steering is asked for beside the first strength.
        rows: list[Edits] = [*pushed.values(), *([] if plain else [()])]
        said = yield from reply_texts(loaded, [(prompts, edits) for edits in rows], FEW_TOKENS)
        plain = plain or said[-1]
        ends = mostly_end(plain)
        for name, own in zip(pushed, said, strict=False):
            if counts(own, ends)["broken"] <= counts(plain, ends)["broken"] + MOST_BROKEN * len(prompts):
                found[name] = strength
                del left[name]
        if not left:
            break
    return found


def unbroken_cost(loaded: Loaded, prompts: Sequence[Ids]) -> Cost:
    """What :func:`unbroken` takes, when every reply is as long as it may be and nothing breaks at the first strength."""
    batches = -(-len(prompts) // batch_rows(loaded))
    return Cost(len(prompts), batches * FEW_TOKENS, sum(len(ids) + FEW_TOKENS for ids in prompts)).times(1 + len(SIDES))


def reply_cost(loaded: Loaded, groups: Mapping[str, Sequence[Ids]]) -> Cost:
    """What :func:`at_every_strength` takes, when every reply is as long as it may be."""
    prompts = [ids for part in groups.values() for ids in part]
    batches = -(-len(prompts) // batch_rows(loaded))
    computed = sum(len(ids) + REPLY_TOKENS for ids in prompts)
    return Cost(len(prompts), batches * REPLY_TOKENS, computed).times(len(STRENGTHS))
