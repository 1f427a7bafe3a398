"""One line of text, read from left to right: numbers, patterns and single characters, and errors that name the character. No torch."""

from __future__ import annotations

import re

from core.errors import TillerError
from core.util.limits import LAYER_DIGITS

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?")
_INTEGER = re.compile(r"\d+")


class RecipeError(TillerError, ValueError):
    """A recipe that cannot be read. ``column`` is the 1-based character; ``str()`` is one sentence that names the fix."""

    def __init__(self, sentence: str, column: int) -> None:
        super().__init__(f"Character {column}: {sentence}")
        self.column = column


class LineReader:
    """Where in a line reading has come to, counted from 0."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def number(self) -> float | None:
        """A number without a sign; None where none begins here."""
        found = self.match(_NUMBER)
        return float(found) if found is not None else None

    def signed(self) -> float | None:
        """A number, with a minus before it or not."""
        sign = -1.0 if self.eat("-") else 1.0
        found = self.number()
        return sign * found if found is not None else None

    def after_space(self) -> int:
        """Pass over blanks; where reading is then."""
        self.space()
        return self.at

    def integer(self) -> int:
        """The number of a layer. Raises RecipeError."""
        self.space()
        at = self.at
        found = self.match(_INTEGER)
        if found is None:
            raise self.error("the number of a layer belongs here, counted from 0.")
        if len(found) > LAYER_DIGITS:
            raise self.error(f"no model has a layer {found[:20]}; layers are counted from 0.", at)
        return int(found)

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """What a pattern matches here, which is read then; None where it does not."""
        found = pattern.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return found.group()

    def space(self) -> None:
        """Pass over blanks."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def eat(self, character: str) -> bool:
        """Whether a character comes next, which is read then."""
        if self.peek() != character:
            return False
        self.at += 1
        return True

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self.text[self.at : self.at + 1]

    def end(self) -> bool:
        """Whether all is read."""
        return self.at >= len(self.text)

    def error(self, sentence: str, at: int | None = None) -> RecipeError:
        """An error at a place, or where reading is."""
        return RecipeError(sentence, (self.at if at is None else at) + 1)
