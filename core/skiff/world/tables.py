"""The shape of a table of facts, how it is read from its file, and how its wordings are filled in."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.skiff.data import reader
from core.skiff.data.reader import Node

# Words whose first letter misleads about "a" or "an".
_AN = ("hour", "honest", "heir")
_A = ("uni", "use", "euro", "one", "ukulele", "ewe")


def with_article(noun: str) -> str:
    """``noun`` with "a" or "an" before it; a noun that brings "the" or "a pair of" along is left as it is."""
    if noun.startswith(("the ", "a ", "an ")):
        return noun
    low = noun.lower()
    vowel = (low[0] in "aeiou" and not low.startswith(_A)) or low.startswith(_AN)
    return f"an {noun}" if vowel else f"a {noun}"


def plural(noun: str) -> str:
    """The regular plural of ``noun``; irregular ones stand in a table's ``plurals``."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def capitalised(sentence: str) -> str:
    """``sentence`` with its first letter large and the others as they are."""
    return sentence[:1].upper() + sentence[1:]


def within(table: FactTable, sentence: str) -> str:
    """``sentence`` as it goes on after "Yes," or "No,": its first letter small unless a name begins it."""
    first = sentence.split(" ", 1)[0]
    common = {"The", "A", "An", "It", "People", "Most", "In", "Someone"}
    if first in common:
        names = (name for row in table.rows for name in row)
        if not any(sentence.startswith(name) for name in names if name.startswith(first + " ")):
            return sentence[:1].lower() + sentence[1:]
    elif any(first.lower() == name.split(" ", 1)[0] for row in table.rows for name in row):
        return sentence[:1].lower() + sentence[1:]
    return sentence


#: What a wording may name in braces; see :class:`FactTable`.
FIELDS = ("s", "o", "S", "a_s", "a_o", "pl_s", "pl_o")


@dataclass(frozen=True)
class FactTable:
    """One relation of Skiff's world: its facts and every wording of them.

    Wordings are filled by :meth:`fill` and know these fields: ``{s}`` and ``{o}`` subject and object as they are,
    ``{a_s}`` and ``{a_o}`` with an article ("an owl"; bare for ``mass`` nouns), ``{pl_s}`` and ``{pl_o}`` plural,
    ``{S}`` the subject with a large first letter. The first of ``statements`` is the canonical one. The ``heldout``
    wordings are in no training text. ``also`` names further true objects of a subject, which
    :meth:`wrong_objects` therefore leaves out.
    """

    name: str
    rows: tuple[tuple[str, str], ...]
    statements: tuple[str, ...]
    heldout_statements: tuple[str, ...]
    negations: tuple[str, ...]
    questions: tuple[str, ...]
    heldout_questions: tuple[str, ...]
    answer: str
    yes_no: tuple[str, ...]
    no_answer: str
    reverse_questions: tuple[str, ...] = ()
    mass: frozenset[str] = frozenset()
    plurals: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        """All subjects, in order."""
        return tuple(subject for subject, _ in self.rows)

    @property
    def objects(self) -> tuple[str, ...]:
        """All objects, each once, in order of their first row."""
        return tuple(dict.fromkeys(answer for _, answer in self.rows))

    def object_of(self, subject: str) -> str:
        """The true object of ``subject``. Raises KeyError when the table lacks it."""
        for known, answer in self.rows:
            if known == subject:
                return answer
        raise KeyError(subject)

    def fill(self, template: str, subject: str, answer: str) -> str:
        """``template`` about ``subject`` and ``answer``, with its first letter large."""
        fields = {
            "s": subject,
            "o": answer,
            "S": capitalised(subject),
            "a_s": self._article(subject),
            "a_o": self._article(answer),
            "pl_s": self._plural(subject),
            "pl_o": self._plural(answer),
        }
        return capitalised(template.format_map(fields))

    def wrong_objects(self, subject: str) -> tuple[str, ...]:
        """Every object of this table that is false of ``subject``."""
        true = {self.object_of(subject)} | self.also.get(subject, frozenset())
        return tuple(answer for answer in self.objects if answer not in true)

    def _article(self, noun: str) -> str:
        return noun if noun in self.mass else with_article(noun)

    def _plural(self, noun: str) -> str:
        return self.plurals.get(noun) or plural(noun)


def read_tables(name: str) -> tuple[FactTable, ...]:
    """The tables of a file of facts, in its order. Raises DataError."""
    file = reader.toml(name)
    return tuple(_table(each, file.node(each)) for each in file.values)


def _table(name: str, node: Node) -> FactTable:
    """A table as its file has it: keys mean what the fields of :class:`FactTable` mean, ``facts`` are its rows, subject = object."""
    node.known(("facts", *(key for key in FactTable.__dataclass_fields__ if key not in ("name", "rows"))))
    there = node.values
    return FactTable(
        name=name,
        rows=tuple(node.node("facts").every_text().items()),
        statements=node.wordings("statements", FIELDS),
        heldout_statements=node.wordings("heldout_statements", FIELDS),
        negations=node.wordings("negations", FIELDS),
        questions=node.wordings("questions", FIELDS),
        heldout_questions=node.wordings("heldout_questions", FIELDS),
        answer=node.text("answer"),
        yes_no=node.wordings("yes_no", FIELDS),
        no_answer=node.text("no_answer"),
        reverse_questions=node.wordings("reverse_questions", FIELDS) if "reverse_questions" in there else (),
        mass=frozenset(node.texts("mass")) if "mass" in there else frozenset(),
        plurals=node.node("plurals").every_text() if "plurals" in there else {},
        also={key: frozenset(true) for key, true in node.node("also").every_list().items()} if "also" in there else {},
    )


def wrong_object(table: FactTable, row: tuple[str, str], rng: random.Random) -> str:
    """A false object for ``row``, drawn from the rows of the same table.

    Rows and not distinct objects are drawn from, so that a frequent object ("mammal", "Europe") is as frequent in false
    statements as in true ones, and a statement cannot be judged by its object alone.
    """
    true = table.also.get(row[0], frozenset())
    while True:
        answer = rng.choice(table.rows)[1]
        if answer != row[1] and answer not in true:
            return answer
