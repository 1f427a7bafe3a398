"""Reads the data files that lie beside this module: every mistake is named with its file, and its line or key.

A text file holds one item a line; blank lines and lines that begin with "# " are for people. A table is a CSV file with a line of
names, above which such lines may stand. Whatever has a structure of its own is TOML, the tables of which keep their order.
"""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent
