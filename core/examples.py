"""A person's two boxes of examples, one a line, as a contrast set; and what a direction may be called. No torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.contrast import SPLITS, ContrastError, ContrastSet, Item
from core.tables import SHARE

#: A direction can be learnt from so many examples of each class: three to learn from, one to choose by, one to report on.
FEWEST = 5
#: From so many of each class to learn from, nobody needs to be warned.
PLENTY = 30
#: What a name may be: a recipe can read it, and a file can be called so on every system.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?:-[A-Za-z_][A-Za-z0-9_.]*)*")
_LONGEST_NAME = 60
#: Words that mean something else in a recipe.
_TAKEN = ("neurons",)
_SIDES = {True: "positive", False: "negative"}


def check_name(name: str) -> str:
    """The name of a direction, without spaces around it. Raises ContrastError for one that a recipe could not name."""
    name = name.strip()
    if not name:
        raise ContrastError("The direction needs a name, such as politeness; recipes call it by that.")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME or name.endswith(".") or name.lower() in _TAKEN:
        raise ContrastError(
            f"{name[:80]!r} cannot be the name of a direction; take a word of letters, digits and _, such as politeness, which recipes "
            "can name."
        )
    return name


def of_files(name: str, positive: str, negative: str) -> ContrastSet:
    """The contrast ``name`` from two files, one example a line. Raises ContrastError as :func:`of_texts`, and for a file."""
    return of_texts(name, _read(positive), _read(negative), {True: positive, False: negative})


def _read(source: str) -> str:
    path = Path(source).expanduser()
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContrastError(f"{source} is not UTF-8 text; save it in UTF-8, one example a line.") from error
    except OSError as error:
        raise ContrastError(
            f"{source} cannot be read ({error.strerror}); give a text file with one example a line."
        ) from error


def of_texts(name: str, positive: str, negative: str, called: Mapping[bool, str] | None = None) -> ContrastSet:
    """The contrast ``name`` from two texts, one example a line, empty lines left out; split always in the same way.

    Boxes of as many lines are taken for pairs, line by line: both of a pair go to the same split.

    Args:
        called: how sentences call the boxes, by class.

    Raises:
        ContrastError: an empty box, too few examples, or a text that stands in both.
    """
    called = called or {label: f"The box of {side} examples" for label, side in _SIDES.items()}
    boxes = {True: _lines(positive), False: _lines(negative)}
    for label, texts in boxes.items():
        if not texts:
            raise ContrastError(
                f"{called[label]} is empty; write at least {FEWEST} {_SIDES[label]} examples, one a line."
            )
    both = [text for text in boxes[True] if text in set(boxes[False])]
    if both and set(boxes[True]) == set(boxes[False]):
        raise ContrastError(
            "Both sides hold the same examples, so that there is nothing to tell apart; change one of them."
        )
    if both:
        raise ContrastError(f"{both[0][:60]!r} stands on both sides; leave it out of one of them.")
    for label, texts in boxes.items():
        if len(texts) < FEWEST:
            raise ContrastError(
                f"{called[label]} has {len(texts)} example{'s' * (len(texts) != 1)}; at least {FEWEST} of each side are needed, one a line."
            )
    digest = hashlib.sha256(json.dumps([boxes[True], boxes[False]]).encode()).hexdigest()[:16]
    pairs = len(boxes[True]) == len(boxes[False])
    split = _split(boxes[True])
    items = [
        Item(text, label, "", (split if pairs else _split(texts))[index])
        for label, texts in boxes.items()
        for index, text in enumerate(texts)
    ]
    return ContrastSet(name, tuple(items), digest, "pairs, by hash" if pairs else "by hash")


def _lines(text: str) -> list[str]:
    """Every example once, in the order of the box."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _split(texts: Sequence[str]) -> list[str]:
    """For each text its split: in the order of their hashes, a fifth each to validate and to test, at least one."""
    order = sorted(range(len(texts)), key=lambda index: hashlib.sha256(texts[index].encode()).hexdigest())
    found = ["train"] * len(texts)
    rest = order
    for split in SPLITS[1:]:
        count = max(1, round(len(texts) * SHARE[split]))
        rest, held = rest[:-count], rest[-count:]
        for index in held:
            found[index] = split
    return found
