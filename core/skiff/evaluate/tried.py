"""What was tried in training Skiff, and what it gave: a table in the model card. Figures are of single runs with one seed."""

from __future__ import annotations

from dataclasses import dataclass

from core.skiff.data import reader


@dataclass(frozen=True)
class Tried:
    """One attempt: the stage it concerns, what was done, what came of it."""

    stage: str
    what: str
    result: str


TRIED: tuple[Tried, ...] = tuple(
    Tried(node.text("stage"), node.text("what"), node.text("result"))
    for node in reader.toml("tried.toml").nodes("tried")
)


def tried_lines() -> list[str]:
    """The table as Markdown."""
    rows = [f"| {each.stage} | {each.what} | {each.result} |" for each in TRIED]
    return ["| stage | tried | result |", "|---|---|---|", *rows]
