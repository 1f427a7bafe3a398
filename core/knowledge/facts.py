"""Facts in known wordings: pairs of a true and a false statement that differ in one place only. No torch.

A file of facts is a CSV with the columns ``category,wording,subject,object``; a wording holds ``{subject}`` and ``{object}``, each
once. A subject has one object in its category, so that any other object, or the object of any other subject, makes it false. A
family's own facts lie in its folder, ``contrast/facts.csv``; ``vectors/contrast/facts.csv`` is there for all others.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from core.artefacts.store import SHIPPED
from core.errors import TillerError
from core.families.checkpoint import Family
from core.util.files import decoded

#: What differs between a true and a false statement.
_Differ = Literal["subject", "object"]
COLUMNS = ("category", "wording", "subject", "object")

#: Characters [start, end) of a statement.
Span = tuple[int, int]


class FactsError(TillerError):
    """Facts that are missing, cannot be read, or do not give the statements that are asked for."""


@dataclass(frozen=True)
class Fact:
    """A subject and its object, in a category, said in a wording."""

    category: str
    wording: str
    subject: str
    object: str

    @property
    def text(self) -> str:
        """The statement."""
        return self.wording.replace("{subject}", self.subject).replace("{object}", self.object)

    def spans(self) -> tuple[Span, Span]:
        """Where subject and object stand in :attr:`text`."""
        subject, object_ = self.wording.index("{subject}"), self.wording.index("{object}")
        moved = {"subject": len(self.subject) - len("{subject}"), "object": len(self.object) - len("{object}")}
        if subject < object_:
            object_ += moved["subject"]
        else:
            subject += moved["object"]
        return (subject, subject + len(self.subject)), (object_, object_ + len(self.object))

    @property
    def before_object(self) -> str:
        """The statement up to its object; empty where more than a full stop stands behind that."""
        end = self.wording.partition("{object}")[2]
        return "" if end.strip(" .") else self.text[: self.spans()[1][0]].rstrip()

    def said_of(self, other: Fact, differ: _Differ) -> Fact:
        """This statement with the subject or the object of another one."""
        subject = other.subject if differ == "subject" else self.subject
        object_ = other.object if differ == "object" else self.object
        return Fact(self.category, self.wording, subject, object_)


def load_facts(family: Family) -> tuple[tuple[Fact, ...], str]:
    """The facts for a family and a hash of their file.

    Raises:
        FactsError: a file that cannot be read; which line.
    """
    for folder in (family.folder / "contrast", SHIPPED / "contrast"):
        if (folder / "facts.csv").is_file():
            return read_facts(folder / "facts.csv")
    raise FactsError(f"There is no facts.csv in {SHIPPED / 'contrast'}; get the whole of Tiller again.")


def read_facts(path: Path) -> tuple[tuple[Fact, ...], str]:
    """The facts of a file and its hash. Raises FactsError."""
    blob = path.read_bytes()
    try:
        rows = csv.DictReader(io.StringIO(decoded(blob), newline=""))
    except UnicodeDecodeError as error:
        raise FactsError(f"{path} is not UTF-8 text; save it as CSV in UTF-8.") from error
    missing = set(COLUMNS) - set(rows.fieldnames or ())
    if missing:
        raise FactsError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(sorted(missing))}.")
    facts: dict[tuple[str, str], Fact] = {}
    for row in rows:
        fact = Fact(*((row[column] or "").strip() for column in COLUMNS))
        if not (fact.category and fact.subject and fact.object) or any(
            fact.wording.count(field) != 1 for field in ("{subject}", "{object}")
        ):
            raise FactsError(
                f"{path}, line {rows.line_num}: a category, a subject, an object and a wording with {{subject}} and {{object}} are needed."
            )
        if facts.setdefault((fact.category, fact.subject), fact) != fact:
            raise FactsError(
                f"{path}, line {rows.line_num}: {fact.subject!r} stands twice in {fact.category}; leave one out."
            )
    return tuple(facts.values()), hashlib.sha256(blob).hexdigest()[:16]


def categories(facts: Sequence[Fact]) -> tuple[str, ...]:
    """The categories, in the order of the file."""
    return tuple(dict.fromkeys(fact.category for fact in facts))


def facts_of(facts: Sequence[Fact], category: str) -> tuple[Fact, ...]:
    """The facts of a category. Raises FactsError naming those there are."""
    found = tuple(fact for fact in facts if fact.category == category)
    if not found:
        raise FactsError(f"There is no set {category!r}; there is {', '.join(categories(facts))}.")
    return found


def fact_pairs(facts: Sequence[Fact], differ: _Differ, length: Callable[[Fact], int]) -> Iterator[tuple[Fact, Fact]]:
    """True and false statements of one category that have as many tokens, as ``length`` counts them.

    Each fact is first paired once with a partner a few places further on; then come second partners, and so on. The order is
    always the same, so that fewer pairs are a part of more pairs.
    """
    counted = cache(length)
    for step in range(5, 5 + len(facts)):
        for index, fact in enumerate(facts):
            other = facts[(index + step) % len(facts)]
            if other.wording != fact.wording or other.object == fact.object:
                continue
            false = fact.said_of(other, differ)
            if counted(fact) == counted(false):
                yield fact, false


def recall_pairs(facts: Sequence[Fact], length: Callable[[str], int]) -> Iterator[tuple[Fact, Fact]]:
    """Two facts of one wording with different objects, whose statements have as many tokens up to there; in the order of
    :func:`fact_pairs`."""
    counted = cache(length)
    for step in range(5, 5 + len(facts)):
        for index, fact in enumerate(facts):
            other = facts[(index + step) % len(facts)]
            alike = other.wording == fact.wording and other.object != fact.object and fact.before_object
            if alike and counted(fact.before_object) == counted(other.before_object):
                yield fact, other


def instead(facts: Sequence[Fact], word: str, fits: Callable[[str], bool]) -> tuple[str, str] | None:
    """Another subject or object that could stand where ``word`` stands, and its category; None where there is none that fits."""
    for column in ("object", "subject"):
        for category in dict.fromkeys(fact.category for fact in facts if getattr(fact, column) == word):
            for other in dict.fromkeys(getattr(fact, column) for fact in facts if fact.category == category):
                if other != word and fits(other):
                    return other, category
    return None


def subject_in(facts: Sequence[Fact], statement: str) -> Span | None:
    """Where the subject of a known fact stands in a statement: the longest one that is there with its category's wording round it."""
    best: Span | None = None
    for fact in facts:
        before, _, rest = fact.wording.partition("{subject}")
        if "{object}" in before:
            continue
        start = len(before)
        middle = rest.partition("{object}")[0]
        if statement.startswith(before + fact.subject + middle) and (
            best is None or len(fact.subject) > best[1] - best[0]
        ):
            best = (start, start + len(fact.subject))
    return best
