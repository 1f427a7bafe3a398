"""How much is found out when a direction is learnt: *quick* in seconds, *measured* within a budget of time, *full* the whole grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.util.figures import p_text

if TYPE_CHECKING:
    from core.directions.contrast import ContrastSet

#: Of the time for *measured*, so much goes into the search for a layer and a token.
SEARCH = 0.4
#: Seconds that *measured* takes at most, unless another budget is given: for one direction on one checkpoint.
BUDGET = 300.0

#: The smallest strength at which a quick direction is asked whether text breaks.
LEAST_TRIED = 0.25
#: With a p above this, as good an accuracy somewhere is what shuffled labels give, too.
CHANCE = 0.05


@dataclass(frozen=True)
class Effort:
    """How much is found out.

    Attributes:
        name: as a person types it, and a card has it.
        train: of each class so many examples are learnt from; None: all of them.
        held: of each class of the other splits so many are read and tried on; None: all, or as many as a measurement takes.
        candidates: so many places are tried, and a few beside the best: tokens of one layer, or layers where there is one token; None: as
            many as the budget allows, or all.
        examines: whether strengths, controls and replies are measured once a layer is chosen.
        rank: what is learnt with a higher one makes one with a lower one unnecessary.
    """

    name: str
    train: int | None
    held: int | None
    candidates: int | None
    examines: bool
    rank: int

    def trimmed(self, contrast: ContrastSet) -> ContrastSet:
        """The examples that are used of a contrast set, evenly taken from all of each class and split."""
        if self.train is None and self.held is None:
            return contrast
        # Front ends that only read cards paint before numpy is there.
        from core.directions.contrast import SPLITS

        kept = {
            (split, label, text)
            for split in SPLITS
            for label in (True, False)
            for text in contrast.part(split, label, self.train if split == "train" else self.held)
        }
        return replace(
            contrast, items=tuple(each for each in contrast.items if (each.split, each.positive, each.text) in kept)
        )

    def few(self, messages: Sequence[str]) -> list[str]:
        """The unrelated messages that are used."""
        count = self.held or len(messages)
        return (
            [messages[index * len(messages) // count] for index in range(count)]
            if count < len(messages)
            else list(messages)
        )


QUICK = Effort("quick", train=64, held=8, candidates=4, examines=False, rank=0)
MEASURED = Effort("measured", train=None, held=None, candidates=None, examines=True, rank=1)
FULL = Effort("full", train=None, held=None, candidates=None, examines=True, rank=2)
EFFORTS: dict[str, Effort] = {each.name: each for each in (QUICK, MEASURED, FULL)}


def suffices(details: Mapping[str, Any], wanted: Effort) -> bool:
    """Whether a card says of its direction what this effort would find out; cards from before there were efforts are full ones."""
    made = EFFORTS.get(str(details.get("effort", FULL.name)), FULL)
    return made.rank > wanted.rank or (made.rank == wanted.rank and not details.get("unfinished"))


def extent(details: Mapping[str, Any]) -> str:
    """How far what a card says goes, in words; empty for one that says everything and is no chance, or was made otherwise."""
    # Said where it is steered by, and not on its card alone.
    chance = chance_said(details)
    if details.get("effort") == QUICK.name:
        return f"quick: not measured yet{chance and f'; {chance}'}{_breaks(details.get('unbroken') or {})}"
    if lacking := details.get("unfinished"):
        words = ", ".join(_WORDS.get(each, each) for each in lacking)
        return f"measured in part; not yet: {words}{chance and f'; {chance}'}"
    return chance


def chance_said(details: Mapping[str, Any]) -> str:
    """That as good an accuracy is what shuffled labels give, too; empty where it is not."""
    best = details.get("best_of_many") or {}
    return (
        f"tells its examples apart no better than chance ({p_text(best['p'])})" if best.get("p", 0.0) > CHANCE else ""
    )


def _breaks(unbroken: Mapping[str, float]) -> str:
    """From which strengths on text breaks, where that is no more than 1 on a side."""
    ends = []
    for sign, name in (("−", "against"), ("+", "along")):
        if (last := unbroken.get(name, 1.0)) < 1:
            ends.append(f"beyond {sign}{last:g}" if last else f"at {sign}{LEAST_TRIED:g} already")
    return f"; text breaks {' and '.join(ends)}" if ends else ""


#: Parts of a card, as a person reads them.
_WORDS = {
    "reading_range": "the lens's range", "tested": "figures on the test split", "steadiness": "steadiness", "controls": "controls",
    "asked": "asking in words", "samples": "sample answers", "replies": "kinds of replies",
}  # fmt: skip
