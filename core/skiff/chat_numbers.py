"""Turns of conversation about numbers: which is larger, small sums, order."""

from __future__ import annotations

import random

from core.skiff.chat_facts import Turn, joined
from core.skiff.world import compare_split


def _pair(rng: random.Random, top: int = 99) -> tuple[int, int]:
    while True:
        a, b = rng.randint(0, top), rng.randint(0, top)
        if a != b and compare_split(a, b) == "train":
            return a, b


def number_comparison(rng: random.Random) -> Turn:
    """Which of two numbers is larger; held-out pairs never occur."""
    a, b = _pair(rng)
    low, high = min(a, b), max(a, b)
    kind = rng.randrange(10)
    if kind < 5:
        if rng.random() < 0.65:
            more = rng.choice(("larger", "larger", "bigger", "greater"))
            wording = rng.choice(
                (
                    f"Which number is {more}, {a} or {b}?",
                    f"Which is {more}, {a} or {b}?",
                    f"What is {more}, {a} or {b}?",
                    f"Which of {a} and {b} is {more}?",
                    f"Tell me which number is {more}: {a} or {b}.",
                )
            )
            return wording, f"{high} is {more} than {low}."
        less = rng.choice(("smaller", "smaller", "less"))
        wording = rng.choice((f"Which number is {less}, {a} or {b}?", f"Which is {less}, {a} or {b}?"))
        return wording, f"{low} is {less} than {high}."
    word, holds = rng.choice((("larger", a > b), ("larger", a > b), ("greater", a > b), ("smaller", a < b)))
    said = f"{a} is {word} than {b}"
    denied = f"{a} is not {word} than {b}"
    if kind < 8:
        return f"Is {a} {word} than {b}?", f"Yes, {said}." if holds else f"No, {denied}."
    return f"True or false: {said}.", f"True. {said}." if holds else f"False. {denied}."


def arithmetic(rng: random.Random) -> Turn:
    """A small sum, difference or product, or a step along the number line."""
    kind = rng.randrange(12)
    if kind < 6:
        a, b = rng.randint(0, 20), rng.randint(0, 20)
        if kind > 3:
            a, b = rng.randint(0, 10), rng.randint(0, 10)
        word, sign, total = "plus", "+", a + b
    elif kind < 8:
        a = rng.randint(1, 20)
        b = rng.randint(0, a)
        word, sign, total = "minus", "-", a - b
    elif kind < 10:
        a, b = rng.randint(1, 10), rng.randint(1, 10)
        word, sign, total = "times", rng.choice("*x"), a * b
    else:
        n = rng.randint(1, 98)
        if rng.random() < 0.5:
            wording = rng.choice(
                ("Which number comes after {n}?", "What number comes after {n}?", "What comes after {n}?")
            )
            return wording.format(n=n), f"{n + 1} comes after {n}."
        wording = rng.choice(
            ("Which number comes before {n}?", "What number comes before {n}?", "What comes before {n}?")
        )
        return wording.format(n=n), f"{n - 1} comes before {n}."
    shape = rng.randrange(8)
    if shape < 3:
        return f"What is {a} {word} {b}?", f"{a} {word} {b} is {total}."
    if shape < 5:
        return f"What is {a} {sign} {b}?", f"{a} {word} {b} is {total}."
    if shape == 5:
        return f"{a} {sign} {b}", f"{a} {word} {b} is {total}."
    if shape == 6:
        return f"How much is {a} {word} {b}?", f"{a} {word} {b} is {total}."
    return f"{a}{sign}{b}=?", f"{a} {word} {b} is {total}."


def ordering(rng: random.Random) -> Turn:
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
