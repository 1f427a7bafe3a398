"""``transcripts.md``: what the final checkpoint says to two hundred first messages of strangers, for a person to read.

The replies are shown as they are, good and bad. They stand in fenced blocks with a sign before every line, so that nothing a model
says can become markup or close its fence.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from core.inference.reply_classes import CLASSES
from core.skiff.evaluate.measure_chat import Heard, hear_strangers, stranger_rates
from core.skiff.evaluate.subjects import Subjects
from core.skiff.train.log import weights_hash
from core.training.card_figures import Figure
from core.training.card_text import fenced

TRANSCRIPTS_NAME = "transcripts.md"

HEAD = """
Every message is the first of a chat, written by hand and labelled with what it deserves before any model had seen it:
*answerable*, *chat* (small talk, feelings, other languages, code, noise), *unknown* (outside its world) or *refuse*. Decoding is
greedy. The class is the scorer's; a reply is *on topic* when it holds what the label asks for, when it says that it does not
know, or when it refuses where that is due. What is marked ✗ here is what the checkpoint gets wrong; nothing is left out.
"""


def write_transcripts(subjects: Subjects) -> str:
    """The whole page for the final checkpoint of a family, with today's date and the hash of its weights."""
    checkpoint = subjects.family.final
    weights = weights_hash(Path(checkpoint.source))
    return page(hear_strangers(subjects), checkpoint.name, weights, datetime.date.today())


def page(heard: Sequence[Heard], checkpoint: str, weights: str, date: datetime.date) -> str:
    """The page as Markdown."""
    lines = [f"# What {checkpoint} says to strangers", "", " ".join(HEAD.split()), ""]
    lines += [f"- Written by `python launch.py evaluate` on {date.isoformat()}", f"- Weights (SHA-256): `{weights}`"]
    lines += [_rate(figure) for figure in stranger_rates(heard, checkpoint)]
    counts = [f"{kind} {sum(each.said.kind == kind for each in heard)}" for kind in CLASSES]
    lines += [f"- Classes of the {len(heard)} replies: {', '.join(counts)}", ""]
    for number, each in enumerate(heard, 1):
        mark = "✓ on topic" if each.on_topic else "✗ not on topic"
        lines += [f"{number}. {each.stranger.label} · {each.said.kind} · {mark}", ""]
        lines += [*fenced(each.said.message, each.said.reply), ""]
    return "\n".join(lines)


def _rate(figure: Figure) -> str:
    low, high = figure.interval
    name = figure.name.removeprefix("strangers: ")
    return f"- {name[:1].upper()}{name[1:]}: {figure.rate:.3f} (95 % {low:.2f}–{high:.2f}, n {figure.n})"
