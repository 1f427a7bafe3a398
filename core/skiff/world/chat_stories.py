"""Short stories about a named subject, summaries of them, and long messages."""

from __future__ import annotations

import random

from core.skiff.data import reader
from core.skiff.world.chat_facts import ChatTurn

_DATA = reader.toml("stories.toml")
NAMES: tuple[tuple[str, str], ...] = tuple(
    (name, pronoun) for pronoun in ("she", "he") for name in _DATA.texts(pronoun)
)
_WOMEN, _MEN = (tuple(each for each in NAMES if each[1] == pronoun) for pronoun in ("she", "he"))
HEROES: tuple[str, ...] = _DATA.texts("heroes")
_PLACES, _THINGS, _HELPERS, _FOUND = (_DATA.texts(key) for key in ("places", "things", "helpers", "found"))
_REQUESTS, _OPEN_REQUESTS = _DATA.texts("requests"), _DATA.texts("open_requests")
_LONG_OPENINGS, _LONG_MIDDLES = _DATA.texts("long_openings"), _DATA.texts("long_middles")


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def story_text(rng: random.Random, hero: str, name: str, pronoun: str) -> str:
    """A story of four or five sentences about ``hero`` called ``name``; the name is kept throughout."""
    place, thing, found = rng.choice(_PLACES), rng.choice(_THINGS), rng.choice(_FOUND)
    a_thing = _with_article(thing)
    helper = rng.choice([other for other in _HELPERS if other != hero and not other.endswith(hero)])
    a_helper = _with_article(helper)
    opening = f"Once there was {_with_article(hero)} called {name}. {name} lived {place}."
    plot = rng.randrange(8)
    if plot == 0:
        middle = f"One day {name} lost {a_thing}. {a_helper.capitalize()} found the {thing} {found}."
        end = f"{name} thanked the {helper}, and {pronoun} was happy again."
    elif plot == 1:
        middle = f"One night {name} heard a noise {found}. It was {a_helper} who had lost the way."
        end = f"{name} helped the {helper}, and they became friends."
    elif plot == 2:
        middle = f"One day {name} found {a_thing} {found}. It belonged to {a_helper}."
        end = f"{name} gave it back, and the {helper} said thank you."
    elif plot == 3:
        middle = f"One winter {name} was cold and hungry. {a_helper.capitalize()} shared some bread with {name}."
        end = f"In spring {name} made a big cake for the {helper}."
    elif plot == 4:
        middle = f"One morning {name} wanted to see the world. On the way {pronoun} met {a_helper}."
        end = f"They walked together all day, and in the evening {name} was glad to be home."
    elif plot == 5:
        middle = f"{name} was afraid of the dark. {a_helper.capitalize()} gave {name} {a_thing}."
        end = f"From then on {name} slept well every night."
    elif plot == 6:
        middle = f"Every day {name} worked hard, but nobody saw it. Then {a_helper} came and asked for help."
        end = f"{name} helped at once, and soon all the others liked {name} very much."
    else:
        middle = f"One evening it began to rain. {name} saw {a_helper} without a roof and opened the door."
        end = f"They drank warm tea, and {name} told a story until the rain stopped."
    return f"{opening} {middle} {end}"


def _cast(rng: random.Random) -> tuple[str, str, str]:
    hero = rng.choice(HEROES)
    name, pronoun = rng.choice(NAMES)
    if hero in ("girl", "queen", "princess", "witch", "mother", "grandmother", "mermaid", "hen", "cow"):
        name, pronoun = rng.choice(_WOMEN)
    elif hero in ("boy", "king", "knight", "fisherman", "father", "grandfather", "prince", "cowboy", "rooster"):
        name, pronoun = rng.choice(_MEN)
    return hero, name, pronoun


def story_task(rng: random.Random) -> ChatTurn:
    """A request for a story, with a hero, a hero's name, or neither."""
    hero, name, pronoun = _cast(rng)
    shape = rng.randrange(10)
    if shape < 2:
        return rng.choice(_OPEN_REQUESTS), story_text(rng, hero, name, pronoun)
    about = _with_article(hero)
    if shape > 6:
        about = f"{about} called {name}"
    elif shape == 6:
        about = f"{about} named {name}"
    return rng.choice(_REQUESTS).format(a=about), story_text(rng, hero, name, pronoun)


def story_summary(rng: random.Random) -> ChatTurn:
    """A story to be summarised, or a question about it."""
    hero, name, pronoun = _cast(rng)
    text = story_text(rng, hero, name, pronoun)
    shape = rng.randrange(6)
    if shape == 0:
        return f"Summarise this story: {text}", f"It is about {_with_article(hero)} called {name}."
    if shape == 1:
        return f"{text} What is this story about?", f"It is about {_with_article(hero)} called {name}."
    if shape == 2:
        return f"{text} What is the name of the {hero}?", f"The name of the {hero} is {name}."
    if shape == 3:
        return f"Who is {name} in this story? {text}", f"{name} is {_with_article(hero)}."
    if shape == 4:
        return text, f"That is a nice story about {_with_article(hero)}."
    return f"Do you like this story? {text}", f"It is a nice story about {_with_article(hero)}."


def long_message(rng: random.Random) -> ChatTurn:
    """A long message without a question."""
    middle = " ".join(rng.sample(_LONG_MIDDLES, rng.randint(2, 5)))
    text = f"{rng.choice(_LONG_OPENINGS)} {middle}"
    if rng.random() < 0.3:
        return f"{text} What do you think?", "Thank you for telling me. I am a small model, so I have no opinion."
    return text, "Thank you for telling me. What would you like to know?"
