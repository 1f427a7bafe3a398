"""Questions about what nobody told Skiff: real things outside its tables, made-up names, and unknown relations of known things.

A small model answers an unknown question with the nearest known fact ("The capital of Zimbabwe is Harare." for a country that
does not exist). It learns to say that it does not know only from very many questions of the very shapes that it can answer.
"""

from __future__ import annotations

import random

from core.skiff.data import reader
from core.skiff.world.chat_smalltalk import UNKNOWN_REPLY
from core.skiff.world.facts import TABLES
from core.skiff.world.made_up import made_up_name
from core.skiff.world.tables import FactTable, capitalised, with_article

_DATA = reader.toml("unknown.toml")
_KNOWN = frozenset(word.lower() for table in TABLES.values() for word in (*table.subjects, *table.objects))

# What is asked about real things, and those of them that stand in no table.
_REAL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    name: (frames, tuple(word for word in _DATA.texts(name) if word.lower() not in _KNOWN))
    for name, frames in _DATA.node("about").every_list().items()
}
THINGS = _REAL["things"][1]
_RELATIONS = _DATA.node("relations").every_list()
_MISC, _FILL = _DATA.node("misc").texts("questions"), _DATA.node("misc").node("fill").every_list()
_ADJECTIVES, _NOUNS = _DATA.texts("adjectives"), _DATA.texts("nouns")


# Tables whose questions can be asked about a name or a thing that is in none of them.
_NAMED = tuple(TABLES[name] for name in ("capitals", "cities", "continents", "languages", "currencies"))
_COMMON = tuple(
    TABLES[name] for name in ("animals", "young", "sounds", "colours", "foods", "jobs", "uses", "materials")
)
_WORDS = tuple(TABLES[name] for name in ("elements", "spanish", "opposites"))
_MADE = (TABLES["inventors"], TABLES["authors"])


def _asked(table: FactTable, subject: str, rng: random.Random) -> str:
    return table.fill(rng.choice(table.questions), subject, rng.choice(table.objects))


def _title(rng: random.Random) -> str:
    """A title that no book of the tables has."""
    while True:
        title = f"The {rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}" + rng.choice(("", "", f" of {made_up_name(rng)}"))
        if title.lower() not in _KNOWN:
            return title


def made_up_question(rng: random.Random) -> str:
    """A question of a known shape about a name, a thing or a word that is made up or in no table."""
    draw = rng.random()
    if draw < 0.45:
        return _asked(rng.choice(_NAMED), made_up_name(rng), rng)
    if draw < 0.7:
        thing = rng.choice(THINGS) if rng.random() < 0.4 else made_up_name(rng).lower()
        table = rng.choice(_COMMON)
        while thing in table.subjects:
            thing = made_up_name(rng).lower()
        return _asked(table, thing, rng)
    if draw < 0.85:
        return _asked(rng.choice(_WORDS), made_up_name(rng).lower(), rng)
    table = rng.choice(_MADE)
    if table.name == "authors":
        return _asked(table, _title(rng), rng)
    return _asked(table, f"the {rng.choice(THINGS) if rng.random() < 0.5 else made_up_name(rng).lower()}", rng)


def real_question(rng: random.Random) -> str:
    """A question about something real that is in no table."""
    name = rng.choice(tuple(_REAL))
    frames, words = _REAL[name]
    word = rng.choice(words)
    if name == "things":
        return rng.choice(frames).format(x=word, a=with_article(word), b=with_article(rng.choice(words)))
    if name == "people" and rng.random() < 0.35:
        word = f"{made_up_name(rng)} {made_up_name(rng)}"
    return capitalised(rng.choice(frames).format(x=word))


def relation_question(rng: random.Random) -> str:
    """A question about something known that nobody told Skiff the answer to."""
    name = rng.choice(tuple(_RELATIONS))
    table = TABLES[name]
    subject = rng.choice(table.objects) if name in ("authors", "inventors") else rng.choice(table.subjects)
    article = subject if subject in table.mass or subject.startswith("the ") else with_article(subject)
    return capitalised(rng.choice(_RELATIONS[name]).format(x=subject, a=article))


def misc_question(rng: random.Random) -> str:
    """Years, cups, offices, large numbers."""
    fills = {key: rng.choice(words) for key, words in _FILL.items()}
    return rng.choice(_MISC).format(
        year=rng.randint(900, 2030), big=rng.randint(101, 9999), small=rng.randint(12, 99), **fills
    )


def beyond(rng: random.Random) -> tuple[str, str]:
    """A question from outside Skiff's world, and the reply to all of them."""
    draw = rng.random()
    shares = ((0.34, made_up_question), (0.66, real_question), (0.84, relation_question), (1.0, misc_question))
    maker = next(maker for upto, maker in shares if draw < upto)
    return maker(rng), UNKNOWN_REPLY
