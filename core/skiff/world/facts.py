"""Skiff's world: every table of facts, the order of numbers, and what is kept from training.

The facts are common knowledge, written out by hand; ambiguous ones (countries with several capitals or on two
continents, things of several colours) are left out, or named in a table's ``also`` so that they are never used
as false ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Literal

from core.skiff.world.tables import FactTable, read_tables

# In the order of the files, by which everything is drawn.
TABLES: dict[str, FactTable] = {
    table.name: table for file in ("places", "nature", "people", "words") for table in read_tables(f"facts/{file}.toml")
}

# Tables that no training text ever labels as true or false: they measure how far judging carries.
UNLABELLED: frozenset[str] = frozenset({"currencies", "uses", "young"})

NUMBERS: tuple[int, ...] = tuple(range(100))


def compare_split(a: int, b: int) -> Literal["train", "test"]:
    """Whether the comparison of ``a`` and ``b`` (0 to 99, different) may be trained on, in either order.

    One pair in seven is kept for evaluation. Raises ValueError when the numbers are equal or outside the world.
    """
    low, high = min(a, b), max(a, b)
    if low == high or low < NUMBERS[0] or high > NUMBERS[-1]:
        raise ValueError(f"Skiff compares two different numbers from 0 to 99, not {a} and {b}.")
    return "test" if zlib.crc32(f"{low}<{high}".encode()) % 7 == 0 else "train"


def facts() -> Iterator[tuple[FactTable, str, str]]:
    """Every fact: its table, subject and object."""
    for table in TABLES.values():
        for subject, answer in table.rows:
            yield table, subject, answer
