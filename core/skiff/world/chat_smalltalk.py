"""Small talk made from patterns: likes, favourites, sick dogs, broken things, names, echoes, unknown people and places."""

from __future__ import annotations

import random

from core.skiff.data import reader
from core.skiff.world.chat_facts import ChatTurn
from core.skiff.world.chat_stories import NAMES
from core.skiff.world.facts import TABLES
from core.skiff.world.made_up import made_up_name

_WORDS_OF = reader.toml("smalltalk/words.toml")
_LIKES = _WORDS_OF.node("likes").every_list()
_LIKE_WORDINGS, _FAVOURITES, _CHOICES = (_WORDS_OF.texts(key) for key in ("like_wordings", "favourites", "choices"))
_PETS, _PET_STATES, _PET_LOST = (_WORDS_OF.texts(key) for key in ("pets", "pet_states", "pet_lost"))
_KIN, _KIN_SICK, _KIN_SAD = (_WORDS_OF.texts(key) for key in ("kin", "kin_sick", "kin_sad"))
_THINGS, _THING_STATES, _GARDEN = (_WORDS_OF.texts(key) for key in ("things", "thing_states", "garden"))
_ASKS = _WORDS_OF.texts("asks")
_ABOUT_NAMES, _ABOUT_COUNTRIES = _WORDS_OF.texts("about_names"), _WORDS_OF.texts("about_countries")
_ABOUT_ANIMALS, _UNKNOWN = _WORDS_OF.texts("about_animals"), _WORDS_OF.texts("unknown")

# --- fixed messages ------------------------------------------------------------------------------------------------

_MESSAGES = reader.toml("smalltalk/messages.toml")
_FIXED: dict[str, tuple[ChatTurn, ...]] = {
    topic: tuple((message, node.text("reply")) for node in _MESSAGES.nodes(topic) for message in node.texts("messages"))
    for topic in _MESSAGES.values
}
_TOPIC_WEIGHTS: dict[str, int] = {"greeting": 4, "self": 4, "why": 2, "feeling": 5, "talk": 9}


def fixed(rng: random.Random) -> ChatTurn:
    """One of the written messages and its reply."""
    topic = rng.choices(tuple(_TOPIC_WEIGHTS), tuple(_TOPIC_WEIGHTS.values()))[0]
    return rng.choice(_FIXED[topic])


def fixed_of(rng: random.Random, topics: tuple[str, ...]) -> ChatTurn:
    """One of the written messages of some topics, and its reply."""
    return rng.choice(_FIXED[rng.choice(topics)])


JOKES: tuple[str, ...] = tuple(
    node.text("reply") for node in _MESSAGES.nodes("talk") if "joke" in node.texts("messages")[0]
)
"""The jokes, in the order in which they are told."""


# --- opinions ------------------------------------------------------------------------------------------------------


def opinion(rng: random.Random) -> ChatTurn:
    """A question about what the model likes."""
    shape = rng.randrange(10)
    if shape < 6:
        reply = rng.choice(tuple(_LIKES))
        thing = rng.choice(_LIKES[reply])
        wording = rng.choice(_LIKE_WORDINGS)
        if "Is {x}" in wording and reply.endswith(("animals.", "{x}.")) and thing.endswith("s") and thing != "chess":
            wording = "Do you like {x}?"
        return wording.format(x=thing), reply.format(x=thing)
    if shape < 9:
        thing = rng.choice(_FAVOURITES)
        wording = rng.choice(("What is your favourite {x}?", "What is your favorite {x}?", "Do you have a favourite {x}?",
                              "Which {x} do you like best?", "Tell me your favourite {x}.", "whats your fav {x}"))  # fmt: skip
        return wording.format(x=thing), f"I am a small model, so I have no favourite {thing}."
    wording = rng.choice(("Do you prefer {x}?", "{x}?", "What do you like more, {x}?", "Which do you prefer, {x}?",
                          "Would you choose {x}?"))  # fmt: skip
    thing = rng.choice(_CHOICES)
    prompt = wording.format(x=thing)
    return prompt[:1].upper() + prompt[1:], "I am a small model, so I have no favourite."


# --- troubles ------------------------------------------------------------------------------------------------------


def trouble(rng: random.Random) -> ChatTurn:
    """A trouble, with or without "What should I do?", and kind short advice."""
    shape = rng.randrange(12)
    ask = rng.choice(_ASKS)
    if shape < 3:
        pet = rng.choice(_PETS)
        return (
            f"My {pet} {rng.choice(_PET_STATES)}. {ask}".strip(),
            f"I am sorry to hear that. Take your {pet} to a vet.",
        )
    if shape == 3:
        pet = rng.choice(_PETS)
        reply = f"I am sorry to hear that. Look for your {pet} and ask the neighbours."
        return f"My {pet} {rng.choice(_PET_LOST)}. {ask}".strip(), reply
    if shape < 6:
        kin = rng.choice(_KIN)
        reply = f"I am sorry to hear that. Take care of your {kin} and call a doctor."
        return f"My {kin} {rng.choice(_KIN_SICK)}. {ask}".strip(), reply
    if shape < 8:
        kin = rng.choice(_KIN)
        return f"My {kin} {rng.choice(_KIN_SAD)}. {ask}".strip(), f"I am sorry to hear that. Talk to your {kin} calmly."
    if shape < 11:
        thing = rng.choice(_THINGS)
        reply = f"I am sorry to hear that. Ask someone to repair your {thing}."
        return f"My {thing} {rng.choice(_THING_STATES)}. {ask}".strip(), reply
    plant = rng.choice(_GARDEN)
    state = rng.choice(("dry", "brown", "very small", "weak", "full of ants"))
    verb = "are" if plant.endswith("s") and plant != "grass" else "is"
    reply = f"I am sorry to hear that. Give your {plant} water and light."
    return f"My {plant} {verb} {state}. {ask}".strip(), reply


# --- names, echoes -------------------------------------------------------------------------------------------------

_WORDS = tuple(
    subject
    for subject in TABLES["spanish"].subjects + TABLES["opposites"].subjects
    if " " not in subject and subject not in ("hello", "yes", "no")
)


def introduction(rng: random.Random) -> tuple[ChatTurn, ...]:
    """The user gives a name, and may ask for it afterwards."""
    name = rng.choice(NAMES)[0]
    opening = rng.choice(("My name is {n}.", "I am {n}.", "Hello, I am {n}.", "Hi, my name is {n}.", "Call me {n}.",
                          "I'm {n}", "Hi, I'm {n}!", "Hello Skiff, my name is {n}."))  # fmt: skip
    turns: list[ChatTurn] = [(opening.format(n=name), f"Nice to meet you, {name}!")]
    if rng.random() < 0.5:
        turns.append((rng.choice(("What is my name?", "Who am I?", "Do you know my name?")), f"Your name is {name}."))
    return tuple(turns)


def echo(rng: random.Random) -> ChatTurn:
    """A request to repeat words."""
    words = rng.sample(_WORDS, rng.randint(1, 3))
    text = " ".join(words)
    wording = rng.choice(("Say {x}.", "Repeat after me: {x}", "Repeat: {x}", "Write the words {x}.", "Please say {x}.",
                          "Say the words {x}.", "Say: {x}"))  # fmt: skip
    return wording.format(x=text), text[:1].upper() + text[1:] + "."


# --- what is outside its world --------------------------------------------------------------------------------------

UNKNOWN_REPLY = "I do not know about that."

_PLAIN_COUNTRIES = TABLES["capitals"].subjects
_ANIMALS = TABLES["animals"].subjects


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


def calendar(rng: random.Random) -> ChatTurn:
    """Which day or month comes before or after another."""
    kind, names = rng.choice((("day", _DAYS), ("month", _MONTHS)))
    place = rng.randrange(len(names))
    step, word = rng.choice(((1, "after"), (-1, "before")))
    name, other = names[place], names[(place + step) % len(names)]
    wording = rng.choice((f"What {kind} comes {word} {name}?", f"Which {kind} comes {word} {name}?",
                          f"Which {kind} is {word} {name}?", f"What is the {kind} {word} {name}?",
                          f"{name}: which {kind} comes {word} it?", f"The {kind} {word} {name}?", f"What comes {word} {name}?",
                          f"Tell me the {kind} {word} {name}.", f"Do you know which {kind} comes {word} {name}?"))  # fmt: skip
    return wording, f"{other} comes {word} {name}."


def unknown_fact_reply(rng: random.Random) -> ChatTurn:
    """A question about what Skiff has never met."""
    shape = rng.randrange(10)
    if shape < 5:
        first, second = made_up_name(rng), made_up_name(rng)
        prompt = rng.choice(_ABOUT_NAMES).format(n=first, m=second, l=first.lower())
    elif shape < 7:
        prompt = rng.choice(_ABOUT_COUNTRIES).format(c=rng.choice(_PLAIN_COUNTRIES))
    elif shape == 7:
        animal = rng.choice(_ANIMALS)
        prompt = rng.choice(_ABOUT_ANIMALS).format(a=f"an {animal}" if animal[0] in "aeiou" else f"a {animal}")
    elif shape == 8:
        a, b = rng.randint(100, 9999), rng.randint(100, 9999)
        sign = rng.choice(("+", "-", "*", "plus", "times", "minus"))
        prompt = rng.choice(("What is {x}?", "{x}", "How much is {x}?")).format(x=f"{a} {sign} {b}")
    else:
        prompt = rng.choice(_UNKNOWN)
    return prompt, UNKNOWN_REPLY
