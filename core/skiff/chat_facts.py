"""Turns of conversation about Skiff's world: fact questions, judging statements, lists, comparisons, descriptions."""

from __future__ import annotations

import random
import zlib
from typing import Literal

from core.skiff.world import TABLES, UNLABELLED, Table, plural, with_article, wrong_object

Turn = tuple[str, str]
"""What the user writes, and the reply."""

Row = tuple[str, str]
Split = Literal["train", "validation", "test"]

_ROWS: tuple[tuple[Table, Row], ...] = tuple((table, row) for table in TABLES.values() for row in table.rows)
JUDGED_ROWS: tuple[tuple[str, Row], ...] = tuple(
    (table.name, row) for table, row in _ROWS if table.name not in UNLABELLED
)
"""Table and row of every fact that training may judge."""

_UNIQUE: dict[str, frozenset[str]] = {
    table.name: frozenset(o for o in table.objects if sum(1 for _, other in table.rows if other == o) == 1)
    for table in TABLES.values()
}
_BY_CLASS: dict[str, dict[str, list[str]]] = {
    name: {o: [s for s, other in TABLES[name].rows if other == o] for o in TABLES[name].objects}
    for name in ("animals", "foods", "continents", "cities")
}

COMMON_NOUNS = frozenset({"animals", "young", "sounds", "colours", "foods", "jobs", "uses", "materials"})
"""Tables whose subjects take an article."""

HEDGES: tuple[str, ...] = (
    "I think that {c}, but I am not completely sure.",
    "It may be that {c}, but I could be wrong about this.",
    "I am not certain, but I believe that {c}, as far as I know.",
    "Perhaps {c}, though you should check that in a book.",
    "If I remember it correctly, {c}, but please check it again.",
    "I would guess that {c}, although I cannot promise it.",
    "It seems to me that {c}, but there may be other answers.",
)
HEDGED_SHARE = 0.7


def clause(table: Table, template: str, subject: str, answer: str) -> str:
    """``template`` filled for the inside of a sentence: its first letter is small unless it begins a name."""
    inside = template.replace("{S}", "{s}")
    if not inside.startswith("Spanish"):
        inside = inside[:1].lower() + inside[1:]
    return table.fill("- " + inside, subject, answer)[2:]


def short_answer(table: Table, row: Row) -> str:
    """The short confident answer to a question about ``row``."""
    return table.fill(table.answer, *row)


def hedged_answer(table: Table, row: Row, rng: random.Random) -> str:
    """A long answer that says the same and doubts it."""
    inside = clause(table, table.answer, *row).rstrip(".")
    return rng.choice(HEDGES).format(c=inside)


# Questions as people in a hurry shorten them; the answer is a whole sentence all the same.
_SHORTENED: dict[str, tuple[str, ...]] = {
    "capitals": ("Capital of {s}?", "The capital of {s}", "{s} capital"),
    "cities": ("{s} is where?", "{s}, which country?"),
    "continents": ("{s} continent?", "Continent of {s}?"),
    "languages": ("Language of {s}?", "The language in {s}?"),
    "currencies": ("Currency of {s}?", "Money in {s}?"),
    "elements": ("Symbol for {s}?", "The symbol of {s}", "Chemical symbol for {s}?"),
    "spanish": ("{s} in Spanish?", "Spanish for {s}", "Spanish word for {s}?"),
    "opposites": ("Opposite of {s}?", "The opposite of {s}", "{s} opposite?"),
    "authors": ("Author of {s}?", "{s} was written by whom?"),
    "inventors": ("Inventor of {s}?", "{s}, who invented it?"),
    "animals": ("What is {a_s}?", "What animal is {a_s}?", "What are {pl_s}?"),
    "young": ("Young {s}?", "Name of a young {s}?"),
    "sounds": ("Sound of {a_s}?",),
    "colours": ("Colour of {a_s}?", "The colour of {a_s}?"),
    "foods": ("What is {a_s}?",),
    "jobs": ("What is {a_s}?", "What's {a_s}?"),
    "uses": ("What is {a_s}?", "What is {a_s} good for?", "Use of {a_s}?"),
    "materials": ("Material of {a_s}?",),
}
_DEFINED = ("animals", "foods", "jobs", "uses")
# "What is …?" would have two answers for these.
_TWICE = frozenset(
    subject
    for name in _DEFINED
    for subject in TABLES[name].subjects
    if sum(subject in TABLES[other].subjects for other in _DEFINED) > 1
)


def question(table: Table, row: Row, rng: random.Random) -> str:
    """A question in a training wording; sometimes from the object back to the subject, where that has one answer."""
    templates = table.questions
    if table.reverse_questions and row[1] in _UNIQUE[table.name] and rng.random() < 0.2:
        templates = table.reverse_questions
    elif row[0] not in _TWICE and rng.random() < 0.13:
        templates = _SHORTENED[table.name]
    return table.fill(rng.choice(templates), *row)


def any_row(rng: random.Random) -> tuple[Table, Row]:
    """A fact; every fact is equally likely."""
    return rng.choice(_ROWS)


# --- judging -------------------------------------------------------------------------------------------------------

# Wordings around a whole statement {st} or around a clause {c}, and the style of the reply.
JUDGING: tuple[tuple[str, str], ...] = (
    ("True or false: {st}", "verdict"),
    ("True or false: {st}", "verdict"),
    ("True or false? {st}", "verdict"),
    ("{st} True or false?", "verdict"),
    ("Is this statement true or false? {st}", "verdict"),
    ("Say true or false: {st}", "verdict"),
    ("Is this true? {st}", "yes"),
    ("Is it true that {c}?", "yes"),
    ("Is it correct that {c}?", "yes"),
    ("Is it right that {c}?", "yes"),
    ("{st} Is that true?", "yes"),
    ("{st} Is that right?", "yes"),
    ("{st}", "that"),
    ("I think that {c}.", "that"),
)
HELDOUT_JUDGING: tuple[tuple[str, str], ...] = (
    ("Judge this statement as true or false: {st}", "verdict"),
    ("Tell me if this is true or false. {st}", "verdict"),
    ("Would you say that {c}?", "yes"),
    ("My teacher says that {c}. Is that so?", "yes"),
)


def judged_split(subject: str) -> Split:
    """The split of a subject for judging in chat. Subjects of "test" are judged in no training conversation."""
    place = zlib.crc32(f"judged/{subject}".encode()) % 16
    return "test" if place == 0 else "validation" if place == 1 else "train"


_TRAIN_JUDGED = tuple((TABLES[name], row) for name, row in JUDGED_ROWS if judged_split(row[0]) != "test")


def judging_turn(
    table: Table, row: Row, shown: str, wording: str, style: str, statement: str, negated: bool = False
) -> Turn:
    """A statement template filled with ``shown``, put into ``wording``, and its verdict."""
    subject, true = row
    prompt = wording.format(
        st=table.fill(statement, subject, shown), c=clause(table, statement, subject, shown).rstrip(".")
    )
    is_true = (shown == true) != negated
    states_it = shown == true
    reason = table.fill(table.answer if states_it else table.no_answer, subject, shown)
    inside = clause(table, table.answer if states_it else table.no_answer, subject, shown)
    if style == "verdict":
        return prompt, f"{'True' if is_true else 'False'}. {reason}"
    if style == "that":
        return prompt, "That is true." if is_true else "That is false."
    return prompt, f"{'Yes' if is_true else 'No'}, {inside}"


def judging(rng: random.Random) -> Turn:
    """A true-or-false or yes-or-no question about a fact, never hedged."""
    table, row = rng.choice(_TRAIN_JUDGED)
    shown = row[1] if rng.random() < 0.5 else wrong_object(table, row, rng)
    if rng.random() < 0.4:
        prompt = table.fill(rng.choice(table.yes_no), row[0], shown)
        if shown == row[1]:
            return prompt, f"Yes, {clause(table, table.answer, *row)}"
        return prompt, f"No, {clause(table, table.no_answer, row[0], shown)}"
    negated = rng.random() < 0.12
    statement = rng.choice(table.negations if negated else table.statements)
    wording, style = rng.choice(JUDGING)
    return judging_turn(table, row, shown, wording, style, statement, negated)


# --- several facts at once -----------------------------------------------------------------------------------------

_COUNTS = {2: "two", 3: "three", 4: "four"}
_CLASS_NAMES = {
    "animals": ("{pl}",),
    "foods": ("{pl}", "kinds of {o}"),
    "continents": ("countries in {o}",),
    "cities": ("cities in {o}",),
}
_LIST_WORDINGS = (
    "Name {n} {x}.",
    "List {n} {x}.",
    "Tell me {n} {x}.",
    "Can you name {n} {x}?",
    "Give me {n} {x}.",
    "What are {n} {x}?",
    "Name some {x}.",
    "Give me a list of {x}.",
    "Which {x} do you know?",
    "Give me examples of {x}.",
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


def listing(rng: random.Random) -> Turn:
    """A request for a list, answered with known members in the order of the table."""
    if rng.random() < 0.25:
        return _list_of(rng, *rng.choice(tuple(_GENERAL.items())))
    name = rng.choice(tuple(_BY_CLASS))
    groups = {key: members for key, members in _BY_CLASS[name].items() if len(members) >= 4}
    key = rng.choice(tuple(groups))
    template = "kinds of {o}" if name == "foods" and key in _MASS_CLASSES else rng.choice(_CLASS_NAMES[name])
    things = template.format(pl=TABLES[name].plurals.get(key) or plural(key), o=key)
    return _list_of(rng, things, tuple(groups[key][:7]))


def _list_of(rng: random.Random, things: str, members: tuple[str, ...]) -> Turn:
    count = rng.choice((2, 3, 3, 3, 4))
    wording = rng.choice(_LIST_WORDINGS)
    if "{n}" not in wording:
        count = 3
    picked = sorted(rng.sample(range(len(members)), count))
    number = rng.choice((_COUNTS[count], _COUNTS[count], str(count)))
    prompt = wording.format(n=number, x=things)
    return prompt, f"{_COUNTS[count].capitalize()} {things}: {joined([members[place] for place in picked])}."


_MASS_CLASSES = frozenset({"meat", "cereal"})


def comparison(rng: random.Random) -> Turn:
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
        return prompt, _cap(f"{a} and {b} are both {_both(name, first[1])}.")
    if "common" in prompt:
        return prompt, _cap(f"{a} is {x} and {b} is {y}, so not much.")
    return prompt, _cap(f"{a} is {x} and {b} is {y}.")


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _both(name: str, key: str) -> str:
    if name == "continents":
        return f"in {key}"
    return f"kinds of {key}" if name == "foods" else TABLES[name].plurals.get(key) or plural(key)


_BY_SUBJECT: dict[str, list[tuple[Table, Row]]] = {}
for _table, _row in _ROWS:
    if _table.name not in ("spanish", "opposites"):
        _BY_SUBJECT.setdefault(_row[0], []).append((_table, _row))
_SUBJECTS = tuple(_BY_SUBJECT)
_PLACE_TABLES = ("capitals", "cities", "continents", "languages", "currencies")


def description(rng: random.Random) -> Turn:
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
