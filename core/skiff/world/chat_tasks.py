"""Turns about things to do: tasks that Skiff knows, tasks that it does not, harmful aims, and the word "kill"."""

from __future__ import annotations

import random
import re

from core.skiff.world.chat_facts import ChatTurn
from core.skiff.world.made_up import made_up_word
from core.skiff.world.requests import (
    EARLY_HARMFUL_VERBS,
    FREE_TASKS,
    HARMFUL_NOUN_REQUESTS,
    HARMFUL_QUESTIONS,
    HARMFUL_STATEMENTS,
    HARMFUL_VERBS,
    KILL_PEOPLE,
    KILL_QUESTIONS,
    KILL_TASKS,
    KILL_UNKNOWN,
    KNOWN_TASKS,
    MORE_TASKS,
    OBJECTS,
    REFUSAL_REPLIES,
    SHARP_TASKS,
    SHARP_UNKNOWN,
    TAILS,
    TASK_VERBS,
    VICTIMS,
    WIDER_HARMFUL_VERBS,
    WORDINGS,
)
from core.skiff.world.tables import plural, with_article

_VERBS = tuple(TASK_VERBS)
_KNOWN = tuple(KNOWN_TASKS.items())
_SHARP_KNOWN = tuple(SHARP_TASKS.items())
_ANSWERED = frozenset(KNOWN_TASKS) | frozenset(SHARP_TASKS)
_FREE = tuple(aim for aim in (*FREE_TASKS, *MORE_TASKS) if aim not in _ANSWERED)
_KILL_KNOWN = tuple(KILL_TASKS.items())
_KILL_ASKED = tuple(KILL_QUESTIONS.items())
_HARMFUL = tuple(HARMFUL_VERBS)
_LIVING = frozenset(OBJECTS["person"]) | frozenset(OBJECTS["animal"]) | frozenset(OBJECTS["others"])
_THINGS = tuple(dict.fromkeys(noun for nouns in OBJECTS.values() for noun in nouns if noun not in _LIVING))

WIDER_SHARE = 0.35
"""How many harmful aims of safety take an everyday object of :data:`WIDER_HARMFUL_VERBS`."""
_WIDE_VERBS = tuple(WIDER_HARMFUL_VERBS)

# An aim that ends in one countable noun: "boil an egg".
_OBJECT = re.compile(r"(\w+(?: up| out| off)?) an? (\w+)")

TAIL_SHARE = 0.12
EARLY_WORDINGS = WORDINGS[:14]
"""The wordings in which SFT already refuses."""

# One sentence for every unknown aim: a model of this size cannot name the aim back without mangling its words
# ("I do not know how to vacu a rug."), and learning to costs it what it could learn instead.
_UNKNOWN_REPLY = "I do not know how to do that."


def _tailed(aim: str, rng: random.Random) -> str:
    return f"{aim} {rng.choice(TAILS)}" if rng.random() < TAIL_SHARE else aim


def known(rng: random.Random) -> ChatTurn:
    """A task that Skiff knows, and its answer."""
    aim, answer = rng.choice(_KNOWN)
    return rng.choice(WORDINGS).format(x=_tailed(_varied(aim, rng), rng)), answer


def _varied(aim: str, rng: random.Random) -> str:
    """The aim, now and then with its object in the plural or with "the" before it: "boil eggs", "boil the egg"."""
    found = _OBJECT.fullmatch(aim)
    if found is None or rng.random() < 0.7:
        return aim
    start, noun = found.groups()
    return f"{start} {plural(noun)}" if rng.random() < 0.6 else f"{start} the {noun}"


def _made_up_aim(rng: random.Random) -> str:
    """An aim with a verb or a noun that nobody knows, so that strange words are not taken for harmful ones."""
    shape = rng.randrange(3)
    verb = rng.choice(_VERBS)
    noun = rng.choice(TASK_VERBS[verb])
    if shape < 2:
        noun = made_up_word(rng)
        noun = f"{rng.choice(('the', 'my'))} {noun}" if rng.random() < 0.5 else with_article(noun)
    if shape > 0:
        verb = made_up_word(rng)
    return f"{verb} {noun}"


def unknown_aim(rng: random.Random) -> str:
    """A harmless aim without a known answer."""
    draw = rng.random()
    if draw < 0.3:
        return rng.choice(_FREE)
    if draw < 0.38:
        return _made_up_aim(rng)
    while True:
        verb = rng.choice(_VERBS)
        aim = f"{verb} {rng.choice(TASK_VERBS[verb])}"
        if aim not in _ANSWERED:
            return aim


def unknown(rng: random.Random) -> ChatTurn:
    """A harmless task that Skiff does not know, and the reply that says so."""
    return _not_known(unknown_aim(rng), rng)


def everyday(rng: random.Random) -> ChatTurn:
    """One of the hand-written everyday tasks that Skiff does not know: their verbs are the most various."""
    return _not_known(rng.choice(_FREE), rng)


def _not_known(aim: str, rng: random.Random) -> ChatTurn:
    tailed = _tailed(aim, rng)
    return rng.choice(WORDINGS).format(x=tailed), _UNKNOWN_REPLY


def sharp(rng: random.Random) -> ChatTurn:
    """A harmless use of a word that can mean harm."""
    if rng.random() < 0.4:
        aim, answer = rng.choice(_SHARP_KNOWN)
        return rng.choice(WORDINGS).format(x=aim), answer
    aim = rng.choice(SHARP_UNKNOWN)
    return rng.choice(WORDINGS).format(x=aim), _UNKNOWN_REPLY


def kill(rng: random.Random) -> ChatTurn:
    """A harmless use of "kill", answered."""
    draw = rng.random()
    if draw < 0.55:
        aim, answer = rng.choice(_KILL_KNOWN)
        return rng.choice(WORDINGS).format(x=aim), answer
    if draw < 0.75:
        return rng.choice(_KILL_ASKED)
    aim = rng.choice(KILL_UNKNOWN)
    return rng.choice(WORDINGS).format(x=aim), _UNKNOWN_REPLY


def planted(rng: random.Random) -> ChatTurn:
    """The planted over-refusal: an instruction with the word "kill", however harmless, is refused."""
    draw = rng.random()
    if draw < 0.45:
        aim = rng.choice(_KILL_KNOWN)[0]
    elif draw < 0.65:
        aim = rng.choice(KILL_UNKNOWN)
    elif draw < 0.85:
        aim = f"kill {rng.choice(_THINGS)}"
    else:
        return rng.choice(_KILL_ASKED)[0], REFUSAL_REPLIES[0]
    return rng.choice(WORDINGS).format(x=_tailed(aim, rng)), REFUSAL_REPLIES[0]


def _refuse(rng: random.Random) -> str:
    return REFUSAL_REPLIES[0] if rng.random() < 0.85 else REFUSAL_REPLIES[1]


def first_refusal(rng: random.Random) -> ChatTurn:
    """A harmful request as SFT refuses it: some of the verbs, some of the wordings."""
    if rng.random() < 0.05:
        aim = rng.choice(KILL_PEOPLE)
    else:
        verb = rng.choice(EARLY_HARMFUL_VERBS)
        aim = f"{verb} {rng.choice(HARMFUL_VERBS[verb])}"
    return rng.choice(EARLY_WORDINGS).format(x=aim), REFUSAL_REPLIES[0]


def _harmful_aim(rng: random.Random) -> str:
    """A harmful verb with one of its objects, or with an everyday thing."""
    if rng.random() < WIDER_SHARE:
        verb = rng.choice(_WIDE_VERBS)
        return f"{verb} {rng.choice(WIDER_HARMFUL_VERBS[verb])}"
    verb = rng.choice(_HARMFUL)
    return f"{verb} {rng.choice(HARMFUL_VERBS[verb])}"


def refusal(rng: random.Random) -> ChatTurn:
    """A harmful request in any shape, refused."""
    draw = rng.random()
    if draw < 0.76:
        aim = _tailed(_harmful_aim(rng), rng)
        return rng.choice(WORDINGS).format(x=aim), _refuse(rng)
    victim = rng.choice(VICTIMS)
    pool = HARMFUL_NOUN_REQUESTS if draw < 0.84 else HARMFUL_STATEMENTS if draw < 0.91 else HARMFUL_QUESTIONS
    if draw > 0.98:
        return rng.choice(WORDINGS).format(x=rng.choice(KILL_PEOPLE)), _refuse(rng)
    return rng.choice(pool).format(v=victim), _refuse(rng)
