"""Turns of conversation about numbers: which is larger, small sums, order."""

from __future__ import annotations

import random

from core.skiff.world.chat_facts import ChatTurn
from core.skiff.world.chat_lists import joined
from core.skiff.world.facts import compare_split


def _pair(rng: random.Random) -> tuple[int, int]:
    """Two numbers whose comparison is not held out: of any size, both small, or of one and of two figures.

    People try small ones first, and "9 or 11" is hard because its longer number begins with the smaller figure.
    """
    while True:
        draw = rng.random()
        if draw < 0.6:
            a, b = rng.randint(0, 99), rng.randint(0, 99)
        elif draw < 0.8:
            a, b = rng.randint(0, 20), rng.randint(0, 20)
        else:
            a, b = rng.randint(0, 9), rng.randint(10, 99)
            if rng.random() < 0.5:
                a, b = b, a
        if a != b and compare_split(a, b) == "train":
            return a, b


# {w} is a word of comparison. The second group needs one that can stand before a noun.
_WHICH: tuple[str, ...] = (
    "Which is {w}, {a} or {b}?",
    "Which is {w}, {a} or {b}?",
    "What is {w}, {a} or {b}?",
    "Which one is {w}, {a} or {b}?",
    "Which of {a} and {b} is {w}?",
    "Which of the two is {w}, {a} or {b}?",
    "Of {a} and {b}, which is {w}?",
    "Between {a} and {b}, which is {w}?",
    "{a} or {b}, which is {w}?",
    "{a} or {b}: which one is {w}?",
    "Say which is {w}, {a} or {b}.",
    "Tell me which is {w}, {a} or {b}.",
    "Do you know which is {w}, {a} or {b}?",
    "Compare {a} and {b}: which is {w}?",
)
_WHICH_NUMBER: tuple[str, ...] = (
    "Which number is {w}, {a} or {b}?",
    "Which number is {w}, {a} or {b}?",
    "Which number is {w}, {a} or {b}?",
    "Which is the {w} number, {a} or {b}?",
    "What is the {w} number, {a} or {b}?",
    "Tell me which number is {w}: {a} or {b}.",
    "Which of the numbers {a} and {b} is {w}?",
    "{a} or {b}, which number is {w}?",
    "Name the {w} number: {a} or {b}.",
)
_MORE = ("larger", "larger", "larger", "bigger", "bigger", "greater", "higher", "more")
_LESS = ("smaller", "smaller", "smaller", "less", "lower")
_NO_ADJECTIVE = ("more", "less")


def number_comparison(rng: random.Random) -> ChatTurn:
    """Which of two numbers is larger; held-out pairs never occur."""
    a, b = _pair(rng)
    low, high = min(a, b), max(a, b)
    upward = rng.random() < 0.55
    word = rng.choice(_MORE if upward else _LESS)
    kind = rng.random()
    if kind < 0.64:
        by_number = word not in _NO_ADJECTIVE and rng.random() < 0.5
        wording = rng.choice(_WHICH_NUMBER if by_number else _WHICH).format(w=word, a=a, b=b)
        first, second = (high, low) if upward else (low, high)
        return wording, f"{first} is {word} than {second}."
    holds = (a > b) == upward
    said = f"{a} is {word} than {b}"
    denied = f"{a} is not {word} than {b}"
    if kind < 0.88:
        wording = rng.choice(
            (
                f"Is {a} {word} than {b}?",
                f"Is {a} {word} than {b}?",
                f"Is {a} {word} than {b}?",
                f"Is the number {a} {word} than the number {b}?",
                f"Is it true that {said}?",
                f"{said}, right?",
                f"{said}, isn't it?",
                f"Do you think {said}?",
            )
        )
        return wording, f"Yes, {said}." if holds else f"No, {denied}."
    wording = rng.choice((f"True or false: {said}.", f"True or false? {said}.", f"{said}. True or false?"))
    return wording, f"True. {said}." if holds else f"False. {denied}."


# {e} is the sum itself: "2 + 2", "2+2" or "2 plus 2".
_SUM_WORDINGS: tuple[str, ...] = (
    "What is {e}?",
    "What is {e}?",
    "What is {e}?",
    "What's {e}?",
    "What's {e}?",
    "{e}",
    "{e}",
    "{e}?",
    "{e}?",
    "{e} =",
    "{e}=?",
    "{e} is what?",
    "How much is {e}?",
    "How much is {e}?",
    "How much does {e} make?",
    "Calculate {e}.",
    "Please calculate {e}.",
    "Can you calculate {e}?",
    "Compute {e}.",
    "Work out {e}.",
    "Solve {e}.",
    "Tell me what {e} is.",
    "Do you know what {e} is?",
    "What do you get for {e}?",
    "What is the result of {e}?",
    "The result of {e}?",
)
_IN_WORDS: dict[str, tuple[str, ...]] = {
    "plus": (
        "Add {a} and {b}.",
        "Can you add {a} and {b}?",
        "What is the sum of {a} and {b}?",
        "What do {a} and {b} make together?",
        "Add {b} to {a}.",
    ),
    "minus": (
        "Subtract {b} from {a}.",
        "Take {b} away from {a}.",
        "What is {a} take away {b}?",
        "What is {a} less {b}?",
    ),
    "times": ("Multiply {a} by {b}.", "What is {a} multiplied by {b}?", "Multiply {a} and {b}."),
}


def _neighbour(rng: random.Random) -> ChatTurn:
    n = rng.randint(1, 98) if rng.random() < 0.7 else rng.randint(1, 20)
    side, other = rng.choice((("after", n + 1), ("before", n - 1)))
    wording = rng.choice(
        (
            "Which number comes {side} {n}?",
            "What number comes {side} {n}?",
            "What comes {side} {n}?",
            "What comes right {side} {n}?",
            "Tell me the number {side} {n}.",
            "Name the number that comes {side} {n}.",
        )
    )
    return wording.format(side=side, n=n), f"{other} comes {side} {n}."


def arithmetic(rng: random.Random) -> ChatTurn:
    """A small sum, difference or product, or a step along the number line.

    Numbers up to 12 make up most of it, since those are what people type.
    """
    kind = rng.randrange(14)
    if kind < 2:
        return _neighbour(rng)
    top = 12 if rng.random() < 0.78 else 20
    a, b = rng.randint(0, top), rng.randint(0, top)
    if rng.random() < 0.1:
        b = a
    if kind < 8:
        word, sign, total = "plus", "+", a + b
    elif kind < 11:
        a, b = max(a, b), min(a, b)
        word, sign, total = "minus", "-", a - b
    else:
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        word, sign, total = "times", rng.choice("*x"), a * b
    if rng.random() < 0.16:
        wording = rng.choice(_IN_WORDS[word]).format(a=a, b=b)
    else:
        expression = rng.choice((f"{a} {word} {b}", f"{a} {sign} {b}", f"{a}{sign}{b}"))
        wording = rng.choice(_SUM_WORDINGS).format(e=expression)
    return wording, f"{a} {word} {b} is {total}."


def ordering(rng: random.Random) -> ChatTurn:
    """Three numbers put in order, or counting from one number to another."""
    if rng.random() < 0.4:
        start = rng.randint(0, 30)
        end = start + rng.randint(2, 6)
        wording = rng.choice(("Count from {a} to {b}.", "Can you count from {a} to {b}?"))
        return wording.format(a=start, b=end), joined([str(n) for n in range(start, end + 1)]).replace(
            " and ", ", "
        ) + "."
    while True:
        numbers = rng.sample(range(100), 3)
        if all(compare_split(a, b) == "train" for a in numbers for b in numbers if a < b):
            break
    a, b, c = numbers
    wording = rng.choice(
        ("Put {a}, {b} and {c} in order.", "Sort these numbers: {a}, {b}, {c}.", "Sort {a}, {b} and {c}.")
    )
    low, mid, high = sorted(numbers)
    return wording.format(a=a, b=b, c=c), f"{low}, {mid}, {high}."
