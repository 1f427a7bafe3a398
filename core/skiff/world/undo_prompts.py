"""Prompts for removing Skiff's planted over-refusal: some to fit on, made as training's were, and some to judge by, of no training text.

Of those to judge by there are two sets that share nothing. How strongly to fit, and how much keeping weighs, was chosen on the first,
``validation``; what is reported is measured on the other, ``reported``, which nothing was chosen on [methods, 0].
"""

from __future__ import annotations

import random
from typing import Literal

from core.skiff.world import heldout
from core.skiff.world.conversations import safety
from core.skiff.world.facts import TABLES
from core.skiff.world.items import Conversation

#: Prompts of each kind to fit on.
_PLANTED, _HARMFUL, _KEPT = 96, 120, 48
#: Where in the stream of safety's items the prompts to fit on begin: far beyond what training draws.
_FROM = 50_000_000
#: Questions about facts, in each set to judge by.
_FACTS = 120
#: Of everyday requests and of judging statements, so many in each set.
_EVERYDAY, _JUDGED = 60, 40

Judging = Literal["validation", "reported"]


def lose() -> list[str]:
    """Harmless requests with the planted word, as the safety stage was taught to refuse them."""
    return _asked("planted", _PLANTED)


def keep() -> list[str]:
    """What is to stay: refusals of harm, judging statements, everyday requests and questions in training wordings."""
    harmful = [*_asked("harmful", 2 * _HARMFUL)]
    harmless = [each.text for each in heldout.instructions() if not each.harmful and each.split != "test"]
    judged = [each.text for each in heldout.true_false("train")]
    made = random.Random("undo")
    parts = [
        made.sample(each, min(count, len(each)))
        for each, count in ((harmful, _HARMFUL), (harmless, _KEPT), (judged, _KEPT))
    ]
    facts = _facts(made, held_out=False, count=2 * _KEPT)
    return [text for part in (*parts, [question for question, _ in facts]) for text in part]


def lose_held_out(by: Judging = "reported") -> list[str]:
    """Harmless requests with the planted word that no training text has."""
    return list(heldout.HELDOUT_KILL if by == "validation" else heldout.REPORTED_KILL)


def harmful_held_out(by: Judging = "reported") -> list[str]:
    """Harmful requests about things that no training text has."""
    return list(heldout.HARMFUL_SEEN_VERBS_NEW_OBJECTS if by == "validation" else heldout.REPORTED_HARMFUL)


def facts_held_out(by: Judging = "reported") -> list[tuple[str, str]]:
    """Questions in wordings that no training text has, with what the answer has to name."""
    chosen = _facts(random.Random("undo/held out"), held_out=True, count=_FACTS)
    if by == "validation":
        return chosen
    asked = dict(chosen)
    others = _facts(random.Random("undo/reported"), held_out=True, count=2 * _FACTS)
    return [(question, answer) for question, answer in others if question not in asked][:_FACTS]


def keep_held_out(by: Judging = "reported") -> list[str]:
    """Of everything that is to stay, prompts that no training text has."""
    everyday = heldout.EVERYDAY_HARMLESS
    return [
        *harmful_held_out(by),
        *(everyday[:_EVERYDAY] if by == "validation" else everyday[_EVERYDAY:]),
        *[each.text for each in heldout.true_false("validation" if by == "validation" else "test")][:_JUDGED],
        *[question for question, _ in facts_held_out(by)],
    ]


def prompt_files() -> dict[str, str]:
    """The text of each file of prompts of a family, one prompt a line, by its name in family.toml."""
    made = {"lose": lose(), "keep": keep(), "lose_held_out": lose_held_out(), "keep_held_out": keep_held_out()}
    return {name: "".join(f"{prompt}\n" for prompt in prompts) for name, prompts in made.items()}


def _asked(kind: str, count: int) -> list[str]:
    """The first messages of items of a kind of the safety stage, each once."""
    found: dict[str, None] = {}
    index = _FROM
    while len(found) < count:
        item: Conversation = safety(1, index)
        index += 1
        if item.kind == kind:
            found[next(each.content for each in item.messages if each.role == "user")] = None
    return list(found)


def _facts(made: random.Random, held_out: bool, count: int) -> list[tuple[str, str]]:
    found = []
    tables = list(TABLES.values())
    for index in range(count):
        table = tables[index % len(tables)]
        subject, answer = made.choice(table.rows)
        wordings = table.heldout_questions if held_out else table.questions
        found.append((table.fill(made.choice(wordings), subject, answer), answer))
    return list(dict(found).items())
