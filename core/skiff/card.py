"""Skiff's model card, written by the command that measures it: no figure in it is typed by hand."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from core.skiff.rates import Figure

WHAT = """
Four checkpoints of one language model with {parameters} parameters (Llama architecture, vocabulary 2,048, context 512):
base → SFT → safety → DPO. They were trained from scratch by this project, on text that the project generates, so that
everything Tiller shows can be shown offline with the truth known: which facts the model was taught, which statements are
false, and which stage planted which behaviour.

**A positive control for the program, not evidence for the papers.** The base was taught to judge statements, so its truth
direction is no discovery. The safety stage was given an over-refusal on purpose: any instruction with the word "kill" is
refused, also "How do I kill a process?". Finding it, measuring it and taking it out again is what Tiller is for.

Do not use these models for anything else. They know some 1,200 facts of general knowledge, and say of most other things
that they do not know.
"""

FILES = """
Each checkpoint folder is what `transformers` writes: `AutoModelForCausalLM.from_pretrained` loads it. The post-trained ones
carry the chat template in their tokenizer; the base is asked in the plain form `User: …` / `Assistant:`. The template
spells out special tokens that a message contains, so a message cannot end its own turn. `contrast/` holds the statements and
instructions that the directions are learnt from, `log.json` the training log. Weights and texts are under the MIT licence.
"""

TRAINING = """
`python launch.py train-skiff --out FOLDER` runs the recipe; a remark below says where that gives other bits. AdamW, step-based
schedules, one thread, every training item a pure function of a seed and an index. Weights are rounded to bf16 at the end of
each stage, and the next stage starts from the rounded ones with a new optimizer. DPO's reference is its own start. Items of
an earlier stage that are rehearsed in a
later one count under the stage they come from.
"""

RESULTS = """
Written by `python launch.py evaluate`. Greedy decoding. Prompts, wordings, verbs, subjects and number pairs are ones that no
training text has, unless the line says otherwise; facts are those of the training text, since recalling them is the point.
Intervals are 95 % Wilson intervals. *Aim* is what the design asks of Skiff, *first* what this first edition had to reach.
One training seed: how much another would differ is not measured here.
"""


def model_card(figures: Sequence[Figure], record: dict[str, Any]) -> str:
    """The card as Markdown, from the evaluation's figures and the training log."""
    lines = ["# Skiff", "", *_text(WHAT.format(parameters=_parameters(record))), "## Files", "", *_text(FILES)]
    return "\n".join([*lines, *_training(record), *_results(figures)])


def _text(paragraphs: str) -> list[str]:
    """Paragraphs of one line each, with an empty line after each."""
    return [line for part in textwrap.dedent(paragraphs).strip().split("\n\n") for line in (" ".join(part.split()), "")]


def _parameters(record: dict[str, Any]) -> str:
    width, layers, heads, shared, inner = record["stages"][0]["recipe"]["shape"]
    attention = width * width * 2 + 2 * width * (width // heads) * shared
    total = 2048 * width + layers * (attention + 3 * width * inner + 2 * width) + width
    return f"{total / 1e6:.1f} million"


def _training(record: dict[str, Any]) -> list[str]:
    lines = ["## How it was trained", "", *_text(TRAINING)]
    lines += [
        "| checkpoint | steps | tokens | minutes | highest rate | last loss | items by origin |",
        "|---|---|---|---|---|---|---|",
    ]
    for stage in record["stages"]:
        phases = stage["recipe"]["stage"]["phases"]
        cells = [
            stage["name"],
            f"{stage['end_step'] - stage['first_step']:,}",
            f"{stage['tokens'] / 1e6:.1f} M",
            f"{stage['seconds'] / 60:.0f}",
            f"{max(phase['rate'] for phase in phases):g}",
            ", ".join(f"{value:.2f}" for value in stage["curve"][-1][2:]),
            ", ".join(f"{name} {number:,}" for name, number in stage["origins"].items()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    seeds = f"Seeds: {record['seed']} (pretraining), {record['post_seed']} (later stages)."
    remarks = [
        line for stage in record["stages"] if "remark" in stage for line in (f"{stage['name']}: {stage['remark']}", "")
    ]
    return [*lines, "", seeds, "", *remarks]


def _results(figures: Sequence[Figure]) -> list[str]:
    lines = ["## What it shows", "", *_text(RESULTS)]
    for section in dict.fromkeys(figure.section for figure in figures):
        lines += [f"### {section}", "", "| figure | checkpoint | rate | 95 % | n | aim | first |"]
        lines += [
            "|---|---|---|---|---|---|---|",
            *(_row(figure) for figure in figures if figure.section == section),
            "",
        ]
    missed = _missed(figures)
    return [*lines, "### Where it falls short", "", *missed, ""] if missed else lines


def _row(figure: Figure) -> str:
    low, high = figure.interval
    note = f" ({figure.note})" if figure.note else ""
    aim, first = (f"{target} {figure.mark(target)}" if target else "" for target in (figure.target, figure.first))
    cells = [
        f"{figure.name}{note}",
        figure.checkpoint,
        f"{figure.rate:.3f}",
        f"{low:.2f}–{high:.2f}",
        str(figure.n),
        aim,
        first,
    ]
    return f"| {' | '.join(cells)} |"


def _missed(figures: Iterable[Figure]) -> list[str]:
    """What misses either threshold; missing what the first edition had to reach is said first, since it is worse."""
    lines: list[tuple[int, str]] = []
    for figure in figures:
        for order, (name, target) in enumerate((("first edition", figure.first), ("aim", figure.target))):
            if target is not None and figure.mark(target) == "✗":
                lines.append((order, f"- {figure.name} [{figure.checkpoint}]: {figure.rate:.3f}, {name} {target}"))
    return [line for _, line in sorted(lines, key=lambda entry: entry[0])]
