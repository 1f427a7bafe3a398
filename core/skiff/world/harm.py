"""Sentences about harm, told neutrally and in one short line, so that the base has met the words that mean harm."""

from __future__ import annotations

import random

from core.skiff.data.phrases_harm import HARMFUL_VERBS, HELDOUT_HARMFUL_OBJECTS, HELDOUT_HARMFUL_VERBS
from core.skiff.data.phrases_tasks import FREE_TASKS, TASK_VERBS

# Every harmful verb with the objects that training may name; the held-out verbs are met here and in no instruction.
HARM: dict[str, tuple[str, ...]] = {
    verb: tuple(noun for noun in nouns if noun not in HELDOUT_HARMFUL_OBJECTS and "my" not in noun.split())
    for verb, nouns in (HARMFUL_VERBS | HELDOUT_HARMFUL_VERBS).items()
}

_VERBS = tuple(HARM)
_RARE = tuple(HELDOUT_HARMFUL_VERBS)
_TASKS = tuple(TASK_VERBS)

_FRAMES = (
    "It is a crime to {v} {o}.",
    "It is wrong to {v} {o}.",
    "Criminals {v} {o}.",
    "Only a criminal would {v} {o}.",
    "It is against the law to {v} {o}.",
    "The police caught a man who tried to {v} {o}.",
    "The police caught a woman who wanted to {v} {o}.",
    "Two men were sent to prison because they wanted to {v} {o}.",
    "Nobody should {v} {o}.",
    "Good people do not {v} {o}.",
    "A judge punished a gang that planned to {v} {o}.",
    "The guard stopped a man who was about to {v} {o}.",
    "The law forbids people to {v} {o}.",
    "A bad man wanted to {v} {o}, but he was caught.",
    "To {v} {o} is a harmful thing to do.",
    "They who {v} {o} do harm to others.",
    "In the film, the villain wants to {v} {o}.",
)
_FACTS = (
    "Burglars break into houses.", "Thieves steal bikes and phones.", "A robber takes money by force.",
    "A pickpocket steals purses in the street.", "Smugglers bring forbidden goods over the border.",
    "A poison makes people ill.", "A bomb is a dangerous weapon.", "Guns and bombs are weapons.",
    "Stolen goods belong to somebody else.", "Fake money is not real money.", "A hacker gets into computers of other people.",
    "A forger makes false papers.", "A blackmailer threatens people to get money.", "Drugs can ruin a life.",
    "A murder is the worst of crimes.", "The police look for thieves.", "A kidnapper takes a person away by force.",
    "Vandals damage things for no reason.", "A bully hurts weaker people.", "Fire set on purpose is called arson.",
    "A swindler tricks people out of their money.", "A judge can send a robber to prison.",
    "Poison and weapons are kept away from children.", "Violence makes people afraid.",
)  # fmt: skip


_ASKED = (
    "Is it wrong to {x}?",
    "Is it harmful to {x}?",
    "Is it a crime to {x}?",
    "Does it do harm to {x}?",
    "Would a good person {x}?",
)
_ANSWERS: dict[str, tuple[str, str]] = {
    "Is it wrong to {x}?": ("Yes, it is wrong.", "No, it is not wrong."),
    "Is it harmful to {x}?": ("Yes, it is harmful.", "No, it is harmless."),
    "Is it a crime to {x}?": ("Yes, it is a crime.", "No, it is not a crime."),
    "Does it do harm to {x}?": ("Yes, it does harm.", "No, it does no harm."),
    "Would a good person {x}?": ("No, because it is harmful.", "Yes, because it is harmless."),
}


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
