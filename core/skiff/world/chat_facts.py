"""Turns of conversation about Skiff's world: fact questions and judging statements."""

from __future__ import annotations

import random
import zlib
from typing import Literal

from core.skiff.data import reader
from core.skiff.world.facts import TABLES, UNLABELLED
from core.skiff.world.tables import FactTable, capitalised, wrong_object

ChatTurn = tuple[str, str]
"""What the user writes, and the reply."""

FactRow = tuple[str, str]
FactSplit = Literal["train", "validation", "test"]

ROWS: tuple[tuple[FactTable, FactRow], ...] = tuple((table, row) for table in TABLES.values() for row in table.rows)
_TABLES: tuple[FactTable, ...] = tuple(TABLES.values())
JUDGED_ROWS: tuple[tuple[str, FactRow], ...] = tuple(
    (table.name, row) for table, row in ROWS if table.name not in UNLABELLED
)
"""Table and row of every fact that training may judge."""

_UNIQUE: dict[str, frozenset[str]] = {
    table.name: frozenset(o for o in table.objects if sum(1 for _, other in table.rows if other == o) == 1)
    for table in TABLES.values()
}

COMMON_NOUNS = frozenset({"animals", "young", "sounds", "colours", "foods", "jobs", "uses", "materials"})
"""Tables whose subjects take an article."""

_DATA = reader.toml("questions.toml")
HEDGES: tuple[str, ...] = _DATA.texts("hedges")
# Questions as people in a hurry shorten them; the answer is a whole sentence all the same.
_SHORTENED = _DATA.node("shortened").every_list()
# A question that names the answer beside another one; {x} and {y} are the two, in either order.
_EITHER = _DATA.node("either").every_list()
# What people put before a question or after it, whatever it is about: {q} is the question with a small first letter.
_BEFORE, _AFTER, _AFTER_ORDER = (_DATA.texts(key) for key in ("before", "after", "after_order"))
# Wordings around a whole statement {st} or around a clause {c}, and the style of the reply.
JUDGING, HELDOUT_JUDGING = (
    tuple((wording, style) for style, wordings in _DATA.node(key).every_list().items() for wording in wordings)
    for key in ("judging", "heldout_judging")
)


def clause(table: FactTable, template: str, subject: str, answer: str) -> str:
    """``template`` filled for the inside of a sentence: its first letter is small unless it begins a name."""
    inside = template.replace("{S}", "{s}")
    if not inside.startswith("Spanish"):
        inside = inside[:1].lower() + inside[1:]
    return table.fill("- " + inside, subject, answer)[2:]


def short_answer(table: FactTable, row: FactRow) -> str:
    """The short confident answer to a question about ``row``."""
    return table.fill(table.answer, *row)


def hedged_answer(table: FactTable, row: FactRow, rng: random.Random) -> str:
    """A long answer that says the same and doubts it."""
    inside = clause(table, table.answer, *row).rstrip(".")
    return rng.choice(HEDGES).format(c=inside)


_DEFINED = ("animals", "foods", "jobs", "uses")
# "What is …?" would have two answers for these.
_TWICE = frozenset(
    subject
    for name in _DEFINED
    for subject in TABLES[name].subjects
    if sum(subject in TABLES[other].subjects for other in _DEFINED) > 1
)


_FRAMED_SHARE = 0.12
_ASKS = ("What", "Which", "Who", "Where", "In which", "On which", "To which", "To whom", "By whom", "How")
_ASKS_TWICE = ("I ", "Do you", "Can you", "Could you")
_ORDERS = ("Tell me", "Name", "Give me", "Say")


def _framed(table: FactTable, template: str, row: FactRow, rng: random.Random) -> str:
    """The question ``template`` with something before it or after it, as people talk around what they ask."""
    plain = table.fill(template, *row)
    after = _AFTER if template.startswith(_ASKS) else _AFTER_ORDER if template.startswith(_ORDERS) else ()
    if after and (rng.random() < 0.35 or after is _AFTER_ORDER):
        return rng.choice(after).format(q=plain.rstrip("?."))
    # "I …" keeps its large letter, "Tell me, do you know …" says it twice, and a second colon is hard to read.
    if not template.endswith("?") or template.startswith(_ASKS_TWICE) or ":" in template:
        return plain
    return rng.choice(_BEFORE).format(q=clause(table, template, *row))


_EITHER_SHARE = 0.06
_CLASSED = ("animals", "foods")


def either_or(table: FactTable, row: FactRow, rng: random.Random) -> str:
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


def fact_question(table: FactTable, row: FactRow, rng: random.Random) -> str:
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


def any_row(rng: random.Random) -> tuple[FactTable, FactRow]:
    """A fact: mostly any fact alike, else one of any table alike.

    The wordings of a table are learnt over its facts together, so that those of a small table would be met too rarely.
    """
    if rng.random() < 0.7:
        return rng.choice(ROWS)
    table = rng.choice(_TABLES)
    return table, rng.choice(table.rows)


# --- judging -------------------------------------------------------------------------------------------------------

# The tag that fits the answer's wording of a table: "The capital of France is Paris, isn't it?"
_TAGS: dict[str, str] = {
    **dict.fromkeys(
        ("capitals", "cities", "continents", "languages", "elements", "animals", "colours", "foods", "materials"),
        "isn't it?",
    ),
    **dict.fromkeys(("spanish", "opposites"), "isn't it?"),
    **dict.fromkeys(("inventors", "authors"), "wasn't it?"),
}


def judged_split(subject: str) -> FactSplit:
    """The split of a subject for judging in chat. Subjects of "test" are judged in no training conversation."""
    place = zlib.crc32(f"judged/{subject}".encode()) % 16
    return "test" if place == 0 else "validation" if place == 1 else "train"


_TRAIN_JUDGED = tuple((TABLES[name], row) for name, row in JUDGED_ROWS if judged_split(row[0]) != "test")


def judging_turn(
    table: FactTable, row: FactRow, shown: str, wording: str, style: str, statement: str, negated: bool = False
) -> ChatTurn:
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


def judging(rng: random.Random) -> ChatTurn:
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
