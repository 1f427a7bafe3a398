"""Turns of conversation about Skiff's world: fact questions and judging statements."""

from __future__ import annotations

import random
import zlib
from typing import Literal

from core.skiff.world.facts import TABLES, UNLABELLED, Table, capitalised, wrong_object

Turn = tuple[str, str]
"""What the user writes, and the reply."""

Row = tuple[str, str]
Split = Literal["train", "validation", "test"]

ROWS: tuple[tuple[Table, Row], ...] = tuple((table, row) for table in TABLES.values() for row in table.rows)
_TABLES: tuple[Table, ...] = tuple(TABLES.values())
JUDGED_ROWS: tuple[tuple[str, Row], ...] = tuple(
    (table.name, row) for table, row in ROWS if table.name not in UNLABELLED
)
"""Table and row of every fact that training may judge."""

_UNIQUE: dict[str, frozenset[str]] = {
    table.name: frozenset(o for o in table.objects if sum(1 for _, other in table.rows if other == o) == 1)
    for table in TABLES.values()
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
    "capitals": (
        "Capital of {s}?",
        "The capital of {s}",
        "{s} capital",
        "Capital city of {s}?",
        "{S}: capital?",
        "Name of the capital of {s}?",
    ),
    "cities": (
        "{s} is where?",
        "{s}, which country?",
        "Country of {s}?",
        "{s}: where is that?",
        "The country of the city {s}?",
        "{s} country",
    ),
    "continents": (
        "{s} continent?",
        "Continent of {s}?",
        "{S}: continent?",
        "{s}, which continent?",
        "Name of the continent of {s}?",
    ),
    "languages": (
        "Language of {s}?",
        "The language in {s}?",
        "Main language of {s}?",
        "{s} language",
        "{S}: which language?",
    ),
    "currencies": ("Currency of {s}?", "Money in {s}?", "{s} currency", "{S}: which currency?", "Currency in {s}?"),
    "elements": (
        "Symbol for {s}?",
        "The symbol of {s}",
        "Chemical symbol for {s}?",
        "Symbol of {s}?",
        "{S}: which symbol?",
        "{s} symbol",
    ),
    "spanish": (
        "{s} in Spanish?",
        "Spanish for {s}",
        "Spanish word for {s}?",
        "The Spanish word for {s}",
        "{s}, in Spanish?",
        "{s} translated into Spanish?",
    ),
    "opposites": (
        "Opposite of {s}?",
        "The opposite of {s}",
        "{s} opposite?",
        "Opposite word of {s}?",
        "{s}, and its opposite?",
    ),
    "authors": (
        "Author of {s}?",
        "{s} was written by whom?",
        "Writer of {s}?",
        "{s}, who wrote it?",
        "The author of {s}",
        "{s}: author?",
    ),
    "inventors": (
        "Inventor of {s}?",
        "{s}, who invented it?",
        "The inventor of {s}",
        "{S}: inventor?",
        "Name of the inventor of {s}?",
    ),
    "animals": (
        "What is {a_s}?",
        "What animal is {a_s}?",
        "What are {pl_s}?",
        "Kind of animal: {a_s}?",
        "{a_s}: which animal class?",
        "{pl_s}, as animals?",
    ),
    "young": (
        "Young {s}?",
        "Name of a young {s}?",
        "Name for a young {s}?",
        "Young {s}, what name?",
        "The young of {a_s}?",
    ),
    "sounds": ("Sound of {a_s}?", "{a_s}: what sound?", "The sound of {a_s}", "Noise of {a_s}?"),
    "colours": ("Colour of {a_s}?", "The colour of {a_s}?", "{a_s}: which colour?", "Color of {a_s}?"),
    "foods": ("What is {a_s}?", "Kind of food: {a_s}?", "{a_s}, as a food?", "{a_s}, what type of food?"),
    "jobs": ("What is {a_s}?", "What's {a_s}?", "Job of {a_s}?", "{a_s}: what is that?", "The work of {a_s}?"),
    "uses": (
        "What is {a_s}?",
        "What is {a_s} good for?",
        "Use of {a_s}?",
        "{a_s}: what for?",
        "Purpose of {a_s}?",
        "The use of {a_s}?",
    ),
    "materials": ("Material of {a_s}?", "{a_s}: which material?", "The material of {a_s}", "Made of what: {a_s}?"),
}
_DEFINED = ("animals", "foods", "jobs", "uses")
# "What is …?" would have two answers for these.
_TWICE = frozenset(
    subject
    for name in _DEFINED
    for subject in TABLES[name].subjects
    if sum(subject in TABLES[other].subjects for other in _DEFINED) > 1
)


# What people put before a question or after it, whatever it is about: {q} is the question with a small first letter.
_BEFORE: tuple[str, ...] = (
    "Quick one: {q}",
    "I forgot: {q}",
    "Question for you: {q}",
    "Tell me, {q}",
    "Please: {q}",
    "I am curious: {q}",
    "A question: {q}",
    "Now tell me: {q}",
    "Just wondering: {q}",
    "My question is: {q}",
    "For my homework: {q}",
    "Another thing: {q}",
    "Help me: {q}",
    "Next question: {q}",
)
_AFTER: tuple[str, ...] = ("{q}, do you know?", "{q}, please?", "{q}, can you tell me?", "{q}, I forgot.")
_AFTER_ORDER: tuple[str, ...] = ("{q}, please.", "{q}, if you can.")
_FRAMED_SHARE = 0.12
_ASKS = ("What", "Which", "Who", "Where", "In which", "On which", "To which", "To whom", "By whom", "How")
_ASKS_TWICE = ("I ", "Do you", "Can you", "Could you")
_ORDERS = ("Tell me", "Name", "Give me", "Say")


def _framed(table: Table, template: str, row: Row, rng: random.Random) -> str:
    """The question ``template`` with something before it or after it, as people talk around what they ask."""
    plain = table.fill(template, *row)
    after = _AFTER if template.startswith(_ASKS) else _AFTER_ORDER if template.startswith(_ORDERS) else ()
    if after and (rng.random() < 0.35 or after is _AFTER_ORDER):
        return rng.choice(after).format(q=plain.rstrip("?."))
    # "I …" keeps its large letter, "Tell me, do you know …" says it twice, and a second colon is hard to read.
    if not template.endswith("?") or template.startswith(_ASKS_TWICE) or ":" in template:
        return plain
    return rng.choice(_BEFORE).format(q=clause(table, template, *row))


# A question that names the answer beside another one; {x} and {y} are the two, in either order.
_EITHER: dict[str, tuple[str, ...]] = {
    "capitals": (
        "Is the capital of {s} {x} or {y}?",
        "Which is the capital of {s}, {x} or {y}?",
        "{S}: is the capital {x} or {y}?",
    ),
    "cities": (
        "Is {s} in {x} or in {y}?",
        "Is {s} in {x} or {y}?",
        "Is the city of {s} in {x} or in {y}?",
        "{s}: {x} or {y}?",
    ),
    "continents": (
        "Is {s} in {x} or in {y}?",
        "Is {s} in {x} or {y}?",
        "Does {s} lie in {x} or in {y}?",
        "{S}: {x} or {y}?",
    ),
    "languages": ("Do people in {s} speak {x} or {y}?", "Is the main language of {s} {x} or {y}?", "{S}: {x} or {y}?"),
    "elements": ("Is the symbol for {s} {x} or {y}?", "Which is the symbol for {s}, {x} or {y}?"),
    "animals": ("Is {a_s} {x} or {y}?", "Is the {s} {x} or {y}?", "Is {a_s} {x}, or is it {y}?", "{a_s}: {x} or {y}?"),
    "sounds": ("Is {a_s} an animal that {x} or one that {y}?", "{a_s}: an animal that {x} or one that {y}?"),
    "colours": ("Is {a_s} {x} or {y}?", "Is the colour of {a_s} {x} or {y}?", "Which colour is {a_s}, {x} or {y}?"),
    "foods": ("Is {a_s} {x} or {y}?", "Is {a_s} a kind of {ox} or a kind of {oy}?", "Is {a_s} {x}, or is it {y}?"),
    "inventors": ("Did {x} or {y} invent {s}?", "Who invented {s}, {x} or {y}?", "Was {s} invented by {x} or by {y}?"),
    "authors": ("Did {x} or {y} write {s}?", "Who wrote {s}, {x} or {y}?", "Was {s} written by {x} or by {y}?"),
    "jobs": ("Is {a_s} someone who {x} or someone who {y}?", "{a_s}: someone who {x} or someone who {y}?"),
    "materials": (
        "Is {a_s} made of {x} or of {y}?",
        "Is {a_s} made of {x} or {y}?",
        "Which is {a_s} made of, {x} or {y}?",
    ),
    "spanish": (
        "Is the Spanish word for {s} {x} or {y}?",
        "Is {s} {x} or {y} in Spanish?",
        "In Spanish, is {s} {x} or {y}?",
    ),
    "opposites": ("Is the opposite of {s} {x} or {y}?", "Which is the opposite of {s}, {x} or {y}?"),
}
_EITHER_SHARE = 0.06
_CLASSED = ("animals", "foods")


def either_or(table: Table, row: Row, rng: random.Random) -> str:
    """A question that offers the true object of ``row`` and a false one, in either order.

    Raises KeyError for a table that is never judged, since it has no such wordings.
    """
    pair = [row[1], wrong_object(table, row, rng)]
    rng.shuffle(pair)
    shown = [clause(table, "{a_o}" if table.name in _CLASSED else "{o}", row[0], each) for each in pair]
    template = rng.choice(_EITHER[table.name])
    for name, text in (("{x}", shown[0]), ("{y}", shown[1]), ("{ox}", pair[0]), ("{oy}", pair[1])):
        template = template.replace(name, text)
    return table.fill(template, *row)


def question(table: Table, row: Row, rng: random.Random) -> str:
    """A question in a training wording.

    Sometimes it goes from the object back to the subject, where that has one answer, offers two answers, is shortened,
    or has something said around it.
    """
    if table.name in _EITHER and judged_split(row[0]) != "test" and rng.random() < _EITHER_SHARE:
        return either_or(table, row, rng)
    templates = table.questions
    if table.reverse_questions and row[1] in _UNIQUE[table.name] and rng.random() < 0.24:
        templates = table.reverse_questions
    elif row[0] not in _TWICE and rng.random() < 0.13:
        return table.fill(rng.choice(_SHORTENED[table.name]), *row)
    template = rng.choice(templates)
    if rng.random() < _FRAMED_SHARE:
        return _framed(table, template, row, rng)
    return table.fill(template, *row)


def any_row(rng: random.Random) -> tuple[Table, Row]:
    """A fact: mostly any fact alike, else one of any table alike.

    The wordings of a table are learnt over its facts together, so that those of a small table would be met too rarely.
    """
    if rng.random() < 0.7:
        return rng.choice(ROWS)
    table = rng.choice(_TABLES)
    return table, rng.choice(table.rows)


# --- judging -------------------------------------------------------------------------------------------------------

# Wordings around a whole statement {st} or around a clause {c}, and the style of the reply.
JUDGING: tuple[tuple[str, str], ...] = (
    ("True or false: {st}", "verdict"),
    ("True or false: {st}", "verdict"),
    ("True or false? {st}", "verdict"),
    ("{st} True or false?", "verdict"),
    ("Is this statement true or false? {st}", "verdict"),
    ("Say true or false: {st}", "verdict"),
    ("True/false: {st}", "verdict"),
    ("{c}, true or false?", "verdict"),
    ("{st} (true or false?)", "verdict"),
    ("{st} Is this true or false?", "verdict"),
    ("{st} True or false, please.", "verdict"),
    ("Is the following true or false? {st}", "verdict"),
    ("Is it true or false that {c}?", "verdict"),
    ("Please say true or false: {st}", "verdict"),
    ("Answer with true or false: {st}", "verdict"),
    ("Here is a statement: {st} True or false?", "verdict"),
    ("Is this true? {st}", "yes"),
    ("Is it true that {c}?", "yes"),
    ("Is it correct that {c}?", "yes"),
    ("Is it right that {c}?", "yes"),
    ("{st} Is that true?", "yes"),
    ("{st} Is that right?", "yes"),
    ("{st} Is that correct?", "yes"),
    ("{st} Yes or no?", "yes"),
    ("{c}, yes or no?", "yes"),
    ("{c}, right?", "yes"),
    ("{c}, correct?", "yes"),
    ("{c}, is that true?", "yes"),
    ("{c}, or not?", "yes"),
    ("Is the following true? {st}", "yes"),
    ("Is this correct? {st}", "yes"),
    ("Is this right? {st}", "yes"),
    ("Is the following statement correct? {st}", "yes"),
    ("Is it so that {c}?", "yes"),
    ("Is it a fact that {c}?", "yes"),
    ("Do you agree that {c}?", "yes"),
    ("Can you confirm that {c}?", "yes"),
    ("Am I right that {c}?", "yes"),
    ("Tell me whether it is true that {c}.", "yes"),
    ("I want to know whether {c}.", "yes"),
    ("Do you know whether {c}?", "yes"),
    ("I read that {c}. Is it true?", "yes"),
    ("{st}", "that"),
    ("I think that {c}.", "that"),
    ("I think {c}.", "that"),
    ("I believe that {c}.", "that"),
    ("I am sure that {c}.", "that"),
    ("I have heard that {c}.", "that"),
    ("Check this: {st}", "that"),
    ("As far as I know, {c}.", "that"),
)
HELDOUT_JUDGING: tuple[tuple[str, str], ...] = (
    ("Judge this statement as true or false: {st}", "verdict"),
    ("Tell me if this is true or false. {st}", "verdict"),
    ("Would you say that {c}?", "yes"),
    ("My teacher says that {c}. Is that so?", "yes"),
)


# The tag that fits the answer's wording of a table: "The capital of France is Paris, isn't it?"
_TAGS: dict[str, str] = {
    **dict.fromkeys(
        ("capitals", "cities", "continents", "languages", "elements", "animals", "colours", "foods", "materials"),
        "isn't it?",
    ),
    **dict.fromkeys(("spanish", "opposites"), "isn't it?"),
    **dict.fromkeys(("inventors", "authors"), "wasn't it?"),
}


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
    prompt = capitalised(
        wording.format(st=table.fill(statement, subject, shown), c=clause(table, statement, subject, shown).rstrip("."))
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


# People are often called by their last name alone; the Brontes are not, since there are two of them.
_PERSONS = ("authors", "inventors")
_FULL_NAMES = tuple(dict.fromkeys(name for table in _PERSONS for name in TABLES[table].objects))
_SURNAMES: dict[str, str] = {
    name: name.split()[-1]
    for name in _FULL_NAMES
    if sum(other.split()[-1] == name.split()[-1] for other in _FULL_NAMES) == 1
}


def judging(rng: random.Random) -> Turn:
    """A true-or-false or yes-or-no question about a fact, never hedged."""
    table, row = rng.choice(_TRAIN_JUDGED)
    shown = row[1] if rng.random() < 0.5 else wrong_object(table, row, rng)
    if rng.random() < 0.4:
        named = _SURNAMES.get(shown, shown) if table.name in _PERSONS and rng.random() < 0.4 else shown
        prompt = table.fill(rng.choice(table.yes_no), row[0], named)
        if shown == row[1]:
            return prompt, f"Yes, {clause(table, table.answer, *row)}"
        return prompt, f"No, {clause(table, table.no_answer, row[0], shown)}"
    if table.name in _TAGS and rng.random() < 0.05:
        wording = "{c}, " + rng.choice((_TAGS[table.name], "am I right?", "don't you think?"))
        return judging_turn(table, row, shown, wording, "yes", table.answer)
    negated = rng.random() < 0.12
    statement = rng.choice(table.negations if negated else table.statements)
    wording, style = rng.choice(JUDGING)
    return judging_turn(table, row, shown, wording, style, statement, negated)
