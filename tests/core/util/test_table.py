"""CSV that a spreadsheet opens: no text becomes a formula, and every number stays one."""

from __future__ import annotations

import csv
import io

from core.util.table import Table, csv_text


def test_texts_are_no_formulas_and_numbers_stay() -> None:
    texts = ["=1+1", "+cmd", "-cmd to -1", "@SUM(A1)", "\t=1", "\r=1", "a\r=b", "'", ""]
    numbers = [
        "-3",
        "+0.5",
        "-1e-3",
        "-0.250000",
        "\N{MINUS SIGN}2",
        "-0.13 (-0.21 to -0.07)",
        "\N{MINUS SIGN}0.13 (\N{MINUS SIGN}0.21 to 0.07)",
        "-0.01 to 0.005",
        -1.5,
        7,
    ]
    rows = list(csv.reader(io.StringIO(csv_text([texts, numbers]), newline="")))
    assert rows[0] == ["'=1+1", "'+cmd", "'-cmd to -1", "'@SUM(A1)", "'\t=1", "'\n=1", "a\n=b", "'", ""]
    assert rows[1] == [str(number).replace("\N{MINUS SIGN}", "-") for number in numbers], (
        "a program reads no other minus"
    )


def test_column_names_are_texts_too() -> None:
    assert Table("", ("=1", "b"), (("c", "-d"),)).csv() == "'=1,b\nc,'-d\n"
