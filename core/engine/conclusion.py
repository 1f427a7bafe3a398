"""What a comparison shows, in one sentence: worked out from the answers that are there, so that it can turn out otherwise. No torch.

A reply is put into one of the classes of :mod:`core.inference.reply_classes`; where two replies are of one class, what is said is how
they begin, or where their words part.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from core.chat.session import Session
from core.chat.settings import Column
from core.chat.sliders import SPAN
from core.families.checkpoint import Counterfactual, Family, Subtracted, stage_word
from core.inference.reply_classes import DOES, Score, classify

#: Characters of a reply that a sentence quotes.
_QUOTED = 120
_COUNTED = ("no", "one stage", "two stages", "three stages", "four stages", "five stages")


@dataclass(frozen=True)
class Conclusion:
    """A claim, and what it rests on. ``tab`` names the place that shows how one knows; empty where the answers show it themselves."""

    claim: str
    ground: str
    tab: str = ""


@dataclass(frozen=True)
class _Reply:
    """What a column does and said; ``kind`` is the class of what it said."""

    column: Column
    text: str
    kind: Score

    @property
    def plain(self) -> bool:
        return not self.column.recipe and not self.column.asks


def conclude(family: Family, session: Session) -> Conclusion | None:
    """What the whole last answers of a chat show. None where there are fewer than two, where one is not whole, or was written under another
    recipe than its column has now, or where no two columns differ in one thing alone."""
    replies = [_reply(session, place) for place in range(len(session.settings.columns))]
    there = [each for each in replies if each is not None]
    if len(there) < 2 or len(there) < len(replies):
        return None
    # The selected column is what a person looks at.
    chosen = there[session.settings.selected]
    pairs = sorted(combinations(there, 2), key=lambda pair: chosen not in pair)
    for pair in pairs:
        for one, other in (pair, pair[::-1]):
            if found := _without_stage(family, one, other) or _pushed(family, one, other):
                return found
    return next((found for one, other in pairs if (found := _checkpoints(family, one, other))), None)


def _reply(session: Session, place: int) -> _Reply | None:
    answer = session.answers.get(place)
    if answer is None or not answer.finished or answer.error or answer.reason == "stopped" or session.stale(place):
        return None
    # What a person chose or wrote himself says nothing of the model.
    if any(token.forced for token in answer.tokens):
        return None
    # One that was cut off by its limit is no worse for that.
    kind = classify(answer.text)
    if kind == "broken" and session.settings.sampling.temperature > 1:
        # Words that are drawn so freely fall apart by themselves: that one answer does and another does not is chance.
        kind = "answers"
    return _Reply(session.settings.columns[place], answer.text.strip(), kind)


def _without_stage(family: Family, whole: _Reply, less: _Reply) -> Conclusion | None:
    """``less`` is the model of ``whole`` without one of its stages."""
    if not whole.plain or not less.plain:
        return None
    model = family.checkpoint(less.column.checkpoint)
    if not isinstance(model, Counterfactual | Subtracted) or model.of != whole.column.checkpoint:
        return None
    stage = stage_word(model.minus.stage if isinstance(model, Subtracted) else model.without)
    if not stage:
        return None
    how = (
        "With its change taken out of the weights (an estimate)"
        if isinstance(model, Subtracted)
        else "Really trained again without it"
    )
    if whole.text == less.text:
        return Conclusion(f"The {stage} stage did not teach it that.", f"{how}, the model says the same.", "blame")
    if whole.kind == less.kind:
        return Conclusion(
            f"The {stage} stage changed how it says that, not what it does.",
            f"{how}, the model {DOES[less.kind]}, too: {_quoted(less.text)}",
            "blame",
        )
    return Conclusion(
        f"The {stage} stage taught it that.", f"{how}, the model {DOES[less.kind]}: {_quoted(less.text)}", "blame"
    )


def _pushed(family: Family, plain: _Reply, other: _Reply) -> Conclusion | None:
    """``other`` is the checkpoint of ``plain``, steered or asked in words."""
    if not plain.plain or other.plain or plain.column.checkpoint != other.column.checkpoint:
        return None
    done = f"With {other.column.recipe}" if other.column.recipe else "Asked in words"
    learnt = _learnt_elsewhere(family, other.column)
    if plain.text == other.text:
        hint = "Put the wish in other words."
        if other.column.recipe:
            added = [term for term in other.column.recipe.terms if term.kind == "add"]
            if plain.kind == "refuses" and any(term.direction == "refusal" and term.value > 0 for term in added):
                hint = "It refuses this already; ask something that it answers by itself."
            elif any(abs(term.value) < SPAN for term in added):
                hint = "Try a larger strength, or another question."
            else:
                hint = "Try another question."
        return Conclusion(f"{done}, it says the same here.", hint)
    if plain.kind != other.kind:
        return Conclusion(f"{done}, it {DOES[other.kind]} where it {DOES[plain.kind]} by itself.", learnt)
    verdicts = [_verdict(each.text) for each in (plain, other)]
    if all(verdicts) and verdicts[0] != verdicts[1]:
        return Conclusion(f"{done}, it says {verdicts[1]} where it says {verdicts[0]} by itself.", learnt)
    return Conclusion(f"{done}, it says something else.", f"{_parting(plain.text, other.text)} {learnt}".strip())


def _checkpoints(family: Family, one: _Reply, other: _Reply) -> Conclusion | None:
    """Two checkpoints, both as they are."""
    if not one.plain or not other.plain or one.column.checkpoint == other.column.checkpoint:
        return None
    first, second = (family.checkpoint(each.column.checkpoint).title for each in (one, other))
    if one.text == other.text:
        return Conclusion(f"{first} and {second} say the same.", "")
    if one.kind != other.kind:
        return Conclusion(f"{first} {DOES[one.kind]}; {second} {DOES[other.kind]}.", "")
    return Conclusion(f"{first} and {second} say it differently.", _parting(one.text, other.text))


def _learnt_elsewhere(family: Family, column: Column) -> str:
    """From which checkpoint a direction comes that is not the column's own, and how far before it that one stands."""
    chain = [each.name for each in family.path(family.directions_of(column.checkpoint))]
    for term in column.recipe.terms:
        if term.source and term.source != chain[-1]:
            away = len(chain) - 1 - chain.index(term.source) if term.source in chain else 0
            far = f", {_COUNTED[away]} before {chain[-1]}" if 0 < away < len(_COUNTED) else ""
            return f"The {term.direction} direction was learnt on {term.source}{far}."
    return ""


def _verdict(text: str) -> str:
    word = text.split(maxsplit=1)[0].strip(".,!;:").lower() if text else ""
    return word if word in ("yes", "no") else ""


def _parting(one: str, other: str) -> str:
    """Where the words of two texts part."""
    same = 0
    first, second = one.split(), other.split()
    while same < min(len(first), len(second)) and first[same] == second[same]:
        same += 1
    return (
        f"The answers part after {_quoted(' '.join(first[:same]))}."
        if same
        else "The answers differ from the first word on."
    )


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"“{line if len(line) <= _QUOTED else line[: _QUOTED - 1].rstrip() + '…'}”"
