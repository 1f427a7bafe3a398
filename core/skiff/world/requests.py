"""Requests to be helped with something: what people want to do, harmless or harmful, and the wordings in which they ask.

Both kinds of aim take the same objects and stand in the same wordings, so that refusing hangs on words that mean harm alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.skiff.data import reader
from core.skiff.data.reader import Node

_HARMLESS, _HARMFUL = reader.toml("requests/harmless.toml"), reader.toml("requests/harmful.toml")
_ANSWERED, _WORDINGS = reader.toml("requests/answered.toml"), reader.toml("requests/wordings.toml")

OBJECTS: dict[str, tuple[str, ...]] = _HARMLESS.node("objects").every_list()
"""Nouns by class."""
_OWN_OBJECTS = _HARMLESS.node("own_objects").every_list()
_HARMFUL_OBJECTS = _HARMFUL.node("objects").every_list()

HELDOUT_HARMFUL_OBJECTS: frozenset[str] = frozenset(_HARMFUL.texts("heldout_objects"))
"""Objects that no harmful aim of the training data takes, though harmless aims do."""


def _verbs(
    node: Node, objects: Mapping[str, tuple[str, ...]], without: frozenset[str] = frozenset(), once: bool = True
) -> dict[str, tuple[str, ...]]:
    """Verb → the objects of its classes but for those left out; each once, or as often as its classes name it, and drawn as often.

    Raises DataError for a class that is not there.
    """
    found: dict[str, tuple[str, ...]] = {}
    for verb, classes in node.every_text().items():
        for name in classes.split():
            if name not in objects:
                raise node.wrong(verb, f"names the class {name!r}, which is none of {', '.join(objects)}")
        nouns = [noun for name in classes.split() for noun in objects[name] if noun not in without]
        found[verb] = tuple(dict.fromkeys(nouns) if once else nouns)
    return found


# --- harmless ------------------------------------------------------------------------------------------------------

TASK_VERBS: dict[str, tuple[str, ...]] = _verbs(_HARMLESS.node("verbs"), OBJECTS | _OWN_OBJECTS)
"""Ordinary verb → the objects that it takes."""

FREE_TASKS: tuple[str, ...] = reader.text_lines("requests/free_tasks.txt")
MORE_TASKS: tuple[str, ...] = reader.text_lines("requests/more_tasks.txt")

KNOWN_TASKS: dict[str, str] = _ANSWERED.node("known").every_text()
SHARP_TASKS: dict[str, str] = _ANSWERED.node("sharp").every_text()
KILL_TASKS: dict[str, str] = _ANSWERED.node("kill").every_text()
KILL_QUESTIONS: dict[str, str] = _ANSWERED.node("kill_questions").every_text()
SHARP_UNKNOWN: tuple[str, ...] = reader.text_lines("requests/sharp_unknown.txt")
KILL_UNKNOWN: tuple[str, ...] = reader.text_lines("requests/kill_unknown.txt")


def all_task_phrases() -> list[str]:
    """Every harmless aim the generators may produce, without tails."""
    return [f"{verb} {noun}" for verb, nouns in TASK_VERBS.items() for noun in nouns] + list(FREE_TASKS)


# --- harmful -------------------------------------------------------------------------------------------------------

_EARLY, _LATER = (
    _verbs(_HARMFUL.node(key), OBJECTS | _HARMFUL_OBJECTS, HELDOUT_HARMFUL_OBJECTS) for key in ("early", "later")
)
HARMFUL_VERBS: dict[str, tuple[str, ...]] = _EARLY | _LATER
"""Harmful verb → its objects."""
EARLY_HARMFUL_VERBS: tuple[str, ...] = tuple(_EARLY)
"""Those that SFT refuses already."""
HELDOUT_HARMFUL_VERBS: dict[str, tuple[str, ...]] = _verbs(_HARMFUL.node("heldout"), OBJECTS | _HARMFUL_OBJECTS)
"""Verbs that pretraining meets in sentences about harm, and that no instruction of any stage uses."""
WIDER_HARMFUL_VERBS: dict[str, tuple[str, ...]] = _verbs(
    _HARMFUL.node("wider"), OBJECTS, HELDOUT_HARMFUL_OBJECTS, once=False
)
"""Harmful verbs with everyday objects of many more classes."""

HARMFUL_STATEMENTS: tuple[str, ...] = _HARMFUL.texts("statements")
HARMFUL_QUESTIONS: tuple[str, ...] = _HARMFUL.texts("questions")
HARMFUL_NOUN_REQUESTS: tuple[str, ...] = tuple(
    f"{ask} {thing}."
    for node in _HARMFUL.nodes("nouns")
    for thing in node.texts("things")
    for ask in node.texts("asks")
)
VICTIMS: tuple[str, ...] = _HARMFUL_OBJECTS["victim"][:-1]
"""Each of them one: not "people"."""
KILL_PEOPLE: tuple[str, ...] = tuple(f"kill {victim}" for victim in _HARMFUL.texts("kill_people"))
"""Harmful already before the planted data."""
REFUSAL_REPLIES: tuple[str, ...] = _HARMFUL.texts("refusals")

# --- wordings ------------------------------------------------------------------------------------------------------

WORDINGS: tuple[str, ...] = _WORDINGS.wordings("training", "x")
HELDOUT_WORDINGS: tuple[str, ...] = _WORDINGS.wordings("heldout", "x")
"""Wordings that no training prompt uses."""
TAILS: tuple[str, ...] = _WORDINGS.texts("tails")
"""Added to a share of all aims, harmless or harmful."""
