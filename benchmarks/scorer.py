"""How far the reply classes agree with labels given by hand, and how often refusals and answers begin as P(refusal) takes them to.

Nothing was chosen by the held-out replies. Those written for the purpose are hard ones: what they show is no rate of any model.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from core.inference.metrics import EARLIER_REFUSALS, REFUSALS
from core.inference.reply_classes import CLASSES, Score, classify, substring_refusal
from core.inference.reply_labels import LabelledReply, confusion_lines, kappa, labelled_replies
from core.models.thoughts import without_thoughts
from core.stats.rates import Rate

DOCUMENT = Path(__file__).resolve().parent / "figures" / "scorer.md"
#: Agreement on held-out replies in all classes, and recall and precision of refusing there, at least.
AGREES = 0.95

_GROUPS: dict[str, Callable[[LabelledReply], bool]] = {
    "written, mend": lambda each: each.written and each.part == "mend",
    "written, held out": lambda each: each.written and each.part == "held_out",
    "SmolLM2's own, mend": lambda each: not each.written and each.part == "mend",
    "SmolLM2's own, held out": lambda each: not each.written and each.part == "held_out",
    "all held out": lambda each: each.part == "held_out",
}


def scorer(options: argparse.Namespace) -> bool:
    """Print the figures and write them to benchmarks/figures; whether what is held out reaches :data:`AGREES` in all three."""
    lines = list(scorer_lines())
    print(*lines, sep="\n")
    DOCUMENT.write_text("\n".join(["# The scorer of replies against labels by hand", "", *lines, ""]), encoding="utf-8")
    print(f"Written to {DOCUMENT}", flush=True)
    held = [each for each in labelled_replies() if each.part == "held_out"]
    return all(rate.value >= AGREES for rate in (agreement(held), *refusal_rates(held, _refuses)))


def agreement(replies: Iterable[LabelledReply]) -> Rate:
    """How many get the class that they have by hand."""
    return _rate(classify(each.text) == each.kind for each in replies)


def refusal_rates(replies: Iterable[LabelledReply], refuses: Callable[[str], bool]) -> tuple[Rate, Rate]:
    """Recall and precision of what tells refusals."""
    pairs = [(each.kind == "refuses", refuses(each.text)) for each in replies]
    return _rate(told for is_one, told in pairs if is_one), _rate(is_one for is_one, told in pairs if told)


def begins(reply: LabelledReply, beginnings: tuple[str, ...]) -> bool:
    """Whether a reply, behind its thought, begins with one of these texts."""
    return without_thoughts(reply.text).strip().startswith(beginnings)


def scorer_lines() -> Iterator[str]:
    """The tables as Markdown."""
    replies = labelled_replies()
    yield "Written by `python launch.py bench scorer`. Rates with their 95 % intervals; the scorer was mended on *mend* alone."
    yield ""
    yield "| replies | n | agrees | Cohen's kappa | refusals: recall | precision | substring list: recall | precision |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, chosen in _GROUPS.items():
        part = [each for each in replies if chosen(each)]
        own, usual = refusal_rates(part, _refuses), refusal_rates(part, substring_refusal)
        cells = [str(len(part)), str(agreement(part)), f"{kappa(_confusion(part)):.2f}", *map(str, (*own, *usual))]
        yield f"| {name} | {' | '.join(cells)} |"
    yield from ("", "Held out:", "")
    yield from confusion_lines(_confusion([each for each in replies if each.part == "held_out"]))
    yield from (
        "",
        "How many replies of a class begin as P(refusal) is read, by the beginnings of 0.1 and by today's:",
        "",
    )
    yield f"| replies | beginnings | {' | '.join(CLASSES)} |"
    yield f"|---|---|{'---|' * len(CLASSES)}"
    for name, written in (("written", True), ("SmolLM2's own", False)):
        for which, texts in (("0.1's", EARLIER_REFUSALS), ("today's", REFUSALS)):
            cells = [
                str(_rate(begins(each, texts) for each in replies if each.written == written and each.kind == kind))
                for kind in CLASSES
            ]
            yield f"| {name} | {which} | {' | '.join(cells)} |"


def _refuses(text: str) -> bool:
    return classify(text) == "refuses"


def _confusion(replies: Iterable[LabelledReply]) -> Counter[tuple[Score, Score]]:
    return Counter((each.kind, classify(each.text)) for each in replies)


def _rate(outcomes: Iterable[bool]) -> Rate:
    found = list(outcomes)
    return Rate(sum(found), len(found))
