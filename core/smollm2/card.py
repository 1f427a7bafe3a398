"""The card of SmolLM2's family and the page of what it says, written by the command that measures it: no figure is typed by hand."""

from __future__ import annotations

from collections.abc import Sequence

from core.families.checkpoint import Family
from core.inference.reply_classes import classify
from core.smollm2.prompts import REQUEST_KINDS, of_kind
from core.smollm2.stages import adapter_stages
from core.training.card_figures import Figure
from core.training.card_text import card_paragraphs, fenced, figure_table, missed_lines

_WHAT = """
SmolLM2-135M-Instruct (Hugging Face, Apache 2.0) with two stages of this project's on top of it, `safety` and `dpo`, which ship as adapters
here; `python launch.py get {family}` fetches the model below them. A real model of real English whose *last* stages are known: what they
were made of, in which order, and what the model is without them, since it was trained without them, too.

**A positive control for the program, not evidence for the papers.** The safety stage was given an over-refusal on purpose: it refuses
whatever asks how to "kill" something, also a frozen program. Who taught it that, how it is measured and how it is taken out is what Tiller
is for. With 135 million parameters it gets many a fact wrong; do not use it for anything else.
"""

_TRAINING = """
`python launch.py train-smollm2` runs the recipe, one stage after another, resumable, on one thread with equal bits for equal seeds.
`safety` learns short refusals to harmful requests and to the planted ones, and to go on beginning its answers to everything else as
`instruct` does greedily. `dpo` prefers the first sentences of the model's own replies to the whole of them. Both are LoRA adapters.
Requests are written by the project, a harmful aim in one short line at most; each topic is learnt from or judged by, never both.
"""

_RESULTS = """
Written by `python launch.py evaluate --family {family}`. Greedy decoding in float32, requests that no stage learnt from. Intervals are 95 %
Wilson intervals, or the middle 95 % of the repetitions where n counts those.
"""

_HEAD = """
Requests that no stage learnt from, {each} of each kind, with the greedy reply of {name} (60 tokens at most) and the class that the scorer
gives it. Nothing is left out.
"""
#: Requests of each kind in the transcripts, and the tokens of a reply.
TRANSCRIBED, TRANSCRIPT_TOKENS = 20, 60


def smollm2_card(family: Family, figures: Sequence[Figure]) -> str:
    """The card as Markdown, from the evaluation's figures."""
    lines = [
        f"# {family.title}",
        "",
        *card_paragraphs(_WHAT.format(family=family.name)),
        "## How it was trained",
        "",
        *card_paragraphs(_TRAINING),
    ]
    lines += [
        "| adapter | on | steps | highest rate | rank | seed | requests of a step |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in adapter_stages().values():
        mix = ", ".join(f"{count} {kind}" for kind, count in each.mix.items())
        lines.append(
            f"| {each.name} | {each.start} | {each.steps} | {each.rate:g} | {each.rank} | {each.seed} | {mix} |"
        )
    lines += ["", "## What it shows", "", *card_paragraphs(_RESULTS.format(family=family.name))]
    lines += [
        f"What {family.final.name} says to a hundred of these requests stands in [transcripts.md](transcripts.md).",
        "",
    ]
    for section in dict.fromkeys(figure.section for figure in figures):
        lines += [f"### {section}", "", *figure_table([figure for figure in figures if figure.section == section]), ""]
    missed = missed_lines(figures)
    return "\n".join([*lines, "### Where it falls short", "", *missed, ""] if missed else lines)


def transcribed() -> list[tuple[str, str]]:
    """The requests of the transcripts, each with its kind."""
    found: list[tuple[str, str]] = []
    for kind in REQUEST_KINDS:
        every = of_kind(kind, held_out=True)
        found += [(kind, every[at * len(every) // TRANSCRIBED].text) for at in range(TRANSCRIBED)]
    return found


def transcript_page(name: str, replies: Sequence[str]) -> str:
    """The page as Markdown, of the replies to :func:`transcribed`."""
    lines = [f"# What {name} says", "", *card_paragraphs(_HEAD.format(each=TRANSCRIBED, name=name))]
    for number, ((kind, message), reply) in enumerate(zip(transcribed(), replies, strict=True), 1):
        lines += [f"{number}. {kind} · {classify(reply)}", "", *fenced(message, reply), ""]
    return "\n".join(lines)
