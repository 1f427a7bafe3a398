"""Reads the data files that lie beside this module: every mistake is named with its file, and with its line or its key.

A text file holds one item a line; blank lines, and lines that begin with "# ", are for people. A table is a CSV file, the first line
of which names its columns; such lines may stand above it. Whatever has a structure of its own is TOML. Order is kept everywhere.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import TillerError

DATA = Path(__file__).parent


class DataError(TillerError):
    """A data file that cannot be used."""


@dataclass(frozen=True)
class Node:
    """A table of a TOML file. ``place`` is its name in the file, empty for the file itself."""

    path: Path
    place: str
    values: Mapping[str, Any]

    def wrong(self, key: str, sentence: str) -> DataError:
        """The error that a sentence about a key is."""
        return DataError(f"{self.path}: {f'{self.place}.' if self.place else ''}{key} {sentence}.")

    def text(self, key: str) -> str:
        """A text."""
        value = self._value(key)
        if not isinstance(value, str):
            raise self.wrong(key, f"must be text in quotes, not {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._value(key)
        if not _is_texts(value):
            raise self.wrong(key, "must be a list of texts in quotes, which is not empty")
        return tuple(value)

    def wordings(self, key: str, fields: Sequence[str]) -> tuple[str, ...]:
        """A list of texts in which these fields may stand in braces, and no others."""
        found, filled = self.texts(key), dict.fromkeys(fields, "")
        for text in found:
            try:
                text.format_map(filled)
            except (KeyError, ValueError, IndexError) as error:
                raise self.wrong(key, f"has {text!r}, in which braces may hold {', '.join(fields)} alone") from error
        return found

    def lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts."""
        value = self._value(key)
        if not isinstance(value, list) or not all(_is_texts(each) for each in value):
            raise self.wrong(key, "must be a list of lists of texts in quotes")
        return tuple(tuple(each) for each in value)

    def node(self, key: str) -> Node:
        """A table inside."""
        value = self._value(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return Node(self.path, f"{self.place}.{key}" if self.place else key, value)

    def nodes(self, key: str) -> tuple[Node, ...]:
        """Tables in double brackets."""
        value = self._value(key)
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.wrong(key, "must be tables in double brackets")
        return tuple(Node(self.path, f"{key}[{number}]", each) for number, each in enumerate(value, 1))

    def every_text(self) -> dict[str, str]:
        """All of this table, which holds texts alone."""
        return {key: self.text(key) for key in self.values}

    def every_list(self) -> dict[str, tuple[str, ...]]:
        """All of this table, which holds lists of texts alone."""
        return {key: self.texts(key) for key in self.values}

    def known(self, keys: Sequence[str]) -> None:
        """Raise DataError for a key that is none of these."""
        for key in self.values:
            if key not in keys:
                raise self.wrong(key, f"is no key here; there is {', '.join(keys)}")

    def _value(self, key: str) -> Any:
        if key not in self.values:
            raise self.wrong(key, "is missing")
        return self.values[key]


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)


def toml(name: str) -> Node:
    """A TOML file. Raises DataError."""
    path = DATA / name
    try:
        return Node(path, "", tomllib.loads(_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not valid TOML: {error}.") from error


def text_lines(name: str) -> tuple[str, ...]:
    """The items of a text file. Raises DataError for an item that stands there twice."""
    path, found = DATA / name, dict[str, int]()
    for number, line in enumerate(_text(path).splitlines(), 1):
        item = line.strip()
        if item and not item.startswith("# "):
            if item in found:
                raise DataError(
                    f"{path}, line {number}: {item!r} stands in line {found[item]}, too; take one of them out."
                )
            found[item] = number
    return tuple(found)


def rows(name: str, columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The rows of a CSV file with these columns. Raises DataError."""
    path = DATA / name
    every = _text(path).splitlines(keepends=True)
    above = next(
        (number for number, line in enumerate(every) if line.strip() and not line.startswith("# ")), len(every)
    )
    reader = csv.reader(every[above:], strict=True)
    found: list[tuple[str, ...]] = []
    try:
        if next(reader, None) != list(columns):
            raise DataError(f"{path}, line {above + 1}: the columns must be {','.join(columns)}.")
        for row in reader:
            if len(row) != len(columns) or not all(row):
                needs = f"a row needs {len(columns)} values ({', '.join(columns)}), none of them empty"
                raise DataError(f"{path}, line {above + reader.line_num}: {needs}; this one has {len(row)}.")
            found.append(tuple(row))
    except csv.Error as error:
        raise DataError(f"{path}, line {above + reader.line_num}: {error}; check its quotes.") from error
    return tuple(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8; save it as UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); take it from the repository again.") from error
