"""The statements that truth is learnt from where a family has none of its own: made from the tables below.

``vectors/contrast/truth.csv`` is what is read; it holds :func:`table`, and a test compares the two. Every subject gives four
statements: true and false, each said and denied, so that truth is learnt and not the word "not" [Bürger et al., "Truth is Universal"].
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

CITIES = (
    "Paris France; Tokyo Japan; Cairo Egypt; Lima Peru; Nairobi Kenya; Oslo Norway; Madrid Spain; Toronto Canada; Mumbai India; "
    "Sydney Australia; Havana Cuba; Athens Greece; Dublin Ireland; Lisbon Portugal; Warsaw Poland; Bangkok Thailand; Hanoi Vietnam; "
    "Santiago Chile; Casablanca Morocco; Budapest Hungary; Helsinki Finland; Ankara Turkey; Vienna Austria; Shanghai China"
)
ELEMENTS = (
    "gold Au; silver Ag; iron Fe; copper Cu; tin Sn; lead Pb; sodium Na; potassium K; carbon C; oxygen O; hydrogen H; helium He; "
    "nitrogen N; neon Ne; calcium Ca; zinc Zn; mercury Hg; sulfur S; chlorine Cl; silicon Si; nickel Ni; uranium U"
)
ANIMALS = (
    "dog mammal; whale mammal; bat mammal; horse mammal; dolphin mammal; eagle bird; penguin bird; owl bird; parrot bird; sparrow bird; "
    "salmon fish; trout fish; shark fish; tuna fish; crocodile reptile; lizard reptile; tortoise reptile; cobra reptile; "
    "frog amphibian; newt amphibian; bee insect; beetle insect; butterfly insect; ant insect"
)
SPANISH = (
    "perro dog; gato cat; casa house; libro book; agua water; fuego fire; sol sun; luna moon; mesa table; silla chair; mano hand; "
    "puerta door; leche milk; pan bread; rojo red; verde green; ciudad city; calle street; amigo friend; noche night; hijo son; nieve snow"
)
INVENTIONS = (
    ("The telephone", "Alexander Graham Bell"), ("Dynamite", "Alfred Nobel"), ("The diesel engine", "Rudolf Diesel"),
    ("The World Wide Web", "Tim Berners-Lee"), ("The lightning rod", "Benjamin Franklin"), ("The phonograph", "Thomas Edison"),
    ("The cotton gin", "Eli Whitney"), ("The electric battery", "Alessandro Volta"), ("The saxophone", "Adolphe Sax"),
    ("The mercury barometer", "Evangelista Torricelli"), ("The pendulum clock", "Christiaan Huygens"),
    ("The hot air balloon", "the Montgolfier brothers"), ("The Geiger counter", "Hans Geiger"), ("Nylon", "Wallace Carothers"),
    ("The Stirling engine", "Robert Stirling"), ("Velcro", "George de Mestral"), ("The theremin", "Leon Theremin"),
    ("The Braille alphabet", "Louis Braille"), ("The mercury thermometer", "Daniel Fahrenheit"), ("The Petri dish", "Julius Petri"),
)  # fmt: skip
NUMBERS = (
    "seventy thirty; ninety twelve; forty eleven; sixty fifteen; eighty fifty; twenty nine; fourteen six; nineteen thirteen; "
    "fifty-one forty-two; eight three; thirty-three seventeen; ninety-nine eighteen; twelve seven; sixty-four ten; sixteen five; "
    "twenty-five four; seventy-six sixty-one; forty-eight two; eighty-seven twenty-three; fifty-five thirty-eight"
)
#: Subject, verb, its denial, what is true, what is not.
FACTS = (
    ("The Sun", "is", "is not", "a star", "a planet"),
    ("The Moon", "moves", "does not move", "around the Earth", "around Mars"),
    ("A triangle", "has", "does not have", "three sides", "five sides"),
    ("A square", "has", "does not have", "four corners", "seven corners"),
    ("A spider", "has", "does not have", "eight legs", "two legs"),
    ("Ice", "is", "is not", "frozen water", "frozen milk"),
    ("A week", "has", "does not have", "seven days", "nine days"),
    ("An hour", "has", "does not have", "sixty minutes", "ninety minutes"),
    ("A year", "has", "does not have", "twelve months", "twenty months"),
    ("Honey", "is made", "is not made", "by bees", "by sheep"),
    ("Bread", "is made", "is not made", "from flour", "from sand"),
    ("Paper", "is made", "is not made", "from wood", "from glass"),
    ("Wool", "comes", "does not come", "from sheep", "from trees"),
    ("The heart", "pumps", "does not pump", "blood", "air"),
    ("Plants", "need", "do not need", "light to grow", "gold to grow"),
    ("Snow", "is", "is not", "cold", "hot"),
    ("A violin", "has", "does not have", "strings", "wheels"),
    ("The Pacific", "is", "is not", "an ocean", "a desert"),
    ("The Sahara", "is", "is not", "a desert", "a river"),
    ("The Earth", "moves", "does not move", "around the Sun", "around the Moon"),
    ("A kilometre", "is", "is not", "longer than a metre", "shorter than a metre"),
    ("Cheese", "is made", "is not made", "from milk", "from stone"),
)  # fmt: skip
#: Which categories are learnt from, which layers are chosen by, and which figures are reported on.
SPLITS = {
    "cities": "train", "elements": "train", "spanish": "train", "numbers": "train",
    "animals": "validation", "inventions": "test", "facts": "test",
}  # fmt: skip


class Statement(NamedTuple):
    """A sentence and whether it is true."""

    text: str
    true: bool
    category: str
    split: str


def statements() -> list[Statement]:
    """Every statement, category by category."""
    return [
        Statement(text, true, category, split)
        for category, split in SPLITS.items()
        for text, true in _MAKERS[category]()
    ]


def table() -> str:
    """The statements as a CSV file."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("text", "label", "category", "split"))
    rows.writerows((each.text, int(each.true), each.category, each.split) for each in statements())
    return file.getvalue()


Said = Iterator[tuple[str, bool]]


def _pairs(words: str) -> list[tuple[str, str]]:
    return [(first, second) for first, second in (pair.split() for pair in words.split(";"))]


def _four(said: str, denied: str, right: str, wrong: str) -> Said:
    """Said and denied, of what is right and of what is wrong; the forms hold ``{}`` for it."""
    yield said.format(right), True
    yield said.format(wrong), False
    yield denied.format(wrong), True
    yield denied.format(right), False


def _another(values: Sequence[str], index: int) -> str:
    """The value of a later entry that differs from this one's, so that every value is right as often as it is wrong, or nearly."""
    for step in range(5, 5 + len(values)):
        if values[(index + step) % len(values)] != values[index]:
            return values[(index + step) % len(values)]
    raise AssertionError(f"all values are {values[index]!r}")


def _cities() -> Said:
    pairs = _pairs(CITIES)
    for index, (city, country) in enumerate(pairs):
        wrong = _another([each for _, each in pairs], index)
        yield from _four(f"The city of {city} is in {{}}.", f"The city of {city} is not in {{}}.", country, wrong)


def _elements() -> Said:
    pairs = _pairs(ELEMENTS)
    for index, (name, symbol) in enumerate(pairs):
        wrong = _another([each for _, each in pairs], index)
        start = f"The chemical symbol of {name}"
        yield from _four(start + " is {}.", start + " is not {}.", symbol, wrong)


def _animals() -> Said:
    pairs = _pairs(ANIMALS)
    for index, (name, kind) in enumerate(pairs):
        wrong = _another([each for _, each in pairs], index)
        start = _article(name).capitalize()
        yield from _four(start + " is {}.", start + " is not {}.", _article(kind), _article(wrong))


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _spanish() -> Said:
    pairs = _pairs(SPANISH)
    for index, (word, meaning) in enumerate(pairs):
        wrong = _another([each for _, each in pairs], index)
        start = f"The Spanish word '{word}'"
        yield from _four(start + " means '{}'.", start + " does not mean '{}'.", meaning, wrong)


def _numbers() -> Said:
    for index, (more, less) in enumerate(_pairs(NUMBERS)):
        # The first number is the larger one in half of the sentences only.
        first, second = (more, less) if index % 2 else (less, more)
        right, wrong = ("larger", "smaller") if index % 2 else ("smaller", "larger")
        start = first.capitalize()
        yield from _four(f"{start} is {{}} than {second}.", f"{start} is not {{}} than {second}.", right, wrong)


def _inventions() -> Said:
    for index, (thing, person) in enumerate(INVENTIONS):
        wrong = _another([each for _, each in INVENTIONS], index)
        yield from _four(f"{thing} was invented by {{}}.", f"{thing} was not invented by {{}}.", person, wrong)


def _facts() -> Said:
    for subject, verb, denied, right, wrong in FACTS:
        yield from _four(f"{subject} {verb} {{}}.", f"{subject} {denied} {{}}.", right, wrong)


_MAKERS = {
    "cities": _cities, "elements": _elements, "spanish": _spanish, "numbers": _numbers, "animals": _animals,
    "inventions": _inventions, "facts": _facts,
}  # fmt: skip
