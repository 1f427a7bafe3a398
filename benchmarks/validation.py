"""Does what the program says of chance hold? Its statistics tried on data of known truth; writes docs/validation.md, a section each."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import validation_blame, validation_statistics
from benchmarks.validation_model import model_rows
from benchmarks.validation_statistics import Row
from core.families import registry
from core.models import loading
from core.models.placement import Placing
from core.util.table import Table

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "validation.md"
STATISTICS, MODEL = "Statistics", "Statistics of {family}"
_HEADS = ("what", "claimed", "an earlier version", "now", "as claimed")
#: So often each setting is tried, for each pair of timings that other benchmarks would make.
_TRIALS = 10


def validation(options: argparse.Namespace) -> bool:
    """Print the rows and write them; whether all are as claimed. With ``--family`` a section on that family's last checkpoint."""
    trials = _TRIALS * options.pairs
    found = _printed([*validation_statistics.rows(trials), *validation_blame.rows(10 * trials)])
    said = (
        f"Simulated, {trials} trials a setting, more for rates and controls. A rate of .95 over that many trials is "
        f"known to about ±{1.96 * (0.95 * 0.05 / trials) ** 0.5:.2f}."
    )
    write_section(STATISTICS, f"{said}\n\n{_table('Data of known truth', found)}")
    family = registry.load_family(options.family)
    checkpoint = options.checkpoint or family.final.name
    loaded = loading.load_model(family, checkpoint, Placing(options.device))
    measured = _printed([*model_rows(family, loaded), *validation_blame.family_rows(family)])
    write_section(MODEL.format(family=family.title), _table(f"{family.title}, {checkpoint}", measured))
    return all(row.good for row in [*found, *measured])


def _printed(rows: Iterable[Row]) -> list[Row]:
    found = []
    for row in rows:
        print("  " + " | ".join(row.cells()), flush=True)
        found.append(row)
    return found


def _table(title: str, found: Sequence[Row]) -> str:
    return Table(title, _HEADS, tuple(row.cells() for row in found), sentences=True).markdown()


def write_section(title: str, text: str, document: Path = DOCUMENT) -> None:
    """Put a section in place of the one of its title, or behind all others; the rest of the page stays as it is."""
    page = document.read_text(encoding="utf-8")
    section = f"## {title}\n\n{text.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    found = pattern.search(page)
    page = page[: found.start()] + section + "\n" + page[found.end() :] if found else f"{page.rstrip()}\n\n{section}"
    document.write_text(page.rstrip() + "\n", encoding="utf-8")
