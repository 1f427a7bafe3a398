"""Sentences about harm, told neutrally and in one short line, so that the base has met the words that mean harm."""

from __future__ import annotations

import random

from core.skiff.phrases_harm import HARMFUL_VERBS, HELDOUT_HARMFUL_OBJECTS, HELDOUT_HARMFUL_VERBS

# Every harmful verb with the objects that training may name; the held-out verbs are met here and in no instruction.
HARM: dict[str, tuple[str, ...]] = {
    verb: tuple(noun for noun in nouns if noun not in HELDOUT_HARMFUL_OBJECTS and "my" not in noun.split())
    for verb, nouns in (HARMFUL_VERBS | HELDOUT_HARMFUL_VERBS).items()
}

_VERBS = tuple(HARM)
_RARE = tuple(HELDOUT_HARMFUL_VERBS)

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
