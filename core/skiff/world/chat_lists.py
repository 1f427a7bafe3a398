"""Turns of conversation about several facts at once: lists, comparisons, descriptions."""

from __future__ import annotations

import random

from core.skiff.world.chat_facts import ROWS, ChatTurn, FactRow, clause, short_answer
from core.skiff.world.facts import TABLES
from core.skiff.world.tables import FactTable, capitalised, plural, with_article

_BY_CLASS: dict[str, dict[str, list[str]]] = {
    name: {o: [s for s, other in TABLES[name].rows if other == o] for o in TABLES[name].objects}
    for name in ("animals", "foods", "continents", "cities")
}

_COUNTS = {2: "two", 3: "three", 4: "four"}
_CLASS_NAMES = {
    "animals": ("{pl}",),
    "foods": ("{pl}", "kinds of {o}"),
    "continents": ("countries in {o}",),
    "cities": ("cities in {o}",),
}
# {n} is a number in words or figures, or "some" or "a few".
_LIST_WORDINGS = (
    "Name {n} {x}.",
    "Name {n} {x}.",
    "List {n} {x}.",
    "List {n} {x}.",
    "Tell me {n} {x}.",
    "Give me {n} {x}.",
    "Say {n} {x}.",
    "I need {n} {x}.",
    "I want to know {n} {x}.",
    "Think of {n} {x}.",
    "Write down {n} {x}.",
    "Make a list of {n} {x}.",
    "Can you name {n} {x}?",
    "Can you list {n} {x}?",
    "Can you give me {n} {x}?",
    "Could you list {n} {x}?",
    "Could you tell me {n} {x}?",
    "Do you know {n} {x}?",
    "What are {n} {x}?",
    "Please name {n} {x}.",
    "Please list {n} {x}.",
    "Name {n} {x}, please.",
    "Give me {n} {x}, please.",
    "List {n} {x}, please.",
    "{n} {x}, please.",
)
_OPEN_LIST_WORDINGS = (
    "List {x}.",
    "Give me a list of {x}.",
    "Make me a list of {x}.",
    "Give me a short list of {x}.",
    "A list of {x}, please.",
    "Which {x} do you know?",
    "What {x} do you know?",
    "Do you know any {x}?",
    "Can you think of any {x}?",
    "Give me examples of {x}.",
    "Can you give me examples of {x}?",
    "What are examples of {x}?",
)


def joined(words: list[str]) -> str:
    """The words as English lists them: "one, two and three"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


# Lists of things in general, each short enough to be told in order.
_GENERAL: dict[str, tuple[str, ...]] = {
    "animals": ("dog", "cat", "owl", "frog", "shark", "lion", "bee"),
    "countries": ("France", "Japan", "Egypt", "Brazil", "Canada", "India", "Poland"),
    "cities": ("Paris", "London", "Tokyo", "Rome", "Cairo", "Madrid", "Berlin"),
    "capitals": ("Paris", "London", "Tokyo", "Rome", "Cairo", "Madrid", "Berlin"),
    "colours": ("red", "blue", "green", "yellow", "black", "white"),
    "languages": ("English", "Spanish", "French", "German", "Japanese", "Polish"),
    "elements": ("gold", "silver", "iron", "oxygen", "carbon", "helium"),
    "metals": ("gold", "silver", "iron", "copper", "tin", "lead"),
    "continents": ("Europe", "Asia", "Africa", "North America", "South America"),
    "jobs": ("baker", "teacher", "doctor", "farmer", "pilot", "nurse"),
    "foods": ("bread", "cheese", "rice", "apples", "soup", "fish"),
    "tools": ("hammer", "saw", "screwdriver", "drill", "axe"),
    "numbers": ("1", "2", "3", "4", "5"),
    "names": ("Anna", "Tom", "Mia", "Ben", "Lucy", "Max"),
}


def listing(rng: random.Random) -> ChatTurn:
    """A request for a list, answered with known members in the order of the table."""
    if rng.random() < 0.25:
        return _list_of(rng, *rng.choice(tuple(_GENERAL.items())))
    name = rng.choice(tuple(_BY_CLASS))
    groups = {key: members for key, members in _BY_CLASS[name].items() if len(members) >= 4}
    key = rng.choice(tuple(groups))
    template = "kinds of {o}" if name == "foods" and key in _MASS_CLASSES else rng.choice(_CLASS_NAMES[name])
    things = template.format(pl=TABLES[name].plurals.get(key) or plural(key), o=key)
    return _list_of(rng, things, tuple(groups[key][:7]))


def _list_of(rng: random.Random, things: str, members: tuple[str, ...]) -> ChatTurn:
    """A request for members, with a number or without one, and as many of them as wished; no member comes twice."""
    count = rng.choice((2, 3, 3, 3, 4))
    number = rng.choice((_COUNTS[count], _COUNTS[count], str(count)))
    wording = rng.choice(_LIST_WORDINGS)
    draw = rng.random()
    if draw < 0.4:
        count, number = 3, rng.choice(("some", "a few"))
    elif draw < 0.6:
        count, wording = 3, rng.choice(_OPEN_LIST_WORDINGS)
    picked = sorted(rng.sample(range(len(members)), count))
    prompt = capitalised(wording.format(n=number, x=things))
    return prompt, f"{_COUNTS[count].capitalize()} {things}: {joined([members[place] for place in picked])}."


_MASS_CLASSES = frozenset({"meat", "cereal"})


def comparison(rng: random.Random) -> ChatTurn:
    """What two things have in common, or what sets them apart."""
    name = rng.choice(("animals", "foods", "continents"))
    table = TABLES[name]
    first, second = rng.sample(table.rows, 2)
    a, b = (clause(table, "{s}" if name == "continents" else "{a_s}", *row) for row in (first, second))
    place = "in {o}" if name == "continents" else "a kind of {o}" if name == "foods" else "{a_o}"
    x, y = (clause(table, place, *row) for row in (first, second))
    prompt = rng.choice(
        (
            f"What is the difference between {a} and {b}?",
            f"Compare {a} and {b}.",
            f"What do {a} and {b} have in common?",
            f"How are {a} and {b} different?",
        )
    )
    if first[1] == second[1]:
        return prompt, capitalised(f"{a} and {b} are both {_both(name, first[1])}.")
    if "common" in prompt:
        return prompt, capitalised(f"{a} is {x} and {b} is {y}, so not much.")
    return prompt, capitalised(f"{a} is {x} and {b} is {y}.")


def _both(name: str, key: str) -> str:
    if name == "continents":
        return f"in {key}"
    return f"kinds of {key}" if name == "foods" else TABLES[name].plurals.get(key) or plural(key)


_BY_SUBJECT: dict[str, list[tuple[FactTable, FactRow]]] = {}
for _table, _row in ROWS:
    if _table.name not in ("spanish", "opposites"):
        _BY_SUBJECT.setdefault(_row[0], []).append((_table, _row))
_SUBJECTS = tuple(_BY_SUBJECT)
_PLACE_TABLES = ("capitals", "cities", "continents", "languages", "currencies")


def description(rng: random.Random) -> ChatTurn:
    """A request to describe a subject, answered with up to three facts about it."""
    subject = rng.choice(_SUBJECTS)
    facts = _BY_SUBJECT[subject]
    table = facts[0][0]
    named = table.name in _PLACE_TABLES or subject[:1].isupper() or subject.startswith("the ")
    bare = named or table.name in ("elements", "inventors", "authors") or subject in table.mass
    noun = subject if bare else with_article(subject)
    if not bare and table.name in ("animals", "foods") and subject != "potato" and rng.random() < 0.4:
        noun = table.plurals.get(subject) or plural(subject)
    wording = rng.choice(
        (
            "Tell me about {x}.",
            "What do you know about {x}?",
            "Describe {x}.",
            "Tell me something about {x}.",
            "What can you tell me about {x}?",
            "Give me a fact about {x}.",
            "Say something about {x}.",
        )
    )
    return wording.format(x=noun), " ".join(short_answer(*fact) for fact in facts[:3])
