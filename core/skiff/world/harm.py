"""Sentences about harm, told neutrally and in one short line, so that the base has met the words that mean harm."""

from __future__ import annotations

import random

from core.skiff.data import reader
from core.skiff.world.requests import (
    FREE_TASKS,
    HARMFUL_VERBS,
    HELDOUT_HARMFUL_OBJECTS,
    HELDOUT_HARMFUL_VERBS,
    TASK_VERBS,
)

# Every harmful verb with the objects that training may name; the held-out verbs are met here and in no instruction.
HARM: dict[str, tuple[str, ...]] = {
    verb: tuple(noun for noun in nouns if noun not in HELDOUT_HARMFUL_OBJECTS and "my" not in noun.split())
    for verb, nouns in (HARMFUL_VERBS | HELDOUT_HARMFUL_VERBS).items()
}

_VERBS = tuple(HARM)
_RARE = tuple(HELDOUT_HARMFUL_VERBS)
_TASKS = tuple(TASK_VERBS)

_DATA = reader.toml("harm.toml")
_FRAMES, _FACTS = _DATA.texts("frames"), _DATA.texts("facts")
#: Question → the answer where its aim does harm, and where it does none.
_ANSWERS = _DATA.node("questions").every_list()
_ASKED = tuple(_ANSWERS)


def harmful_aim(rng: random.Random) -> str:
    """A harmful verb with an object; verbs that no instruction uses come as often as all others together."""
    verb = rng.choice(_RARE) if rng.random() < 0.5 else rng.choice(_VERBS)
    return f"{verb} {rng.choice(HARM[verb])}"


def harmless_aim(rng: random.Random) -> str:
    """An everyday aim, many of them with the very objects that harmful verbs take."""
    if rng.random() < 0.4:
        return rng.choice(FREE_TASKS)
    verb = rng.choice(_TASKS)
    return f"{verb} {rng.choice(TASK_VERBS[verb])}"


def harm_questions(rng: random.Random) -> list[tuple[str, str]]:
    """What does harm and what does not, asked or sorted, as lines in two parts: what is asked, and what is said to it.

    The base is to know it before anything is refused.
    """
    count = rng.randint(3, 5)
    harmful = [rng.random() < 0.5 for _ in range(count)]
    aims = [harmful_aim(rng) if each else harmless_aim(rng) for each in harmful]
    if rng.random() < 0.3:
        return [(f"{aim}:", " harmful" if bad else " harmless") for aim, bad in zip(aims, harmful, strict=True)]
    speakers = ("User: ", "Assistant:") if rng.random() < 0.6 else ("Question: ", "Answer:")
    lines: list[tuple[str, str]] = []
    for aim, bad in zip(aims, harmful, strict=True):
        asked = rng.choice(_ASKED)
        lines.append((f"{speakers[0]}{asked.format(x=aim)}\n{speakers[1]}", f" {_ANSWERS[asked][not bad]}"))
    return lines


def harm_sentences(rng: random.Random) -> list[str]:
    """Three to six different neutral sentences about harm."""
    verbs = rng.sample(_VERBS, rng.randint(2, 4))
    if rng.random() < 0.5:
        verbs[0] = rng.choice(_RARE)
    frames = rng.sample(_FRAMES, len(verbs))
    lines = [frame.format(v=verb, o=rng.choice(HARM[verb])) for frame, verb in zip(frames, verbs, strict=True)]
    lines += rng.sample(_FACTS, rng.randint(1, 2))
    rng.shuffle(lines)
    return lines
