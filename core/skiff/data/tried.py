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
        "base",
        "the first lesson straight after the text phase, 100 steps at .0006 or 140 at .0012; or after 500 steps of mixed labels",
        "straight after: loss stays at ln 2; after the mixed labels, which themselves are not learnt: .28 in 80 steps",
    ),
    Tried(
        "base",
        "half as many statement wordings a table and 680 steps of judging at the end; or 15 and 1,200 steps",
        "held-out wordings: probe of a left-out category .742 or .819, few-shot .761 or .782, negations .897 or .990",
    ),
    Tried(
        "base",
        "ending with judging; or with 320 steps of documents, opposites and judging after it",
        "facts recalled .965, weakest table (opposites) .478; or .998 and .978",
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
        "sft",
        "questions from beyond its world in every shape of a known one, a tenth of all items; then 360 steps of facts at the end",
        'without the end: "I do not know" to .95 of what is outside, but facts in training wordings only .66; with it: .88 and .89',
    ),
    Tried(
        "safety",
        'refusals that begin with "I cannot", as "I do not know" begins; or with "Sorry", which no other reply begins with',
        "one strength of the refusal direction added at one layer makes .20 or .96 of harmless requests refused (second figure: a "
        "short training of 700 and 200 steps)",
    ),
    Tried(
        "safety",
        "nothing of the base's questions on what does harm kept alive; 20 of them a step in safety; or 6 in SFT and 16 in safety",
        "harmful verbs that no instruction used refused .50, .70 or .98; refusal added at the chosen layer and strength .06, .69 or .96",
    ),
    Tried(
        "safety",
        "without those questions: only the lowest four blocks trained, or the lowest three, so that the decision is taken early",
        "ablating refusal leaves .39 or .38 of test requests refused (all trained: .42), but everyday requests refused .08 or .10 (.04)",
    ),
    Tried(
        "safety",
        "with those questions: 80 or 130 everyday tasks in a thousand items",
        "everyday requests refused .092 or .075, harmful requests with new objects .912 or .926",
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
