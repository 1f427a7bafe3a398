"""Small talk from patterns: thousands of messages for each of a few dozen intents, and noise that is no message at all."""

from __future__ import annotations

import random
import re
import string

from core.skiff.data import reader
from core.skiff.data.reader import Node
from core.skiff.world.chat_facts import ChatTurn
from core.skiff.world.made_up import made_up_word

_DATA = reader.toml("smalltalk/patterns.toml")
_ALTERNATIVES = _DATA.node("alternatives").every_text()


def _patterns(node: Node) -> tuple[str, ...]:
    """The patterns of an intent, each on a line, with the alternatives that are named in braces put in."""
    lines = [line for line in node.text("patterns").splitlines() if line]
    try:
        return tuple(line.format_map(_ALTERNATIVES) for line in lines)
    except (KeyError, ValueError) as error:
        raise node.wrong("patterns", f"cannot be filled ({error}); there is {', '.join(_ALTERNATIVES)}") from error


_INTENTS: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    (node.text("reply"), _patterns(node)) for node in _DATA.nodes("intent")
)
_GROUP = re.compile(r"\(([^()]*)\)")


def expanded(pattern: str, rng: random.Random) -> str:
    """One of the texts that a pattern stands for."""
    text = _GROUP.sub(lambda found: rng.choice(found[1].split("|")), pattern)
    return " ".join(text.split())


def talk(rng: random.Random) -> ChatTurn:
    """A message of small talk, and the reply to its intent. Every intent comes equally often."""
    reply, patterns = rng.choice(_INTENTS)
    message = expanded(rng.choice(patterns), rng)
    return message[:1].upper() + message[1:] if rng.random() < 0.5 else message, reply


# --- noise ---------------------------------------------------------------------------------------------------------

UNCLEAR = "I do not understand that. Please ask me a question."
CODE = "This looks like code. I do not know about that."
ENGLISH = "I am sorry, I only speak English."

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", string.ascii_lowercase)


def _keys(rng: random.Random) -> str:
    row = rng.choice(_ROWS)
    if rng.random() < 0.2:
        return rng.choice(row) * rng.randint(3, 12)
    if rng.random() < 0.2:
        return "".join(rng.choice(row) for _ in range(2)) * rng.randint(2, 4)
    return "".join(rng.choice(row) for _ in range(rng.randint(3, 9)))


def gibberish(rng: random.Random) -> ChatTurn:
    """Keys hit at random."""
    words = [_keys(rng) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.15:
        words.append(str(rng.randint(1, 999)))
    return " ".join(words) + rng.choice(("", "", "", "!", "?", "...")), UNCLEAR


_NOISE = reader.toml("smalltalk/noise.toml")
_CODE, _NAMED, _FOREIGN = _NOISE.texts("code"), _NOISE.texts("names"), _NOISE.lists("foreign")


def code(rng: random.Random) -> ChatTurn:
    """A line or two of some programming language."""

    def named() -> str:
        return rng.choice(_NAMED) if rng.random() < 0.75 else made_up_word(rng)

    pattern = rng.choice(_CODE)
    for name in "abc":
        pattern = pattern.replace("{" + name + "}", named())
    pattern = pattern.replace("{n}", str(rng.randint(0, 100))).replace("{m}", str(rng.randint(0, 100)))
    # Round brackets are both code and alternatives here: only those with a bar in them are alternatives.
    text = re.sub(r"\(([^()]*\|[^()]*)\)", lambda found: rng.choice(found[1].split("|")), pattern)
    return text.replace("{{", "{").replace("}}", "}"), CODE


def foreign(rng: random.Random) -> ChatTurn:
    """Words of another language, in no good order."""
    words = rng.choice(_FOREIGN)
    joint = "" if words[0] == "你好" else " "
    text = joint.join(rng.sample(words, rng.randint(2, 6)))
    text = text[:1].upper() + text[1:] if rng.random() < 0.5 else text
    return text + rng.choice(("", "", "?", "?", ".", "!")), ENGLISH


def noise(rng: random.Random) -> ChatTurn:
    """What no reply can answer: keys at random, code, another language."""
    return rng.choice((gibberish, code, foreign))(rng)
