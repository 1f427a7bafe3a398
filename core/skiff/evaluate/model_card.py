"""Skiff's model card, written by the command that measures it: no figure in it is typed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.inference.reply_labels import confusion_lines
from core.skiff.evaluate import scorer_agreement
from core.skiff.evaluate.tried import tried_lines
from core.training.card_figures import Figure
from core.training.card_text import card_paragraphs, figure_table, missed_lines

#: Checkpoints that are measured as controls; see ``Subjects.controls``.
CONTROL_NAMES = ("base-unlabelled", "without-planted")

_WHAT = """
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
later one count under the stage they come from. Steps are computed in bfloat16 where the processor multiplies that in hardware,
else in float32, which takes two to three times as long; `dtype` in the log says which. The weights come out with other bits
then, and figures may differ as between two seeds.
"""

RESULTS = """
Written by `python launch.py evaluate`. Greedy decoding. Prompts, wordings, verbs, subjects and number pairs are ones that no
training text has, unless the line says otherwise; facts are those of the training text, since recalling them is the point.
Intervals are 95 % Wilson intervals, or the middle 95 % of the repetitions where n counts those. *Aim* is what the design asks
of Skiff, *first* what the first edition had to reach. {seeds}
"""

ONE_SEED = "One training seed: how much another would differ is not measured here."
SEEDS = """
*Seeds* is the mean, and in brackets the least and the most, over {number} seeds of the stages after the base: the shipped one and
{others}. They share the base, so that of the base there is one seed. Rates and marks are the shipped seed's.
"""
_CONTROLS = """
{names} {are} no part of the family but retrained to compare with: without labelled statements in pretraining, or without the
planted over-refusal.
"""

SCORING = """
Replies are put in classes by rules. These were checked against two hundred replies labelled by hand, of which sixty were not
looked at while the rules were mended. Refusals, ignorance and answers are found almost always; wreckage that is made of whole words
passes for an answer, so that rates of *broken* are lower bounds. The substring list is the usual score of the literature.
"""

_TRIED = """
Single runs with one seed each, kept here so that nobody need try them again.
"""


def model_card(figures: Sequence[Figure], record: dict[str, Any], seeds: Sequence[int] = ()) -> str:
    """The card as Markdown, from the evaluation's figures and the training log.

    ``seeds`` are the seeds that figures were measured on besides the shipped one.
    """
    lines = [
        "# Skiff",
        "",
        *card_paragraphs(_WHAT.format(parameters=_parameters(record))),
        "## Files",
        "",
        *card_paragraphs(FILES),
    ]
    tried = ["### What was tried", "", *card_paragraphs(_TRIED), *tried_lines(), ""]
    return "\n".join([*lines, *_training(record), *tried, *_results(figures, seeds)])


def seeds_sentence(seeds: Sequence[int]) -> str:
    """What the card says of seeds: which were measured, and where there is only the shipped one, that."""
    if not seeds:
        return ONE_SEED
    others = " and ".join(f"seed {seed}" for seed in seeds)
    return " ".join(SEEDS.format(number=len(seeds) + 1, others=others).split())


def _parameters(record: dict[str, Any]) -> str:
    width, layers, heads, shared, inner = record["stages"][0]["recipe"]["shape"]
    attention = width * width * 2 + 2 * width * (width // heads) * shared
    total = 2048 * width + layers * (attention + 3 * width * inner + 2 * width) + width
    return f"{total / 1e6:.1f} million"


def _training(record: dict[str, Any]) -> list[str]:
    lines = ["## How it was trained", "", *card_paragraphs(TRAINING)]
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


def _results(figures: Sequence[Figure], seeds: Sequence[int]) -> list[str]:
    lines = ["## What it shows", "", *card_paragraphs(RESULTS.format(seeds=seeds_sentence(seeds)))]
    controls = [f"`{name}`" for name in CONTROL_NAMES if any(figure.checkpoint == name for figure in figures)]
    if controls:
        are = "is" if len(controls) == 1 else "are"
        lines += card_paragraphs(_CONTROLS.format(names=" and ".join(controls), are=are))
    lines += ["What the final checkpoint says to two hundred strangers stands in [transcripts.md](transcripts.md).", ""]
    for section in dict.fromkeys(figure.section for figure in figures):
        lines += [f"### {section}", "", *figure_table([figure for figure in figures if figure.section == section]), ""]
    if any(figure.section == scorer_agreement.SECTION for figure in figures):
        lines += [*card_paragraphs(SCORING), *confusion_lines(scorer_agreement.confusion()), ""]
    missed = missed_lines(figures)
    return [*lines, "### Where it falls short", "", *missed, ""] if missed else lines
