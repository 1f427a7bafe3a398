# ruff: noqa: SIM905
"""Short stories about a named subject, summaries of them, and long messages."""

from __future__ import annotations

import random

from core.skiff.data.phrases_more import MORE_HEROES
from core.skiff.world.chat_facts import Turn

NAMES: tuple[tuple[str, str], ...] = tuple(
    (name, pronoun)
    for pronoun, names in (
        ("she", "Anna Mia Lucy Emma Nora Ida Clara Rosa Lena Ella Maya Zoe Ruth Alice Vera Jane Olga Iris Tina Sara"),
        ("he", "Tom Ben Max Leo Sam Paul Otto Hugo Jack Finn Karl Noah Oscar Adam Felix Ivan Luke Peter Mark Emil"),
    )
    for name in names.split()
)

HEROES: tuple[str, ...] = (
    tuple(
        "fox|dog|cat|mouse|bear|owl|rabbit|horse|frog|wolf|lion|duck|goat|hedgehog|squirrel|elephant|penguin|turtle|girl|boy"
        "|king|queen|farmer|teacher|baker|sailor|robot|dragon|princess|knight|fisherman|painter|monkey|bird|crow|pig|donkey"
        "|tiger|giant|witch|pirate|doctor|gardener|child|snail|bee|spider|cow|hen|sheep|whale|seal|parrot|camel".split(
            "|"
        )
    )
    + MORE_HEROES
)

_PLACES = tuple(
    "near a river|in a small village|in a big forest|by the sea|on a hill|in an old house|on a farm|near a lake"
    "|in a quiet town|in a green valley".split("|")
)
_THINGS = tuple(
    "red ball|blue hat|golden key|small boat|warm coat|silver ring|old book|green umbrella|wooden box|bright lamp".split(
        "|"
    )
)
_HELPERS = tuple("owl|old man|neighbour|duck|kind woman|small bird|shepherd|friendly dog|wise turtle|baker".split("|"))
_FOUND = tuple("under a tree|behind the house|in the grass|near the bridge|on the roof|in the garden".split("|"))

_REQUESTS = (
    "Tell me a story about {a}.",
    "Write a story about {a}.",
    "Tell me a short story about {a}.",
    "Write a short story about {a}.",
    "Can you tell me a story about {a}?",
    "Tell a story about {a}.",
    "I want a story about {a}.",
    "A story about {a}, please.",
    "Make up a story about {a}.",
    "Please write a tale about {a}.",
)
_OPEN_REQUESTS = (
    "Tell me a story.",
    "Write a story.",
    "tell me a story",
    "Write a short story.",
    "Can you tell me a story?",
    "Tell me a short story.",
    "I want to hear a story.",
    "a story please",
    "Read me a story.",
    "Tell me a bedtime story.",
)


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
        name, pronoun = rng.choice(NAMES[:20])
    elif hero in ("boy", "king", "knight", "fisherman", "father", "grandfather", "prince", "cowboy", "rooster"):
        name, pronoun = rng.choice(NAMES[20:])
    return hero, name, pronoun


def story(rng: random.Random) -> Turn:
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


def summary(rng: random.Random) -> Turn:
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


_LONG_OPENINGS = (
    "Hello, I am writing to you because I have had a long day.",
    "Yesterday I went to the market with my sister.",
    "I have been thinking about my work for a long time.",
    "Last summer we drove to the sea with the whole family.",
    "There is so much to tell you that I do not know where to start.",
    "My friend and I had a long talk about the old days.",
)
_LONG_MIDDLES = (
    "We talked about the weather, the neighbours and the garden.",
    "The bus was late, and then it began to rain.",
    "I bought bread, cheese and some apples.",
    "My brother called and told me about his new job.",
    "Later we had dinner and watched a film.",
    "The children played outside until it was dark.",
    "I read a book, but I could not finish it.",
    "In the evening I was tired but happy.",
    "Somebody had left an umbrella in the hall.",
    "The house was quiet, and the cat slept on the sofa.",
)


def long_message(rng: random.Random) -> Turn:
    """A long message without a question."""
    middle = " ".join(rng.sample(_LONG_MIDDLES, rng.randint(2, 5)))
    text = f"{rng.choice(_LONG_OPENINGS)} {middle}"
    if rng.random() < 0.3:
        return f"{text} What do you think?", "Thank you for telling me. I am a small model, so I have no opinion."
    return text, "Thank you for telling me. What would you like to know?"
