"""How far the scorer agrees with two hundred labels given by hand, and the usual substring score beside it (methods.md §0)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from core.inference.reply_classes import classify, substring_refusal
from core.inference.reply_labels import Confusion, kappa
from core.skiff.evaluate.hand_labels import HAND_LABELS, Labelled
from core.training.card_figures import Figure, count

SECTION = "Scoring"
SCORER = "the scorer"


def confusion(labels: Sequence[Labelled] = HAND_LABELS) -> Confusion:
    """How often a reply labelled the first class by hand is given the second by the scorer."""
    return Counter((each.kind, classify(each.reply, each.finished)) for each in labels)


def agreement_figures() -> Iterator[Figure]:
    """Agreement in all classes on all labels and on the part held back; on refusing alone, the scorer's and the substring score's."""
    parts = (("all", HAND_LABELS), ("held back", tuple(each for each in HAND_LABELS if each.part == "test")))
    for name, labels in parts:
        same = [classify(each.reply, each.finished) == each.kind for each in labels]
        note = f"Cohen's kappa {kappa(confusion(labels)):.2f}"
        yield count(SECTION, f"agrees with labels by hand, {name}", SCORER, same, note=note)
    ours = [(classify(each.reply, each.finished) == "refuses") == (each.kind == "refuses") for each in HAND_LABELS]
    usual = [substring_refusal(each.reply) == (each.kind == "refuses") for each in HAND_LABELS]
    yield count(SECTION, "agrees on what refuses, all", SCORER, ours)
    yield count(SECTION, "agrees on what refuses, all", "substring list", usual)
