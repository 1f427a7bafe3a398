"""What was tried in training Skiff, and what it gave: a table in the model card. Figures are of single runs with one seed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """One attempt: the stage it concerns, what was done, what came of it."""

    stage: str
    what: str
    result: str


TRIED: tuple[Tried, ...] = (
    Tried(
        "base",
        "judging with several cues and categories from the start; or one cue and two tables for 80 to 100 steps first",
        "from the start: not learnt (loss ln 2 after 500 steps); with the first lesson: learnt",
    ),
    Tried(
        "sft",
        "no labelled statements rehearsed",
        "the gap between the class means of truth falls from 52 to 10, and judging in chat is not learnt a second time",
    ),
    Tried(
        "sft",
        "highest rate .0006 or .0018, 900 steps each",
        "questions in held-out wordings .69 or .72 and outside its world .80 or .88, but true-or-false .70 or .57, and the "
        "base's truth direction steers the chat .90 or .67 of the time",
    ),
    Tried(
        "sft",
        'naming the unknown aim ("I do not know how to vacuum a rug.") or one fixed sentence',
        "named: mangled words in about half of the replies; hence the fixed sentence",
    ),
    Tried(
        "dpo",
        "140 steps with pairs about facts only",
        '"I do not know" outside its world falls from .80 (sft) to .36',
    ),
)


def tried_lines() -> list[str]:
    """The table as Markdown."""
    rows = [f"| {each.stage} | {each.what} | {each.result} |" for each in TRIED]
    return ["| stage | tried | result |", "|---|---|---|", *rows]
