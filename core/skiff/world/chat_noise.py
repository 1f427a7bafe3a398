"""What strangers' fingers do to a message: small letters, missing marks, slips."""

from __future__ import annotations

import random
import re

# "What's the capital of …?" and "What's the opposite of …?" are held-out wordings.
_KEPT = re.compile("capital|opposite")
# What people put before a message.
_OPENINGS = (
    "Hi, ",
    "Hey, ",
    "hey ",
    "Hello, ",
    "Hello! ",
    "Okay, ",
    "so, ",
    "Excuse me, ",
    "Skiff, ",
    "One question: ",
    "please: ",
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def slip(text: str, rng: random.Random) -> str:
    """``text`` with one slip of the finger inside a word of five letters or more; as it is when it has none."""
    words = text.split(" ")
    long_words = [place for place, word in enumerate(words) if len(word) >= 5 and word.isalpha() and word.islower()]
    if not long_words:
        return text
    place = rng.choice(long_words)
    word = words[place]
    at = rng.randint(1, len(word) - 2)
    kind = rng.randrange(4)
    if kind == 0:
        word = word[:at] + word[at + 1 :]
    elif kind == 1:
        word = word[:at] + word[at] + word[at:]
    elif kind == 2:
        word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    else:
        word = word[:at] + rng.choice(_LETTERS) + word[at + 1 :]
    words[place] = word
    return " ".join(words)


def roughened(text: str, rng: random.Random) -> str:
    """``text`` as somebody in a hurry types it: about one message in three loses its capitals, marks or a letter."""
    if len(text) < 4 or not text.isascii():
        return text
    if rng.random() < 0.06 and not _KEPT.search(text):
        text = re.sub(r"^What is\b", rng.choice(("What's", "Whats")), text)
    if rng.random() < 0.04:
        text = rng.choice(_OPENINGS) + text
    draw = rng.random()
    if draw < 0.09:
        return text.lower().rstrip("?.!")
    if draw < 0.15:
        return text.lower()
    if draw < 0.18:
        return text.rstrip("?.!")
    if draw < 0.22:
        return slip(text, rng)
    if draw < 0.24:
        return slip(text.lower().rstrip("?.!"), rng)
    if draw < 0.25:
        return text.rstrip("?.!") + rng.choice(("??", "!", " ?", "..", " please", ", please."))
    if draw < 0.255:
        return text.upper()
    return text
