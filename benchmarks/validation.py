"""Does what the program says of chance hold? Its statistics tried on data of known truth; writes docs/validation.md, a section each."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmarks import validation_statistics
from core.util.table import Table

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "validation.md"
STATISTICS = "Statistics"
#: So often each setting is tried, for each pair of timings that other benchmarks would make.
_TRIALS = 10


def validation(options: argparse.Namespace) -> bool:
    """Print the rows and write them; whether all are as claimed."""
    found = []
    for row in validation_statistics.rows(_TRIALS * options.pairs):
        print("  " + " | ".join(row.cells()), flush=True)
        found.append(row)
    heads = ("what", "claimed", "an earlier version", "now", "as claimed")
    table = Table("Data of known truth", heads, tuple(row.cells() for row in found), sentences=True)
    said = (
        f"Simulated, {_TRIALS * options.pairs} trials a setting. A rate of .95 over that many trials is known to about "
        f"±{1.96 * (0.95 * 0.05 / (_TRIALS * options.pairs)) ** 0.5:.2f}."
    )
    write_section(STATISTICS, f"{said}\n\n{table.markdown()}")
    return all(row.good for row in found)


def write_section(title: str, text: str, document: Path = DOCUMENT) -> None:
    """Put a section in place of the one of its title, or behind all others; the rest of the page stays as it is."""
    page = document.read_text(encoding="utf-8")
    section = f"## {title}\n\n{text.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    found = pattern.search(page)
    page = page[: found.start()] + section + "\n" + page[found.end() :] if found else f"{page.rstrip()}\n\n{section}"
    document.write_text(page.rstrip() + "\n", encoding="utf-8")
