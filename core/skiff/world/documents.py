"""Skiff's pretraining text: every document is a pure function of (seed, index).

Facts make up most of it, in paragraphs of many wordings: some four facts a document, so that 100,000 documents meet each
of the 1,200 facts about 300 times. Labelled statements come from ``judging`` and are offered here beside the rest.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable

from core.skiff.world.facts import TABLES, UNLABELLED, compare_split, facts
from core.skiff.world.harm import harm_questions, harm_sentences
from core.skiff.world.items import Document, Segment, stream
from core.skiff.world.judging import NUMBER_STATEMENTS, number_pair
from core.skiff.world.prose import dialogue, howto, news, prose_story
from core.skiff.world.tables import FactTable, plural, within, wrong_object

_Fact = tuple[FactTable, str, str]

_FACTS: tuple[_Fact, ...] = tuple(facts())


def _by_subject() -> tuple[tuple[_Fact, ...], ...]:
    """Facts about one subject over all tables, for the subjects that have several; a capital brings its country's."""
    groups: defaultdict[str, list[_Fact]] = defaultdict(list)
    for table, subject, answer in _FACTS:
        if table.name not in ("spanish", "opposites"):
            groups[subject].append((table, subject, answer))
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _by_object() -> tuple[tuple[FactTable, str, tuple[str, ...]], ...]:
    """Subjects that share an object, where a list of them makes a sentence."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for table, subject, answer in _FACTS:
        if table.name in _LISTS:
            groups[table.name, answer].append(subject)
    return tuple((TABLES[name], answer, tuple(group)) for (name, answer), group in groups.items() if len(group) > 1)


# Lists in one sentence; {l} is "X, Y and Z".
_LISTS: dict[str, tuple[str, ...]] = {
    "cities": ("{l} are cities in {o}.", "Some cities in {o} are {l}.", "In {o} there are the cities {l}."),
    "continents": ("{l} are countries in {o}.", "Some countries in {o} are {l}."),
    "animals": ("{l} are {pl_o}.", "Some {pl_o} are {l}.", "Examples of {pl_o} are {l}."),
    "authors": ("{o} wrote {l}.", "Some works by {o} are {l}."),
    "languages": ("People speak {o} in {l}.", "In {l}, the main language is {o}."),
    "foods": ("Kinds of {o} are {l}.", "Some kinds of {o} are {l}."),
}

_SUBJECT_GROUPS = _by_subject()
_OBJECT_GROUPS = _by_object()
_LABEL_SPEAKERS = (("User: ", "Assistant: "), ("Question: ", "Answer: "), ("Q: ", "A: "))


def _joined(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _lowered(fact: _Fact, template: str) -> str:
    """A statement in small letters without its full stop; symbols of elements keep their case, which is their point."""
    table, subject, answer = fact
    if table.name == "elements":
        return table.fill(template, subject, "\0").lower().replace("\0", answer).rstrip(".")
    return table.fill(template, subject, answer).lower().rstrip(".")


def _sentence(fact: _Fact, rng: random.Random) -> str:
    table, subject, answer = fact
    return table.fill(rng.choice(table.statements), subject, answer)


def _paragraph(chosen: list[_Fact], rng: random.Random) -> str:
    """The facts, each in a wording of its own; one paragraph in five is written carelessly."""
    if rng.random() < 0.21:
        separator = rng.choice(("\n", ". ", "\n"))
        return separator.join(_lowered(fact, rng.choice(fact[0].statements)) for fact in chosen)
    separator = "\n" if rng.random() < 0.15 else " "
    return separator.join(_sentence(fact, rng) for fact in chosen)


def _table_of(rng: random.Random) -> FactTable:
    # A table by way of a fact: large tables come more often, so that every fact is met as often as any other.
    return rng.choice(_FACTS)[0]


def table_paragraph(rng: random.Random) -> str:
    """Facts of one table."""
    table = _table_of(rng)
    return _paragraph([(table, *row) for row in rng.sample(table.rows, rng.randint(5, 8))], rng)


def mixed_paragraph(rng: random.Random) -> str:
    """Facts of any tables."""
    return _paragraph(rng.sample(_FACTS, rng.randint(5, 8)), rng)


def subject_paragraph(rng: random.Random) -> str:
    """All that is known about two subjects."""
    chosen = [fact for group in rng.sample(_SUBJECT_GROUPS, 2) for fact in rng.sample(group, len(group))]
    return _paragraph(chosen, rng)


def wordings_paragraph(rng: random.Random) -> str:
    """Two or three facts, each in several wordings."""
    careless = rng.random() < 0.15
    lines: list[str] = []
    for fact in rng.sample(_FACTS, rng.randint(2, 3)):
        for template in rng.sample(fact[0].statements, 3):
            lines.append(_lowered(fact, template) if careless else fact[0].fill(template, fact[1], fact[2]))
    if rng.random() < 0.3:
        rng.shuffle(lines)
    return ("\n" if careless else " ").join(lines)


def list_sentences(rng: random.Random) -> str:
    """Two to four lists, a sentence each."""
    lines: list[str] = []
    for table, answer, subjects in rng.sample(_OBJECT_GROUPS, rng.randint(2, 4)):
        chosen = rng.sample(subjects, min(len(subjects), rng.randint(2, 5)))
        if table.name == "animals":
            chosen = [table.plurals.get(subject) or plural(subject) for subject in chosen]
        template = rng.choice(_LISTS[table.name]).replace("{l}", _joined(chosen))
        lines.append(table.fill(template, chosen[0], answer))
    return " ".join(lines)


def negation_sentences(rng: random.Random) -> str:
    """What is not so, and right after it what is."""
    lines: list[str] = []
    for table, subject, answer in rng.sample(_FACTS, rng.randint(3, 4)):
        wrong = wrong_object(table, (subject, answer), rng)
        lines.append(table.fill(rng.choice(table.negations), subject, wrong))
        lines.append(table.fill(table.answer, subject, answer))
    return " ".join(lines)


def _asked(question: str, rng: random.Random) -> str:
    """The question as people type it: one in three in small letters, some of them without the question mark."""
    if rng.random() < 0.33:
        question = question.lower()
        return question.rstrip("?.") if rng.random() < 0.5 else question
    return question


def _asked_about(table: FactTable, question: str, rng: random.Random) -> str:
    # In small letters the symbol of an element is none any more.
    return question if table.name == "elements" else _asked(question, rng)


def _exchange(fact: _Fact, rng: random.Random) -> tuple[str, str]:
    table, subject, answer = fact
    kind = rng.random()
    if kind < 0.16 and table.name not in UNLABELLED:
        right = rng.random() < 0.5
        named = answer if right else wrong_object(table, (subject, answer), rng)
        question = table.fill(rng.choice(table.yes_no), subject, named)
        reply = table.fill(table.answer if right else table.no_answer, subject, named)
        return _asked_about(table, question, rng), f"{'Yes' if right else 'No'}, {within(table, reply)}"
    if kind < 0.3 and table.reverse_questions:
        question = table.fill(rng.choice(table.reverse_questions), subject, answer)
        return _asked_about(table, question, rng), table.fill(table.answer, subject, answer)
    question = _asked(table.fill(rng.choice(table.questions), subject, answer), rng)
    return question, table.fill(table.answer, subject, answer)


def fact_questions(rng: random.Random) -> str:
    """Plain exchanges about facts, without a chat template."""
    user, assistant = _LABEL_SPEAKERS[0] if rng.random() < 0.6 else rng.choice(_LABEL_SPEAKERS[1:])
    lines: list[str] = []
    for fact in rng.sample(_FACTS, rng.randint(2, 4)):
        question, reply = _exchange(fact, rng)
        lines += [user + question, assistant + reply]
    return "\n".join(lines)


def spanish_words(rng: random.Random) -> str:
    """Words in both directions, and short glossaries."""
    rows = rng.sample(TABLES["spanish"].rows, rng.randint(5, 8))
    kind = rng.random()
    if kind < 0.35:
        return "English and Spanish words: " + ", ".join(f"{s} = {o}" for s, o in rows) + "."
    if kind < 0.7:
        return "Spanish and English words: " + ", ".join(f"{o} = {s}" for s, o in rows) + "."
    return " ".join(f"The Spanish word {o} means {s} in English." for s, o in rows)


def _opposite_words(rng: random.Random) -> str:
    rows = rng.sample(TABLES["opposites"].rows, rng.randint(4, 7))
    kind = rng.random()
    if kind < 0.3:
        return "Pairs of opposites: " + ", ".join(f"{s} and {o}" for s, o in rows) + "."
    lines = []
    for s, o in rows:
        first, second = (s, o) if rng.random() < 0.5 else (o, s)
        lines.append(f"The opposite of {first} is {second}.")
        if kind < 0.65:
            lines.append(f"{second.capitalize()} is the opposite of {first}.")
    return " ".join(lines)


_NUMBER_QUESTIONS: tuple[tuple[str, bool, str], ...] = (
    ("Which is larger, {a} or {b}?", True, "{x} is larger than {y}."),
    ("Which number is larger, {a} or {b}?", True, "{x} is larger than {y}."),
    ("Which is smaller, {a} or {b}?", False, "{x} is smaller than {y}."),
    ("Which number is smaller, {a} or {b}?", False, "{x} is smaller than {y}."),
    ("What is more, {a} or {b}?", True, "{x} is more than {y}."),
    ("What is less, {a} or {b}?", False, "{x} is less than {y}."),
)


def _comparison(rng: random.Random) -> str:
    a, b = number_pair(rng)
    wording, larger_first = rng.choice(NUMBER_STATEMENTS)
    if (a > b) != larger_first:
        a, b = b, a
    return wording.format(a=a, b=b)


def _number_question(rng: random.Random) -> str:
    a, b = number_pair(rng)
    question, larger, reply = rng.choice(_NUMBER_QUESTIONS)
    x, y = (max(a, b), min(a, b)) if larger else (min(a, b), max(a, b))
    return f"{question.format(a=a, b=b)} {reply.format(x=x, y=y)}"


def number_sentences(rng: random.Random) -> str:
    """Counting, neighbours, order and comparison of 0 to 99. Pairs kept for evaluation are never compared."""
    kind = rng.random()
    if kind < 0.15:
        start, count = rng.randrange(88), rng.randint(6, 12)
        numbers = [str(number) for number in range(start, start + count)]
        return (
            f"Counting {'up' if (up := rng.random() < 0.7) else 'down'}: {', '.join(numbers if up else numbers[::-1])}."
        )
    if kind < 0.25:
        lines = []
        for number in rng.sample(range(1, 99), 5):
            after = rng.random() < 0.5
            lines.append(f"After {number} comes {number + 1}." if after else f"Before {number} comes {number - 1}.")
        return " ".join(lines)
    if kind < 0.4:
        lines = []
        while len(lines) < 3:
            low, middle, high = sorted(rng.sample(range(100), 3))
            if all(compare_split(*pair) == "train" for pair in ((low, middle), (middle, high), (low, high))):
                lines.append(f"From small to large: {low}, {middle}, {high}.")
        return " ".join(lines)
    count, make = (4, _number_question) if kind < 0.6 else (rng.randint(5, 8), _comparison)
    return " ".join(dict.fromkeys(make(rng) for _ in range(count)))


def harm(rng: random.Random) -> str:
    """Neutral sentences about harm, or questions on what does harm and what does not."""
    if rng.random() < 0.45:
        return "\n".join(asked + said for asked, said in harm_questions(rng))
    return " ".join(harm_sentences(rng))


# Kinds with their weights, which come to about one; the fact kinds are three fifths.
DOCUMENT_KINDS: dict[str, tuple[float, Callable[[random.Random], str]]] = {
    "facts-table": (0.19, table_paragraph),
    "facts-mixed": (0.13, mixed_paragraph),
    "facts-subject": (0.09, subject_paragraph),
    "facts-wordings": (0.09, wordings_paragraph),
    "facts-list": (0.02, list_sentences),
    "facts-negation": (0.02, negation_sentences),
    "facts-question": (0.11, fact_questions),
    "spanish": (0.015, spanish_words),
    "numbers": (0.105, number_sentences),
    "story": (0.07, prose_story),
    "dialogue": (0.03, dialogue),
    "howto": (0.05, howto),
    "news": (0.025, news),
    "harm": (0.06, harm),
}
_NAMES = tuple(DOCUMENT_KINDS)
_SHARES = tuple(share for share, _ in DOCUMENT_KINDS.values())
# Kinds in which case carries nothing and small letters are met, too.
_CARELESS = frozenset({"story", "howto", "news", "harm", "facts-list"})


def document(seed: int, index: int) -> Document:
    """Pretraining document ``index`` of the run ``seed``: one learnt segment."""
    rng = stream("document", seed, index)
    kind = rng.choices(_NAMES, _SHARES)[0]
    text = DOCUMENT_KINDS[kind][1](rng)
    if kind in _CARELESS and rng.random() < 0.25:
        text = text.lower()
        if rng.random() < 0.5:
            text = text.replace(".", "")
    return Document((Segment(text, learn=True),), kind=kind)


def harms(seed: int, index: int) -> Document:
    """A document that asks or sorts what does harm and what does not: later stages rehearse it, so that refusing can hang on it."""
    segments: list[Segment] = []
    for asked, said in harm_questions(stream("harms", seed, index)):
        segments += [Segment(f"\n{asked}" if segments else asked, learn=False), Segment(said, learn=True)]
    return Document(tuple(segments), kind="harms")


def opposites(seed: int, index: int) -> Document:
    """A document of pairs of opposites in both directions: of all tables this is the one that running text teaches least."""
    return Document((Segment(_opposite_words(stream("opposites", seed, index)), learn=True),), kind="opposites")
